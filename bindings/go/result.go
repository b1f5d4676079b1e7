package nse

// What a search has found so far. Nothing here waits for a step.

// #include "nse.h"
import "C"

import (
	"bytes"
	"encoding/json"
	"runtime"
	"unsafe"
)

// SearchStatus is how far a search is.
type SearchStatus struct {
	// Completed rounds, of Rounds.
	Completed int  `json:"completed"`
	Rounds    int  `json:"rounds"`
	Done      bool `json:"done"`
	// Event is the latest one; nil before the first.
	Event *Event `json:"event"`
}

// Status says how far the search is. It does not wait for a step.
func (s *Search) Status() (SearchStatus, error) {
	defer runtime.KeepAlive(s)
	var status SearchStatus
	raw, err := readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_status(s.handle(), out, e)
	})
	if err == nil {
		err = decode(raw, &status)
	}
	return status, err
}

// Scores is the learnt fitness theta, as of about now: one row per cell, one value per operator, padded with NaN where a
// cell has fewer. sigmoid(theta) is about the probability that the operator is of use. NaN for an operator that was never
// active. It does not wait for a step.
func (s *Search) Scores() ([][]float64, error) {
	defer runtime.KeepAlive(s)
	return table(func(out *C.double, capacity C.size_t, cells, operators *C.uint32_t, e **C.nse_error) C.nse_status {
		return C.nse_search_scores(s.handle(), out, capacity, cells, operators, e)
	}, func(theta C.double) float64 { return float64(theta) })
}

// Active says which operators have weights at the moment: one row per cell, one value per operator, padded with false.
// It does not wait for a step.
func (s *Search) Active() ([][]bool, error) {
	defer runtime.KeepAlive(s)
	return table(func(out *C.uint8_t, capacity C.size_t, cells, operators *C.uint32_t, e **C.nse_error) C.nse_status {
		return C.nse_search_active(s.handle(), out, capacity, cells, operators, e)
	}, func(active C.uint8_t) bool { return active != 0 })
}

// table asks for the sizes, which never change, and then for the values.
func table[From, To any](
	call func(*From, C.size_t, *C.uint32_t, *C.uint32_t, **C.nse_error) C.nse_status, convert func(From) To,
) ([][]To, error) {
	var height, width C.uint32_t
	var e *C.nse_error
	if err := check(call(nil, 0, &height, &width, &e), &e); err != nil {
		return nil, err
	}
	values := make([]From, int(height)*int(width))
	status := call(unsafe.SliceData(values), C.size_t(len(values)), nil, nil, &e)
	if err := check(status, &e); err != nil {
		return nil, err
	}
	rows := make([][]To, height)
	for i := range rows {
		rows[i] = make([]To, width)
		for j := range rows[i] {
			rows[i][j] = convert(values[i*int(width)+j])
		}
	}
	return rows, nil
}

// Candidate is an architecture that a search has scored.
type Candidate struct {
	// Arch is the caller's to close.
	Arch *Arch
	// Accuracy is held-out top-1 with the supernet's weights, 0 to 1.
	Accuracy float64
}

// Front is the Pareto front of the last completed round, cheapest first. Before the first it is that of the search which
// this one continues, if any, else empty. It does not wait for a step.
func (s *Search) Front() ([]Candidate, error) {
	return s.settled(s.members)
}

// settled reads again while a round ends in between: members of two fronts are not a front.
func (s *Search) settled(read func() ([]Candidate, error)) ([]Candidate, error) {
	for {
		before, err := s.Status()
		if err != nil {
			return nil, err
		}
		front, err := read()
		after, late := s.Status()
		if err == nil && late == nil && before.Completed == after.Completed {
			return front, nil
		}
		for _, candidate := range front {
			candidate.Arch.Close()
		}
		if late != nil {
			return nil, late
		}
		if err != nil && before.Completed == after.Completed {
			return nil, err
		}
	}
}

// members of the front, read one after the other; a step may replace it on the way.
func (s *Search) members() ([]Candidate, error) {
	defer runtime.KeepAlive(s)
	var count C.size_t
	var e *C.nse_error
	if err := check(C.nse_search_front_count(s.handle(), &count, &e), &e); err != nil {
		return nil, err
	}
	front := make([]Candidate, 0, int(count))
	for i := range count {
		var ptr *C.nse_arch
		var accuracy C.double
		if err := check(C.nse_search_front_get(s.handle(), i, &ptr, &accuracy, &e), &e); err != nil {
			return front, err
		}
		front = append(front, Candidate{newArch(ptr), float64(accuracy)})
	}
	return front, nil
}

// FrontSnapshot is a front as it was at one moment.
type FrontSnapshot struct {
	// Cost that it is a front of, "macs", "params" or "latency", and its unit.
	Cost string `json:"cost"`
	Unit string `json:"unit"`
	// Members, cheapest first.
	Members []FrontMember `json:"members"`
}

// FrontMember is an architecture on a front, without a handle.
type FrontMember struct {
	// Code for ArchFromCode.
	Code string `json:"code"`
	// Cells has operator names per cell.
	Cells    [][]string `json:"cells"`
	Cost     float64    `json:"cost"`
	MACs     uint64     `json:"macs"`
	Params   uint64     `json:"params"`
	Accuracy float64    `json:"accuracy"`
	// Found is the round, from 1, in which it was; 0: before this search.
	Found uint64 `json:"found"`
}

// FrontUnder is the front of the architectures that were scored in the last completed round (of a search that is told, of all
// results) under another cost than the objective: "macs", "params" or "latency", which needs a table. Nothing is trained or
// scored again. With "" it is the front of the search. It does not wait for a step.
//
// ErrConfig: no such cost. ErrInvalidArgument: a latency without table. ErrMissingLatency.
func (s *Search) FrontUnder(cost string, latency *Latency) (FrontSnapshot, error) {
	defer runtime.KeepAlive(s)
	defer runtime.KeepAlive(latency)
	var front FrontSnapshot
	var cCost *C.char
	if cost != "" {
		var err error
		if cCost, err = cJSON("cost", map[string]string{"cost": cost}); err != nil {
			return front, err
		}
	}
	raw, err := readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_front(s.handle(), cCost, latency.handle(), out, e)
	})
	if err == nil {
		err = decode(raw, &front)
	}
	return front, err
}

// Best is the most accurate member of the front that costs at most maxCost, in what the objective counts:
// multiply-accumulates, parameters, or the unit of the latency table. It does not wait for a step.
//
// ErrNotFound: the front has none so cheap.
func (s *Search) Best(maxCost float64) (Candidate, error) {
	defer runtime.KeepAlive(s)
	var ptr *C.nse_arch
	var accuracy C.double
	var e *C.nse_error
	if err := check(C.nse_search_best(s.handle(), C.double(maxCost), &ptr, &accuracy, &e), &e); err != nil {
		return Candidate{}, err
	}
	return Candidate{newArch(ptr), float64(accuracy)}, nil
}

// History has one JSON object per completed round: fitness, dropped, retained and refilled operators, candidates, front,
// times. It does not wait for a step.
func (s *Search) History() ([]json.RawMessage, error) {
	defer runtime.KeepAlive(s)
	raw, err := readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_history(s.handle(), out, e)
	})
	if err != nil {
		return nil, err
	}
	var rounds []json.RawMessage
	for line := range bytes.Lines(raw) {
		rounds = append(rounds, bytes.TrimSuffix(line, []byte("\n")))
	}
	return rounds, nil
}

// Report is what was found so far, as the content of a file: "html" (a page that needs nothing else), "json", "svg" or "png". It does
// not wait for a step.
//
// ErrInvalidArgument: no such format.
func (s *Search) Report(format string) ([]byte, error) {
	defer runtime.KeepAlive(s)
	cFormat, err := cText("format", format)
	if err != nil {
		return nil, err
	}
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_report(s.handle(), cFormat, out, e)
	})
}
