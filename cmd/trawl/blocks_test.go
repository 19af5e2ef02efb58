package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// What programs read has the names that docs/index.md gives, and no number stands for a time that is not known.
func TestBlocksJSON(t *testing.T) {
	answers := []nodeBlocks{
		{Node: "web1", Index: &schemas.IndexCheckup{Sizing: "500 MB/s × 4ms ÷ 120 bytes a line = 16667 lines", ReadRate: 500e6, Settled: true, Further: 2,
			Files: []schemas.IndexedFile{
				{Service: "shop", Path: "/var/log/a&b.log", Size: 5_000_000, IndexBytes: 98_304, Blocks: 2, Listed: []schemas.ListedBlock{
					{From: 0, Bytes: 2_000_000, Lines: 17_472, First: 1_767_225_600_000_000_000, Last: 1_767_225_601_500_000_000},
					{From: 2_000_000, Bytes: 2_100_000, Lines: 17_472, First: schemas.NoTime, Last: schemas.NoTime},
				}},
				{Service: "shop", Path: "/var/log/bad.log", Size: 9, Err: "index is damaged"},
			}}, Sealed: &schemas.SealedCheckup{Settled: true, Further: 1, Blocks: []schemas.SealedBlock{
			{ID: "000102030405060708090a0b0c0d0e0f", Service: "shop", First: 1_767_225_600_000_000_000, Last: 1_767_225_601_500_000_000, Lines: 32_768, Bytes: 4_000_000, Stored: 300_000, Logs: 1, Checksum: 77},
			{ID: "000102030405060708090a0b0c0d0e10", Service: "shop", First: schemas.NoTime, Last: schemas.NoTime, Lines: 5, Bytes: 50, Stored: 300, Logs: 1, Checksum: 78, Home: "web2"},
			{ID: "000102030405060708090a0b0c0d0e11", Service: "shop", First: schemas.NoTime, Last: schemas.NoTime, Lines: 5, Bytes: 50, Stored: 300, Logs: 1, Checksum: 79, Away: true},
			{ID: "f.sealed.damaged", First: schemas.NoTime, Last: schemas.NoTime, Err: "sealed block is damaged"},
		}}},
		{Node: "web2", Index: &schemas.IndexCheckup{Off: "the node has no state directory"}},
		{Node: "web3", Error: "down"},
	}
	var out bytes.Buffer
	if err := (&blocksFlags{}).json(&out, answers); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "blocks.jsonl")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("got\n%swant\n%s", out.Bytes(), want)
	}
}
