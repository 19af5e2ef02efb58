// Package bitstream finds the lines that match a pattern 64 places at a time: by what each byte of a text is, bits are
// set in streams, one stream a class of bytes, and the pattern becomes a short program of shifts, ANDs and
// additions over them.
//
// Compile makes a Program of patterns that are sequences and alternatives of characters, counted repetitions, x* for a
// character x, and assertions; it refuses others, and those that would need very many steps. Program.Cost says
// whether an automaton is faster. A Searcher runs the program over a buffer for one goroutine.
//
// A stream of places has bit i set if the pattern, as far as the program has come, can have matched up to byte i. To go over a
// character of class C is (places & C) << 1, and over C*, where C is added so that it carries to the end of each
// run, ((places & C) + C ^ C) | places. All streams go through a block of text together, and what is shifted or carried out of
// it is kept for the next block, so that time is linear in the text whatever it is. The idea is Parabix's (Cameron et al.,
// "Bitwise data parallelism in regular expression matching", 2014), without its transposition: AVX2 tests bytes as they are.
//
// A place knows no characters of several bytes. Where the pattern cares for what lies beyond ASCII, the program takes every
// line that holds any for a candidate, and Program.ASCII says that the caller must judge those.
package bitstream
