package nse

// Restoring an image without training data.

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// cleanPicture is smooth and has an edge.
func cleanPicture() Picture {
	picture := Picture{Channels: 3, Height: 20, Width: 18}
	for range 3 {
		for y := range 20 {
			for x := range 18 {
				value := 0.2 + 0.02*float32(y)
				if x > 4 && x < 12 && y > 6 && y < 15 {
					value = 0.8
				}
				picture.Values = append(picture.Values, value)
			}
		}
	}
	return picture
}

func noisyPicture() Picture {
	picture, state := cleanPicture(), uint32(1)
	for i := range picture.Values {
		state = state*1664525 + 1013904223
		picture.Values[i] += 0.4 * (float32(state>>8)/(1<<24) - 0.5)
	}
	return picture
}

func denoising() map[string]any {
	return map[string]any{
		"task": "denoise", "seed": 2, "threads": 1,
		"train":  map[string]any{"iterations": 120, "input_channels": 4, "smoothing": 0.9},
		"search": map[string]any{"units": 1, "population": 3, "generations": 2, "max_macs": 2_000_000},
	}
}

func restoration(t *testing.T, config RestorationConfig) *Restoration {
	t.Helper()
	r, err := NewRestoration(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRestorationMakesNoiseLess(t *testing.T) {
	noisy, clean := noisyPicture(), cleanPicture()
	kinds := map[EventKind]int{}
	r := restoration(t, RestorationConfig{Picture: noisy, Reference: &clean, Options: denoising(), OnEvent: func(e Event) { kinds[e.Kind]++ }})
	for _, last := range []bool{false, true} {
		if done, err := r.Step(t.Context()); err != nil || done != last {
			t.Fatal(done, err)
		}
	}
	if kinds[EventFinish] != 2 || kinds[EventTrain] == 0 {
		t.Error(kinds)
	}
	picture, fit, err := r.Restore(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	before, _, err := noisy.Compare(clean)
	if err != nil {
		t.Fatal(err)
	}
	after, ssim, err := picture.Compare(clean)
	if err != nil {
		t.Fatal(err)
	}
	if after < before+1 || *fit.PSNR != after || *fit.SSIM != ssim || fit.BestStep > fit.Steps {
		t.Errorf("%v dB before, %v after: %+v", before, after, fit)
	}
	report, err := r.Report()
	if err != nil {
		t.Fatal(err)
	}
	if !report.Done || report.Networks != 6 || report.Best.Code != fit.Code || report.Best.Params != fit.Params || len(report.Front) == 0 {
		t.Errorf("%+v", report)
	}
}

func TestRestorationTold(t *testing.T) {
	config := RestorationConfig{Picture: noisyPicture(), Options: denoising()}
	first := restoration(t, config)
	codes, done, err := first.Ask(9)
	if err != nil || done || len(codes) != 3 {
		t.Fatal(codes, done, err)
	}
	if effect, err := first.Tell(codes[0], 20.5); err != nil || effect != Counted {
		t.Fatal(effect, err)
	}
	if effect, err := first.Tell(codes[1], math.NaN()); err != nil || effect != Counted {
		t.Fatal(effect, err)
	}
	if err := first.Forget(codes[2]); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "restoration.nse")
	if err := first.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	config.Options = nil
	second, err := LoadRestoration(t.Context(), path, config)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if again, _, err := second.Ask(9); err != nil || !reflect.DeepEqual(again, codes[2:]) {
		t.Error(again, err)
	}
	if effect, err := second.Tell(codes[0], 20.5); err != nil || effect != Repeated {
		t.Error(effect, err)
	}
	if _, err := second.Tell(codes[0], 21); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	other := cleanPicture()
	if _, err := LoadRestoration(t.Context(), path, RestorationConfig{Picture: other}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func TestRestorationStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := restoration(t, RestorationConfig{Picture: noisyPicture(), Options: denoising(), OnEvent: func(Event) { cancel() }})
	if _, err := r.Step(ctx); !errors.Is(err, ErrCancelled) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, _, err := r.Restore(ctx, "classic"); !errors.Is(err, ErrCancelled) {
		t.Error(err)
	}
	if err := r.Cancel(); err != nil {
		t.Error(err)
	}
	r.Close()
	if _, err := r.Step(t.Context()); !errors.Is(err, ErrInvalidHandle) {
		t.Error(err)
	}
	if _, err := (*Restoration)(nil).Report(); !errors.Is(err, ErrInvalidHandle) {
		t.Error(err)
	}
}

func TestRestorationNamesWhatIsWrong(t *testing.T) {
	for part, config := range map[string]RestorationConfig{
		"/seed":                     {Picture: noisyPicture(), Options: map[string]any{"task": "denoise", "seed": -1}},
		"mask":                      {Picture: noisyPicture(), Options: `{"task": "inpaint"}`},
		"0 x 0 x 0":                 {Options: `{"task": "denoise"}`},
		"1 values for 1 x 2 x 3":    {Picture: Picture{1, 2, 3, []float32{1}}, Options: `{"task": "denoise"}`},
		"value 1 is 255":            {Picture: Picture{1, 1, 2, []float32{1, 255}}, Options: `{"task": "denoise"}`},
		"1000 multiply-accumulates": {Picture: noisyPicture(), Options: `{"task": "denoise", "search": {"max_macs": 1000}}`},
	} {
		r, err := NewRestoration(config)
		if err == nil {
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	if schema, err := RestorationOptionsSchema(); err != nil || !strings.Contains(string(schema), "super_resolution") {
		t.Error(string(schema), err)
	}
}

func TestGenomes(t *testing.T) {
	genome, err := DescribeGenome("1-2cbe2", 3, 16, 12, 32)
	if err != nil {
		t.Fatal(err)
	}
	unit := GenomeUnit{Encoder: GenomeStage{true, 7, 8}, Decoder: GenomeStage{false, 15, 256}, Skips: []GenomeSkip{{true, 16}}}
	if !reflect.DeepEqual(genome.Units, []GenomeUnit{unit}) || genome.Bits != "101100101111100010" || genome.Macs == 0 {
		t.Errorf("%+v", genome)
	}
	if again, err := DescribeGenome(map[string]any{"units": genome.Units}, 3, 16, 12, 32); err != nil || again.Code != genome.Code {
		t.Error(again, err)
	}
	for name, params := range map[string]uint64{"classic": 2_217_831, "classic-inpaint": 3_002_627} {
		if classic, err := DescribeGenome(name, 3, 64, 64, 32); err != nil || classic.Params != params {
			t.Error(name, classic, err)
		}
	}
	if zeros, err := DescribeGenome("3-00000000000000000000", 3, 64, 64, 32); err != nil || !strings.Contains(zeros.Infeasible, "decoder 1") {
		t.Error(zeros, err)
	}
	if _, err := DescribeGenome("9-0", 3, 64, 64, 32); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
}
