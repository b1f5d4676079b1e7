package nse

// #include "shim.h"
import "C"

import (
	"encoding/json"
	"io"
	"runtime"
)

// Arch is one architecture of a space: for every cell the operators on its branches. Immutable.
type Arch struct {
	ptr *C.nse_arch
	net runtime.Cleanup
}

var _ io.Closer = (*Arch)(nil)

func newArch(ptr *C.nse_arch) *Arch {
	a := &Arch{ptr: ptr}
	a.net = runtime.AddCleanup(a, func(ptr *C.nse_arch) { C.nse_arch_free(ptr) }, ptr)
	return a
}

// ArchFromJSON reads an architecture: {"space": name, "cells": [[operator names of cell 0], ...]}. "space" may be left
// out; an empty list skips a normal cell.
//
// ErrConfig.
func ArchFromJSON(space *Space, document any) (*Arch, error) {
	defer runtime.KeepAlive(space)
	cDocument, err := cJSON("architecture", document)
	if err != nil {
		return nil, err
	}
	return object(newArch, func(out **C.nse_arch, e **C.nse_error) C.nse_status {
		return C.nse_arch_from_json(space.handle(), cDocument, out, e)
	})
}

// ArchFromCode is the architecture of a space that has a code of Arch.Code.
//
// ErrInvalidArgument: not a code, cut or mistyped, or of another space.
func ArchFromCode(space *Space, code string) (*Arch, error) {
	defer runtime.KeepAlive(space)
	cCode, err := cText("code", code)
	if err != nil {
		return nil, err
	}
	return object(newArch, func(out **C.nse_arch, e **C.nse_error) C.nse_status {
		return C.nse_arch_from_code(space.handle(), cCode, out, e)
	})
}

// Code is the short code of the architecture, for ArchFromCode: lower-case letters, digits and a dot, at most 63 of them for
// what searches usually find, so that it is a label of Kubernetes.
func (a *Arch) Code() (string, error) {
	defer runtime.KeepAlive(a)
	raw, err := readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status { return C.nse_arch_code(a.handle(), out, e) })
	return string(raw), err
}

// UniformArch has the same operator, alone, in every cell, for example "mbconv_k3_t6": a network as one would design it
// by hand.
//
// ErrInvalidArgument: not an operator. ErrConfig: not a candidate of some cell.
func UniformArch(space *Space, operator string) (*Arch, error) {
	defer runtime.KeepAlive(space)
	cOperator, err := cText("operator", operator)
	if err != nil {
		return nil, err
	}
	return object(newArch, func(out **C.nse_arch, e **C.nse_error) C.nse_status {
		return C.nse_arch_uniform(space.handle(), cOperator, out, e)
	})
}

// ArchPreset is a published architecture, in the space it was found in (which Arch.Space gives). Overrides change that
// space as those of SpacePreset do, for example {"scale": 1.0}; without, the width is the published one.
//
// ErrInvalidArgument: no such architecture, or its cells are not in the changed space. ErrConfig: overrides.
func ArchPreset(name string, overrides any) (*Arch, error) {
	cName, err := cText("name", name)
	if err != nil {
		return nil, err
	}
	cOverrides, err := cJSON("overrides", overrides)
	if err != nil {
		return nil, err
	}
	return object(newArch, func(out **C.nse_arch, e **C.nse_error) C.nse_status {
		return C.nse_arch_preset(cName, cOverrides, out, e)
	})
}

// ArchPresets lists the published architectures, which [ArchPreset] knows.
func ArchPresets() ([]Preset, error) {
	return read[[]Preset](func(out *C.nse_buffer, e **C.nse_error) C.nse_status { return C.nse_arch_presets(out, e) })
}

// Space of the architecture, which the caller closes.
func (a *Arch) Space() (*Space, error) {
	defer runtime.KeepAlive(a)
	return object(newSpace, func(out **C.nse_space, e **C.nse_error) C.nse_status {
		return C.nse_arch_space(a.handle(), out, e)
	})
}

// ArchDescription is what an architecture costs, as a whole and cell by cell.
type ArchDescription struct {
	// Space is the name of its space.
	Space string `json:"space"`
	// MACs: multiply-accumulates for one image, of convolutions and classifier.
	MACs uint64 `json:"macs"`
	// PublishedMACs is the count of published code. NSE's adds the outputs of the average pooling, those of stacked cells the biases
	// of the classifier.
	PublishedMACs uint64 `json:"published_macs"`
	// Params: trainable numbers.
	Params uint64 `json:"params"`
	// Binary has, of a space with binary weights, what of this is binary; nil of others.
	Binary *BinaryCost `json:"binary"`
	// Bits of such a network when it is trained: 1 for each binary weight, 32 for each other number.
	Bits uint64 `json:"bits"`
	// Operations of one image: multiply-accumulates, of which 64 with binary weights count as one.
	Operations float64 `json:"operations"`
	// Cells without what a variant adds.
	Cells []CellDescription `json:"cells"`
	// Genotype is the text of published code, of stacked cells; empty where the text of DARTS cannot say it.
	Genotype string `json:"genotype"`
	// Topology is what is left of stacked cells without empty edges and skip_connect: equal ones are the same up to constants. Empty where it is too
	// long to write.
	Topology string `json:"topology"`
	// Canonical is the least way to write a cell of blocks: equal ones are the same cell. Empty for others.
	Canonical string `json:"canonical"`
	// Paths of an ensemble, and how many cells they share; 0 of a single network.
	Paths int `json:"paths"`
	Split int `json:"split"`
	// Members has, of an ensemble, what the network of each path costs alone.
	Members []Cost `json:"members"`
	// Saved is by how much an ensemble is cheaper than its members.
	Saved Cost `json:"saved"`
}

// BinaryCost is what of a cost is with binary weights.
type BinaryCost struct {
	// MACs with binary weights.
	MACs uint64 `json:"macs"`
	// Params that are binary weights.
	Params uint64 `json:"params"`
}

// CellDescription is one cell of an architecture.
type CellDescription struct {
	// Kind is "normal" or "reduce", for example; "edge" of stacked cells.
	Kind string `json:"kind"`
	// Edge is from where to where, as in "normal 0->2".
	Edge string `json:"edge"`
	// Path of an ensemble, from 0, and which cell of the space it is; nil where all paths share it.
	Path *int `json:"path"`
	Cell *int `json:"cell"`
	// The shape of its output.
	Channels int `json:"channels"`
	Height   int `json:"height"`
	Width    int `json:"width"`
	// Operators on its branches; none when it is skipped.
	Operators []string `json:"operators"`
	MACs      uint64   `json:"macs"`
	Params    uint64   `json:"params"`
	// Binary is what of these is binary; nil where nothing is.
	Binary *BinaryCost `json:"binary"`
}

// Describe says what the architecture costs as a stand-alone network. The variant has what is added to it:
// {"squeeze_excitation": true, "activation": "swish"}, both optional; nil is the plain one.
//
// ErrConfig: variant.
func (a *Arch) Describe(variant any) (ArchDescription, error) {
	defer runtime.KeepAlive(a)
	var description ArchDescription
	cVariant, err := cJSON("variant", variant)
	if err != nil {
		return description, err
	}
	raw, err := readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_arch_describe(a.handle(), cVariant, out, e)
	})
	if err == nil {
		err = decode(raw, &description)
	}
	return description, err
}

// Draw is a diagram: cells from top to bottom, branches side by side, with widths, sizes and costs. Format "svg".
//
// ErrInvalidArgument: no such format.
func (a *Arch) Draw(format string) ([]byte, error) {
	defer runtime.KeepAlive(a)
	cFormat, err := cText("format", format)
	if err != nil {
		return nil, err
	}
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_arch_draw(a.handle(), cFormat, out, e)
	})
}

// JSON is the JSON form; ArchFromJSON gives the same architecture back.
func (a *Arch) JSON() (json.RawMessage, error) {
	defer runtime.KeepAlive(a)
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_arch_to_json(a.handle(), out, e)
	})
}

// Cost is what an architecture costs.
type Cost struct {
	// MACs: multiply-accumulates for one image, of convolutions and classifier.
	MACs uint64
	// Params: trainable numbers.
	Params uint64
}

// Cost of the architecture.
func (a *Arch) Cost() (Cost, error) {
	defer runtime.KeepAlive(a)
	var macs, params C.uint64_t
	var e *C.nse_error
	if err := check(C.nse_arch_cost(a.handle(), &macs, &params, &e), &e); err != nil {
		return Cost{}, err
	}
	return Cost{MACs: uint64(macs), Params: uint64(params)}, nil
}

// Close frees the architecture. What was made from it lives on. Always nil; a second Close does nothing.
func (a *Arch) Close() error {
	if a.handle() == nil {
		return nil
	}
	a.net.Stop()
	C.nse_arch_free(a.ptr)
	return nil
}

func (a *Arch) handle() *C.nse_arch {
	if a == nil {
		return nil
	}
	ptr := a.ptr
	stress()
	return ptr
}
