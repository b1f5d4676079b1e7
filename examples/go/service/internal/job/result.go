package job

import (
	"encoding/json"
	"slices"
)

// Result is what a job has found so far: of the rounds that are complete.
type Result struct {
	Completed int `json:"completed"`
	Rounds    int `json:"rounds"`
	// Objective is the cost that the search was about, Fronts the front under every cost that is known.
	Objective string           `json:"objective,omitempty"`
	Fronts    map[string]Front `json:"fronts,omitempty"`
	// History has one document per round.
	History []json.RawMessage `json:"history,omitempty"`
	Fitness *Fitness          `json:"fitness,omitempty"`
	// Picture of candidates and fronts, SVG.
	Picture string `json:"picture,omitempty"`
	Model   *Model `json:"model,omitempty"`
}

// Front of architectures, cheapest first.
type Front struct {
	Cost    string   `json:"cost"`
	Unit    string   `json:"unit"`
	Members []Member `json:"members"`
}

// Member of a front.
type Member struct {
	Code  string     `json:"code"`
	Cells [][]string `json:"cells"`
	// Paths has, of an ensemble, for every path the cells behind those that all share.
	Paths    [][][]string `json:"paths,omitempty"`
	Cost     float64      `json:"cost"`
	MACs     uint64       `json:"macs"`
	Params   uint64       `json:"params"`
	Accuracy float64      `json:"accuracy"`
	// Found in this round, from 1.
	Found int `json:"found"`
}

// Best is the most accurate member that costs at most budget; of equals, the cheapest.
func (f Front) Best(budget float64) (Member, bool) {
	best := slices.IndexFunc(f.Members, func(m Member) bool { return m.Cost <= budget })
	if best < 0 {
		return Member{}, false
	}
	for i, m := range f.Members {
		if m.Cost <= budget && m.Accuracy > f.Members[best].Accuracy {
			best = i
		}
	}
	return f.Members[best], true
}

// Fitness is what a search has learnt about the operators: per cell and operator.
type Fitness struct {
	Cells []FitnessCell `json:"cells"`
}

// FitnessCell is one row of it.
type FitnessCell struct {
	Kind      string   `json:"kind"`
	Operators []string `json:"operators"`
	// Theta is null for what was never active; sigmoid(theta) is about the probability that the operator is of use.
	Theta []*float64 `json:"theta"`
	// Active operators have weights at the moment.
	Active []bool `json:"active"`
}

// Model that a training made.
type Model struct {
	// Images it was evaluated on: "test", "held_out" or "train", what the data set has, in this order.
	Images   string  `json:"images"`
	Loss     float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"`
	Bytes    int64   `json:"bytes"`
	SHA256   string  `json:"sha256"`
	// The architecture and what it costs.
	Code   string `json:"code"`
	MACs   uint64 `json:"macs"`
	Params uint64 `json:"params"`
}
