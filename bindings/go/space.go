package nse

// #include "shim.h"
import "C"

import (
	"encoding/json"
	"io"
	"runtime"
)

// Space is a search space: cells, and the operators that each may use. Immutable.
type Space struct {
	ptr *C.nse_space
	net runtime.Cleanup
}

var _ io.Closer = (*Space)(nil)

func newSpace(ptr *C.nse_space) *Space {
	s := &Space{ptr: ptr}
	s.net = runtime.AddCleanup(s, func(ptr *C.nse_space) { C.nse_space_free(ptr) }, ptr)
	return s
}

// SpacePreset makes a named space. Overrides change some of input {channels, height, width}, classes, layout, repeats,
// channels, scale, divisor, stem_stride, block, tail, tail_norm, hidden, squeeze_excitation, activation, operators and skip (docs/space.md);
// of stacked cells some of input, classes, skeleton, channels, cells, nodes, operators and shared; nil changes nothing.
//
// ErrInvalidArgument: no such preset. ErrConfig: overrides.
func SpacePreset(name string, overrides any) (*Space, error) {
	cName, err := cText("name", name)
	if err != nil {
		return nil, err
	}
	cOverrides, err := cJSON("overrides", overrides)
	if err != nil {
		return nil, err
	}
	return object(newSpace, func(out **C.nse_space, e **C.nse_error) C.nse_status {
		return C.nse_space_preset(cName, cOverrides, out, e)
	})
}

// SpaceFromJSON makes a space of one's own from its JSON form.
//
// ErrConfig.
func SpaceFromJSON(document any) (*Space, error) {
	cDocument, err := cJSON("space", document)
	if err != nil {
		return nil, err
	}
	return object(newSpace, func(out **C.nse_space, e **C.nse_error) C.nse_status {
		return C.nse_space_from_json(cDocument, out, e)
	})
}

// JSON is the canonical form; SpaceFromJSON gives the same space back.
func (s *Space) JSON() (json.RawMessage, error) {
	defer runtime.KeepAlive(s)
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_space_to_json(s.handle(), out, e)
	})
}

// SpaceDescription is what a space holds and costs.
type SpaceDescription struct {
	Name string `json:"name"`
	// Cells of a chain, or edges of stacked cells.
	Cells int `json:"cells"`
	// Operators over all cells.
	Operators            int `json:"operators"`
	MostOperatorsPerCell int `json:"most_operators_per_cell"`
	// Log10Architectures counts subsets of operators.
	Log10Architectures float64 `json:"log10_architectures"`
	// SingleBranch is how many have one operator in every cell, or none where that is allowed: exact, in digits.
	SingleBranch string `json:"single_branch"`
	// Genotypes is how many a text of DARTS can say, of blocks whichever side is which; empty but for such cells.
	Genotypes string `json:"genotypes"`
	// MACs of an architecture: multiply-accumulates of one image.
	MACs Range `json:"macs"`
	// Params of an architecture: trainable numbers.
	Params Range `json:"params"`
	// Bits of a trained network, where some weights are binary: 1 for each of these, 32 for each other number; nil elsewhere.
	Bits *Range `json:"bits"`
	// Operations of one image, where some weights are binary: multiply-accumulates, of which 64 binary ones count as one; nil elsewhere.
	Operations *Range `json:"operations"`
	// Latency of an architecture, in the unit of the table; nil without one.
	Latency *Range `json:"latency"`
}

// Range of a cost: from Least to Greatest, both included. Half of all architectures cost no more than Middle, about.
type Range struct {
	Least    float64 `json:"least"`
	Middle   float64 `json:"middle"`
	Greatest float64 `json:"greatest"`
}

// Describe says what the space holds and costs: with a latency table, which may be nil, also in time.
//
// ErrMissingLatency: the table lacks something.
func (s *Space) Describe(latency *Latency) (SpaceDescription, error) {
	defer runtime.KeepAlive(s)
	defer runtime.KeepAlive(latency)
	return read[SpaceDescription](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_space_describe(s.handle(), latency.handle(), out, e)
	})
}

// Budget is a cost window.
type Budget struct {
	// Cost is "macs", also when it is empty, "params", "bits", "operations" or "latency".
	Cost string  `json:"cost,omitempty"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Reach is what a space has inside a budget.
type Reach struct {
	Satisfiable bool   `json:"satisfiable"`
	Unit        string `json:"unit"`
	// Range of all architectures.
	Range
	// Below and Above a budget that is not satisfiable: costs near it that architectures have; nil where there is none.
	Below *float64 `json:"below"`
	Above *float64 `json:"above"`
	// Log10Architectures inside; nil where the budget is too narrow to tell, or not satisfiable.
	Log10Architectures *float64 `json:"log10_architectures"`
}

// Budget says whether a cost window can be met, before any search. One that cannot is an answer and no error. The latency table
// is for the cost "latency", else nil.
//
// ErrConfig: the budget. ErrInvalidArgument: a latency without table. ErrMissingLatency.
func (s *Space) Budget(budget Budget, latency *Latency) (Reach, error) {
	defer runtime.KeepAlive(s)
	defer runtime.KeepAlive(latency)
	var reach Reach
	cBudget, err := cJSON("budget", budget)
	if err != nil {
		return reach, err
	}
	raw, err := readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_space_budget(s.handle(), cBudget, latency.handle(), out, e)
	})
	if err == nil {
		err = decode(raw, &reach)
	}
	return reach, err
}

// Close frees the space. What was made from it lives on. Always nil; a second Close does nothing.
func (s *Space) Close() error {
	if s.handle() == nil {
		return nil
	}
	s.net.Stop()
	// The handle is a token: the library ignores one that was freed, and refuses it in every other call.
	C.nse_space_free(s.ptr)
	return nil
}

func (s *Space) handle() *C.nse_space {
	if s == nil {
		return nil
	}
	ptr := s.ptr
	stress()
	return ptr
}
