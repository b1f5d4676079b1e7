package nse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// room is where ranks meet, here goroutines: what each of them gave is there until all have read it.
type room struct {
	mutex sync.Mutex
	moved *sync.Cond
	given []any
	here  int
	turn  int
	// fails is what rank 1 returns from its sums when it is not nil.
	fails error
	left  bool
}

func newRoom(size int) *room {
	r := &room{given: make([]any, size)}
	r.moved = sync.NewCond(&r.mutex)
	return r
}

// wait returns when all have come, or one has left.
func (r *room) wait() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now := r.turn
	if r.here++; r.here == len(r.given) {
		r.here = 0
		r.turn++
		r.moved.Broadcast()
	}
	for r.turn == now {
		if r.left {
			return errors.New("a rank has left")
		}
		r.moved.Wait()
	}
	return nil
}

type inRoom struct {
	*room
	rank int
}

// meet reads what all gave into a copy, which is then one's own.
func meet[T any](r inRoom, own, into []T, read func(rank int, theirs, into []T)) error {
	r.given[r.rank] = own
	if err := r.wait(); err != nil {
		return err
	}
	result := make([]T, len(into))
	for rank, given := range r.given {
		read(rank, given.([]T), result)
	}
	if err := r.wait(); err != nil {
		return err
	}
	copy(into, result)
	return nil
}

func (r inRoom) Sum(numbers []int64) error {
	if r.fails != nil && r.rank == 1 && len(numbers) != 100_003 { // not of the self-test
		r.mutex.Lock()
		r.left = true
		r.moved.Broadcast()
		r.mutex.Unlock()
		return r.fails
	}
	return meet(r, numbers, numbers, func(_ int, theirs, sum []int64) {
		for i, number := range theirs {
			sum[i] += number
		}
	})
}

func (r inRoom) Max(numbers []float64) error {
	return meet(r, numbers, numbers, func(rank int, theirs, greatest []float64) {
		for i, number := range theirs {
			if rank == 0 || number > greatest[i] {
				greatest[i] = number
			}
		}
	})
}

func (r inRoom) Broadcast(bytes []byte) error {
	return meet(r, bytes, bytes, func(rank int, theirs, first []byte) {
		if rank == 0 {
			copy(first, theirs)
		}
	})
}

func (r inRoom) Gather(own, all []byte) error {
	return meet(r, own, all, func(rank int, theirs, all []byte) { copy(all[rank*len(theirs):], theirs) })
}

func (r inRoom) Barrier() error { return r.wait() }

// ranks runs body on every rank, and returns what became of it.
func ranks(t *testing.T, r *room, body func(comm *Comm) (string, error)) ([]string, []error) {
	t.Helper()
	said, errs := make([]string, len(r.given)), make([]error, len(r.given))
	var all sync.WaitGroup
	for rank := range r.given {
		all.Add(1)
		go func() {
			defer all.Done()
			comm, err := NewComm(context.Background(), CommConfig{Rank: rank, Size: len(r.given), Collectives: inRoom{r, rank}, Timeout: time.Minute})
			if err != nil {
				errs[rank] = err
				return
			}
			defer comm.Close()
			said[rank], errs[rank] = body(comm)
		}()
	}
	all.Wait()
	return said, errs
}

func sharedSearch(t *testing.T, comm *Comm) (string, error) {
	search, err := NewSearch(context.Background(), SearchConfig{
		Space: tinySpace(t), Train: tinyDataset(t), Options: with(options(1), "shards", 2), Comm: comm,
	})
	if err != nil {
		return "", err
	}
	defer search.Close()
	for {
		done, err := search.Step(context.Background())
		if err != nil {
			return "", err
		}
		if done {
			return fmt.Sprint(timeless(t, search)), nil
		}
	}
}

func TestRanksFindWhatOneFinds(t *testing.T) {
	alone, err := sharedSearch(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	said, errs := ranks(t, newRoom(2), func(comm *Comm) (string, error) {
		if err := comm.Test(context.Background()); err != nil {
			return "", err
		}
		if info, err := comm.Info(); err != nil || info.Kind != "host" || info.Size != 2 || *info.TimeoutMS != 60_000 || info.LocalRank != nil {
			return "", fmt.Errorf("%+v, %v", info, err)
		}
		return sharedSearch(t, comm)
	})
	for rank := range said {
		if errs[rank] != nil || said[rank] != alone {
			t.Errorf("rank %d: %v, %s instead of %s", rank, errs[rank], said[rank], alone)
		}
	}
}

func TestARankThatFailsEndsAll(t *testing.T) {
	r := newRoom(2)
	r.fails = errors.New("the network is gone")
	_, errs := ranks(t, r, func(comm *Comm) (string, error) {
		said, err := sharedSearch(t, comm)
		if info, _ := comm.Info(); info.Failure == nil {
			t.Error("the Comm does not know that it has failed")
		}
		return said, err
	})
	for rank, err := range errs {
		failed := fails(t, err, ErrCollective)
		if rank == 1 && !strings.Contains(failed.Message, "the host's function returned 1") {
			t.Error(failed.Message)
		}
	}
}

// panicking is no collective.
type panicking struct{ inRoom }

func (panicking) Barrier() error { panic("no network") }

func TestCommConfigs(t *testing.T) {
	r := inRoom{newRoom(1), 0}
	for _, config := range []CommConfig{
		{},
		{Size: 1},
		{Size: 0, Collectives: r},
		{Size: 1, Rank: 1, Collectives: r},
		{Size: -1, Collectives: r},
		{Size: 1, Collectives: r, Timeout: -1},
		{Size: 1, Collectives: r, Timeout: 1 << 62},
	} {
		_, err := NewComm(t.Context(), config)
		fails(t, err, ErrInvalidArgument)
	}
	_, err := NewComm(t.Context(), CommConfig{Size: 1, Collectives: panicking{r}})
	if failed := fails(t, err, ErrCollective); !strings.Contains(failed.Message, "returned 2") {
		t.Error(failed.Message)
	}
	var none *Comm
	fails(t, none.Test(t.Context()), ErrInvalidHandle)
}

func TestWithoutALauncherThereIsOneRank(t *testing.T) {
	comm, err := LaunchedComm(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer comm.Close()
	if info, err := comm.Info(); err != nil || info.Kind != "alone" || info.Size != 1 || *info.LocalRank != 0 {
		t.Fatalf("%+v, %v", info, err)
	}
	t.Setenv("RANK", "1")
	_, err = LaunchedComm(t.Context(), 0)
	if failed := fails(t, err, ErrInvalidArgument); !strings.Contains(failed.Message, "WORLD_SIZE is not set") {
		t.Error(failed.Message)
	}
}
