// Package archive reads compressed files as streams: gzip, zstd, xz and bzip2, known by their first
// bytes, whatever their names.
//
// Detect tells a Kind from a file's head, and Open gives a Reader. A Reader's goroutine decompresses
// into a few buffers while its reader works on another, so that decompression and search overlap.
// Limits bound what a hostile file may cost; a Gate bounds the memory of the decoders of one search
// together. All that was decompressed before an error is delivered before it, so that of a damaged
// file the lines before the damage are found.
//
// A Survey reads an archive once and finds its Points, the places at which decompression can begin; a
// Content then reads at any offset from the Point before it. Points inside a gzip member take an inflater
// that knows where it stands, which the library's does not: inflate.go. A Survey holds what it decoded
// against the archive's checksums, so that a mistake of that inflater is a damage, and the archive has no Points.
//
// xz is github.com/mikelolasagasti/xz, the Go form of XZ Embedded, and not the better known
// github.com/ulikunitz/xz (v0.5.17), which takes whatever window a header claims, up to 4 GiB, and drops
// up to 2 MiB of decoded lines before the place of a damage: 0.7 to 1.4 MB of a log that was cut at three
// places, of which this library gives all that xz itself gives but for 1.3 KB at most.
package archive
