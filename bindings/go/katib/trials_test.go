package katib

// Trials that are not as one would wish.

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// few has a budget in which there are only a handful of architectures.
var few = set("options", `{"seed": 1, "active": 5, "rounds": 3, "objective": {"low": 12000, "high": 17000}, "candidates": {"count": 20, "too_few": "accept"}}`)

// A space with fewer architectures than trials: Katib is told to wait, and gets as many as it wants in the end, the best again.
func TestExhausted(t *testing.T) {
	client, _ := serve(t)
	c := newCluster(t, 1, experiment(few))
	different := 0
	for c.suggestions < 40 {
		reply, err := client.GetSuggestions(t.Context(), c.request(1))
		if err != nil {
			refused(t, err, codes.Unavailable, "is being evaluated")
			running := c.running()
			if len(running) == 0 {
				t.Fatal("to wait, and for nothing")
			}
			c.succeed(running[0])
			continue
		}
		c.create(reply, 1)
		different = max(different, len(c.codes))
	}
	if different < 3 || different > 30 {
		t.Fatal(different, " architectures")
	}
	// All at once: those there are, and the last of them again.
	c = newCluster(t, 1, experiment(few))
	fresh, _ := serve(t)
	c.create(c.get(fresh, c.request(50)), 50)
	if len(c.codes) < 3 {
		t.Fatal(c.codes)
	}
	for _, trial := range c.running() {
		c.end(trial, api.TrialStatus_FAILED)
	}
	_, err := fresh.GetSuggestions(t.Context(), c.request(1))
	refused(t, err, codes.ResourceExhausted, "no trial has succeeded")
}

// Trials without metrics are never heard of again; they are not waited for.
func TestUnheard(t *testing.T) {
	client, _ := serve(t)
	c := newCluster(t, 1, experiment(few))
	for c.suggestions < 30 {
		made := c.create(c.get(client, c.request(1)), 1)
		if c.suggestions%2 == 0 {
			c.succeed(made[0])
			continue
		}
		c.end(made[0], api.TrialStatus_METRICSUNAVAILABLE)
		c.unavailable[made[0]] = true
		c.trials = slices.DeleteFunc(c.trials, func(trial *api.Trial) bool { return trial == made[0] })
		fresh, stop := serve(t)
		request := c.request(2)
		if reply, again := c.get(client, request), c.get(fresh, request); !proto.Equal(reply, again) {
			t.Fatal(reply, again)
		}
		stop()
	}
}

// What Katib would not send: strangers, trials twice, labels that were changed. There is an answer, and it is always the same.
func TestStrangeTrials(t *testing.T) {
	client, _ := serve(t)
	c := newCluster(t, 7, experiment())
	for range 4 {
		for _, trial := range c.create(c.get(client, c.request(5)), 5) {
			c.succeed(trial)
		}
	}
	request := c.request(3)
	const more = "more than were asked for"
	for name, change := range map[string]func(trials []*api.Trial) []*api.Trial{
		more:    func(trials []*api.Trial) []*api.Trial { return trials },
		"twice": func(trials []*api.Trial) []*api.Trial { return append(trials, trials[:7]...) },
		"two of one number": func(trials []*api.Trial) []*api.Trial {
			trials[3].Spec.Labels[labelNumber] = trials[5].Spec.Labels[labelNumber]
			return trials
		},
		"no labels": func(trials []*api.Trial) []*api.Trial {
			for _, trial := range trials {
				trial.Spec.Labels = nil
			}
			return trials
		},
		"labels of another": func(trials []*api.Trial) []*api.Trial {
			for _, trial := range trials {
				trial.Spec.Labels = map[string]string{labelNumber: "-1", labelTold: "x", labelTold + "-1": "3.1.2.3.4"}
			}
			return trials
		},
		"labels too great": func(trials []*api.Trial) []*api.Trial {
			trials[0].Spec.Labels = map[string]string{labelNumber: "999999999", labelTold: "999999999.1"}
			trials[1].Spec.Labels[labelTold] = "999999999.1"
			trials[2].Spec.Labels[labelTold] = "99999999999999999999.1"
			return trials
		},
		"labels mixed up": func(trials []*api.Trial) []*api.Trial {
			random := rand.New(rand.NewPCG(1, 2))
			for _, trial := range trials {
				other := trials[random.IntN(len(trials))]
				trial.Spec.Labels, other.Spec.Labels = other.Spec.Labels, trial.Spec.Labels
			}
			return trials
		},
		"the first half deleted":  func(trials []*api.Trial) []*api.Trial { return trials[:len(trials)/2] },
		"the second half deleted": func(trials []*api.Trial) []*api.Trial { return trials[len(trials)/2:] },
		"all deleted":             func([]*api.Trial) []*api.Trial { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			request := proto.Clone(request).(*api.GetSuggestionsRequest)
			request.Trials = change(request.Trials)
			if name == more {
				request.TotalRequestNumber = 4
			}
			fresh, stop := serve(t)
			defer stop()
			reply := c.get(client, request)
			if again := c.get(fresh, request); len(reply.ParameterAssignments) != 3 || !proto.Equal(reply, again) {
				t.Fatal(reply, again)
			}
			for _, suggestion := range reply.ParameterAssignments {
				for _, trial := range request.Trials {
					if codeOfTrial(trial) == suggestion.Assignments[0].Value {
						t.Fatal("suggested again: ", suggestion)
					}
				}
			}
		})
	}
}

func TestWrongTrials(t *testing.T) {
	client, _ := serve(t)
	spared, _ := serve(t)
	c := newCluster(t, 7, experiment())
	c.succeed(c.create(c.get(client, c.request(2)), 2)[0])
	good := c.request(1)
	finished := slices.IndexFunc(good.Trials, func(trial *api.Trial) bool { return trial.Status.Condition == api.TrialStatus_SUCCEEDED })
	for name, wrong := range map[string]struct {
		change func(request *api.GetSuggestionsRequest, trial *api.Trial)
		words  []string
	}{
		"no code": {func(_ *api.GetSuggestionsRequest, trial *api.Trial) {
			trial.Spec.ParameterAssignments.Assignments[0].Value = "resnet"
		}, []string{"resnet"}},
		"of another space": {func(_ *api.GetSuggestionsRequest, trial *api.Trial) {
			trial.Spec.ParameterAssignments.Assignments[0].Value = "n1kycv.36spet37j1x8sj3"
		}, []string{"n1kycv.36spet37j1x8sj3"}},
		"of another algorithm": {func(_ *api.GetSuggestionsRequest, trial *api.Trial) {
			trial.Spec.ParameterAssignments.Assignments[0].Name = "lr"
		}, []string{"lr", "architecture"}},
		"no assignments": {func(_ *api.GetSuggestionsRequest, trial *api.Trial) { trial.Spec.ParameterAssignments = nil }, []string{"architecture"}},
		"percent": {func(_ *api.GetSuggestionsRequest, trial *api.Trial) {
			trial.Status.Observation.Metrics[0].Value = "93.5"
		}, []string{"93.5", "metric_scale", "100"}},
		"too many":        {func(request *api.GetSuggestionsRequest, _ *api.Trial) { request.CurrentRequestNumber = 10_001 }, []string{"10001"}},
		"fewer than none": {func(request *api.GetSuggestionsRequest, _ *api.Trial) { request.CurrentRequestNumber = -1 }, []string{"-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			request := proto.Clone(good).(*api.GetSuggestionsRequest)
			wrong.change(request, request.Trials[finished])
			_, err := client.GetSuggestions(t.Context(), request)
			refused(t, err, codes.InvalidArgument, wrong.words...)
			// It leaves nothing behind.
			if got, want := c.get(client, good), c.get(spared, good); !proto.Equal(got, want) {
				t.Errorf("%v\nwithout the wrong one %v", got, want)
			}
		})
	}
	// None of that was the end of it.
	c.create(c.get(client, good), 1)
	// No trials are wanted, and none come.
	if reply := c.get(client, c.request(0)); len(reply.ParameterAssignments) != 0 {
		t.Fatal(reply)
	}
}

func TestResults(t *testing.T) {
	costed := func(spec *api.ExperimentSpec) { spec.Objective.AdditionalMetricNames = []string{"cost"} }
	lowest := func(spec *api.ExperimentSpec) { spec.Objective.Type = api.ObjectiveType_MINIMIZE }
	ended := func(metrics ...*api.Metric) *api.TrialStatus {
		return &api.TrialStatus{Condition: api.TrialStatus_SUCCEEDED, Observation: &api.Observation{Metrics: metrics}}
	}
	text := func(value string) *api.Metric { return &api.Metric{Name: "val_accuracy", Value: value} }
	for name, one := range map[string]struct {
		changes  changes
		status   *api.TrialStatus
		accuracy float64 // -1: failed; -2: under way
		cost     float64
	}{
		"plain":              {nil, ended(text("0.5")), 0.5, 0},
		"nothing":            {nil, nil, -2, 0},
		"running, with some": {nil, &api.TrialStatus{Condition: api.TrialStatus_RUNNING, Observation: ended(text("0.5")).Observation}, -2, 0},
		"stopped":            {nil, &api.TrialStatus{Condition: api.TrialStatus_EARLYSTOPPED, Observation: ended(text("0.5")).Observation}, -1, 0},
		"killed":             {nil, &api.TrialStatus{Condition: api.TrialStatus_KILLED}, -1, 0},
		"failed":             {nil, &api.TrialStatus{Condition: api.TrialStatus_FAILED}, -1, 0},
		"no metrics":         {nil, ended(), -1, 0},
		"another metric":     {nil, ended(metric("loss", 0.5)), -1, 0},
		"NaN":                {nil, ended(text("NaN")), -1, 0},
		"infinite":           {nil, ended(text("-Inf")), -1, 0},
		"no number":          {nil, ended(text("unavailable")), -1, 0},
		"below nothing":      {nil, ended(text("-3")), 0, 0},
		"percent":            {changes{set("metric_scale", "100")}, ended(text("93")), 0.93, 0},
		"error rate":         {changes{lowest}, ended(text("0.25")), 0.75, 0},
		"a great loss":       {changes{lowest, set("metric_scale", "2.5")}, ended(text("1e9")), 0, 0},
		"cost":               {changes{costed, set("cost_metric", "cost")}, ended(text("0.5"), metric("cost", 12345.4)), 0.5, 12345},
		"no cost":            {changes{costed, set("cost_metric", "cost")}, ended(text("0.5")), -1, 0},
		"negative cost":      {changes{costed, set("cost_metric", "cost")}, ended(text("0.5"), metric("cost", -1)), -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := configOf(experiment(one.changes...))
			if err != nil {
				t.Fatal(err)
			}
			told, err := c.resultOf(&api.Trial{Status: one.status})
			switch {
			case err != nil:
				t.Fatal(err)
			case one.accuracy == -2:
				if told != nil {
					t.Fatal(told)
				}
			case told == nil || told.Failed != (one.accuracy == -1) || !told.Failed && told.Accuracy != one.accuracy:
				t.Fatal(told)
			case (told.Cost != nil) != (one.cost != 0) || told.Cost != nil && *told.Cost != one.cost:
				t.Fatal(told.Cost)
			}
		})
	}
}

// Measured costs reach the search: one outside the budget is not on its front, and an exhausted search does not suggest it again.
func TestCosts(t *testing.T) {
	client, _ := serve(t)
	c := newCluster(t, 1, experiment(set("cost_metric", "macs"), func(spec *api.ExperimentSpec) {
		spec.Objective.AdditionalMetricNames = []string{"macs"}
	}, set("options", `{"rounds": 1, "objective": {"low": 12000, "high": 100000}, "candidates": {"count": 4}}`)))
	made := c.create(c.get(client, c.request(4)), 4)
	for i, trial := range made {
		cost := 200_000.0
		if i == 2 {
			cost = 20_000
		}
		c.end(trial, api.TrialStatus_SUCCEEDED, metric("val_accuracy", 0.9-float64(i)/10), metric("macs", cost))
	}
	for _, suggestion := range c.get(client, c.request(5)).ParameterAssignments {
		if suggestion.Assignments[0].Value != codeOfTrial(made[2]) {
			t.Fatal(suggestion)
		}
	}
}

// Labels carry any order, of any length; with few results at a time that of every single trial may be missing.
func TestLabels(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	for run := range 200 {
		burst := []int{7, 60}[run%2]
		trials, told, old := map[int]*api.Trial{}, []int{}, 0
		order := random.Perm(300)
		for number := range 300 {
			if random.IntN(4) == 0 {
				old = len(told)
				told = append(told, order[len(told):min(len(order), len(told)+1+random.IntN(burst))]...)
			}
			labels := labelsOf(number, told, old, run)
			for key, value := range labels {
				if !labelled.MatchString(key) || !labelled.MatchString(value) || len(value) > 63 || strings.Contains(value, "..") {
					t.Fatal(key, value)
				}
			}
			trials[number] = &api.Trial{Spec: &api.TrialSpec{Labels: labels}}
		}
		if burst == 7 {
			delete(trials, random.IntN(299))
		}
		if j := journalOf(trials); j.count != len(told) || len(j.at) != len(told) {
			t.Fatalf("%d places and %d results of %d", j.count, len(j.at), len(told))
		} else {
			for place, number := range told {
				if j.at[place] != number {
					t.Fatal(place, number)
				}
			}
		}
	}
}
