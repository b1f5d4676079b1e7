package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	nse "github.com/nse-project/nse/bindings/go"

	"github.com/nse-project/nse/examples/go/service/internal/dataset"
	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// Prepare makes a request definite, or says with a [job.Problem] what is wrong with it: the library itself looks at everything.
// found is the job that a training takes its architecture from.
func (e *Engine) Prepare(ctx context.Context, request job.Request, found *Found) (plan job.Plan, rounds int, err error) {
	select {
	case e.looking <- struct{}{}:
		defer func() { <-e.looking }()
	case <-ctx.Done():
		return plan, 0, job.Errorf(http.StatusServiceUnavailable, "overloaded", "too many requests wait to be looked at")
	}
	if !e.data.Has(request.Data) {
		return plan, 0, job.Errorf(http.StatusUnprocessableEntity, "invalid_request", "there is no data set of this name; there are %v", e.data.Names()).At("/data")
	}
	set, err := e.data.Open(ctx, request.Data)
	if err != nil {
		e.log.Error("a data set cannot be used", "data", request.Data, "error", err)
		return plan, 0, job.Errorf(http.StatusServiceUnavailable, "data_unavailable", "the data set cannot be read; the log of the service says why").At("/data")
	}
	options, err := e.allowed(request.Options)
	if err != nil {
		return plan, 0, err
	}
	if request.Kind == job.Train {
		plan, err = e.prepareTrain(ctx, request, found, set, options)
		return plan, 1, e.problem(err)
	}
	plan, rounds, err = e.prepareSearch(ctx, request, set, options)
	return plan, rounds, e.problem(err)
}

// Found is what a training needs of the search it names.
type Found struct {
	Plan   job.Plan
	Result job.Result
}

// allowed takes the options apart, so that no key is there twice, and refuses what is the operator's to decide: above all, paths.
func (e *Engine) allowed(options json.RawMessage) (json.RawMessage, error) {
	if options == nil {
		return json.RawMessage("{}"), nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(options, &members); err != nil || members == nil {
		return nil, job.Errorf(http.StatusUnprocessableEntity, "invalid_request", "options are a JSON object").At("/options")
	}
	for _, key := range []string{"checkpoint", "threads"} {
		if _, given := members[key]; given {
			return nil, job.Errorf(http.StatusUnprocessableEntity, "not_allowed", "%s is the service's to decide", key).At("/options/" + key)
		}
	}
	device := "cpu"
	if text, given := members["device"]; given {
		if err := json.Unmarshal(text, &device); err != nil {
			return nil, job.Errorf(http.StatusUnprocessableEntity, "invalid_request", "a device is a text").At("/options/device")
		}
	}
	if !slices.Contains(e.settings.Devices, device) {
		return nil, job.Errorf(http.StatusUnprocessableEntity, "not_allowed", "device %q is not one of %q", device, e.settings.Devices).At("/options/device")
	}
	return json.Marshal(members)
}

func (e *Engine) prepareSearch(ctx context.Context, request job.Request, set dataset.Set, options json.RawMessage) (plan job.Plan, rounds int, err error) {
	space, err := openSpace(request)
	if err != nil {
		return plan, 0, err
	}
	defer space.Close()
	latency, err := openLatency(request.Latency)
	if err != nil {
		return plan, 0, err
	}
	defer latency.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Train: set.Train, HeldOut: set.HeldOut, Options: options, Latency: latency})
	if err != nil {
		return plan, 0, err
	}
	defer search.Close()
	status, err := search.Status()
	if err != nil {
		return plan, 0, err
	}
	plan.Latency = request.Latency
	if plan.Options, err = search.Options(); err != nil {
		return plan, 0, err
	}
	plan.Space, err = space.JSON()
	return plan, status.Rounds, err
}

func (e *Engine) prepareTrain(ctx context.Context, request job.Request, found *Found, set dataset.Set, options json.RawMessage) (plan job.Plan, err error) {
	var space *nse.Space
	code := request.Code
	if found != nil {
		plan.Space = found.Plan.Space
		if space, err = nse.SpaceFromJSON(plan.Space); err != nil {
			return plan, err
		}
		if request.Budget != nil {
			member, some := found.Result.Fronts[found.Result.Objective].Best(*request.Budget)
			if !some {
				return plan, job.Errorf(http.StatusUnprocessableEntity, "not_found", "no architecture of the front costs at most %v", *request.Budget).At("/budget")
			}
			code = member.Code
		}
	} else if space, err = openSpace(request); err != nil {
		return plan, err
	}
	defer space.Close()

	var arch *nse.Arch
	pointer := "/architecture"
	if code != "" {
		pointer = "/code"
		arch, err = nse.ArchFromCode(space, code)
	} else {
		arch, err = nse.ArchFromJSON(space, request.Architecture)
	}
	if err != nil {
		problem := e.Problem(err)
		if problem.Pointer == "" {
			problem.Pointer = pointer
		}
		return plan, problem
	}
	defer arch.Close()
	if plan.Options, err = modelOptions(ctx, arch, set, options); err != nil {
		return plan, err
	}
	if plan.Architecture, err = arch.JSON(); err != nil {
		return plan, err
	}
	plan.Space, err = space.JSON()
	return plan, err
}

// modelOptions looks at the options of a training and at its images, by beginning it with a context that has not ended and ends
// at once: the library checks all before the first step.
func modelOptions(parent context.Context, arch *nse.Arch, set dataset.Set, options json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	model, err := nse.TrainModel(ctx, nse.TrainConfig{Arch: arch, Train: set.Train, Options: options, OnEvent: func(nse.Event) { cancel() }})
	if err == nil {
		return options, model.Close()
	}
	if ctx.Err() != nil && parent.Err() == nil {
		return options, nil
	}
	return nil, err
}

func openSpace(request job.Request) (*nse.Space, error) {
	if bytes.HasPrefix(request.Space, []byte(`"`)) {
		var name string
		if err := json.Unmarshal(request.Space, &name); err != nil {
			return nil, err
		}
		space, err := nse.SpacePreset(name, document(request.Overrides))
		return space, at(err, "/space", nse.ErrInvalidArgument)
	}
	if request.Overrides != nil {
		return nil, job.Errorf(http.StatusUnprocessableEntity, "invalid_request", "overrides change a preset, not a space of one's own").At("/overrides")
	}
	return nse.SpaceFromJSON(request.Space)
}

// document is nil for a document that is not there: a RawMessage that is nil would be an empty text.
func document(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return raw
}

// openLatency gives nil without a table.
func openLatency(text string) (*nse.Latency, error) {
	if text == "" {
		return nil, nil
	}
	latency, err := nse.ParseLatency(text)
	return latency, at(err, "/latency", nse.ErrConfig)
}
