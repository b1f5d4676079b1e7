package nse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

const (
	batchSize     = 12
	stepsPerEpoch = 4
)

// pushedOptions: two rounds of two epochs, an architecture step after every second weight step.
func pushedOptions() map[string]any {
	return map[string]any{
		"seed": 5, "rounds": 2, "active": 3, "threads": 1,
		"objective":  map[string]any{"low": 1, "high": 1e8},
		"train":      map[string]any{"epochs": 2},
		"fitness":    map[string]any{"interval": 2},
		"candidates": map[string]any{"count": 4, "extras": 0, "too_few": "accept"},
		"score":      map[string]any{"calibration": 2 * batchSize},
	}
}

func newPushed(t testing.TB, options any, onEvent func(Event)) *Search {
	t.Helper()
	search, err := NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Pushed: true, Options: options, OnEvent: onEvent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { search.Close() })
	return search
}

// loader is the host's own: it has images, and its place in them.
type loader struct {
	images Images
	scored int // batches since training was over
}

func newLoader() *loader { return &loader{images: stripes(96)} }

// load is the batch that comes next, or none where an epoch or the evaluation is at its end.
func (l *loader) load(now Pushed) (batch Batch, ok bool) {
	at := now.Step
	switch now.Next {
	case PhaseWeight:
		if now.Step == stepsPerEpoch*now.Epoch {
			return Batch{}, false
		}
	case PhaseCalibrate, PhaseEvaluate:
		if at = l.scored; now.Next == PhaseEvaluate && at == 4 {
			return Batch{}, false
		}
	}
	first := at * batchSize % len(l.images.Labels)
	batch = Batch{Labels: l.images.Labels[first : first+batchSize], LR: 0.1}
	for _, pixel := range l.images.Pixels[first*side*side : (first+batchSize)*side*side] {
		batch.Images = append(batch.Images, float32(pixel)/100-1)
	}
	return batch, true
}

// advance does what comes next.
func (l *loader) advance(ctx context.Context, search *Search, now Pushed) (Pushed, error) {
	batch, ok := l.load(now)
	if !ok {
		next, err := search.End(ctx)
		if err == nil {
			l.scored = 0
		}
		return next, err
	}
	next, err := search.Push(ctx, now.Next, batch)
	if err == nil && (now.Next == PhaseCalibrate || now.Next == PhaseEvaluate) {
		l.scored++
	}
	return next, err
}

func next(t testing.TB, search *Search) Pushed {
	t.Helper()
	now, err := search.Next()
	if err != nil {
		t.Fatal(err)
	}
	return now
}

// until pushes until `there`, or to the end.
func (l *loader) until(t testing.TB, search *Search, there func(Pushed) bool) Pushed {
	t.Helper()
	now := next(t, search)
	for now.Next != PhaseDone && !there(now) {
		var err error
		if now, err = l.advance(t.Context(), search, now); err != nil {
			t.Fatal(err)
		}
	}
	return now
}

func atEnd(Pushed) bool { return false }

// undisturbedPushes is what a search finds that nobody disturbs.
func undisturbedPushes(t *testing.T) []map[string]any {
	t.Helper()
	search := newPushed(t, pushedOptions(), nil)
	newLoader().until(t, search, atEnd)
	return timeless(t, search)
}

func sameAsUndisturbed(t *testing.T, search *Search) {
	t.Helper()
	if a, b := undisturbedPushes(t), timeless(t, search); len(a) != 2 || !reflect.DeepEqual(a, b) {
		t.Errorf("%v\nbecame\n%v", a, b)
	}
}

func TestTheLoopOfTheHostRunsToTheEnd(t *testing.T) {
	search, host := newPushed(t, pushedOptions(), nil), newLoader()
	now := next(t, search)
	if now.Next != PhaseWeight || now.Completed != 0 || now.Rounds != 2 || now.Epoch != 1 || now.Epochs != 2 || !math.IsNaN(now.Loss) {
		t.Errorf("%+v", now)
	}
	pushes := map[Phase]int{}
	for now.Next != PhaseDone {
		phase := now.Next
		if _, ok := host.load(now); !ok {
			phase = PhaseEnd
		}
		var err error
		if now, err = host.advance(t.Context(), search, now); err != nil {
			t.Fatal(err)
		}
		pushes[phase]++
		trains := phase == PhaseWeight || phase == PhaseArchitecture
		if math.IsNaN(now.Loss) == trains || math.IsNaN(now.Accuracy) == (phase == PhaseWeight || phase == PhaseEvaluate) {
			t.Errorf("%v: %+v", phase, now)
		}
		if (now.LR == 0.1) != (phase == PhaseWeight) {
			t.Errorf("%v: learning rate %v", phase, now.LR)
		}
	}
	expected := map[Phase]int{PhaseWeight: 16, PhaseArchitecture: 8, PhaseCalibrate: 4, PhaseEvaluate: 4, PhaseEnd: 6}
	if !reflect.DeepEqual(pushes, expected) {
		t.Errorf("%v, expected %v", pushes, expected)
	}
	if now.Completed != 2 || next(t, search).Next != PhaseDone {
		t.Errorf("%+v", now)
	}
	if front, err := search.Front(); err != nil || len(front.Members) == 0 {
		t.Fatalf("%v, %v", front, err)
	}
	batch, _ := host.load(Pushed{Next: PhaseWeight, Epoch: 1})
	_, err := search.Push(t.Context(), PhaseWeight, batch)
	if e := fails(t, err, ErrInvalidArgument); !strings.Contains(e.Message, "nothing comes next") {
		t.Error(e)
	}
	sameAsUndisturbed(t, search)
}

func TestABatchThatDoesNotFit(t *testing.T) {
	search, host := newPushed(t, pushedOptions(), nil), newLoader()
	good, _ := host.load(next(t, search))
	labelled := func(at int, label uint32) Batch {
		labels := append([]uint32(nil), good.Labels...)
		labels[at] = label
		return Batch{good.Images, labels, 0.1}
	}
	nan := append([]float32(nil), good.Images...)
	nan[7] = float32(math.NaN())
	for name, test := range map[string]struct {
		phase Phase
		batch Batch
		code  Code
		says  string
	}{
		"phase":           {PhaseArchitecture, good, ErrInvalidArgument, "an architecture step was given, a weight step comes next"},
		"nothing":         {PhaseDone, good, ErrInvalidArgument, "phase 0 is not one of"},
		"no phase":        {77, good, ErrInvalidArgument, "phase 77 is not one of"},
		"an end":          {PhaseEnd, Batch{}, ErrInvalidArgument, "the end "},
		"an end of some":  {PhaseEnd, good, ErrInvalidArgument, "comes without images"},
		"label":           {PhaseWeight, labelled(5, classes), ErrInvalidArgument, "label 3 of image 5"},
		"no images":       {PhaseWeight, Batch{LR: 0.1}, ErrInvalidArgument, "must not be NULL"},
		"no labels":       {PhaseWeight, Batch{Images: good.Images, LR: 0.1}, ErrInvalidArgument, "1728 values and 0 labels"},
		"only labels":     {PhaseWeight, Batch{Labels: good.Labels, LR: 0.1}, ErrInvalidArgument, "0 values and 12 labels"},
		"a value less":    {PhaseWeight, Batch{good.Images[1:], good.Labels, 0.1}, ErrInvalidArgument, "1727 values and 12 labels; the space has 144"},
		"an image less":   {PhaseWeight, Batch{good.Images[144:], good.Labels, 0.1}, ErrInvalidArgument, "1584 values and 12 labels"},
		"a label less":    {PhaseWeight, Batch{good.Images, good.Labels[1:], 0.1}, ErrInvalidArgument, "1728 values and 11 labels"},
		"one image":       {PhaseWeight, Batch{good.Images[:144], good.Labels[:1], 0.1}, ErrInvalidArgument, "1 images"},
		"learning rate":   {PhaseWeight, Batch{good.Images, good.Labels, -1}, ErrInvalidArgument, "lr -1"},
		"no rate":         {PhaseWeight, Batch{good.Images, good.Labels, 0}, ErrInvalidArgument, "lr must be given"},
		"not a number":    {PhaseWeight, Batch{nan, good.Labels, 0.1}, ErrDiverged, "round 1, step 1"},
		"rate of nothing": {PhaseWeight, Batch{good.Images, good.Labels, math.NaN()}, ErrInvalidArgument, "lr NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			now, err := search.Push(t.Context(), test.phase, test.batch)
			if e := fails(t, err, test.code); !strings.Contains(e.Message, test.says) || now != (Pushed{}) {
				t.Errorf("%v, %+v", e, now)
			}
			if now := next(t, search); now.Next != PhaseWeight || now.Step != 0 {
				t.Errorf("%+v", now)
			}
		})
	}
	if _, err := search.End(t.Context()); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	if _, err := search.Step(t.Context()); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	host.until(t, search, atEnd)
	sameAsUndisturbed(t, search)
}

func TestTheWrongKindOfSearch(t *testing.T) {
	search := newSearch(t, options(1), nil)
	batch, _ := newLoader().load(Pushed{Next: PhaseWeight, Epoch: 1})
	_, err := search.Push(t.Context(), PhaseWeight, batch)
	fails(t, err, ErrInvalidArgument)
	_, err = search.Next()
	fails(t, err, ErrInvalidArgument)
	config := SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), Pushed: true, Options: pushedOptions()}
	_, err = NewSearch(t.Context(), config)
	fails(t, err, ErrInvalidArgument)

	path := filepath.Join(t.TempDir(), "search")
	if err := search.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	_, err = LoadSearch(t.Context(), path, SearchConfig{Pushed: true})
	fails(t, err, ErrInvalidArgument)
	if err := newPushed(t, pushedOptions(), nil).Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	_, err = LoadSearch(t.Context(), path, SearchConfig{Train: tinyDataset(t)})
	fails(t, err, ErrInvalidArgument)
}

func TestAPushedSearchGoesOnFromAFileInAnyPhase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "search")
	search, host := newPushed(t, pushedOptions(), nil), newLoader()
	for pushes, now := 1, next(t, search); now.Next != PhaseDone; pushes++ {
		var err error
		if now, err = host.advance(t.Context(), search, now); err != nil {
			t.Fatal(err)
		}
		if pushes%5 == 0 {
			err := search.Save(t.Context(), path)
			search.Close()
			loaded, e := LoadSearch(t.Context(), path, SearchConfig{Pushed: true})
			if err = errors.Join(err, e); err != nil {
				t.Fatal(err)
			}
			search, now, host.scored = loaded, next(t, loaded), 0 // scoring begins again
		}
	}
	sameAsUndisturbed(t, search)
	search.Close()
}

// Tensors of another library train as slices do.
func TestTensorsArePushed(t *testing.T) {
	search, host := newPushed(t, pushedOptions(), nil), newLoader()
	pushDLPack := func(ctx context.Context, search *Search, now Pushed, batch Batch) (Pushed, error) {
		images := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(batch.Images))), 4*len(batch.Images))
		labels := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(batch.Labels))), 4*len(batch.Labels))
		const number, float = 1, 2
		return search.PushDLPack(ctx, now.Next, unsafe.Pointer(tensor(t, images, float, 32, batchSize, 1, side, side)),
			unsafe.Pointer(tensor(t, labels, number, 32, batchSize)), batch.LR)
	}
	for now := next(t, search); now.Next != PhaseDone; {
		batch, ok := host.load(now)
		var err error
		if !ok {
			now, err = search.End(t.Context())
			host.scored = 0
		} else {
			if now.Next == PhaseCalibrate || now.Next == PhaseEvaluate {
				host.scored++
			}
			now, err = pushDLPack(t.Context(), search, now, batch)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sameAsUndisturbed(t, search)

	batch, _ := host.load(Pushed{Next: PhaseWeight, Epoch: 1})
	weight := Pushed{Next: PhaseWeight}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := pushDLPack(ended, newPushed(t, pushedOptions(), nil), weight, batch)
	fails(t, err, ErrCancelled)
	_, err = pushDLPack(t.Context(), nil, weight, batch)
	fails(t, err, ErrInvalidHandle)
	_, err = newPushed(t, pushedOptions(), nil).PushDLPack(t.Context(), PhaseWeight, nil, nil, 0.1)
	fails(t, err, ErrInvalidArgument)
}

func TestAClosedSearchTakesNoBatch(t *testing.T) {
	search := newPushed(t, pushedOptions(), nil)
	batch, _ := newLoader().load(next(t, search))
	search.Close()
	var none *Search
	for _, closed := range []*Search{search, none} {
		_, err := closed.Push(t.Context(), PhaseWeight, batch)
		fails(t, err, ErrInvalidHandle)
		_, err = closed.End(t.Context())
		fails(t, err, ErrInvalidHandle)
		_, err = closed.Next()
		fails(t, err, ErrInvalidHandle)
	}
}

func TestPhasesAndEffectsHaveNames(t *testing.T) {
	if names := fmt.Sprint(Counted, Repeated, Late, Unasked, Effect(9)); names != "counted repeated late unasked effect 9" {
		t.Error(names)
	}
	if names := fmt.Sprint(PhaseDone, PhaseWeight, PhaseArchitecture, PhaseCalibrate, PhaseEvaluate, PhaseEnd, Phase(9)); names !=
		"done weight architecture calibrate evaluate end phase 9" {
		t.Error(names)
	}
}
