// Package tiny is for tests: a data set, a space and a search of seconds.
package tiny

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/nse-project/nse/examples/go/service/internal/config"
)

const (
	side    = 12
	classes = 3
)

// Space of three cells on grey images.
const Space = `{"name": "tiny", "input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "stem": {"channels": 4, "stride": 1},
 "operators": ["mbconv_k3_t1", "mbconv_k3_t2", "conv_k3_t1", "rec_k3_t1", "mbconv_k5_t1"],
 "cells": [{"kind": "normal"}, {"kind": "reduce", "channels": 6}, {"kind": "normal", "operators": ["mbconv_k3_t1", "conv_k3_t1", "rec_k3_t1"]}],
 "tail": {"channels": 8}}`

// Search is the request of a search of two rounds with so many passes of nine steps each; more members replace or add to it.
func Search(epochs float64, more map[string]any) map[string]any {
	request := map[string]any{
		"kind": "search", "data": "stripes", "space": json.RawMessage(Space),
		"options": map[string]any{
			"seed": 3, "rounds": 2, "active": 2, "held_out": 0.25,
			"objective":  map[string]any{"low": 12_000, "high": 100_000},
			"train":      map[string]any{"epochs": epochs, "batch": 8, "lr": 0.1},
			"candidates": map[string]any{"count": 8, "extras": 0},
			"score":      map[string]any{"calibration": 48, "batch": 48},
		},
	}
	maps.Copy(request, more)
	return request
}

// Settings of a service in a folder of the test's own, with the data set "stripes", and "gone", whose files do not exist.
func Settings(t testing.TB) config.Config {
	t.Helper()
	folder := t.TempDir()
	document := func(part string, count int) json.RawMessage {
		images, labels := filepath.Join(folder, part+"-images"), filepath.Join(folder, part+"-labels")
		write(t, images, labels, stripes, side, count)
		return json.RawMessage(fmt.Sprintf(`{"format": "idx", "images": %q, "labels": %q, "classes": %d}`, images, labels, classes))
	}
	c := config.Default()
	c.Listen = "127.0.0.1:0"
	c.Folder = filepath.Join(folder, "store")
	c.Datasets = map[string]config.Dataset{
		"stripes": {Description: "rows, columns, boards", Train: document("train", 96), Test: document("test", 30)},
		"gone":    {Train: json.RawMessage(fmt.Sprintf(`{"format": "idx", "images": %q, "labels": %q}`, folder+"/secret/a", folder+"/secret/b"))},
	}
	// Tests of limits shorten them; nothing else may depend on how busy the machine is.
	c.Read, c.Write, c.Shutdown = 600, 600, 600
	c.Threads, c.Checkpoint, c.Progress, c.Retry, c.Free = 1, 0.1, 0.01, 0.05, 1
	return c
}

// Fashion writes files that have the names and shapes of Fashion-MNIST, and ten classes that differ in their stripes.
func Fashion(t testing.TB, folder string) {
	t.Helper()
	for part, count := range map[string]int{"train": 120, "t10k": 40} {
		file := func(kind string) string { return filepath.Join(folder, part+"-"+kind+"-ubyte.gz") }
		write(t, file("images-idx3"), file("labels-idx1"), boards, 28, count)
	}
}

// boards has ten classes: the distance of the stripes.
func boards(i, x, y int) (label int, value byte) {
	label = i % 10
	return label, byte(200 * ((x + y + i) % (label + 2) / (label + 1)))
}

// stripes has three classes: rows, columns, a chequered board; with a phase and a brightness of their own.
func stripes(i, x, y int) (label int, value byte) {
	label = i % classes
	phase, light := i/classes%4, byte(100+37*i%150)
	on := [classes]bool{(y+phase)/2%2 == 0, (x+phase)/2%2 == 0, ((x+phase)/2+y/2)%2 == 0}[label]
	if on {
		value = light
	}
	return label, value
}

// write images as IDX files, which the library takes with and without compression.
func write(t testing.TB, images, labels string, pixel func(i, x, y int) (label int, value byte), side, count int) {
	t.Helper()
	pixels := header(0x803, count, side, side)
	names := header(0x801, count)
	for i := range count {
		label, _ := pixel(i, 0, 0)
		names = append(names, byte(label))
		for y := range side {
			for x := range side {
				_, value := pixel(i, x, y)
				pixels = append(pixels, value)
			}
		}
	}
	for path, content := range map[string][]byte{images: pixels, labels: names} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func header(numbers ...int) (bytes []byte) {
	for _, number := range numbers {
		bytes = binary.BigEndian.AppendUint32(bytes, uint32(number))
	}
	return bytes
}
