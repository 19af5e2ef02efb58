package schemas

import (
	"bytes"
	"testing"
)

// benchFrame is a full Data frame: 128 KiB, some 1,400 lines, with the columns given.
func benchFrame(columns Columns, compress bool) *Frame {
	c := Chunk{Service: "api", File: "/var/log/api/api.log", Text: logText(DataTarget)}
	for i := range c.Lines('\n') {
		if columns&ColumnNumber != 0 {
			c.Numbers = append(c.Numbers, int64(1+3*i))
		}
		if columns&ColumnTime != 0 {
			c.Times = append(c.Times, 1700000000000000000+int64(i)*12345678)
		}
	}
	return &Frame{Run: 1, Seq: 2, Data: &Data{Compress: compress, Chunks: []Chunk{c}}}
}

func benchCodec(b *testing.B, f *Frame) {
	b.Run("encode", func(b *testing.B) {
		var buf []byte
		b.ReportAllocs()
		b.SetBytes(DataTarget)
		for b.Loop() {
			buf = AppendFrame(buf[:0], f)
		}
	})
	b.Run("decode", func(b *testing.B) {
		msg := AppendFrame(nil, f)
		b.ReportAllocs()
		b.SetBytes(DataTarget)
		for b.Loop() {
			if _, err := DecodeFrame(msg); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkData(b *testing.B)        { benchCodec(b, benchFrame(0, false)) }
func BenchmarkDataColumns(b *testing.B) { benchCodec(b, benchFrame(ColumnNumber|ColumnTime, false)) }
func BenchmarkDataPacked(b *testing.B)  { benchCodec(b, benchFrame(0, true)) }

func BenchmarkCopy128K(b *testing.B) { // what encoding cannot beat
	src, dst := logText(DataTarget), bytes.Buffer{}
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		dst.Reset()
		dst.Write(src)
	}
}

func BenchmarkQuery(b *testing.B) {
	q := sampleQuery()
	msg := AppendQuery(nil, q)
	b.ReportAllocs()
	for b.Loop() {
		msg = AppendQuery(msg[:0], q)
		if _, err := DecodeQuery(msg); err != nil {
			b.Fatal(err)
		}
	}
}
