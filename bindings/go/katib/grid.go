package katib

// Mode "searches": a trial is a whole search, and the parameters are what tells searches apart, seeds and budgets.

import (
	"regexp"
	"strconv"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
)

// Katib pastes values into the text of the trial, which is JSON with a command for a shell in it.
var harmless = regexp.MustCompile(`^[A-Za-z0-9._+-]+$`)

// most different searches that are counted, and the greatest number in one.
const most = 1 << 40

// grid is all combinations of some values; the first parameter changes fastest.
type grid struct {
	Names  []string
	Values [][]string
}

func gridOf(spec *api.ExperimentSpec) (*grid, error) {
	if spec.GetNasConfig() != nil {
		return nil, refuse("nasConfig: in mode %q parameters are what tells searches apart", modeSearches)
	}
	parameters := spec.GetParameterSpecs().GetParameters()
	if len(parameters) == 0 {
		return nil, refuse("parameters: none, so all searches would be the same")
	}
	g := &grid{}
	for i, parameter := range parameters {
		values, err := valuesOf(i, parameter)
		if err != nil {
			return nil, err
		}
		for _, name := range g.Names {
			if name == parameter.GetName() {
				return nil, refuse("parameters[%d]: %q is given twice", i, name)
			}
		}
		g.Names, g.Values = append(g.Names, parameter.GetName()), append(g.Values, values)
	}
	if wanted := int(spec.GetMaxTrialCount()); wanted > g.count() {
		return nil, refuse("maxTrialCount: %d, but there are only %d different searches", wanted, g.count())
	}
	return g, nil
}

func valuesOf(i int, parameter *api.ParameterSpec) ([]string, error) {
	name, feasible := parameter.GetName(), parameter.GetFeasibleSpace()
	var values []string
	switch parameter.GetParameterType() {
	case api.ParameterType_INT:
		number := func(what, text string) (int, error) {
			value, err := strconv.Atoi(text)
			if err != nil || value < -most || value > most {
				return 0, refuse("parameters[%d]: %s of %q is %q, and no whole number from %d to %d", i, what, name, text, -most, most)
			}
			return value, nil
		}
		least, err := number("min", feasible.GetMin())
		if err != nil {
			return nil, err
		}
		greatest, err := number("max", feasible.GetMax())
		if err != nil {
			return nil, err
		}
		step := 1
		if text := feasible.GetStep(); text != "" {
			if step, err = number("step", text); err != nil {
				return nil, err
			}
		}
		if greatest < least || step < 1 || (greatest-least)/step >= 1_000_000 {
			return nil, refuse("parameters[%d]: %q from %d to %d by %d is not 1 to 1000000 values", i, name, least, greatest, step)
		}
		for value := least; value <= greatest; value += step {
			values = append(values, strconv.Itoa(value))
		}
	case api.ParameterType_DISCRETE, api.ParameterType_CATEGORICAL:
		values = feasible.GetList()
	default:
		return nil, refuse("parameters[%d]: the type of %q is %v, and must be int, discrete or categorical", i, name, parameter.GetParameterType())
	}
	if len(values) == 0 {
		return nil, refuse("parameters[%d]: %q has no values", i, name)
	}
	for _, value := range values {
		if !harmless.MatchString(value) {
			return nil, refuse("parameters[%d]: %q may be %q, which does not survive being pasted into a command; use %v", i, name, value, harmless)
		}
	}
	return values, nil
}

// count of different searches, at most `most`.
func (g *grid) count() int {
	count := 1
	for _, values := range g.Values {
		if count = count * len(values); count > most {
			return most
		}
	}
	return count
}

// at is what a trial is given.
func (g *grid) at(number int) ([]*api.ParameterAssignment, bool) {
	if number >= g.count() {
		return nil, false
	}
	assignments := make([]*api.ParameterAssignment, len(g.Names))
	for i, values := range g.Values {
		assignments[i] = &api.ParameterAssignment{Name: g.Names[i], Value: values[number%len(values)]}
		number /= len(values)
	}
	return assignments, true
}
