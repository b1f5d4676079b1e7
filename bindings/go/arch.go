package nse

// #include "nse.h"
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
	if err := ready(); err != nil {
		return nil, err
	}
	cDocument, err := cJSON("architecture", document)
	if err != nil {
		return nil, err
	}
	var ptr *C.nse_arch
	var e *C.nse_error
	if err := check(C.nse_arch_from_json(space.handle(), cDocument, &ptr, &e), &e); err != nil {
		return nil, err
	}
	return newArch(ptr), nil
}

// UniformArch has the same operator, alone, in every cell, for example "mbconv_k3_t6": a network as one would design it
// by hand.
//
// ErrConfig: not an operator, or not a candidate of some cell.
func UniformArch(space *Space, operator string) (*Arch, error) {
	defer runtime.KeepAlive(space)
	if err := ready(); err != nil {
		return nil, err
	}
	cOperator, err := cText("operator", operator)
	if err != nil {
		return nil, err
	}
	var ptr *C.nse_arch
	var e *C.nse_error
	if err := check(C.nse_arch_uniform(space.handle(), cOperator, &ptr, &e), &e); err != nil {
		return nil, err
	}
	return newArch(ptr), nil
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
	defer runtime.KeepAlive(a)
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
	return a.ptr
}
