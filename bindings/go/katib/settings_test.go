package katib

// What an experiment may say, and what is said of one that cannot work.

import (
	"context"
	"strings"
	"testing"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func parameters(list ...*api.ParameterSpec) func(*api.ExperimentSpec) {
	return func(spec *api.ExperimentSpec) { spec.ParameterSpecs.Parameters = list }
}

func parameter(name string, kind api.ParameterType, values ...string) *api.ParameterSpec {
	return &api.ParameterSpec{Name: name, ParameterType: kind, FeasibleSpace: &api.FeasibleSpace{List: values}}
}

func numbers(name, least, greatest, step string) *api.ParameterSpec {
	return &api.ParameterSpec{
		Name: name, ParameterType: api.ParameterType_INT, FeasibleSpace: &api.FeasibleSpace{Min: least, Max: greatest, Step: step},
	}
}

func without(name string) func(*api.ExperimentSpec) {
	return func(spec *api.ExperimentSpec) {
		var rest []*api.AlgorithmSetting
		for _, setting := range spec.Algorithm.AlgorithmSettings {
			if setting.Name != name {
				rest = append(rest, setting)
			}
		}
		spec.Algorithm.AlgorithmSettings = rest
	}
}

func nas(kind string, graph *api.GraphConfig) func(*api.ExperimentSpec) {
	return func(spec *api.ExperimentSpec) {
		spec.NasConfig = &api.NasConfig{
			GraphConfig: graph, Operations: &api.NasConfig_Operations{Operation: []*api.Operation{{OperationType: kind}}},
		}
	}
}

func searches(list ...*api.ParameterSpec) func(*api.ExperimentSpec) {
	return func(spec *api.ExperimentSpec) {
		spec.Algorithm.AlgorithmSettings = []*api.AlgorithmSetting{setting("mode", "searches")}
		spec.ParameterSpecs.Parameters = list
		spec.MaxTrialCount = 0
	}
}

type changes = []func(*api.ExperimentSpec)

func TestRefused(t *testing.T) {
	client, _ := serve(t)
	metrics := func(kind api.ObjectiveType, name string) func(*api.ExperimentSpec) {
		return func(spec *api.ExperimentSpec) { spec.Objective.Type, spec.Objective.ObjectiveMetricName = kind, name }
	}
	small := `{"objective": {"low": 2e6, "high": 3e6}}`
	for _, wrong := range []struct {
		name    string
		changes changes
		words   []string
	}{
		{"unknown setting", changes{set("learning_rate", "1")}, []string{`"learning_rate"`, "metric_scale"}},
		{"twice", changes{func(spec *api.ExperimentSpec) {
			spec.Algorithm.AlgorithmSettings = append(spec.Algorithm.AlgorithmSettings, setting("space", "nse-27"))
		}}, []string{`"space"`, "twice"}},
		{"mode", changes{set("mode", "darts")}, []string{`"darts"`, "architectures", "searches"}},
		{"no options", changes{without("options")}, []string{"options", "objective"}},
		{"options no JSON", changes{set("options", "{'seed': 1}")}, []string{"options", "{'seed': 1}"}},
		{"options a list", changes{set("options", "[1]")}, []string{"[1]"}},
		{"options null", changes{set("options", "null")}, []string{"null"}},
		{"options and more", changes{set("options", tinyOptions+"}")}, []string{"not one JSON object"}},
		{"unknown option", changes{set("options", `{"objective": {"low": 1, "high": 2}, "sed": 1}`)}, []string{"sed"}},
		{"option of a wrong type", changes{set("options", `{"objective": {"low": "x", "high": 2}}`)}, []string{"/objective/low"}},
		{"candidates no object", changes{set("options", `{"objective": {"low": 2e6, "high": 3e6}, "candidates": 5}`)}, []string{"/candidates"}},
		{"budget out of reach", changes{set("options", `{"objective": {"low": 1, "high": 2}}`)}, []string{"1", "2", "options"}},
		{"checkpoint", changes{set("options", `{"checkpoint": {"path": "x"}, "objective": {"low": 12000, "high": 100000}}`)}, []string{`"checkpoint"`}},
		{"scale", changes{set("metric_scale", "0")}, []string{"metric_scale", `"0"`}},
		{"scale no number", changes{set("metric_scale", "100%")}, []string{`"100%"`}},
		{"scale NaN", changes{set("metric_scale", "NaN")}, []string{`"NaN"`}},
		{"scale infinite", changes{set("metric_scale", "Inf")}, []string{`"Inf"`}},
		{"cost metric", changes{set("cost_metric", "latency")}, []string{`"latency"`, "additionalMetricNames"}},
		{"no such space", changes{set("space", "nse-28")}, []string{"nse-28"}},
		{"no space", changes{without("space")}, []string{"none is named"}},
		{"space damaged", changes{set("space", `{"name": "x"`)}, []string{"space", "JSON"}},
		{"space of nothing", changes{set("space", `{"name": "x"}`)}, []string{"the space"}},
		{"overrides of a document", changes{set("overrides", `{"classes": 3}`)}, []string{"only presets"}},
		{"overrides", changes{set("space", "nse-27-small"), set("options", small), set("overrides", `{"clases": 3}`)}, []string{"clases"}},
		{"latency", changes{set("latency", "key,time")}, []string{"latency"}},
		{"no table", changes{set("options", `{"objective": {"cost": "latency", "low": 1, "high": 2}}`)}, []string{"latency"}},
		{"objective", changes{metrics(api.ObjectiveType_UNKNOWN, "a")}, []string{"objective.type"}},
		{"metric", changes{metrics(api.ObjectiveType_MAXIMIZE, "")}, []string{"objectiveMetricName"}},
		{"a hyper-parameter", changes{parameters(parameter("lr", api.ParameterType_DOUBLE))}, []string{`"lr"`, `"architecture"`}},
		{"wrong type", changes{parameters(parameter("architecture", api.ParameterType_DISCRETE, "1"))}, []string{"DISCRETE", "categorical"}},
		{"a list of spaces", changes{parameters(parameter("architecture", api.ParameterType_CATEGORICAL, "a", "b"))}, []string{"a", "b"}},
		{"two spaces", changes{parameters(parameter("architecture", api.ParameterType_CATEGORICAL, "nse-27"))}, []string{"nse-27", "tiny"}},
		{"ENAS", changes{nas("convolution", nil), without("space")}, []string{"convolution"}},
		{"operations", changes{func(spec *api.ExperimentSpec) { spec.NasConfig = &api.NasConfig{} }}, []string{"nasConfig.operations"}},
		{"layers", changes{nas("nse-27-small", &api.GraphConfig{NumLayers: 8}), without("space"), set("options", small)}, []string{"8", "7 cells"}},
		{"input", changes{nas("nse-27-small", &api.GraphConfig{InputSizes: []int32{28, 28}}), without("space")}, []string{"[28 28]"}},
		{"output", changes{nas("nse-27-small", &api.GraphConfig{OutputSizes: []int32{1, 2}}), without("space")}, []string{"[1 2]"}},
		{"classes twice", changes{nas("nse-27-small", &api.GraphConfig{OutputSizes: []int32{10}}), without("space"), set("overrides", `{"classes": 9}`)},
			[]string{"classes"}},
		{"searches: options", changes{searches(numbers("seed", "1", "9", "")), set("options", "{}")}, []string{`"options"`}},
		{"searches: nothing differs", changes{searches()}, []string{"parameters"}},
		{"searches: double", changes{searches(parameter("lr", api.ParameterType_DOUBLE))}, []string{`"lr"`, "DOUBLE"}},
		{"searches: empty", changes{searches(parameter("budget", api.ParameterType_CATEGORICAL))}, []string{`"budget"`}},
		{"searches: no number", changes{searches(numbers("seed", "1", "x", ""))}, []string{`"x"`, "max"}},
		{"searches: backwards", changes{searches(numbers("seed", "2", "1", ""))}, []string{"2", "1"}},
		{"searches: no step", changes{searches(numbers("seed", "1", "2", "0"))}, []string{"0"}},
		{"searches: too many", changes{searches(numbers("seed", "-9223372036854775807", "9223372036854775807", ""))}, []string{"9223372036854775807"}},
		{"searches: quotes", changes{searches(parameter("budget", api.ParameterType_CATEGORICAL, "2M", `a"; rm -r x`))}, []string{"rm -r x"}},
		{"searches: twice", changes{searches(numbers("seed", "1", "2", ""), numbers("seed", "1", "2", ""))}, []string{`"seed"`, "twice"}},
		{"searches: graph", changes{searches(numbers("seed", "1", "2", "")), nas("nse-27", nil)}, []string{"nasConfig"}},
		{"searches: fewer", changes{searches(numbers("seed", "1", "4", "")), func(spec *api.ExperimentSpec) { spec.MaxTrialCount = 5 }}, []string{"5", "4"}},
	} {
		t.Run(wrong.name, func(t *testing.T) {
			e := experiment(wrong.changes...)
			_, err := client.ValidateAlgorithmSettings(t.Context(), &api.ValidateAlgorithmSettingsRequest{Experiment: e})
			refused(t, err, codes.InvalidArgument, wrong.words...)
			// Katib asks only after it has validated; who does not gets the same words.
			_, asked := client.GetSuggestions(t.Context(), &api.GetSuggestionsRequest{Experiment: e, CurrentRequestNumber: 1, TotalRequestNumber: 1})
			refused(t, asked, codes.InvalidArgument, wrong.words...)
		})
	}
	_, err := client.ValidateAlgorithmSettings(t.Context(), &api.ValidateAlgorithmSettingsRequest{})
	refused(t, err, codes.InvalidArgument)
	_, err = client.GetSuggestions(t.Context(), &api.GetSuggestionsRequest{})
	refused(t, err, codes.InvalidArgument)
}

func TestAccepted(t *testing.T) {
	client, _ := serve(t)
	small := `{"objective": {"low": 2e6, "high": 3e6}}`
	for name, right := range map[string]changes{
		"tiny":     nil,
		"preset":   {set("space", "nse-27-small"), set("options", small), set("overrides", `{"channels": [8, 16, 24]}`)},
		"minimize": {func(spec *api.ExperimentSpec) { spec.Objective.Type = api.ObjectiveType_MINIMIZE }},
		"parameter": {
			without("space"), set("options", small), parameters(parameter("architecture", api.ParameterType_CATEGORICAL, "nse-27-small")),
		},
		"nasConfig": {without("space"), set("options", `{"objective": {"low": 2e6, "high": 5e6}}`), nas("nse-27-small", &api.GraphConfig{
			NumLayers: 7, InputSizes: []int32{32, 32, 3}, OutputSizes: []int32{100},
		})},
		"no limit": {func(spec *api.ExperimentSpec) { spec.MaxTrialCount = 0 }},
		"searches": {searches(numbers("seed", "1", "5", ""), parameter("budget", api.ParameterType_CATEGORICAL, "2M", "3M"))},
	} {
		t.Run(name, func(t *testing.T) {
			e := experiment(right...)
			if _, err := client.ValidateAlgorithmSettings(t.Context(), &api.ValidateAlgorithmSettingsRequest{Experiment: e}); err != nil {
				t.Fatal(err)
			}
			reply, err := client.GetSuggestions(t.Context(), &api.GetSuggestionsRequest{Experiment: e, CurrentRequestNumber: 3, TotalRequestNumber: 3})
			if err != nil || len(reply.ParameterAssignments) != 3 {
				t.Fatal(reply, err)
			}
		})
	}
}

// Another number of cells is refused also where the search of the right one is in memory.
func TestLayersAfterOthers(t *testing.T) {
	client, _ := serve(t)
	for _, one := range []struct {
		layers   int32
		expected codes.Code
	}{{7, codes.OK}, {8, codes.InvalidArgument}} {
		e := experiment(without("space"), set("options", `{"objective": {"low": 2e6, "high": 3e6}}`), nas("nse-27-small", &api.GraphConfig{
			NumLayers: one.layers,
		}))
		_, err := client.GetSuggestions(t.Context(), &api.GetSuggestionsRequest{Experiment: e, CurrentRequestNumber: 1, TotalRequestNumber: 1})
		if status.Code(err) != one.expected {
			t.Fatalf("%d layers: %v", one.layers, err)
		}
	}
}

// The rounds fit the number of trials, unless the options say otherwise.
func TestRounds(t *testing.T) {
	for _, one := range []struct {
		options       string
		trials        int32
		count, rounds any
	}{
		{`{"objective": {}}`, 40, 10, 1000},
		{`{"objective": {}}`, 1, 2, 1000},
		{`{"objective": {}}`, 0, 50, 1000},
		{`{"objective": {}, "rounds": 2}`, 40, nil, "2"},
		{`{"objective": {}, "preset": "laptop"}`, 40, nil, nil},
	} {
		e := experiment(set("options", one.options), func(spec *api.ExperimentSpec) { spec.MaxTrialCount = one.trials })
		c, err := configOf(e)
		if err != nil {
			t.Fatal(err)
		}
		c.roundsOf(e, &known{})
		candidates, _ := c.options["candidates"].(map[string]any)
		rounds := c.options["rounds"]
		if number, ok := rounds.(interface{ String() string }); ok {
			rounds = number.String()
		}
		if candidates["count"] != one.count || rounds != one.rounds {
			t.Errorf("%+v: %v", one, c.options)
		}
	}
}

// All different searches, each once, seeds and budgets; then none.
func TestSearches(t *testing.T) {
	e := experiment(searches(parameter("budget", api.ParameterType_DISCRETE, "2e6", "3e6"), numbers("seed", "1", "5", "2")))
	seen := map[string]bool{}
	request := &api.GetSuggestionsRequest{Experiment: e}
	for _, count := range []int32{1, 2, 3} {
		client, stop := serve(t)
		request.CurrentRequestNumber, request.TotalRequestNumber = count, request.TotalRequestNumber+count
		reply, err := client.GetSuggestions(t.Context(), request)
		if err != nil || len(reply.ParameterAssignments) != int(count) {
			t.Fatal(reply, err)
		}
		for _, suggestion := range reply.ParameterAssignments {
			a := suggestion.Assignments
			if len(a) != 2 || a[0].Name != "budget" || a[1].Name != "seed" {
				t.Fatal(suggestion)
			}
			seen[a[0].Value+" "+a[1].Value] = true
			request.Trials = append(request.Trials, &api.Trial{Spec: &api.TrialSpec{Labels: suggestion.Labels}})
		}
		stop()
	}
	for _, expected := range strings.Split("2e6 1,3e6 1,2e6 3,3e6 3,2e6 5,3e6 5", ",") {
		if !seen[expected] {
			t.Fatal(expected, " of ", seen)
		}
	}
	client, _ := serve(t)
	request.TotalRequestNumber++
	request.CurrentRequestNumber = 1
	_, err := client.GetSuggestions(context.Background(), request)
	refused(t, err, codes.ResourceExhausted, "only 6")
}
