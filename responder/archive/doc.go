// Package archive reads compressed files as streams: gzip, zstd, xz and bzip2, known by their first
// bytes, whatever their names.
//
// Detect tells a Kind from a file's head, and Open gives a Reader. A Reader's goroutine decompresses
// into a few buffers while its reader works on another, so that decompression and search overlap.
// Limits bound what a hostile file may cost; a Gate bounds the memory of the decoders of one search
// together. All that was decompressed before an error is delivered before it, so that of a damaged
// file the lines before the damage are found.
//
// xz is decoded here and not by github.com/ulikunitz/xz (v0.5), which takes whatever window a header
// claims, up to 4 GiB, and drops up to 2 MiB of decoded lines before the place of a damage; it was
// also slower, 27 MB/s against 37.
package archive
