// Package archive reads compressed files as streams: gzip, zstd, xz and bzip2, known by their first
// bytes, whatever their names.
//
// Detect tells a Kind from a file's head, and Open gives a Reader. A Reader's goroutine decompresses
// into a few buffers while its reader works on another, so that decompression and search overlap.
// Limits bound what a hostile file may cost; a Gate bounds the memory of the decoders of one search
// together. All that was decompressed before an error is delivered before it, so that of a damaged
// file the lines before the damage are found.
package archive
