package katib

// What an experiment asks for. Katib has only text for it, and this is where it is refused by name.

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	nse "github.com/nse-project/nse/bindings/go"
)

// Parameter is the one assignment of a trial that evaluates an architecture: its code.
const Parameter = "architecture"

// The algorithm settings that are known.
const (
	settingMode      = "mode"
	settingSpace     = "space"
	settingOverrides = "overrides"
	settingOptions   = "options"
	settingScale     = "metric_scale"
	settingCost      = "cost_metric"
	settingLatency   = "latency"
)

const (
	modeArchitectures = "architectures"
	modeSearches      = "searches"
)

// config is an experiment as it is understood.
type config struct {
	// grid of the mode "searches", else nil; the rest is of "architectures".
	grid *grid

	space     any // name of a preset, or a document
	overrides map[string]any
	layers    int
	options   map[string]any
	// round has so many results, unless the options say it.
	round   int
	latency string

	metric     string
	minimize   bool
	scale      float64
	costMetric string
}

func configOf(experiment *api.Experiment) (*config, error) {
	spec := experiment.GetSpec()
	settings, err := settingsOf(spec.GetAlgorithm().GetAlgorithmSettings())
	if err != nil {
		return nil, err
	}
	c := &config{scale: 1}
	if err := c.readObjective(spec.GetObjective()); err != nil {
		return nil, err
	}
	switch mode := settings[settingMode]; mode {
	case "", modeArchitectures:
		err = c.readArchitectures(spec, settings)
	case modeSearches:
		for name := range settings {
			if name != settingMode {
				return nil, refuse("algorithm setting %q: unknown in mode %q, where the command of the trial has the options of the search", name, mode)
			}
		}
		c.grid, err = gridOf(spec)
	default:
		return nil, refuse("algorithm setting %q: %q is neither %q nor %q", settingMode, mode, modeArchitectures, modeSearches)
	}
	return c, err
}

func settingsOf(list []*api.AlgorithmSetting) (map[string]string, error) {
	known := []string{settingMode, settingSpace, settingOverrides, settingOptions, settingScale, settingCost, settingLatency}
	settings := map[string]string{}
	for _, setting := range list {
		name := setting.GetName()
		if _, twice := settings[name]; twice {
			return nil, refuse("algorithm setting %q: given twice", name)
		}
		found := false
		for _, other := range known {
			found = found || other == name
		}
		if !found {
			return nil, refuse("algorithm setting %q: unknown; there are %s", name, strings.Join(known, ", "))
		}
		settings[name] = setting.GetValue()
	}
	return settings, nil
}

func (c *config) readObjective(objective *api.ObjectiveSpec) error {
	switch objective.GetType() {
	case api.ObjectiveType_MAXIMIZE:
	case api.ObjectiveType_MINIMIZE:
		c.minimize = true
	default:
		return refuse("objective.type: %v is neither maximize nor minimize", objective.GetType())
	}
	if c.metric = objective.GetObjectiveMetricName(); c.metric == "" {
		return refuse("objective.objectiveMetricName: must not be empty")
	}
	return nil
}

func (c *config) readArchitectures(spec *api.ExperimentSpec, settings map[string]string) (err error) {
	if text, ok := settings[settingScale]; ok {
		c.scale, err = strconv.ParseFloat(text, 64)
		if err != nil || !(c.scale > 0) || math.IsInf(c.scale, 1) {
			return refuse("algorithm setting %q: %q is no number greater than 0", settingScale, text)
		}
	}
	if c.costMetric = settings[settingCost]; c.costMetric != "" {
		listed := false
		for _, name := range spec.GetObjective().GetAdditionalMetricNames() {
			listed = listed || name == c.costMetric
		}
		if !listed {
			return refuse("algorithm setting %q: %q is not among objective.additionalMetricNames", settingCost, c.costMetric)
		}
	}
	if c.overrides, err = objectOf(settings, settingOverrides); err != nil {
		return err
	}
	if c.options, err = objectOf(settings, settingOptions); err != nil {
		return err
	}
	if _, ok := c.options["objective"]; !ok {
		return refuse(`algorithm setting %q: must hold the budget, as in {"objective": {"low": 2e8, "high": 3e8}}`, settingOptions)
	}
	for _, key := range []string{"checkpoint", "tensorboard"} {
		if _, ok := c.options[key]; ok {
			return refuse("algorithm setting %q: %q is of no use: the trials are all that is kept", settingOptions, key)
		}
	}
	c.latency = settings[settingLatency]
	c.space, err = c.readSpace(spec, settings[settingSpace])
	return err
}

// objectOf reads a setting that is a JSON object.
func objectOf(settings map[string]string, name string) (map[string]any, error) {
	text, ok := settings[name]
	if !ok {
		return map[string]any{}, nil
	}
	object := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		return nil, refuse("algorithm setting %q: %q is no JSON object: %v", name, text, err)
	}
	if _, err := decoder.Token(); err != io.EOF || object == nil {
		return nil, refuse("algorithm setting %q: %q is not one JSON object", name, text)
	}
	return object, nil
}

// readSpace looks at the three places that may name a space: Katib wants parameters or a nasConfig, and the setting is our own.
func (c *config) readSpace(spec *api.ExperimentSpec, named string) (any, error) {
	places := map[string]string{}
	if named != "" {
		places[fmt.Sprintf("algorithm setting %q", settingSpace)] = named
	}
	for i, parameter := range spec.GetParameterSpecs().GetParameters() {
		list := parameter.GetFeasibleSpace().GetList()
		switch {
		case parameter.GetName() != Parameter:
			return nil, refuse("parameters[%d]: %q is nothing that is searched; the one parameter is %q", i, parameter.GetName(), Parameter)
		case parameter.GetParameterType() != api.ParameterType_CATEGORICAL:
			return nil, refuse("parameters[%d]: the type of %q is %v, and must be categorical", i, Parameter, parameter.GetParameterType())
		case len(list) != 1 || i > 0:
			return nil, refuse("parameters[%d]: %q has the list %q, and must have one element, the name of a space", i, Parameter, list)
		}
		places["parameters[0].feasibleSpace.list"] = list[0]
	}
	if nas := spec.GetNasConfig(); nas != nil {
		operations := nas.GetOperations().GetOperation()
		if len(operations) != 1 || len(operations[0].GetParameterSpecs().GetParameters()) > 0 {
			return nil, refuse("nasConfig.operations: must be one, without parameters, whose operationType is the name of a space, and not %v", operations)
		}
		places["nasConfig.operations[0].operationType"] = operations[0].GetOperationType()
		if err := c.readGraph(nas.GetGraphConfig()); err != nil {
			return nil, err
		}
	}
	var space string
	for place, name := range places {
		if space != "" && name != space {
			return nil, refuse("the space: %q and %q are both named", min(name, space), max(name, space))
		}
		if space = name; name == "" {
			return nil, refuse("%s: must name a space", place)
		}
	}
	if space == "" {
		return nil, refuse("the space: none is named, neither by the setting %q nor by the parameter %q nor by nasConfig", settingSpace, Parameter)
	}
	if !strings.HasPrefix(strings.TrimSpace(space), "{") {
		return space, nil
	}
	if len(c.overrides) > 0 {
		return nil, refuse("algorithm setting %q: only presets can be changed, and %q is a document", settingOverrides, settingSpace)
	}
	return objectOf(map[string]string{settingSpace: space}, settingSpace)
}

// readGraph takes what nasConfig.graphConfig says of images, classes and cells.
func (c *config) readGraph(graph *api.GraphConfig) error {
	set := func(key string, value any) error {
		if _, twice := c.overrides[key]; twice {
			return refuse("algorithm setting %q: %q is also in nasConfig.graphConfig", settingOverrides, key)
		}
		c.overrides[key] = value
		return nil
	}
	c.layers = int(graph.GetNumLayers())
	if sizes := graph.GetInputSizes(); len(sizes) == 3 {
		if err := set("input", map[string]any{"height": sizes[0], "width": sizes[1], "channels": sizes[2]}); err != nil {
			return err
		}
	} else if len(sizes) != 0 {
		return refuse("nasConfig.graphConfig.inputSizes: %v is not [height, width, channels]", sizes)
	}
	if sizes := graph.GetOutputSizes(); len(sizes) == 1 {
		return set("classes", sizes[0])
	} else if len(sizes) != 0 {
		return refuse("nasConfig.graphConfig.outputSizes: %v is not [classes]", sizes)
	}
	return nil
}

// mostTrials of a round that nobody gave a number.
const mostTrials = 1_000_000

// roundsOf as many results each as fit the number of trials, unless the options say something of them. It is said on the labels of the trials, because
// an experiment may be given more trials later.
func (c *config) roundsOf(experiment *api.Experiment, k *known) {
	candidates, whole := c.options["candidates"].(map[string]any)
	if _, there := c.options["candidates"]; there && !whole {
		return // the library says what is wrong with it
	}
	_, counted := candidates["count"]
	_, preset := c.options["preset"]
	if _, rounds := c.options["rounds"]; rounds || counted || preset {
		return
	}
	if trials := int(experiment.GetSpec().GetMaxTrialCount()); trials > 0 {
		c.round = max(2, (trials+3)/4)
	} else {
		c.round = 50
	}
	for _, number := range sorted(k.numbered) {
		if said, err := strconv.Atoi(k.numbered[number].GetSpec().GetLabels()[labelRound]); err == nil && said > 1 && said <= mostTrials {
			c.round = said
			break
		}
	}
	if candidates == nil {
		candidates = map[string]any{}
	}
	candidates["count"] = c.round
	c.options["candidates"] = candidates
	// There is no last one: Katib says when it is enough.
	c.options["rounds"] = 1000
}

// key tells configs apart.
func (c *config) key() string {
	// Nothing in it cannot be encoded: it came from JSON, or is a finite number.
	key, _ := json.Marshal([]any{c.space, c.overrides, c.layers, c.options, c.latency, c.metric, c.minimize, c.scale, c.costMetric})
	return string(key)
}

// open makes the space and the search.
func (c *config) open() (*nse.Space, *nse.Search, error) {
	var space *nse.Space
	var err error
	switch named := c.space.(type) {
	case string:
		space, err = nse.SpacePreset(named, c.overrides)
	default:
		space, err = nse.SpaceFromJSON(named)
	}
	if err != nil {
		return nil, nil, refusal("the space", err)
	}
	search, err := c.openIn(space)
	if err != nil {
		space.Close()
		return nil, nil, err
	}
	return space, search, nil
}

func (c *config) openIn(space *nse.Space) (*nse.Search, error) {
	description, err := space.Describe(nil)
	if err != nil {
		return nil, refusal("the space", err)
	}
	if c.layers != 0 && c.layers != description.Cells {
		return nil, refuse("nasConfig.graphConfig.numLayers: %d, but the space has %d cells", c.layers, description.Cells)
	}
	var latency *nse.Latency
	if c.latency != "" {
		if latency, err = nse.ParseLatency(c.latency); err != nil {
			return nil, refusal(fmt.Sprintf("algorithm setting %q", settingLatency), err)
		}
		defer latency.Close()
	}
	search, err := nse.NewSearch(context.Background(), nse.SearchConfig{Space: space, Told: true, Options: c.options, Latency: latency})
	if err != nil {
		return nil, refusal(fmt.Sprintf("algorithm setting %q", settingOptions), err)
	}
	return search, nil
}
