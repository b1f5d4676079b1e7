package events

import (
	"fmt"
	"sync"
	"testing"
)

func drain(l *Listener) (events []Event) {
	for event := range l.C {
		events = append(events, event)
	}
	return events
}

func TestAListenerGetsEverythingInOrder(t *testing.T) {
	var hub Hub
	listener, missed, known, _ := hub.Listen("")
	if missed != nil || known {
		t.Errorf("%v, %v", missed, known)
	}
	for i := range 10 {
		hub.Publish("progress", i)
	}
	hub.Close()
	events := drain(listener)
	if len(events) != 10 || listener.Slow {
		t.Fatalf("%v", events)
	}
	for i, event := range events {
		if string(event.Data) != fmt.Sprint(i) || event.Kind != "progress" || event.ID != fmt.Sprintf("%s-%d", boot, i+1) {
			t.Errorf("%d: %+v", i, event)
		}
	}
}

func TestAListenerComesBack(t *testing.T) {
	var hub Hub
	for i := range 2 * kept {
		hub.Publish("progress", i)
	}
	for last, want := range map[int]int{2 * kept: 0, 2*kept - 3: 3, kept + 1: kept - 1} {
		_, missed, known, now := hub.Listen(fmt.Sprintf("%s-%d", boot, last))
		if len(missed) != want || !known || now != hub.id() {
			t.Errorf("%d: %d missed, %v", last, len(missed), known)
		}
		if want > 0 && string(missed[0].Data) != fmt.Sprint(last) {
			t.Errorf("%d: begins with %s", last, missed[0].Data)
		}
	}
	// Too long ago, of another process, of the future, not a number at all: it must be told everything.
	for _, last := range []string{boot + "-3", "earlier-500", boot + "-100000", "", "\x00", "-1"} {
		if _, missed, known, _ := hub.Listen(last); missed != nil || known {
			t.Errorf("%q: %v, %v", last, missed, known)
		}
	}
}

func TestASlowListenerIsDroppedAlone(t *testing.T) {
	var hub Hub
	slow, _, _, _ := hub.Listen("")
	quick, _, _, _ := hub.Listen("")
	got := make(chan []Event)
	read := make(chan struct{})
	go func() {
		var events []Event
		for event := range quick.C {
			events = append(events, event)
			read <- struct{}{}
		}
		got <- events
	}()
	for i := range 3 * waiting {
		hub.Publish("progress", i)
		<-read
	}
	hub.Close()
	if events := <-got; len(events) != 3*waiting || quick.Slow {
		t.Errorf("the quick one got %d", len(events))
	}
	if events := drain(slow); len(events) != waiting || !slow.Slow {
		t.Errorf("the slow one got %d, %v", len(events), slow.Slow)
	}
	slow.Close()
	if late, _, _, _ := hub.Listen(""); len(drain(late)) != 0 {
		t.Error("events after the end")
	}
}

func TestManyAtOnce(t *testing.T) {
	var hub Hub
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				hub.Publish("progress", i)
			}
		})
		all.Go(func() {
			for range 50 {
				listener, _, _, _ := hub.Listen("")
				select {
				case <-listener.C:
				default:
				}
				listener.Close()
			}
		})
	}
	all.Wait()
	hub.Close()
	if len(hub.listeners) != 0 || len(hub.recent) != kept {
		t.Errorf("%d, %d", len(hub.listeners), len(hub.recent))
	}
}
