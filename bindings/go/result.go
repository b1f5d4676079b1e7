package nse

// What a search has found so far. Nothing here waits for a step.

// #include "shim.h"
import "C"

import (
	"bytes"
	"encoding/json"
	"iter"
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
	return read[SearchStatus](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_status(s.handle(), out, e)
	})
}

// Scores is the learnt fitness theta, as of about now: one row per cell, one value per operator, padded with NaN where a
// cell has fewer. sigmoid(theta) is about the probability that the operator is of use. NaN for an operator that was never
// active. It does not wait for a step.
func (s *Search) Scores() ([][]float64, error) {
	defer runtime.KeepAlive(s)
	return grid(func(out *C.double, capacity C.size_t, cells, operators *C.uint32_t, e **C.nse_error) C.nse_status {
		return C.nse_search_scores(s.handle(), out, capacity, cells, operators, e)
	}, func(theta C.double) float64 { return float64(theta) })
}

// Active says which operators have weights at the moment: one row per cell, one value per operator, padded with false.
// It does not wait for a step.
func (s *Search) Active() ([][]bool, error) {
	defer runtime.KeepAlive(s)
	return grid(func(out *C.uint8_t, capacity C.size_t, cells, operators *C.uint32_t, e **C.nse_error) C.nse_status {
		return C.nse_search_active(s.handle(), out, capacity, cells, operators, e)
	}, func(active C.uint8_t) bool { return active != 0 })
}

// grid asks for the sizes, which never change, and then for the values.
func grid[From, To any](
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

// Front is a Pareto front as it was at one moment.
type Front struct {
	// Cost that it is a front of, "macs", "params", "bits", "operations" or "latency", and its unit.
	Cost string `json:"cost"`
	Unit string `json:"unit"`
	// Members, cheapest first.
	Members []Member `json:"members"`
	// Raw is the whole document, with keys that a newer library may have.
	Raw json.RawMessage `json:"-"`
}

// Member is an architecture on a front.
type Member struct {
	// Code for ArchFromCode.
	Code string `json:"code"`
	// Cells has operator names per cell; of an ensemble, of those that all paths share.
	Cells [][]string `json:"cells"`
	// Paths has, of an ensemble, for every path the cells behind those.
	Paths [][][]string `json:"paths"`
	// Cost in the unit of the front.
	Cost float64 `json:"cost"`
	// MACs: multiply-accumulates for one image.
	MACs uint64 `json:"macs"`
	// Params: trainable numbers.
	Params uint64 `json:"params"`
	// Accuracy is held-out top-1 with the supernet's weights, 0 to 1; of a search that is told, as told.
	Accuracy float64 `json:"accuracy"`
	// Found is the round, from 1, in which it was; 0: before this search.
	Found int `json:"found"`
}

// Front is the Pareto front of the last completed round (of a search that is told, of all results). Before the first it is that of
// the search which this one continues, if any, else empty. It does not wait for a step.
func (s *Search) Front() (Front, error) {
	return s.front(nil, nil)
}

// FrontUnder is the front of the architectures that were scored in the last completed round (of a search that is told, of all
// results) under another cost than the objective: "macs", "params", "bits", "operations", or "latency", which needs a table, else nil. Nothing is trained
// or scored again. It does not wait for a step.
//
// ErrConfig: no such cost. ErrInvalidArgument: a latency without table. ErrMissingLatency.
func (s *Search) FrontUnder(cost string, latency *Latency) (Front, error) {
	cCost, err := cJSON("cost", map[string]string{"cost": cost})
	if err != nil {
		return Front{}, err
	}
	return s.front(cCost, latency)
}

func (s *Search) front(cost *C.char, latency *Latency) (Front, error) {
	defer runtime.KeepAlive(s)
	defer runtime.KeepAlive(latency)
	var front Front
	var err error
	front.Raw, err = readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_front(s.handle(), cost, latency.handle(), out, e)
	})
	if err == nil {
		err = decode(front.Raw, &front)
	}
	return front, err
}

// FrontArchs goes over the architectures of Front, as it is when the loop begins, cheapest first. Each is the caller's to close; of
// those after the end of a loop that is left none is made. An error is the last thing that comes.
func (s *Search) FrontArchs() iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		front, err := s.Front()
		if err != nil {
			yield(Candidate{}, err)
			return
		}
		space, err := s.Space()
		if err != nil {
			yield(Candidate{}, err)
			return
		}
		defer space.Close()
		for _, member := range front.Members {
			arch, err := ArchFromCode(space, member.Code)
			if !yield(Candidate{arch, member.Accuracy}, err) || err != nil {
				return
			}
		}
	}
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
