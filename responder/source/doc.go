// Package source knows which files a node may search.
//
// A Source is what an administrator registers: globs, the service they belong to and labels. A
// Catalog expands them into a Snapshot, the Entries found at one moment; a Selection, compiled to a
// Filter, picks from it what a query asks for; Catalog.Open opens an Entry as a File. There is no
// other way to a file: a query brings globs that are compared with the names of registered files
// and are never expanded.
//
// Roots say where the files may lie: the fixed prefix of every glob, and the directories that the
// administrator adds. Symbolic links are followed only while they lead beneath a root. What is
// opened is the resolved path, and the kernel is told to meet no further link on the way, so a link
// swapped in between cannot lead out.
//
// A file is known by device and inode. One that several globs or links reach is searched once: for
// the first Source that names it and, within one glob, under a name without links if there is one.
// Between Snapshot and Open a file may be renamed by log rotation: Open notices by the inode, and
// looks for the file under its new name.
package source
