package nse

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"
)

// The promise of the library: cut anywhere, the same result.
func TestCancelledStepsGoOnWithTheSameResult(t *testing.T) {
	undisturbed := newSearch(t, options(3), nil)
	steps(t, nil, func() (bool, error) { return undisturbed.Step(t.Context()) })

	var cancel context.CancelFunc
	count := 0
	search := newSearch(t, options(3), func(event Event) {
		if count++; count%10 == 7 || event.Kind == EventScore {
			cancel()
		}
	})
	cancels := steps(t, ErrCancelled, func() (bool, error) {
		var ctx context.Context
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		return search.Step(ctx)
	})
	// A cancel that comes when the step is through stops nothing; how many do depends on the clock.
	if len(cancels) < 2 {
		t.Fatalf("only %d cancels", len(cancels))
	}
	for _, err := range cancels {
		if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
	if a, b := timeless(t, undisturbed), timeless(t, search); len(a) != 2 || !reflect.DeepEqual(a, b) {
		t.Errorf("%v\nbecame\n%v", a, b)
	}
}

func TestADeadlineEndsAStep(t *testing.T) {
	search := newSearch(t, options(10_000), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := search.Step(ctx)
	if fails(t, err, ErrCancelled); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if status, err := search.Status(); err != nil || status.Completed != 0 || status.Event == nil {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestAnEndedContextStartsNothing(t *testing.T) {
	search := newSearch(t, options(1), func(event Event) { t.Errorf("%+v", event) })
	reason := errors.New("the shop closes")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	done, err := search.Step(ctx)
	if fails(t, err, ErrCancelled); done || !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("%v, %v", done, err)
	}
	if status, err := search.Status(); err != nil || status.Event != nil {
		t.Errorf("%+v, %v", status, err)
	}
}

// The library stops by itself, not only when the host's callback gets round to it.
func TestACancelDoesNotWaitForTheCallback(t *testing.T) {
	var search *Search
	ctx, cancel := context.WithCancel(t.Context())
	stopped, once := Event{}, false
	search = newSearch(t, options(1000), func(Event) {
		if once {
			return
		}
		once = true
		cancel()
		// Until nothing moves any more.
		for quiet := 0; quiet < 40; time.Sleep(5 * time.Millisecond) {
			status, err := search.Status()
			if err != nil || status.Completed > 0 {
				break
			}
			if quiet++; status.Event != nil && status.Event.Step != stopped.Step {
				stopped, quiet = *status.Event, 0
			}
		}
	})
	_, err := search.Step(ctx)
	if fails(t, err, ErrCancelled); stopped.Step > 1000 {
		t.Errorf("went on to step %d of %d", stopped.Step, stopped.Steps)
	}
}

// A context that ends while the step begins is not overlooked, and one that ends when the step is over does no harm to
// the next one.
func TestACancelAtAnyMoment(t *testing.T) {
	search := newSearch(t, options(100_000), nil)
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		delay := time.Duration(rand.IntN(200)) * time.Microsecond
		go func() {
			for begin := time.Now(); time.Since(begin) < delay; {
			}
			cancel()
		}()
		_, err := search.Step(ctx)
		if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

func TestALateCancelSparesTheNextStep(t *testing.T) {
	few := map[string]any{"count": 1, "extras": 0, "too_few": "accept"}
	search := newSearch(t, with(with(options(1), "rounds", 200), "candidates", few), nil)
	for ended := 0; ended < 20; {
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(time.Duration(rand.IntN(40))*time.Millisecond, cancel)
		if _, err := search.Step(ctx); err != nil {
			fails(t, err, ErrCancelled)
			ended++
		}
		timer.Stop()
		cancel()
		// Nobody cancels this one.
		if _, err := search.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCancelByAnotherGoroutine(t *testing.T) {
	search := newSearch(t, options(100_000), nil)
	begun := make(chan error)
	go func() {
		for {
			status, err := search.Status()
			if err != nil || status.Event != nil {
				begun <- errors.Join(err, search.Cancel())
				return
			}
		}
	}()
	_, err := search.Step(t.Context())
	if fails(t, err, ErrCancelled); errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := <-begun; err != nil {
		t.Error(err)
	}
}

// A second step is turned away, and the end of its context never touches the first.
func TestASecondStepIsBusy(t *testing.T) {
	begun := make(chan struct{})
	once := sync.OnceFunc(func() { close(begun) })
	search := newSearch(t, options(100_000), func(Event) { once() })
	own, end := context.WithCancelCause(t.Context())
	first := make(chan error)
	go func() { _, err := search.Step(own); first <- err }()
	<-begun
	_, err := search.Step(t.Context())
	fails(t, err, ErrBusy)
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := search.Step(ctx); !errors.Is(err, ErrBusy) {
			fails(t, err, ErrCancelled)
		}
	}
	select {
	case err := <-first:
		t.Fatalf("the first step ended: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	reason := errors.New("enough")
	end(reason)
	if err := <-first; !errors.Is(err, reason) {
		t.Error(err)
	}
}

// Whenever the close comes: the step ends long before its round would.
func TestCloseDuringStep(t *testing.T) {
	for i := range 60 {
		search := newSearch(t, options(100_000), nil)
		ended := make(chan error)
		go func() { _, err := search.Step(context.Background()); ended <- err }()
		delay := time.Duration(i*i) * time.Microsecond
		for begin := time.Now(); time.Since(begin) < delay; runtime.Gosched() {
		}
		search.Close()
		select {
		case err := <-ended:
			if !errors.Is(err, ErrCancelled) && !errors.Is(err, ErrInvalidHandle) {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the close after %v was overlooked", delay)
		}
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	search := newSearch(t, options(100_000), nil)
	arch, dataset := tinyArch(t), tinyDataset(t)
	runtime.GC()
	before := runtime.NumGoroutine()
	for i := range 30 {
		// A context of one's own kind costs a goroutine to watch.
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		if _, err := search.Step(foreign{ctx}); !errors.Is(err, ErrCancelled) {
			t.Fatal(err)
		}
		_, err := TrainModel(foreign{ctx}, TrainConfig{Arch: arch, Train: dataset, Options: modelOptions(100_000)})
		if !errors.Is(err, ErrCancelled) {
			t.Fatal(err)
		}
		cancel()
	}
	short := newSearch(t, options(1), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := short.Step(foreign{ctx}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

// foreign is a context that package context does not know.
type foreign struct{ context.Context }

func (f foreign) Value(any) any { return nil }
