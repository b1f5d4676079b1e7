package nse

import (
	"archive/zip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func modelOptions(epochs int) map[string]any {
	return map[string]any{
		"seed": 1, "threads": 1, "calibration": 96,
		"train": map[string]any{"epochs": epochs, "batch": 8, "lr": 0.1, "augment": map[string]any{"pad": 0, "flip": false}},
	}
}

func tinyArch(t testing.TB) *Arch {
	t.Helper()
	arch, err := UniformArch(tinySpace(t), "conv_k3_t1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { arch.Close() })
	return arch
}

func TestModel(t *testing.T) {
	dataset := tinyDataset(t)
	var last Event
	count := 0
	model, err := TrainModel(t.Context(), TrainConfig{
		Arch: tinyArch(t), Train: dataset, Options: modelOptions(8),
		OnEvent: func(event Event) { last, count = event, count+1 },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	if last.Kind != EventFinish || count < 12 || last.Loss <= 0 || last.Seconds <= 0 {
		t.Errorf("%d events, the last %+v", count, last)
	}
	result, err := model.Evaluate(t.Context(), dataset)
	if err != nil || result.Accuracy < 0.9 || result.Accuracy > 1 || result.Loss <= 0 || result.Loss > 0.7 {
		t.Errorf("%+v, %v", result, err)
	}
	_, err = model.Evaluate(t.Context(), nil)
	fails(t, err, ErrInvalidHandle)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = model.Evaluate(ended, dataset); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	checkExport(t, model)
}

func checkExport(t *testing.T, model *Model) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.pt")
	if err := model.Export(t.Context(), "torchscript", path); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	found := false
	for _, file := range archive.File {
		found = found || strings.HasSuffix(file.Name, "/extra/nse.json")
	}
	if !found {
		t.Error("no nse.json in the archive")
	}
	missing := filepath.Join(t.TempDir(), "no folder", "model.pt")
	if err := model.Export(t.Context(), "torchscript", missing); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	fails(t, model.Export(t.Context(), "onyx", path), ErrInvalidArgument)
	fails(t, model.Export(t.Context(), "torchscript", path+"\x00"), ErrInvalidArgument)
	fails(t, model.Export(t.Context(), "torch\x00script", path), ErrInvalidArgument)
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestModelErrors(t *testing.T) {
	arch, dataset := tinyArch(t), tinyDataset(t)
	train := func(ctx context.Context, options any) error {
		_, err := TrainModel(ctx, TrainConfig{
			Arch: arch, Train: dataset, Options: options, OnEvent: func(event Event) { t.Errorf("%+v", event) },
		})
		return err
	}
	if e := fails(t, train(t.Context(), `{"lr": 1}`), ErrConfig); e.Detail().Document != "model options" || e.Detail().Pointer != "/lr" {
		t.Errorf("%+v", e.Detail())
	}
	fails(t, train(t.Context(), `{"device": "abacus"}`), ErrDevice)
	ended, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the shop closes")
	cancel(reason)
	err := train(ended, nil)
	if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("%v", err)
	}
}

// Training has no handle yet that could be cancelled: the context works through the events.
func TestModelCancelledByContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	_, err := TrainModel(ctx, TrainConfig{
		Arch: tinyArch(t), Train: tinyDataset(t), Options: modelOptions(100_000),
		OnEvent: func(event Event) {
			if seen++; seen == 3 {
				cancel()
			}
		},
	})
	if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
