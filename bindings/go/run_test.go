package nse

// A search as a loop over its events.

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"testing"
)

func TestRunGoesOverAllRounds(t *testing.T) {
	undisturbed := newSearch(t, options(2), nil)
	steps(t, nil, func() (bool, error) { return undisturbed.Step(t.Context()) })

	var told []Event
	search := newSearch(t, options(2), func(event Event) { told = append(told, event) })
	var events []Event
	for event, err := range search.Run(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
		// The results of a round are there when it says that it is complete.
		if status, err := search.Status(); err != nil || event.Kind == EventFinish && status.Completed != event.Round {
			t.Errorf("%+v, %v", status, err)
		}
		if front, err := search.Front(); err != nil || event.Kind == EventFinish && len(front.Members) == 0 {
			t.Errorf("%+v, %v", front, err)
		}
	}
	if len(events) < 2*18+2 || len(told) != len(events) {
		t.Errorf("%d events in the loop, %d in the callback", len(events), len(told))
	}
	if last := events[len(events)-1]; last.Kind != EventFinish || last.Round != 2 {
		t.Errorf("%+v", last)
	}
	if a, b := timeless(t, undisturbed), timeless(t, search); len(a) != 2 || !reflect.DeepEqual(a, b) {
		t.Errorf("%v\nbecame\n%v", a, b)
	}
	for event, err := range search.Run(t.Context()) {
		t.Errorf("after the end: %+v, %v", event, err)
	}
}

// A loop that is left at any event can be gone on with.
func TestALoopThatIsLeftGoesOn(t *testing.T) {
	undisturbed := newSearch(t, options(2), nil)
	steps(t, nil, func() (bool, error) { return undisturbed.Step(t.Context()) })

	search := newSearch(t, options(2), nil)
	for loops := 0; ; loops++ {
		count := 0
		for event, err := range search.Run(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if count++; count == 5 || event.Kind == EventScore || event.Kind == EventFinish {
				break
			}
		}
		if status, err := search.Status(); err != nil || status.Done {
			// How many there are is a matter of when the library hears of it.
			if loops == 0 {
				t.Errorf("no loop was left, %v", err)
			}
			break
		}
	}
	if a, b := timeless(t, undisturbed), timeless(t, search); len(a) != 2 || !reflect.DeepEqual(a, b) {
		t.Errorf("%v\nbecame\n%v", a, b)
	}
}

func TestALoopEndsWithItsError(t *testing.T) {
	search := newSearch(t, options(1000), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	after := 0
	for event, err := range search.Run(ctx) {
		if last != nil {
			t.Errorf("after the error: %+v, %v", event, err)
		}
		if last = err; err == nil && event.Step == 3 {
			cancel()
		}
		after++
	}
	if fails(t, last, ErrCancelled); !errors.Is(last, context.Canceled) || after < 4 {
		t.Errorf("%v after %d", last, after)
	}
	search.Close()
	for _, err := range search.Run(t.Context()) {
		fails(t, err, ErrInvalidHandle)
	}
}

// What runs in a loop, or is told, is the host's goroutine with nothing of C below it: a panic passes, and FailNow may end it.
func TestAHostThatLeavesInTheMiddle(t *testing.T) {
	search := newSearch(t, options(1000), nil)
	if value := outcomeOf(func() {
		for range search.Run(t.Context()) {
			panic("a bug of the host")
		}
	}); value != "a bug of the host" {
		t.Errorf("panicked with %v", value)
	}
	none := func() {}
	if !ends(func() {
		for range search.Run(t.Context()) {
			runtime.Goexit()
		}
	}, none) {
		t.Error("the goroutine of the loop did not end")
	}
	told := newSearch(t, options(1000), func(Event) { runtime.Goexit() })
	if !ends(func() { told.Step(context.Background()) }, none) {
		t.Error("the goroutine of the step did not end")
	}
	arch, dataset := tinyArch(t), tinyDataset(t)
	if !ends(func() {
		TrainModel(context.Background(), TrainConfig{Arch: arch, Train: dataset, Options: modelOptions(100_000), OnEvent: func(Event) { runtime.Goexit() }})
	}, none) {
		t.Error("the goroutine of the training did not end")
	}
	// All of it is over when the goroutine is: nothing is busy.
	for _, search := range []*Search{search, told} {
		if err := search.Save(t.Context(), t.TempDir()+"/search"); err != nil {
			t.Error(err)
		}
	}
}
