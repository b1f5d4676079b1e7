package nse

// What a search will take, before it does.

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
)

// Estimate is what a search will take. What only a host that pushes its batches knows is nil.
type Estimate struct {
	Device string `json:"device"`
	// Memory in bytes, from the shapes, without what libtorch keeps for itself.
	Memory struct {
		// Weights and momenta.
		Weights uint64 `json:"weights"`
		// Training is one step with half of the branches open, as on average; TrainingMost with all.
		Training     uint64 `json:"training"`
		TrainingMost uint64 `json:"training_most"`
		// Scoring of a candidate.
		Scoring uint64 `json:"scoring"`
		// Images of the datasets.
		Images uint64 `json:"images"`
		// Peak: all that is there at once, at most.
		Peak uint64 `json:"peak"`
	} `json:"memory"`
	// Seconds, from a few steps on a supernet that is thrown away.
	Seconds struct {
		WeightStep       float64  `json:"weight_step"`
		ArchitectureStep float64  `json:"architecture_step"`
		Candidate        *float64 `json:"candidate"`
		Round            *float64 `json:"round"`
		// Search: all rounds to come.
		Search *float64 `json:"search"`
	} `json:"seconds"`
	// Steps and Candidates of a round, and Rounds to come.
	Steps      *int `json:"steps"`
	Candidates int  `json:"candidates"`
	Rounds     int  `json:"rounds"`
	// Raw is the whole document, with keys that a newer library may have.
	Raw json.RawMessage `json:"-"`
}

// Estimate says what the search will take. It makes some steps on a supernet that is thrown away, for some seconds, and
// changes nothing. With pushed batches a batch is taken to have as many images as the option train.batch says.
//
// ErrOutOfMemory: it would not fit. ErrBusy: a Step is running. ErrCancelled: by Cancel or Close. ErrTorch.
func (s *Search) Estimate(ctx context.Context) (Estimate, error) {
	var estimate Estimate
	err := s.run(ctx, nil, func() (err error) {
		estimate.Raw, err = readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
			return C.nse_search_estimate(s.ptr, out, e)
		})
		return err
	})
	if err == nil {
		err = decode(estimate.Raw, &estimate)
	}
	return estimate, err
}
