package nse

// Contexts of calls that the library cannot cut short.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestAnEndedContextBeginsNothing(t *testing.T) {
	o := everything(t)
	reason := errors.New("the shop closes")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	path := filepath.Join(t.TempDir(), "file")
	for name, call := range map[string]func() error{
		"Runtime":           func() error { _, err := Runtime(ctx); return err },
		"OpenDataset":       func() error { _, err := OpenDataset(ctx, "{}"); return err },
		"DatasetFromSource": func() error { _, err := DatasetFromSource(ctx, copying(stripes(3))); return err },
		"NewSearch": func() error {
			_, err := NewSearch(ctx, SearchConfig{Space: o.space, Train: o.dataset, Options: options(1)})
			return err
		},
		"LoadRestoration": func() error {
			_, err := LoadRestoration(ctx, path, RestorationConfig{Picture: Picture{Channels: 1, Height: 1, Width: 1, Values: []float32{0}}})
			return err
		},
		"LoadSearch": func() error { _, err := LoadSearch(ctx, path, SearchConfig{Train: o.dataset}); return err },
		"Save":       func() error { return o.search.Save(ctx, path) },
		"Estimate":   func() error { _, err := o.search.Estimate(ctx); return err },
		"Evaluate":   func() error { _, err := o.model.Evaluate(ctx, o.dataset); return err },
		"Export":     func() error { return o.model.Export(ctx, "torchscript", path) },
		"Run": func() (err error) {
			for _, err = range o.search.Run(ctx) {
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
				t.Error(err)
			}
		})
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// An evaluation goes on in the background, and the model is busy for that long.
func TestACallThatCannotBeCutShortIsNotWaitedFor(t *testing.T) {
	o := everything(t)
	many := Images{Channels: 1, Height: side, Width: side, Classes: classes}
	for range 200 {
		images := stripes(96)
		many.Pixels, many.Labels = append(many.Pixels, images.Pixels...), append(many.Labels, images.Labels...)
	}
	dataset, err := DatasetFromMemory(many)
	if err != nil {
		t.Fatal(err)
	}
	defer dataset.Close()
	whole, err := o.model.Evaluate(t.Context(), dataset)
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			runtime.Gosched()
			cancel()
		}()
		_, err := o.model.Evaluate(ctx, dataset)
		cancel()
		// It may have ended first, or not begun.
		if err != nil && strings.Contains(fails(t, err, ErrCancelled).Message, "no longer waited for") {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			break
		}
	}
	eventually(t, "the call ends in the background", func() bool { return runtime.NumGoroutine() <= before })
	if again, err := o.model.Evaluate(t.Context(), dataset); err != nil || again != whole {
		t.Errorf("%+v, %v, expected %+v", again, err, whole)
	}
}

// What came after the context had ended is closed, not left to the collector.
func TestWhatComesTooLateIsClosed(t *testing.T) {
	space := tinySpace(t)
	ctx, cancel := context.WithCancel(t.Context())
	release, late := make(chan struct{}), make(chan *Arch, 1)
	_, err := unlessEnded(ctx, func() (*Arch, error) {
		cancel()
		<-release
		arch, err := UniformArch(space, "conv_k3_t1")
		late <- arch
		return arch, err
	})
	fails(t, err, ErrCancelled)
	close(release)
	arch := <-late
	eventually(t, "closed", func() bool {
		_, err := arch.Cost()
		return errors.Is(err, ErrInvalidHandle)
	})
}

// What the header says of a function that it blocks, it says of one that has a context here.
func TestWhatBlocksHasAContext(t *testing.T) {
	waits := map[string]string{
		"nse_runtime_info": "Runtime", "nse_shutdown": "Shutdown", "nse_dataset_open": "OpenDataset",
		"nse_dataset_from_source": "DatasetFromSource", "nse_latency_measure": "MeasureLatency", "nse_search_create": "NewSearch",
		"nse_search_load": "LoadSearch", "nse_search_save": "Save", "nse_search_estimate": "Estimate", "nse_search_step": "Step",
		"nse_search_push": "Push", "nse_model_train": "TrainModel", "nse_model_evaluate": "Evaluate", "nse_model_export": "Export",
		"nse_model_export_memory": "ExportMemory", "nse_model_load": "LoadModel", "nse_model_load_memory": "LoadModelMemory",
		"nse_model_from_search": "ModelFromSearch", "nse_latency_measure_arch": "MeasureArch",
		"nse_comm_create": "NewComm", "nse_comm_launched": "LaunchedComm", "nse_comm_test": "Test",
		"nse_restoration_load": "LoadRestoration", "nse_restoration_save": "Save", "nse_restoration_step": "Step",
		"nse_restoration_run": "Restore",
	}
	sources, _ := sourcesOf(t)
	declarations := regexp.MustCompile(`(?s)/\*\*(.*?)\*/\s*NSE_API\s+[\w *]*?(nse_\w+)\(`)
	blocking := 0
	for _, match := range declarations.FindAllStringSubmatch(header(t), -1) {
		text, name := match[1], match[2]
		if cut := strings.LastIndex(text, "/**"); cut >= 0 {
			text = text[cut:]
		}
		if !regexp.MustCompile(`\bBlocks\b`).MatchString(text) || replaced[name] != "" {
			continue
		}
		blocking++
		if in := waits[name]; !regexp.MustCompile(`(?m)^func (\(\w+ \*\w+\) )?` + in + `\(ctx context\.Context\b`).MatchString(sources) {
			t.Errorf("%s blocks, and %q has no context", name, in)
		}
	}
	if blocking != len(waits) {
		t.Errorf("%d functions block, expected %d", blocking, len(waits))
	}
}
