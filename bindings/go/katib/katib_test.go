package katib

// A Katib of our own for the tests: it does what its controllers do with suggestions, over real gRPC and with Katib's own API.

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	nse "github.com/nse-project/nse/bindings/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// tiny is a space of three cells.
const tiny = `{"name": "tiny", "input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "stem": {"channels": 4, "stride": 1},
 "operators": ["mbconv_k3_t1", "mbconv_k3_t2", "conv_k3_t1", "rec_k3_t1", "mbconv_k5_t1"],
 "cells": [{"kind": "normal"}, {"kind": "reduce", "channels": 6}, {"kind": "normal"}], "tail": {"channels": 8}}`

const tinyOptions = `{"seed": 3, "rounds": 3, "active": 3, "objective": {"low": 12000, "high": 100000}, "candidates": {"count": 12},
 "told": {"group": 4}}`

func setting(name, value string) *api.AlgorithmSetting {
	return &api.AlgorithmSetting{Name: name, Value: value}
}

// experiment of architectures of the tiny space.
func experiment(change ...func(*api.ExperimentSpec)) *api.Experiment {
	spec := &api.ExperimentSpec{
		ParameterSpecs: &api.ExperimentSpec_ParameterSpecs{},
		Objective:      &api.ObjectiveSpec{Type: api.ObjectiveType_MAXIMIZE, ObjectiveMetricName: "val_accuracy"},
		Algorithm: &api.AlgorithmSpec{AlgorithmName: "nse", AlgorithmSettings: []*api.AlgorithmSetting{
			setting("space", tiny), setting("options", tinyOptions),
		}},
		ParallelTrialCount: 4, MaxTrialCount: 40,
	}
	for _, change := range change {
		change(spec)
	}
	return &api.Experiment{Name: "find-a-network", Spec: spec}
}

// set changes a setting, or adds it.
func set(name, value string) func(*api.ExperimentSpec) {
	return func(spec *api.ExperimentSpec) {
		for _, old := range spec.Algorithm.AlgorithmSettings {
			if old.Name == name {
				old.Value = value
				return
			}
		}
		spec.Algorithm.AlgorithmSettings = append(spec.Algorithm.AlgorithmSettings, setting(name, value))
	}
}

// serve runs a service until stop is called.
func serve(t testing.TB) (client api.SuggestionClient, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, service := grpc.NewServer(), NewService()
	api.RegisterSuggestionServer(server, service)
	go server.Serve(listener)
	connection := dial(t, listener.Addr().String())
	stop = func() {
		connection.Close()
		server.Stop()
		service.Close()
	}
	t.Cleanup(stop)
	return api.NewSuggestionClient(connection), stop
}

func dial(t testing.TB, address string) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

// cluster is an experiment under way, as Katib keeps it.
type cluster struct {
	t          testing.TB
	random     *rand.Rand
	experiment *api.Experiment
	// suggestions that were given out and not deleted.
	suggestions int
	trials      []*api.Trial
	// kept for itself by Katib: trials without metrics.
	unavailable map[*api.Trial]bool
	codes       map[string]int
	clock       int
}

func newCluster(t testing.TB, seed uint64, experiment *api.Experiment) *cluster {
	return &cluster{t: t, random: rand.New(rand.NewPCG(seed, 1)), experiment: experiment, unavailable: map[*api.Trial]bool{}, codes: map[string]int{}}
}

// request for more trials, with all there are, in any order.
func (c *cluster) request(count int) *api.GetSuggestionsRequest {
	request := &api.GetSuggestionsRequest{
		Experiment: c.experiment, CurrentRequestNumber: int32(count), TotalRequestNumber: int32(c.suggestions + count),
	}
	for _, trial := range c.trials {
		if !c.unavailable[trial] {
			request.Trials = append(request.Trials, trial)
		}
	}
	c.random.Shuffle(len(request.Trials), func(i, j int) {
		request.Trials[i], request.Trials[j] = request.Trials[j], request.Trials[i]
	})
	return proto.Clone(request).(*api.GetSuggestionsRequest)
}

func (c *cluster) get(client api.SuggestionClient, request *api.GetSuggestionsRequest) *api.GetSuggestionsReply {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	reply, err := client.GetSuggestions(ctx, request)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}

var (
	dns1123  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	labelled = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	codeText = regexp.MustCompile(`^[a-z0-9.]+$`)
)

// create makes trials of a reply as Katib does: the template is JSON, and values are pasted into it.
func (c *cluster) create(reply *api.GetSuggestionsReply, wanted int) (made []*api.Trial) {
	c.t.Helper()
	if len(reply.ParameterAssignments) != wanted {
		c.t.Fatalf("%d suggestions, and %d were wanted", len(reply.ParameterAssignments), wanted)
	}
	for _, suggestion := range reply.ParameterAssignments {
		if len(suggestion.Assignments) != 1 || suggestion.Assignments[0].Name != "architecture" {
			c.t.Fatal(suggestion)
		}
		code := suggestion.Assignments[0].Value
		template := `{"kind": "Job", "command": ["sh", "-c", "nse train --arch ${trialParameters.architecture} --data /data"]}`
		var job struct{ Command []string }
		if err := json.Unmarshal([]byte(strings.ReplaceAll(template, "${trialParameters.architecture}", code)), &job); err != nil ||
			!codeText.MatchString(code) || job.Command[2] != "nse train --arch "+code+" --data /data" {
			c.t.Fatal(code, err)
		}
		if name := suggestion.TrialName; !dns1123.MatchString(name) || len(name) > 63 || !strings.HasPrefix(name, c.experiment.Name) {
			c.t.Fatal("no name of a job: ", name)
		}
		for key, value := range suggestion.Labels {
			if !labelled.MatchString(key) || !labelled.MatchString(value) || len(value) > 63 {
				c.t.Fatal("no label: ", key, value)
			}
		}
		for _, other := range c.trials {
			if other.Name == suggestion.TrialName {
				c.t.Fatal("there is a trial of this name: ", other.Name)
			}
		}
		trial := &api.Trial{
			Name: suggestion.TrialName,
			Spec: &api.TrialSpec{
				Objective: c.experiment.Spec.Objective, Labels: suggestion.Labels,
				ParameterAssignments: &api.TrialSpec_ParameterAssignments{Assignments: suggestion.Assignments},
			},
			Status: &api.TrialStatus{Condition: api.TrialStatus_RUNNING, Observation: &api.Observation{}},
		}
		c.codes[code]++
		c.suggestions++
		c.trials, made = append(c.trials, trial), append(made, trial)
	}
	return made
}

func (c *cluster) running() (running []*api.Trial) {
	for _, trial := range c.trials {
		if trial.Status.Condition == api.TrialStatus_RUNNING {
			running = append(running, trial)
		}
	}
	return running
}

func (c *cluster) end(trial *api.Trial, condition api.TrialStatus_TrialConditionType, metrics ...*api.Metric) {
	c.clock++
	trial.Status.Condition = condition
	trial.Status.CompletionTime = time.Unix(int64(c.clock/3), 0).UTC().Format("2006-01-02T15:04:05Z")
	trial.Status.Observation = &api.Observation{Metrics: metrics}
}

func (c *cluster) succeed(trial *api.Trial) {
	c.t.Helper()
	code := codeOfTrial(trial)
	c.end(trial, api.TrialStatus_SUCCEEDED, metric("val_accuracy", quality(c.t, code)))
}

func metric(name string, value float64) *api.Metric {
	return &api.Metric{Name: name, Value: strconv.FormatFloat(value, 'g', -1, 64)}
}

func codeOfTrial(trial *api.Trial) string {
	return trial.Spec.ParameterAssignments.Assignments[0].Value
}

// quality stands for training: some operators are good, and more branches are better.
func quality(t testing.TB, code string) float64 {
	t.Helper()
	space, err := nse.SpaceFromJSON(tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	arch, err := nse.ArchFromCode(space, code)
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	description, err := arch.Describe(nil)
	if err != nil {
		t.Fatal(err)
	}
	accuracy := 0.5
	for _, cell := range description.Cells {
		for _, operator := range cell.Operators {
			accuracy += map[string]float64{"mbconv_k3_t2": 0.08, "mbconv_k5_t1": 0.06, "conv_k3_t1": -0.03, "rec_k3_t1": -0.05}[operator]
		}
	}
	return accuracy
}

// refused says what was wrong, of an experiment that must be.
func refused(t *testing.T, err error, code codes.Code, words ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Fatalf("%v, and not %v", err, code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

// step ends some trials, and gives the number of new ones that Katib then wants.
func (c *cluster) step() int {
	running := c.running()
	if len(running) > 0 {
		for range 1 + c.random.IntN(len(running)) {
			trial := running[c.random.IntN(len(running))]
			if trial.Status.Condition != api.TrialStatus_RUNNING {
				continue
			}
			switch c.random.IntN(12) {
			case 0:
				c.end(trial, api.TrialStatus_FAILED)
			case 1:
				c.end(trial, api.TrialStatus_KILLED)
			case 2:
				c.end(trial, api.TrialStatus_EARLYSTOPPED, metric("val_accuracy", 0.4))
			case 3:
				c.end(trial, api.TrialStatus_METRICSUNAVAILABLE)
				c.unavailable[trial] = true
			case 4:
				c.end(trial, api.TrialStatus_SUCCEEDED, &api.Metric{Name: "val_accuracy", Value: "unavailable"})
			default:
				c.succeed(trial)
			}
		}
	}
	return int(c.experiment.Spec.ParallelTrialCount) - len(c.running())
}

// remove deletes the newest trials, as Katib does when fewer are to run at once.
func (c *cluster) remove(count int) {
	count = min(count, len(c.trials))
	c.trials = c.trials[:len(c.trials)-count]
	c.suggestions -= count
}

// best result.
func (c *cluster) best() (best float64) {
	for _, trial := range c.trials {
		for _, metric := range trial.Status.Observation.Metrics {
			if value, err := strconv.ParseFloat(metric.Value, 64); err == nil && trial.Status.Condition == api.TrialStatus_SUCCEEDED {
				best = max(best, value)
			}
		}
	}
	return best
}
