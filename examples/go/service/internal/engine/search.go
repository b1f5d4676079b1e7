package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	nse "github.com/nse-project/nse/bindings/go"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// run of a search in this process.
type run struct {
	engine *Engine
	search *nse.Search
	rows   []row
	sink   Sink
}

// search runs the rounds that are left.
func (e *Engine) search(ctx context.Context, record job.Record, files Files, sink Sink) error {
	r, err := e.open(ctx, record, files, sink)
	if err != nil {
		return err
	}
	defer r.search.Close()
	if err := r.fits(ctx); err != nil {
		return err
	}
	patience := &patience{engine: e, sink: sink}
	status, err := r.search.Status()
	if err != nil {
		return err
	}
	// A kill may have come between the checkpoint of a round and its result.
	done, kept := false, status.Completed == 0
	for !done || !kept {
		if kept {
			done, err = r.search.Step(ctx)
		} else {
			err = nil
		}
		if err == nil {
			err = r.keep()
			kept = err == nil
		}
		if err == nil {
			patience.calm()
			continue
		}
		if ctx.Err() != nil {
			return r.interrupted(ctx, files)
		}
		again, last := patience.again(ctx, err)
		if ctx.Err() != nil {
			return r.interrupted(ctx, files)
		}
		if !again {
			return last
		}
	}
	return nil
}

// open makes the search, or goes on with the one of the checkpoint.
func (e *Engine) open(ctx context.Context, record job.Record, files Files, sink Sink) (*run, error) {
	set, err := e.data.Open(ctx, record.Request.Data)
	if err != nil {
		return nil, err
	}
	options, err := e.options(record.Plan, map[string]any{
		"checkpoint": map[string]any{"path": files.Checkpoint, "seconds": e.settings.Checkpoint},
	})
	if err != nil {
		return nil, err
	}
	space, err := nse.SpaceFromJSON(record.Plan.Space)
	if err != nil {
		return nil, err
	}
	defer space.Close()
	latency, err := openLatency(record.Plan.Latency)
	if err != nil {
		return nil, err
	}
	defer latency.Close()
	r := &run{engine: e, sink: sink}
	if r.rows, err = rows(record.Plan.Space); err != nil {
		return nil, err
	}
	config := nse.SearchConfig{
		Space: space, Train: set.Train, HeldOut: set.HeldOut, Options: options, Latency: latency, OnEvent: r.event,
	}
	if files.Saved {
		r.search, err = nse.LoadSearch(ctx, files.Checkpoint, config)
	} else {
		r.search, err = nse.NewSearch(ctx, config)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// fits holds the estimate of the search against the operator's limit.
func (r *run) fits(ctx context.Context) error {
	limit := r.engine.settings.Memory
	if limit == 0 {
		return nil
	}
	estimate, err := r.search.Estimate(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil && estimate.Memory.Peak > limit {
		return job.Errorf(0, "too_much_memory", "the search would take %d bytes of memory, the limit is %d", estimate.Memory.Peak, limit)
	}
	return err
}

// interrupted saves the search where it was stopped, so that little is done again. Should that fail, the last checkpoint is
// there, and the result will be the same.
func (r *run) interrupted(ctx context.Context, files Files) error {
	if err := r.search.Save(context.WithoutCancel(ctx), files.Checkpoint); err != nil {
		r.engine.log.Warn("the search was stopped and could not be saved; it will go on from the checkpoint before", "error", err)
	}
	return context.Cause(ctx)
}

func (r *run) event(event nse.Event) {
	r.sink.Progress(progress(event))
	if r.sink.Watched() {
		if fitness, err := r.fitness(); err == nil {
			r.sink.Fitness(fitness)
		}
	}
}

// keep hands over the result of the rounds that are complete.
func (r *run) keep() error {
	result, err := r.result()
	if err != nil {
		return err
	}
	if err := r.sink.Result(result); err != nil {
		return errKeep{fmt.Errorf("the result could not be kept: %w", err)}
	}
	return nil
}

func (r *run) result() (result job.Result, err error) {
	status, err := r.search.Status()
	if err != nil {
		return result, err
	}
	result.Completed, result.Rounds = status.Completed, status.Rounds
	objective, err := r.search.Front()
	if err != nil {
		return result, err
	}
	result.Objective, result.Fronts = objective.Cost, map[string]job.Front{objective.Cost: front(objective)}
	for _, cost := range []string{"macs", "params"} {
		if _, known := result.Fronts[cost]; known {
			continue
		}
		other, err := r.search.FrontUnder(cost, nil)
		if err != nil {
			return result, err
		}
		result.Fronts[cost] = front(other)
	}
	if result.History, err = r.search.History(); err != nil {
		return result, err
	}
	picture, err := r.search.Report("svg")
	if err != nil {
		return result, err
	}
	result.Picture = string(picture)
	fitness, err := r.fitness()
	result.Fitness = &fitness
	return result, err
}

func front(snapshot nse.Front) job.Front {
	front := job.Front{Cost: snapshot.Cost, Unit: snapshot.Unit, Members: []job.Member{}}
	for _, member := range snapshot.Members {
		front.Members = append(front.Members, job.Member(member))
	}
	return front
}

func (r *run) fitness() (fitness job.Fitness, err error) {
	theta, err := r.search.Scores()
	if err != nil {
		return fitness, err
	}
	active, err := r.search.Active()
	if err != nil {
		return fitness, err
	}
	for i, row := range r.rows {
		cell := job.FitnessCell{Kind: row.kind, Operators: row.operators}
		for j := range row.operators {
			cell.Theta = append(cell.Theta, finite(theta[i][j]))
			cell.Active = append(cell.Active, active[i][j])
		}
		fitness.Cells = append(fitness.Cells, cell)
	}
	return fitness, nil
}

// row of the table of fitness: a cell and its operators, in the order of the library.
type row struct {
	kind      string
	operators []string
}

// rows of a space in its canonical form.
func rows(space json.RawMessage) (rows []row, err error) {
	var form struct {
		Operators []string
		Cells     []struct {
			Kind      string
			Operators []string
		}
	}
	if err := json.Unmarshal(space, &form); err != nil {
		return nil, err
	}
	for _, cell := range form.Cells {
		operators := cell.Operators
		if operators == nil {
			operators = form.Operators
		}
		rows = append(rows, row{cell.Kind, operators})
	}
	return rows, nil
}

// Architecture describes one architecture of a space, by its code.
func (e *Engine) Architecture(space json.RawMessage, code string) (map[string]any, error) {
	parsed, err := nse.SpaceFromJSON(space)
	if err != nil {
		return nil, e.Problem(err)
	}
	defer parsed.Close()
	arch, err := nse.ArchFromCode(parsed, code)
	if err != nil {
		problem := e.Problem(err)
		problem.Status = http.StatusNotFound
		return nil, problem
	}
	defer arch.Close()
	form, err := arch.JSON()
	if err != nil {
		return nil, e.Problem(err)
	}
	description, err := arch.Describe(nil)
	if err != nil {
		return nil, e.Problem(err)
	}
	return map[string]any{"code": code, "architecture": form, "description": description}, nil
}
