package nse

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
)

// outcomeOf runs f and gives what it panicked with.
func outcomeOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestPanicInTheCallbackReachesTheCaller(t *testing.T) {
	undisturbed := newSearch(t, options(2), nil)
	steps(t, nil, func() (bool, error) { return undisturbed.Step(t.Context()) })

	reason := errors.New("a bug of the host")
	calls, last := 0, -1
	search := newSearch(t, options(2), func(event Event) {
		calls++
		// In each kind of event once: in training, in scoring, at the end of a round.
		if int(event.Kind) > last && (event.Step == 5 || event.Kind != EventTrain) {
			last = int(event.Kind)
			panic(reason)
		}
	})
	for _, kind := range []EventKind{EventTrain, EventScore, EventFinish} {
		before := calls
		value := outcomeOf(func() { search.Step(t.Context()) })
		if value != reason || last != int(kind) {
			t.Fatalf("%v: panicked with %v after %v", kind, value, last)
		}
		if calls == before {
			t.Error("no call")
		}
	}
	steps(t, nil, func() (bool, error) { return search.Step(t.Context()) })
	if a, b := timeless(t, undisturbed), timeless(t, search); len(a) != 2 || !reflect.DeepEqual(a, b) {
		t.Errorf("%v\nbecame\n%v", a, b)
	}
}

// After a panic the host is told no more, though events may still be queued.
func TestNothingIsToldAfterAPanic(t *testing.T) {
	calls := 0
	var search *Search
	search = newSearch(t, options(1000), func(Event) {
		if calls++; calls == 1 {
			// Long enough for the training to go on and to queue events.
			for {
				status, err := search.Status()
				if err != nil || status.Event != nil && status.Event.Step >= 20 {
					panic("late")
				}
			}
		}
	})
	if value := outcomeOf(func() { search.Step(t.Context()) }); value != "late" || calls != 1 {
		t.Errorf("%v, %d calls", value, calls)
	}
}

func TestPanicInTheCallbackOfATraining(t *testing.T) {
	train := func(at EventKind) any {
		return outcomeOf(func() {
			TrainModel(t.Context(), TrainConfig{
				Arch: tinyArch(t), Train: tinyDataset(t), Options: modelOptions(1),
				OnEvent: func(event Event) {
					if event.Kind == at {
						panic(at)
					}
				},
			})
		})
	}
	for _, kind := range []EventKind{EventTrain, EventFinish} {
		if value := train(kind); value != kind {
			t.Errorf("%v: panicked with %v", kind, value)
		}
	}
}

// Every step and every group of candidates is told, once and in order, when the callback is quick.
func TestEventsAreComplete(t *testing.T) {
	var events []Event
	search := newSearch(t, options(2), func(event Event) { events = append(events, event) })
	for range 2 {
		if _, err := search.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	kinds, steps := map[EventKind]int{}, 0
	for i, event := range events {
		kinds[event.Kind]++
		switch event.Kind {
		case EventTrain:
			if steps++; event.Step != steps || event.Steps != 18 || event.Epoch != min(steps/9+1, 2) || event.Epochs != 2 {
				t.Errorf("event %d, step %d: %+v", i, steps, event)
			}
		case EventFinish:
			steps = 0
		}
		fine := event.Rounds == 2 && event.Round >= 1 && event.Round <= 2 && event.Accuracy >= 0 && event.Accuracy <= 1 &&
			event.Loss > 0 && event.Seconds >= 0 && event.ImagesPerSecond > 0
		if !fine {
			t.Errorf("event %d: %+v", i, event)
		}
	}
	if kinds[EventTrain] != 2*18 || kinds[EventFinish] != 2 || kinds[EventScore] < 2 || len(kinds) != 3 {
		t.Errorf("%v", kinds)
	}
	if last := events[len(events)-1]; last.Kind != EventFinish || last.Round != 2 || last.SecondsLeft != 0 {
		t.Errorf("%+v", last)
	}
}

// From inside the callback everything may be used, but no second step.
func TestUseFromInsideTheCallback(t *testing.T) {
	var search *Search
	var busy, cancelled error
	search = newSearch(t, options(2), func(event Event) {
		if busy == nil {
			_, busy = search.Step(context.Background())
			cancelled = search.Cancel()
		}
	})
	_, err := search.Step(t.Context())
	if fails(t, err, ErrCancelled); errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	fails(t, busy, ErrBusy)
	if cancelled != nil {
		t.Error(cancelled)
	}
}

func TestCloseFromInsideTheCallback(t *testing.T) {
	var search *Search
	search = newSearch(t, options(1000), func(Event) { search.Close() })
	_, err := search.Step(t.Context())
	fails(t, err, ErrCancelled)
	_, err = search.Step(t.Context())
	fails(t, err, ErrInvalidHandle)
}

func TestEventJSON(t *testing.T) {
	event := Event{
		Kind: EventScore, Round: 1, Rounds: 2, Epoch: 3, Epochs: 4, Step: 5, Steps: 6, Loss: 0.5, Accuracy: 0.25,
		ImagesPerSecond: 1000, Seconds: 7, SecondsLeft: math.NaN(),
	}
	text, err := json.Marshal(event)
	want := `{"kind":"score","round":1,"rounds":2,"epoch":3,"epochs":4,"step":5,"steps":6,"loss":0.5,"accuracy":0.25,` +
		`"images_per_second":1000,"seconds":7,"seconds_left":null}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	var back Event
	if err := json.Unmarshal(text, &back); err != nil || !math.IsNaN(back.SecondsLeft) {
		t.Errorf("%+v, %v", back, err)
	}
	back.SecondsLeft, event.SecondsLeft = 0, 0
	if back != event {
		t.Errorf("%+v became %+v", event, back)
	}
	if name := EventKind(9).String(); name != "event 9" {
		t.Error(name)
	}
}
