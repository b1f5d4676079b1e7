package nse

// The log as slog, and the end of all threads.

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// buffer that several threads write to.
type buffer struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(text []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.Write(text)
}

func (b *buffer) text() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.String()
}

func setLog(t *testing.T, handler slog.Handler) {
	t.Helper()
	if err := SetLog(handler); err != nil {
		t.Fatal(err)
	}
}

func setLevel(t *testing.T, level slog.Level) {
	t.Helper()
	if err := SetLogLevel(level); err != nil {
		t.Fatal(err)
	}
}

func TestLogTellsASlogHandler(t *testing.T) {
	var all, warnings buffer
	setLog(t, slog.NewTextHandler(&all, &slog.HandlerOptions{Level: LevelTrace}))
	t.Cleanup(func() {
		setLog(t, nil)
		setLevel(t, slog.LevelInfo)
	})
	search := newSearch(t, options(1), nil)
	if _, err := search.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"level=INFO", "target=search", "created: space", "round 1 of 2 finished"} {
		if !strings.Contains(all.text(), part) {
			t.Errorf("%q is not in\n%s", part, all.text())
		}
	}
	if strings.Contains(all.text(), "DEBUG") {
		t.Errorf("too much:\n%s", all.text())
	}
	setLevel(t, LevelTrace)
	_, err := SpaceFromJSON("{")
	fails(t, err, ErrConfig)
	if !strings.Contains(all.text(), "level=DEBUG") || !strings.Contains(all.text(), "target=ffi") {
		t.Errorf("nothing of the failing call:\n%s", all.text())
	}
	// The handler refuses too.
	setLog(t, slog.NewTextHandler(&warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if _, err := search.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := warnings.text(); strings.Contains(text, "INFO") || strings.Contains(text, "DEBUG") {
		t.Error(text)
	}
}

// refuser panics.
type refuser struct {
	slog.Handler
	calls *int
}

func (r refuser) Enabled(context.Context, slog.Level) bool {
	*r.calls++
	panic("no")
}

func TestLogOfAHandlerThatPanics(t *testing.T) {
	calls := 0
	setLog(t, refuser{calls: &calls})
	newSearch(t, options(1), nil)
	setLog(t, nil)
	if calls == 0 {
		t.Error("not called")
	}
	for level, c := range map[slog.Level]int{slog.LevelError + 1: 0, slog.LevelError: 1, slog.LevelWarn: 2, slog.LevelInfo: 3,
		slog.LevelInfo - 1: 3, slog.LevelDebug: 4, LevelTrace: 5, LevelTrace - 9: 5} {
		if got := int(levelToC(level)); got != c {
			t.Errorf("%v is %d, expected %d", level, got, c)
		}
	}
}

func TestShutdown(t *testing.T) {
	begun := make(chan struct{})
	var once sync.Once
	search := newSearch(t, options(100000), func(Event) { once.Do(func() { close(begun) }) })
	stepped := make(chan error)
	go func() {
		_, err := search.Step(context.Background())
		stepped <- err
	}()
	<-begun
	if err := Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	fails(t, <-stepped, ErrCancelled)
	if _, err := search.Front(); err != nil {
		t.Error(err)
	}
	_, err := search.Step(t.Context())
	if fails(t, err, ErrCancelled); !strings.Contains(err.Error(), "nse_shutdown") {
		t.Error(err)
	}
	if err := Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := newSearch(t, options(1), nil).Step(t.Context()); err != nil {
		t.Error(err)
	}
}

// A callback that does not return: the context ends first.
func TestShutdownEndsWithItsContext(t *testing.T) {
	release, begun := make(chan struct{}), make(chan struct{})
	var once sync.Once
	setLog(t, blocker{func() {
		once.Do(func() { close(begun) })
		<-release
	}})
	search := newSearch(t, options(1), nil)
	stepped := make(chan error)
	go func() {
		_, err := search.Step(context.Background())
		stepped <- err
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := fails(t, Shutdown(ctx), ErrCancelled); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	setLog(t, nil)
	close(release)
	fails(t, <-stepped, ErrCancelled)
	if err := Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// blocker holds up the thread of a round.
type blocker struct{ wait func() }

func (b blocker) Enabled(context.Context, slog.Level) bool { return true }
func (b blocker) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b blocker) WithGroup(string) slog.Handler            { return b }
func (b blocker) Handle(_ context.Context, record slog.Record) error {
	if strings.Contains(record.Message, "begins") {
		b.wait()
	}
	return nil
}
