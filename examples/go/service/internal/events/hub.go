// Package events hands what happens to a job to whoever listens. A listener that does not keep up is dropped and can come back with
// the number of the last event it got; nobody else waits for it.
package events

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

const (
	// kept events of a job, for listeners that come back.
	kept = 256
	// waiting events of a listener, beyond which it is dropped.
	waiting = 64
)

// boot tells the numbers of this process from those of an earlier one.
var boot = strings.ToLower(rand.Text()[:10])

// Event that is ready to be sent.
type Event struct {
	// ID for Last-Event-ID.
	ID   string
	Kind string
	// Data is one line of JSON.
	Data []byte
}

// Hub of one job. The zero value is ready.
type Hub struct {
	mutex     sync.Mutex
	number    uint64
	recent    []Event
	listeners map[*Listener]struct{}
	closed    bool
}

// Listener gets the events of a hub until C is closed: because it was too slow, or because there will be no more.
type Listener struct {
	C <-chan Event
	// Slow says, once C is closed, that it was because of the listener.
	Slow bool
	c    chan Event
	hub  *Hub
}

// New event of a value that JSON has.
func New(id, kind string, value any) Event {
	data, err := json.Marshal(value)
	if err != nil {
		// Only a value of this program's can do that.
		data = fmt.Appendf(nil, "%q", err.Error())
	}
	return Event{id, kind, data}
}

// Publish an event. It never waits.
func (h *Hub) Publish(kind string, value any) {
	event := New("", kind, value)
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.closed {
		return
	}
	h.number++
	event.ID = h.id()
	if len(h.recent) == kept {
		h.recent = append(h.recent[:0], h.recent[1:]...)
	}
	h.recent = append(h.recent, event)
	for listener := range h.listeners {
		select {
		case listener.c <- event:
		default:
			listener.Slow = true
			h.drop(listener)
		}
	}
}

func (h *Hub) id() string {
	return boot + "-" + strconv.FormatUint(h.number, 10)
}

// Listen from now on. last is the ID of the last event that the listener got, or empty. known says that missed are all events
// since; if not, the listener must be told everything. now is the ID of the present.
func (h *Hub) Listen(last string) (listener *Listener, missed []Event, known bool, now string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	channel := make(chan Event, waiting)
	listener = &Listener{C: channel, c: channel, hub: h}
	if h.closed {
		close(channel)
	} else {
		if h.listeners == nil {
			h.listeners = map[*Listener]struct{}{}
		}
		h.listeners[listener] = struct{}{}
	}
	if last == h.id() {
		return listener, nil, true, last
	}
	for i, event := range h.recent {
		if event.ID == last {
			return listener, append(missed, h.recent[i+1:]...), true, h.id()
		}
	}
	return listener, nil, false, h.id()
}

// Close the listener; C is closed.
func (l *Listener) Close() {
	l.hub.mutex.Lock()
	defer l.hub.mutex.Unlock()
	l.hub.drop(l)
}

func (h *Hub) drop(listener *Listener) {
	if _, there := h.listeners[listener]; there {
		delete(h.listeners, listener)
		close(listener.c)
	}
}

// Close ends all listeners once they have what was published.
func (h *Hub) Close() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.closed = true
	for listener := range h.listeners {
		h.drop(listener)
	}
}
