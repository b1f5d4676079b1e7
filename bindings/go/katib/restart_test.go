package katib

// The reply depends on the request alone.

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// One service is never restarted, one is new for every request, and one is asked by two experiments in turns: all say the same. Trials
// end in any order and in every way that Katib has, are listed in any order, and some are deleted.
func TestRestarts(t *testing.T) {
	for seed := range uint64(3) {
		steady, _ := serve(t)
		shared, _ := serve(t)
		c, other := newCluster(t, seed, experiment()), newCluster(t, 99, experiment(set("options", `{"objective": {"low": 12000, "high": 60000}}`)))
		for round := 0; c.suggestions < 32; round++ {
			if round%7 == 6 {
				c.remove(1 + c.random.IntN(3))
			}
			wanted := c.step()
			if wanted < 1 {
				continue
			}
			request := c.request(wanted)
			reply := c.get(steady, request)
			fresh, stop := serve(t)
			for _, client := range []api.SuggestionClient{fresh, steady, shared} {
				if again := c.get(client, c.request(wanted)); !proto.Equal(reply, again) {
					t.Fatalf("seed %d, after %d suggestions: %v and then %v", seed, c.suggestions, reply, again)
				}
				other.get(shared, other.request(1))
			}
			stop()
			c.create(reply, wanted)
		}
		for code, times := range c.codes {
			// Of deleted ones nothing is known any more.
			if times > 2 {
				t.Fatalf("seed %d: %s was suggested %d times", seed, code, times)
			}
		}
	}
}

// A request of which the reply was lost, and whose trials never came to be, is no different from another.
func TestNoRepetitions(t *testing.T) {
	client, _ := serve(t)
	c := newCluster(t, 5, experiment())
	for c.suggestions < 40 {
		if wanted := c.step(); wanted > 0 {
			request := c.request(wanted)
			c.get(client, request)
			c.create(c.get(client, request), wanted)
		}
	}
	for code, times := range c.codes {
		if times != 1 {
			t.Fatalf("%s was suggested %d times", code, times)
		}
	}
}

// Restarted or not, it learns: later trials are better than earlier ones, and than those of a search that learns nothing.
func TestLearns(t *testing.T) {
	mean := func(options string) (late float64) {
		c := newCluster(t, 1, experiment(set("options", options), func(spec *api.ExperimentSpec) { spec.ParallelTrialCount = 6 }))
		client, stop := serve(t)
		for c.suggestions < 120 {
			running := c.running()
			for _, trial := range running[:min(3, len(running))] {
				c.succeed(trial)
			}
			wanted := 6 - len(c.running())
			if c.suggestions%4 == 0 {
				stop()
				client, stop = serve(t)
			}
			for _, trial := range c.create(c.get(client, c.request(wanted)), wanted) {
				if c.suggestions > 80 {
					late += quality(t, codeOfTrial(trial)) / 42
				}
			}
		}
		return late
	}
	const rest = `"active": 5, "rounds": 1, "objective": {"low": 12000, "high": 100000, "alpha": 0}, "candidates": {"count": 200}`
	learnt, drawn := mean(`{"told": {"group": 6}, `+rest+`}`), mean(`{"told": {"lr": 0}, `+rest+`}`)
	t.Logf("mean of the last third: %.3f, and %.3f without learning", learnt, drawn)
	if learnt < drawn+0.05 {
		t.Fatalf("mean of the last third: %.3f, and %.3f without learning", learnt, drawn)
	}
}

// What Katib lets one change of an experiment, the numbers of trials, changes nothing of what was, nor of what comes next.
func TestMoreTrials(t *testing.T) {
	client, _ := serve(t)
	c := newCluster(t, 3, experiment(set("options", `{"objective": {"low": 12000, "high": 100000}, "told": {"group": 3}}`)))
	for c.suggestions < 24 {
		if wanted := c.step(); wanted > 0 {
			c.create(c.get(client, c.request(wanted)), wanted)
		}
	}
	expected := c.get(client, c.request(4))
	c.experiment.Spec.MaxTrialCount, c.experiment.Spec.ParallelTrialCount = 400, 9
	for range 2 {
		if reply := c.get(client, c.request(4)); !proto.Equal(expected, reply) {
			t.Fatalf("%v, and with more trials %v", expected, reply)
		}
		client, _ = serve(t)
	}
}

// Several at once, of several experiments, some of which are no more waited for.
func TestCrowd(t *testing.T) {
	client, _ := serve(t)
	var group sync.WaitGroup
	for worker := range uint64(6) {
		group.Add(1)
		go func() {
			defer group.Done()
			c := newCluster(t, worker, experiment(set("options", fmt.Sprintf(
				`{"seed": %d, "rounds": 2, "objective": {"low": 12000, "high": 100000}, "candidates": {"count": 20}}`, worker%3))))
			c.experiment.Name = fmt.Sprint("experiment-", worker%2)
			for c.suggestions < 12 {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Duration(c.random.IntN(3000))*time.Microsecond, cancel)
				client.GetSuggestions(ctx, c.request(2))
				reply, err := client.GetSuggestions(t.Context(), c.request(2))
				if err != nil {
					t.Error(err)
					return
				}
				for _, trial := range c.create(reply, 2) {
					c.succeed(trial)
				}
			}
		}()
	}
	group.Wait()
}

// hurried is a context that ends when it was asked so often whether it has.
type hurried struct {
	context.Context
	left int
}

func (h *hurried) Err() error {
	if h.left--; h.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// With less time than it takes to read all trials and to draw new ones, each request goes on where the one before ended: none of what it did is
// done again, also when the time ends among the draws, or when a reply is lost.
func TestDeadline(t *testing.T) {
	patient, _ := serve(t)
	c := newCluster(t, 2, experiment(set("options", `{"objective": {"low": 12000, "high": 100000}, "active": 5, "rounds": 9, "candidates": {"count": 50}}`)))
	for c.suggestions < 60 {
		for _, trial := range c.running() {
			c.succeed(trial)
		}
		c.create(c.get(patient, c.request(20)), 20)
	}
	const wanted, steps = 11, 7
	request := c.request(wanted)
	expected := c.get(patient, request)
	// All that was asked and told, and what is to be drawn.
	events := 60 + 40 + wanted
	service := NewService()
	defer service.Close()
	get := func(steps int) (*api.GetSuggestionsReply, error) {
		settings, err := configOf(request.GetExperiment())
		if err != nil {
			t.Fatal(err)
		}
		known, err := settings.look(request)
		if err != nil {
			t.Fatal(err)
		}
		settings.roundsOf(request.GetExperiment(), known)
		return service.suggest(&hurried{t.Context(), steps}, settings, known, request.GetExperiment().GetName(), wanted)
	}
	for late := 0; ; late++ {
		reply, err := get(steps)
		if err == nil {
			if late != (events-1)/steps || !proto.Equal(expected, reply) {
				t.Fatalf("after %d requests that came to no end %v, and not %v after %d", late, reply, expected, (events-1)/steps)
			}
			break
		}
		if status.Code(err) != codes.Unavailable || len(service.last.done) != (late+1)*steps {
			t.Fatalf("request %d: %v, after %d of %d", late, err, len(service.last.done), events)
		}
	}
	if reply, err := get(0); err != nil || !proto.Equal(expected, reply) {
		t.Fatalf("asked again, without time for anything: %v, %v", reply, err)
	}
}
