package nse

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// measureOptions of a measuring that takes no time.
var measureOptions = map[string]any{"warmup": 0, "repeats": 1, "threads": 1}

func newLatencies(t testing.TB) *Latency {
	t.Helper()
	latency, err := NewLatency("us")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { latency.Close() })
	return latency
}

// missing is what a table lacks for a space.
func missing(t testing.TB, latency *Latency, space *Space) []string {
	t.Helper()
	keys, err := latency.Missing(space)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// filled is a table with what a space needs; operation i takes `time(i)`.
func filled(t testing.TB, space *Space, time func(int) float64) *Latency {
	t.Helper()
	latency := newLatencies(t)
	for i, key := range missing(t, latency, space) {
		if err := latency.Set(key, time(i)); err != nil {
			t.Fatal(err)
		}
	}
	return latency
}

func TestLatencyTable(t *testing.T) {
	space, arch := tinySpace(t), tinyArch(t)
	latency := filled(t, space, func(int) float64 { return 0.25 })
	if left := missing(t, latency, space); len(left) != 0 {
		t.Errorf("%v", left)
	}
	// Stem, three cells of three convolutions, the additions of the two normal cells, tail, pooling, classifier.
	if time, err := latency.Arch(arch); err != nil || time != 0.25*(1+3*3+2+3) {
		t.Errorf("%v, %v", time, err)
	}
	description, err := space.Describe(latency)
	if err != nil || description.Latency == nil || description.Latency.Least != 0.25*(1+3+3) || description.Latency.Greatest <= 0.25*15 {
		t.Errorf("%+v, %v", description.Latency, err)
	}
	csv, err := latency.CSV()
	if err != nil || !strings.HasPrefix(csv, "# unit: us\nkind,") {
		t.Errorf("%.80s, %v", csv, err)
	}
	document, err := latency.JSON()
	if err != nil || !json.Valid(document) {
		t.Errorf("%.80s, %v", document, err)
	}
	for _, text := range []string{csv, string(document)} {
		again, err := ParseLatency(text)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if second, err := again.CSV(); err != nil || second != csv {
			t.Errorf("%s became %s, %v", csv, second, err)
		}
	}
}

func TestLatencyErrors(t *testing.T) {
	space, arch, latency := tinySpace(t), tinyArch(t), newLatencies(t)
	parse := func(text string) error { _, err := ParseLatency(text); return err }
	csv, err := latency.CSV()
	if err != nil {
		t.Fatal(err)
	}
	for text, pointer := range map[string]string{
		csv + "conv,28,64,64,3,1,1,1,64,fast\n":    "line 3",
		`{"entries": [{"kind": "pool"}]}`:          "/entries/0/kind",
		`{"unit": "ms", "entries": [], "extra":1}`: "/extra",
		"": "",
	} {
		if e := fails(t, parse(text), ErrConfig); e.Detail().Pointer != pointer || e.Detail().Document != "latency table" {
			t.Errorf("%v: %+v, expected %q", e, e.Detail(), pointer)
		}
	}
	for _, unit := range []string{"", " ms", "m\ns", strings.Repeat("m", 33)} {
		_, err := NewLatency(unit)
		fails(t, err, ErrInvalidArgument)
	}
	key := "conv,28,64,64,3,1,1,1,64"
	for _, time := range []float64{-1, math.NaN(), math.Inf(1)} {
		if e := fails(t, latency.Set(key, time), ErrInvalidArgument); e.Detail().Argument != "time" {
			t.Errorf("%+v", e.Detail())
		}
	}
	for _, key := range []string{"", key + ",1", "pool" + key, key + "\x00"} {
		fails(t, latency.Set(key, 1), ErrInvalidArgument)
	}

	all := missing(t, latency, space)
	_, err = space.Describe(latency)
	if detail := fails(t, err, ErrMissingLatency).Detail(); !slices.Equal(detail.Missing, all) || len(all) < 10 {
		t.Errorf("%v, expected %v", detail.Missing, all)
	}
	_, err = latency.Arch(arch)
	detail := fails(t, err, ErrMissingLatency).Detail()
	if len(detail.Missing) == 0 || len(detail.Missing) >= len(all) {
		t.Errorf("%v of %v", detail.Missing, all)
	}
	for _, key := range detail.Missing {
		if err := latency.Set(key, 1); err != nil || !slices.Contains(all, key) {
			t.Errorf("%s, %v", key, err)
		}
	}
	if _, err := latency.Arch(arch); err != nil {
		t.Error(err)
	}
}

func latencyOptions(low, high float64) map[string]any {
	return with(options(1), "objective", map[string]any{"cost": "latency", "low": low, "high": high})
}

func TestSearchInLatency(t *testing.T) {
	space := tinySpace(t)
	latency := filled(t, space, func(i int) float64 { return 0.5 + float64(i%7)/8 })
	description, err := space.Describe(latency)
	if err != nil {
		t.Fatal(err)
	}
	low, high := description.Latency.Least+1.5, description.Latency.Greatest-1.5
	// A copy, which the search does not need any more.
	csv, _ := latency.CSV()
	given, err := ParseLatency(csv)
	if err != nil {
		t.Fatal(err)
	}
	search, err := NewSearch(t.Context(), SearchConfig{Space: space, Train: tinyDataset(t), Options: latencyOptions(low, high), Latency: given})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	given.Close()
	steps(t, nil, func() (bool, error) { return search.Step(t.Context()) })
	front := frontOf(t, search)
	if len(front) == 0 {
		t.Fatal("an empty front")
	}
	var round struct {
		Metric     string
		Window     [2]float64
		Candidates []struct{ Cost float64 }
		Front      []struct{ Cost float64 }
	}
	history, err := search.History()
	if err != nil || json.Unmarshal(history[1], &round) != nil || round.Metric != "latency" || len(round.Front) != len(front) {
		t.Fatalf("%s, %v", history, err)
	}
	const millionth = 1e-6
	near := func(a, b float64) bool { return math.Abs(a-b) <= 2*millionth }
	if !near(round.Window[0], low) || !near(round.Window[1], high) || len(round.Candidates) < 8 {
		t.Errorf("%+v, expected %v to %v", round, low, high)
	}
	for i, candidate := range front {
		time, err := latency.Arch(candidate.Arch)
		if err != nil || !near(time, round.Front[i].Cost) || time < low-millionth || time > high+millionth {
			t.Errorf("%v, %v, in the history %+v, in the window %v", time, err, round.Front[i], round.Window)
		}
		best, err := search.Best(round.Front[i].Cost)
		if err != nil || best.Accuracy != candidate.Accuracy {
			t.Errorf("%+v, %v, expected %+v", best, err, candidate)
			continue
		}
		best.Arch.Close()
	}
	_, err = search.Best(low - 0.1)
	fails(t, err, ErrNotFound)
}

func TestSearchInLatencyErrors(t *testing.T) {
	space, dataset := tinySpace(t), tinyDataset(t)
	latency := filled(t, space, func(int) float64 { return 0.375 })
	search := func(low, high float64, latency *Latency) error {
		_, err := NewSearch(t.Context(), SearchConfig{Space: space, Train: dataset, Options: latencyOptions(low, high), Latency: latency})
		return err
	}
	description, err := space.Describe(latency)
	if err != nil {
		t.Fatal(err)
	}
	least := description.Latency.Least
	detail := fails(t, search(0.125, 0.25, latency), ErrUnreachable).Detail()
	if detail.Low != 0.125 || detail.High != 0.25 || detail.Least != description.Latency.Least || detail.Greatest != description.Latency.Greatest {
		t.Errorf("%+v of %+v", detail, description.Latency)
	}
	if detail.Below != nil || detail.Above == nil || *detail.Above != least || least != 7*0.375 {
		t.Errorf("nearest are %v and %v", detail.Below, detail.Above)
	}
	empty := newLatencies(t)
	if detail := fails(t, search(1, 10, empty), ErrMissingLatency).Detail(); !slices.Equal(detail.Missing, missing(t, empty, space)) {
		t.Errorf("%v", detail.Missing)
	}
	if e := fails(t, search(1, 10, nil), ErrInvalidArgument); e.Detail().Argument != "latency" {
		t.Errorf("%v: %+v", e, e.Detail())
	}
}

func TestMeasure(t *testing.T) {
	space := tinySpace(t)
	all := missing(t, newLatencies(t), space)
	// So few that none is left out, however slow the callback is.
	if len(all) > 64 {
		t.Fatalf("%d operations", len(all))
	}
	var events []Event
	latency, err := MeasureLatency(t.Context(), MeasureConfig{
		Space: space, Options: measureOptions, OnEvent: func(event Event) { events = append(events, event) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer latency.Close()
	if left := missing(t, latency, space); len(left) != 0 {
		t.Errorf("%v", left)
	}
	if time, err := latency.Arch(tinyArch(t)); err != nil || time <= 0 {
		t.Errorf("%v, %v", time, err)
	}
	if csv, err := latency.CSV(); err != nil || !strings.HasPrefix(csv, "# unit: ms\n") {
		t.Errorf("%.40s, %v", csv, err)
	}
	if len(events) != len(all) {
		t.Errorf("%d events, %d operations", len(events), len(all))
	}
	for i, event := range events {
		fine := event.Kind == EventMeasure && event.Step == i+1 && event.Steps == len(all) && event.Seconds >= 0 &&
			event.Round+event.Rounds+event.Epoch+event.Epochs == 0 && math.IsNaN(event.Loss) && math.IsNaN(event.Accuracy) &&
			math.IsNaN(event.ImagesPerSecond)
		if !fine {
			t.Errorf("event %d: %+v", i, event)
		}
	}
}

func TestMeasureCancelledByContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	space, last := tinySpace(t), Event{}
	_, err := MeasureLatency(ctx, MeasureConfig{
		Space: space, Options: map[string]any{"warmup": 100, "repeats": 2000, "threads": 1},
		OnEvent: func(event Event) {
			if last = event; event.Step == 2 {
				cancel()
			}
		},
	})
	if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) || last.Step >= last.Steps {
		t.Errorf("%v after %+v", err, last)
	}
	reason := errors.New("the shop closes")
	ended, end := context.WithCancelCause(t.Context())
	end(reason)
	_, err = MeasureLatency(ended, MeasureConfig{Space: space, OnEvent: func(event Event) { t.Errorf("%+v", event) }})
	if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("%v", err)
	}
}

func TestMeasureErrors(t *testing.T) {
	space := tinySpace(t)
	measure := func(options any, onEvent func(Event)) error {
		_, err := MeasureLatency(t.Context(), MeasureConfig{Space: space, Options: options, OnEvent: onEvent})
		return err
	}
	e := fails(t, measure(map[string]any{"repeats": 0}, nil), ErrConfig)
	if e.Detail().Document != "measure options" || e.Detail().Pointer != "/repeats" {
		t.Errorf("%v: %+v", e, e.Detail())
	}
	fails(t, measure(`{"device": "abacus"}`, nil), ErrDevice)
	calls := 0
	value := outcomeOf(func() { measure(measureOptions, func(Event) { calls++; panic("a bug of the host") }) })
	if value != "a bug of the host" || calls != 1 {
		t.Errorf("%v, %d calls", value, calls)
	}
}
