// A user's program in Go: says which libtorch runs, and the size of the network of app.c.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	nse "github.com/nse-project/nse/bindings/go"
)

func run() error {
	space, err := nse.SpaceFromJSON(`{"name": "mine", "input": {"channels": 1, "height": 12, "width": 12}, "classes": 2,
		"stem": {"channels": 4, "stride": 1}, "tail": {"channels": 8}, "cells": [{"kind": "reduce", "channels": 8}], "operators": ["mbconv_k3_t1", "conv_k3_t1"]}`)
	if err != nil {
		return err
	}
	defer space.Close()
	arch, err := nse.UniformArch(space, "mbconv_k3_t1")
	if err != nil {
		return err
	}
	defer arch.Close()
	cost, err := arch.Cost()
	if err != nil {
		return err
	}
	info, err := nse.Runtime(context.Background())
	if err != nil {
		return err
	}
	text, err := json.Marshal(info)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%d parameters\n", text, cost.Params)
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
