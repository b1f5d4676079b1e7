package katib

// A search, as it was when the trials of a request were suggested: every ask and every tell is made again, unless an earlier request
// left the search just there. So a reply depends on the request alone, whatever happened to the service.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	nse "github.com/nse-project/nse/bindings/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// event is an ask or a tell.
type event struct {
	// number of the suggestion that was asked for, or -1.
	number int
	// trial it became, or whose result is told; "" when Katib has no such trial (any more).
	trial string
	code  string
	told  nse.Result
	// cost of told, whose own is a pointer.
	cost float64
}

// replay is a search and what was done with it.
type replay struct {
	config *config
	space  *nse.Space
	search *nse.Search
	done   []event
	// script that was followed last. What was done after it are draws for a reply that Katib did not get, or not yet.
	script []event
	// drawn here, by number.
	drawn map[int]string
	// foreign codes are those of trials that were not drawn here; strangers are those of trials without a number, from the beginning.
	foreign, strangers map[string]bool
	// visible codes are those of trials that Katib shows, and patient says that results of them are to be expected.
	visible map[string]bool
	patient bool
	// half says that an event has changed the search and is not in done: what comes next would not be what a replay of the request gives.
	half bool
}

func (c *config) replay(strangers map[string]bool) (*replay, error) {
	space, search, err := c.open()
	if err != nil {
		return nil, err
	}
	return &replay{
		config: c, space: space, search: search, drawn: map[int]string{}, foreign: maps.Clone(strangers), strangers: strangers,
	}, nil
}

func (r *replay) close() {
	r.search.Close()
	r.space.Close()
}

// script of the trials: all that was asked and told before the new suggestions. told are the numbers of results in the order told, of
// which the first `old` are on labels.
func (k *known) script() (events []event, told []int, old int, err error) {
	j := journalOf(k.numbered)
	ask := func(number int) error {
		trial, there := k.numbered[number]
		if !there {
			events = append(events, event{number: number})
			return nil
		}
		code, err := codeOf(trial)
		events = append(events, event{number: number, trial: trial.GetName(), code: code})
		return err
	}
	tell := func(trial *api.Trial) error {
		code, err := codeOf(trial)
		e := event{number: -1, trial: trial.GetName(), code: code, told: *k.results[trial]}
		if e.told.Cost != nil {
			e.cost, e.told.Cost = *e.told.Cost, nil
		}
		events = append(events, e)
		return err
	}
	settled, place := map[int]bool{}, 0
	upTo := func(count int) error {
		for ; place < count; place++ {
			number, said := j.at[place]
			if !said {
				number = nobody
			}
			// Katib may keep this trial for itself; its place stays.
			if trial := k.numbered[number]; trial != nil && k.results[trial] != nil && !settled[number] {
				if err := tell(trial); err != nil {
					return err
				}
			}
			told = append(told, number)
			settled[number] = true
		}
		return nil
	}
	for number := range k.next {
		if err := upTo(j.before[number]); err != nil {
			return nil, nil, 0, err
		}
		if err := ask(number); err != nil {
			return nil, nil, 0, err
		}
	}
	if err := upTo(j.count); err != nil {
		return nil, nil, 0, err
	}
	old = len(told)
	for _, number := range sorted(k.numbered) {
		if trial := k.numbered[number]; k.results[trial] != nil && !settled[number] {
			if err := tell(trial); err != nil {
				return nil, nil, 0, err
			}
			told = append(told, number)
		}
	}
	for _, trial := range k.strangers {
		if k.results[trial] != nil {
			if err := tell(trial); err != nil {
				return nil, nil, 0, err
			}
		}
	}
	return events, told, old, nil
}

// foreign are the codes of strangers.
func (k *known) foreign() (map[string]bool, error) {
	found := map[string]bool{}
	for _, trial := range k.strangers {
		code, err := codeOf(trial)
		if err != nil {
			return nil, err
		}
		found[code] = true
	}
	return found, nil
}

// begins says whether what was done is the beginning of a script, or of `count` draws after it.
func (r *replay) begins(script []event, running bool, count int) bool {
	if drawn := len(r.done) - len(script); drawn > 0 {
		return drawn <= count && r.patient == running && slices.Equal(r.script, script)
	}
	for i, done := range r.done {
		wanted := script[i]
		// A trial that Katib does not show is what was drawn for it.
		if unseen := done.number >= 0 && done.number == wanted.number && (wanted.code == "" || wanted.code == r.drawn[done.number]) &&
			(done.code == "" || done.code == r.drawn[done.number]); !unseen && done != wanted {
			return false
		}
	}
	return true
}

// write down what was done as a whole.
func (r *replay) write(e event) {
	r.done, r.half = append(r.done, e), false
}

// follow does the rest of a script. When ctx ends, what was done stays done.
func (r *replay) follow(ctx context.Context, script []event) error {
	r.visible, r.patient, r.script = map[string]bool{}, false, script
	for _, e := range script {
		r.visible[e.code] = true
	}
	for at := len(r.done); at < len(script); at++ {
		if ctx.Err() != nil {
			return status.Errorf(codes.Unavailable, "read %d of %d asks and results; the next request goes on from there", at, len(script))
		}
		if err := r.do(script[at]); err != nil {
			return err
		}
		r.write(script[at])
	}
	return nil
}

func (r *replay) do(e event) error {
	if e.number >= 0 {
		code, err := r.draw(e.number)
		if err != nil && !errors.Is(err, errWait) {
			return err
		}
		r.drawn[e.number] = code
		if e.code == "" || e.code == code {
			return nil
		}
		if err := r.valid(e); err != nil {
			return err
		}
		r.foreign[e.code] = true
		if code == "" {
			return nil
		}
		return internal(r.search.Forget(code))
	}
	told := e.told
	if told.Code = e.code; r.config.costMetric != "" && !told.Failed {
		told.Cost = &e.cost
	}
	if err := r.valid(e); err != nil {
		return err
	}
	// Another result of an architecture that was repeated: the first one stays.
	if _, err := r.search.Tell(told); err != nil && !errors.Is(err, nse.ErrConflict) {
		return refusal(fmt.Sprintf("trial %q", e.trial), err)
	}
	return nil
}

func (r *replay) valid(e event) error {
	arch, err := nse.ArchFromCode(r.space, e.code)
	if err != nil {
		return refusal(fmt.Sprintf("trial %q: %s %q", e.trial, Parameter, e.code), err)
	}
	return arch.Close()
}

// errWait says that there is nothing more to evaluate until a result is told.
var errWait = errors.New("every architecture inside the budget that is to be had now is being evaluated")

// draw gives the code of a suggestion. After the last round, and when the budget has no more, the front comes again: fewer suggestions
// than were asked for cannot be told to Katib.
func (r *replay) draw(number int) (string, error) {
	for {
		archs, done, err := r.search.Ask(1)
		// An ask that finds nothing changes nothing.
		r.half = r.half || err != nil || done || len(archs) > 0
		if err != nil {
			return "", refusal("the search", err)
		}
		if done {
			return r.again(number)
		}
		if len(archs) == 0 {
			if lost, err := r.giveUp(); err != nil || !lost {
				return "", cmp.Or(err, errWait)
			}
			continue
		}
		code, err := archs[0].Code()
		archs[0].Close()
		if err != nil || !r.foreign[code] {
			return code, internal(err)
		}
	}
}

// giveUp waits no longer for trials that Katib does not show, such as those without metrics. It says whether there were any.
func (r *replay) giveUp() (lost bool, err error) {
	if r.patient {
		return false, nil
	}
	pending, err := r.search.Pending()
	if err != nil {
		return false, internal(err)
	}
	for _, one := range pending {
		if r.visible[one.Code] {
			continue
		}
		r.half, lost = true, true
		if _, err := r.search.Tell(nse.Result{Code: one.Code, Failed: true}); err != nil {
			return false, internal(err)
		}
	}
	return lost, nil
}

func (r *replay) again(number int) (string, error) {
	front, err := r.search.Front()
	if err != nil {
		return "", internal(err)
	}
	if len(front.Members) == 0 {
		return "", status.Error(codes.ResourceExhausted, "the search is complete, and no trial has succeeded: there is nothing to suggest")
	}
	return front.Members[number%len(front.Members)].Code, nil
}

// suggest draws new suggestions, of the numbers from `next`.
func (r *replay) suggest(ctx context.Context, k *known, count int) (given []string, err error) {
	r.patient = k.running
	for number := k.next; number < k.next+count; number++ {
		if at := len(r.script) + number - k.next; at < len(r.done) { // by the request before
			given = append(given, r.done[at].code)
			r.visible[r.done[at].code] = true
			continue
		}
		if ctx.Err() != nil {
			return nil, status.Errorf(codes.Unavailable, "drew %d of %d suggestions; there was no time for more", len(given), count)
		}
		code, err := r.draw(number)
		if errors.Is(err, errWait) && !k.running && len(given) > 0 {
			// Only these are under way: they are all there is.
			code, err = given[len(given)-1], nil
		}
		if errors.Is(err, errWait) {
			err = status.Errorf(codes.Unavailable, "suggestion %d: %v", number, err)
		}
		if err != nil {
			return nil, err
		}
		r.drawn[number], r.visible[code] = code, true
		r.write(event{number: number, code: code})
		given = append(given, code)
	}
	return given, nil
}
