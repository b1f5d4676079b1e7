package katib

// What Katib says of its trials, in an order that does not depend on how it lists them.

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	nse "github.com/nse-project/nse/bindings/go"
)

const (
	// spare is by how much the number of a suggestion may be greater than Katib counts: it forgets those that it deletes.
	spare = 1000
	// nobody is a number that no suggestion has.
	nobody = math.MaxInt32
)

// result of a trial; nil: it is under way.
type result = *nse.Result

// known are the trials of a request.
type known struct {
	// numbered are those that this service suggested, by their number.
	numbered map[int]*api.Trial
	// strangers have no number, or one that another has.
	strangers []*api.Trial
	results   map[*api.Trial]result
	// running says that results are to be expected.
	running bool
	// next is the number of the next suggestion.
	next int
}

func (c *config) look(request *api.GetSuggestionsRequest) (*known, error) {
	trials := slices.Clone(request.GetTrials())
	slices.SortStableFunc(trials, func(a, b *api.Trial) int {
		if order := cmp.Compare(a.GetStatus().GetCompletionTime(), b.GetStatus().GetCompletionTime()); order != 0 {
			return order
		}
		return cmp.Compare(a.GetName(), b.GetName())
	})
	k := &known{numbered: map[int]*api.Trial{}, results: map[*api.Trial]result{}}
	most := int(request.GetTotalRequestNumber()) + len(trials) + spare
	k.next = max(0, int(request.GetTotalRequestNumber()-request.GetCurrentRequestNumber()))
	for _, trial := range trials {
		told, err := c.resultOf(trial)
		if err != nil {
			return nil, err
		}
		k.results[trial] = told
		k.running = k.running || told == nil
		number, err := strconv.Atoi(trial.GetSpec().GetLabels()[labelNumber])
		if _, twice := k.numbered[number]; err != nil || number < 0 || number >= most || twice {
			k.strangers = append(k.strangers, trial)
			continue
		}
		k.numbered[number] = trial
		k.next = max(k.next, number+1)
	}
	return k, nil
}

// codeOf the architecture of a trial.
func codeOf(trial *api.Trial) (string, error) {
	assignments := trial.GetSpec().GetParameterAssignments().GetAssignments()
	if len(assignments) != 1 || assignments[0].GetName() != Parameter {
		return "", refuse("trial %q: its assignments are %v, and not one %q", trial.GetName(), assignments, Parameter)
	}
	return assignments[0].GetValue(), nil
}

// resultOf a trial, nil while it is under way. One that has failed, was stopped or has no number as its metric counts as a failure: its
// accuracy cannot be compared.
func (c *config) resultOf(trial *api.Trial) (result, error) {
	failed := &nse.Result{Failed: true}
	switch trial.GetStatus().GetCondition() {
	case api.TrialStatus_CREATED, api.TrialStatus_RUNNING, api.TrialStatus_UNKNOWN:
		return nil, nil
	case api.TrialStatus_SUCCEEDED:
	default:
		return failed, nil
	}
	if c.grid != nil {
		return failed, nil
	}
	value, ok := metricOf(trial, c.metric)
	if !ok {
		return failed, nil
	}
	accuracy := value / c.scale
	if c.minimize {
		accuracy = 1 - accuracy
	}
	if accuracy > 1 {
		return nil, refuse("trial %q: %s is %v, better than can be with %q %v; a percentage has the scale 100", trial.GetName(), c.metric,
			value, settingScale, c.scale)
	}
	told := &nse.Result{Accuracy: max(0, accuracy)}
	if c.costMetric != "" {
		cost, ok := metricOf(trial, c.costMetric)
		if !ok || cost < 0 || cost > 1e20 {
			return failed, nil
		}
		if c.latency == "" {
			cost = math.Round(cost)
		}
		told.Cost = &cost
	}
	return told, nil
}

func metricOf(trial *api.Trial, name string) (float64, bool) {
	for _, metric := range trial.GetStatus().GetObservation().GetMetrics() {
		if metric.GetName() == name {
			// What Katib could not read is the word "unavailable".
			value, err := strconv.ParseFloat(metric.GetValue(), 64)
			return value, err == nil && !math.IsNaN(value) && !math.IsInf(value, 0)
		}
	}
	return 0, false
}
