package nse

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recipe of four epochs, with a moving average; `more` is laid over it.
func recipe(more map[string]any) map[string]any {
	options := modelOptions(4)
	options["train"].(map[string]any)["ema"] = 0.9
	for key, value := range more {
		options[key] = value
	}
	return options
}

func trainModel(t testing.TB, config TrainConfig) *Model {
	t.Helper()
	model, err := TrainModel(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	return model
}

func exportModel(t testing.TB, model *Model, format string) []byte {
	t.Helper()
	content, err := model.ExportMemory(t.Context(), format)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestModelHistory(t *testing.T) {
	evaluations := 0
	model := trainModel(t, TrainConfig{
		Arch: tinyArch(t), Train: tinyDataset(t), HeldOut: tinyDataset(t), Options: recipe(nil),
		OnEvent: func(event Event) {
			if event.Kind == EventEvaluate {
				evaluations++
			}
		},
	})
	history, err := model.History()
	if err != nil || len(history) != 4 || evaluations != 4 {
		t.Fatalf("%v, %v, %d evaluations", history, err, evaluations)
	}
	last := history[3]
	if last.Epoch != 4 || last.Step != 48 || last.HeldOut == nil || last.EMA == nil || last.LR <= 0 || last.Loss >= history[0].Loss {
		t.Errorf("%+v", last)
	}
	description, err := model.Describe()
	if err != nil || !strings.Contains(string(description), `"layout":"NCHW"`) {
		t.Errorf("%s, %v", description, err)
	}
	arch, err := model.Arch()
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	got, _ := arch.JSON()
	if wanted, _ := tinyArch(t).JSON(); !bytes.Equal(got, wanted) {
		t.Errorf("%s", got)
	}
	if schema, err := ExportSchema(); err != nil || !strings.Contains(string(schema), `"fold"`) {
		t.Errorf("%s, %v", schema, err)
	}
}

func TestModelComesBack(t *testing.T) {
	model := trainModel(t, TrainConfig{Arch: tinyArch(t), Train: tinyDataset(t), Options: recipe(nil)})
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := model.Export(t.Context(), "safetensors", path); err != nil {
		t.Fatal(err)
	}
	content := exportModel(t, model, "safetensors")
	if file, err := os.ReadFile(path); err != nil || !bytes.Equal(file, content) {
		t.Errorf("file and memory differ: %v", err)
	}
	expected, err := model.Evaluate(t.Context(), tinyDataset(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range []func() (*Model, error){
		func() (*Model, error) { return LoadModel(t.Context(), path, "") },
		func() (*Model, error) { return LoadModelMemory(t.Context(), content, "cpu") },
	} {
		again, err := load()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Evaluate(t.Context(), tinyDataset(t)); err != nil || got != expected {
			t.Errorf("%+v instead of %+v, %v", got, expected, err)
		}
		if !bytes.Equal(exportModel(t, again, "onnx"), exportModel(t, model, "onnx")) {
			t.Error("another network")
		}
		again.Close()
	}
	fails(t, model.Export(t.Context(), `{"format": "onnx", "folded": true}`, path), ErrConfig)
	_, err = model.ExportMemory(t.Context(), "onyx")
	fails(t, err, ErrInvalidArgument)
	_, err = LoadModelMemory(t.Context(), content[:len(content)-1], "")
	fails(t, err, ErrInvalidArgument)
	_, err = LoadModelMemory(t.Context(), nil, "")
	fails(t, err, ErrInvalidArgument)
	_, err = LoadModel(t.Context(), path, "abacus")
	fails(t, err, ErrDevice)
	if _, err = LoadModel(t.Context(), path+".none", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = LoadModel(t.Context(), path, "")
	fails(t, err, ErrFormat)
}

func TestModelGoesOn(t *testing.T) {
	arch, dataset := tinyArch(t), tinyDataset(t)
	// So many steps that the training is still at work when the host says stop.
	longer := func(more map[string]any) map[string]any {
		options := recipe(more)
		options["train"].(map[string]any)["epochs"] = 40
		return options
	}
	resuming := longer(map[string]any{
		"checkpoint": map[string]any{"path": filepath.Join(t.TempDir(), "training"), "resume": true},
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps, first := 0, 0
	count := func(event Event) {
		if steps++; steps == 1 {
			first = event.Step
		}
		if steps == 20 {
			cancel()
		}
	}
	_, err := TrainModel(ctx, TrainConfig{Arch: arch, Train: dataset, Options: resuming, OnEvent: count})
	fails(t, err, ErrCancelled)
	steps = 0
	resumed := trainModel(t, TrainConfig{Arch: arch, Train: dataset, Options: resuming, OnEvent: count})
	if first < 20 {
		t.Errorf("it went on from step %d", first)
	}
	alone := trainModel(t, TrainConfig{Arch: arch, Train: dataset, Options: longer(nil)})
	if !bytes.Equal(exportModel(t, resumed, "safetensors"), exportModel(t, alone, "safetensors")) {
		t.Error("it ends otherwise than one that was left alone")
	}
}

func TestModelBeginsWithAnother(t *testing.T) {
	dataset := tinyDataset(t)
	first := trainModel(t, TrainConfig{Arch: tinyArch(t), Train: dataset, Options: recipe(nil)})
	briefly := modelOptions(1)
	briefly["train"].(map[string]any)["lr"] = 0.001
	loss := func(config TrainConfig) float64 {
		config.Train, config.Options = dataset, briefly
		history, err := trainModel(t, config).History()
		if err != nil {
			t.Fatal(err)
		}
		return history[0].Loss
	}
	if tuned, fresh := loss(TrainConfig{Init: first}), loss(TrainConfig{Arch: tinyArch(t)}); tuned >= fresh {
		t.Errorf("%v and %v", tuned, fresh)
	}
	other, err := UniformArch(tinySpace(t), "mbconv_k3_t1")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, err = TrainModel(t.Context(), TrainConfig{Arch: other, Train: dataset, Init: first})
	fails(t, err, ErrInvalidArgument)
	closed := trainModel(t, TrainConfig{Arch: tinyArch(t), Train: dataset, Options: briefly})
	closed.Close()
	_, err = TrainModel(t.Context(), TrainConfig{Train: dataset, Init: closed})
	fails(t, err, ErrInvalidHandle)

	search, err := NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Train: dataset, Options: options(1)})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	_, err = ModelFromSearch(t.Context(), search, tinyArch(t))
	fails(t, err, ErrNotFound)
	if _, err := search.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	best, err := search.Best(1e9)
	if err != nil {
		t.Fatal(err)
	}
	defer best.Arch.Close()
	path, err := ModelFromSearch(t.Context(), search, best.Arch)
	if err != nil {
		t.Fatal(err)
	}
	defer path.Close()
	if evaluation, err := path.Evaluate(t.Context(), dataset); err != nil || evaluation.Accuracy <= 0 {
		t.Errorf("%+v, %v", evaluation, err)
	}
}
