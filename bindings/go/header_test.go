package nse

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func header(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("nse.h")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The package carries the header, so that vendoring takes it along. In the repository it is a copy.
func TestHeaderIsThatOfTheRepository(t *testing.T) {
	original, err := os.ReadFile("../../include/nse.h")
	if errors.Is(err, os.ErrNotExist) {
		t.Log("outside the repository there is nothing to compare with")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(original, []byte(header(t))) {
		t.Fatal("bindings/go/nse.h differs from include/nse.h: copy it again")
	}
}

func TestEveryFunctionIsBound(t *testing.T) {
	var sources strings.Builder
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") || name == "shim.c" {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(text)
		}
	}
	functions := regexp.MustCompile(`(?m)^(?:NSE_API )?(?:nse_status|void|uint32_t|const char \*) ?\*?(nse_\w+)\(`).FindAllStringSubmatch(header(t), -1)
	if len(functions) < 40 {
		t.Fatalf("only %d functions found in nse.h", len(functions))
	}
	for _, function := range functions {
		// nse_error_code says again what the status said; Go memory is never lent to C for longer than a call; goroutines and contexts do what operations that are polled are for.
		name := function[1]
		polled := strings.HasPrefix(name, "nse_op_") || strings.HasSuffix(name, "_async")
		if name != "nse_error_code" && name != "nse_dataset_borrow" && !polled && !regexp.MustCompile(`\b`+name+`\(`).MatchString(sources.String()) {
			t.Errorf("%s is not used", name)
		}
	}
}

func TestEveryStatusHasItsCode(t *testing.T) {
	codes := []Code{
		ErrInvalidArgument, ErrInvalidHandle, ErrConfig, ErrIO, ErrFormat, ErrBusy, ErrCancelled, ErrCallback, ErrOutOfMemory, ErrDevice,
		ErrTorch,
		ErrUnsupported, ErrBufferTooSmall, ErrABI, ErrForked, ErrPoisoned, ErrPanic, ErrNotFound, ErrUnreachable, ErrDiverged,
		ErrTooFew, ErrMissingLatency, ErrTorchMismatch, ErrConflict,
	}
	named := map[string]Code{}
	for _, code := range codes {
		named[code.Error()] = code
	}
	found := regexp.MustCompile(`#define (NSE_ERR_\w+) \((-\d+)\)`).FindAllStringSubmatch(header(t), -1)
	if len(found) != len(codes) {
		t.Errorf("%d statuses in nse.h, %d codes", len(found), len(codes))
	}
	for _, match := range found {
		number, _ := strconv.Atoi(match[2])
		if code, ok := named[match[1]]; !ok || int(code) != number {
			t.Errorf("%s is %d in nse.h, %d here", match[1], number, code)
		}
	}
	if name := Code(-999).Error(); name != "unknown status" {
		t.Errorf("%q", name)
	}
}

func TestABICheck(t *testing.T) {
	if err := abiCheck(ABI); err != nil {
		t.Fatal(err)
	}
	fails(t, abiCheck(ABI+1), ErrABI)
}

// Nothing reaches a library of another ABI.
func TestEveryBeginningChecksTheABI(t *testing.T) {
	space, dataset := tinySpace(t), tinyDataset(t)
	arch, err := UniformArch(space, "conv_k3_t1")
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	before := ready
	defer func() { ready = before }()
	ready = sync.OnceValue(func() error { return abiCheck(ABI + 1) })
	for name, begin := range map[string]func() error{
		"ArchPresets":          func() error { _, err := ArchPresets(); return err },
		"ArchPreset":           func() error { _, err := ArchPreset("nsenet", nil); return err },
		"NewLatency":           func() error { _, err := NewLatency("ms"); return err },
		"ParseLatency":         func() error { _, err := ParseLatency("{}"); return err },
		"MeasureOptionsSchema": func() error { _, err := MeasureOptionsSchema(); return err },
		"MeasureLatency":       func() error { _, err := MeasureLatency(t.Context(), MeasureConfig{Space: space}); return err },
		"SearchOptionsPresets": func() error { _, err := SearchOptionsPresets(); return err },
		"LoadSearch":           func() error { _, err := LoadSearch("any", SearchConfig{Train: dataset}); return err },
		"SetLog":               func() error { return SetLog(nil) },
		"SetLogLevel":          func() error { return SetLogLevel(0) },
		"Shutdown":             func() error { return Shutdown(t.Context()) },
		"Runtime":              func() error { _, err := Runtime(); return err },
		"Presets":              func() error { _, err := Presets(); return err },
		"SearchOptionsSchema":  func() error { _, err := SearchOptionsSchema(); return err },
		"ModelOptionsSchema":   func() error { _, err := ModelOptionsSchema(); return err },
		"SpacePreset":          func() error { _, err := SpacePreset("nse-27", nil); return err },
		"SpaceFromJSON":        func() error { _, err := SpaceFromJSON(tiny); return err },
		"OpenDataset":          func() error { _, err := OpenDataset("{}"); return err },
		"DatasetFromMemory":    func() error { _, err := DatasetFromMemory(stripes(3)); return err },
		"DatasetFromSource":    func() error { _, err := DatasetFromSource(Source{}); return err },
		"DatasetFromDLPack":    func() error { _, err := DatasetFromDLPack(nil, nil, 0, false); return err },
		"ArchFromJSON":         func() error { _, err := ArchFromJSON(space, "{}"); return err },
		"ArchFromCode":         func() error { _, err := ArchFromCode(space, "n1"); return err },
		"UniformArch":          func() error { _, err := UniformArch(space, "conv_k3_t1"); return err },
		"NewSearch": func() error {
			_, err := NewSearch(SearchConfig{Space: space, Train: dataset, Options: options(1)})
			return err
		},
		"TrainModel": func() error {
			_, err := TrainModel(t.Context(), TrainConfig{Arch: arch, Train: dataset})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { fails(t, begin(), ErrABI) })
	}
}
