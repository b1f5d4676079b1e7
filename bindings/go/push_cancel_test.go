package nse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestAnEndedContextPushesNothing(t *testing.T) {
	search, host := newPushed(t, pushedOptions(), func(event Event) { t.Errorf("%+v", event) }), newLoader()
	reason := errors.New("the shop closes")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	_, err := host.advance(ctx, search, next(t, search))
	if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Error(err)
	}
	if now := next(t, search); now.Step != 0 {
		t.Errorf("%+v", now)
	}
}

// Whenever the context ends: a push has happened, or it has not and is made again.
func TestCancelledPushesAreMadeAgainWithTheSameResult(t *testing.T) {
	search, host, cancels, usual := newPushed(t, pushedOptions(), nil), newLoader(), 0, time.Microsecond
	for now := next(t, search); now.Next != PhaseDone; {
		ctx, cancel := context.WithCancel(t.Context())
		// At some time of what a push takes that is left alone.
		delay, begin := rand.N(usual), time.Now()
		go func() {
			for ; time.Since(begin) < delay; runtime.Gosched() {
			}
			cancel()
		}()
		then, err := host.advance(ctx, search, now)
		if err != nil {
			cancels++
			if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			begin = time.Now()
			if then, err = host.advance(t.Context(), search, now); err != nil {
				t.Fatal(err)
			}
		}
		usual = time.Since(begin)
		cancel()
		now = then
	}
	if cancels == 0 {
		t.Error("no cancel")
	}
	sameAsUndisturbed(t, search)
}

// A push that scores works on all candidates, and stops between two of them.
func TestCancelDuringTheCalibration(t *testing.T) {
	many := with(with(pushedOptions(), "candidates", map[string]any{"count": 400, "extras": 0, "too_few": "accept"}), "active", 5)
	search, host := newPushed(t, many, nil), newLoader()
	now := host.until(t, search, func(now Pushed) bool { return now.Next == PhaseCalibrate })
	ended := make(chan error)
	go func() { _, err := host.advance(t.Context(), search, now); ended <- err }()
	for {
		// Again and again, for the push may not have begun.
		if err := search.Cancel(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if fails(t, err, ErrCancelled); errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if now := next(t, search); now.Next != PhaseCalibrate {
				t.Errorf("%+v", now)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func TestEventsComeInThePushThatMadeThem(t *testing.T) {
	var search *Search
	told, panics := 0, false
	search = newPushed(t, pushedOptions(), func(event Event) {
		told++
		if _, err := search.Next(); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if _, err := search.End(t.Context()); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if _, err := search.Estimate(t.Context()); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		if panics {
			panic(fmt.Sprint("at step ", event.Step))
		}
	})
	host := newLoader()
	now, err := host.advance(t.Context(), search, next(t, search))
	if err != nil || told != 1 || now.Step != 1 {
		t.Fatalf("%+v, %v, %d events", now, err, told)
	}
	now, err = host.advance(t.Context(), search, now)
	if err != nil || told != 1 || now.Next != PhaseArchitecture {
		t.Fatalf("half a step: %+v, %v, %d events", now, err, told)
	}
	panics = true
	func() {
		defer func() {
			if value := recover(); value != "at step 2" {
				t.Errorf("recovered %v", value)
			}
		}()
		_, err := host.advance(t.Context(), search, now)
		t.Errorf("returned: %v", err)
	}()
	panics = false
	// The batch has been used.
	if now := next(t, search); told != 2 || now.Step != 2 || now.Next != PhaseWeight {
		t.Errorf("%+v, %d events", now, told)
	}
	host.until(t, search, atEnd)
	sameAsUndisturbed(t, search)
}

func TestASecondPushIsBusy(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(begun); <-end })
	search := newPushed(t, pushedOptions(), func(Event) { once() })
	host := newLoader()
	now := next(t, search)
	first := make(chan error)
	go func() { _, err := host.advance(t.Context(), search, now); first <- err }()
	<-begun
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := host.advance(ctx, search, now); !errors.Is(err, ErrBusy) && !errors.Is(err, ErrCancelled) {
			t.Fatal(err)
		}
	}
	_, err := host.advance(t.Context(), search, now)
	fails(t, err, ErrBusy)
	close(end)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestCloseDuringAPush(t *testing.T) {
	for i := range 20 {
		search, host := newPushed(t, pushedOptions(), nil), newLoader()
		now := next(t, search)
		ended := make(chan error)
		go func() { _, err := host.advance(context.Background(), search, now); ended <- err }()
		for begin := time.Now(); time.Since(begin) < time.Duration(i*i)*10*time.Microsecond; runtime.Gosched() {
		}
		search.Close()
		if err := <-ended; err != nil && !errors.Is(err, ErrCancelled) && !errors.Is(err, ErrInvalidHandle) {
			t.Fatal(err)
		}
	}
}
