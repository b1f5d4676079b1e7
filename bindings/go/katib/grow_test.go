package katib

// Experiments whose cells grow: the codes of early trials are of smaller cells than the space has.

import (
	"context"
	"encoding/json"
	"hash/crc32"
	"testing"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	nse "github.com/nse-project/nse/bindings/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	// growing is a space whose cells have up to three blocks of two operators: 10 cells of one.
	growing        = "pnas-cifar"
	growingSize    = `{"input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "channels": 4, "cells": 3, "nodes": 3, "operators": ["identity", "max_pool_3x3"]}`
	growingOptions = `{"strategy": {"grow": {"beam": 4, "predictor": {"mlp": {"members": 2, "epochs": 20}}}}, "objective": {"low": 0, "high": 1e9}}`
	growingTrials  = 10 + 4 + 4
)

func growingCluster(t testing.TB) *cluster {
	return newCluster(t, 1, experiment(set("space", growing), set("overrides", growingSize), set("options", growingOptions)))
}

// blocksOf the cell of a code, which is one of the space or of a smaller one.
func blocksOf(t testing.TB, code string) int {
	t.Helper()
	var overrides map[string]any
	if err := json.Unmarshal([]byte(growingSize), &overrides); err != nil {
		t.Fatal(err)
	}
	space, err := nse.SpacePreset(growing, overrides)
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	arch, err := nse.ArchFromCode(space, code)
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	description, err := arch.Describe(nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(description.Cells) / 2
}

// grown says how good the cell of a trial is: no two are alike.
func (c *cluster) grown(trial *api.Trial) {
	c.end(trial, api.TrialStatus_SUCCEEDED, metric("val_accuracy", 0.5+float64(crc32.ChecksumIEEE([]byte(codeOfTrial(trial)))%1000)/4000))
}

// All cells of one block are trials before any of two, and all of these before any of three; whoever is asked, restarted or not, says the
// same. When they are all told, the best come again.
func TestGrows(t *testing.T) {
	c := growingCluster(t)
	steady, _ := serve(t)
	var blocks []int
	for c.suggestions < growingTrials+3 {
		fresh, stop := serve(t)
		request := c.request(1)
		reply, err := steady.GetSuggestions(t.Context(), request)
		again, errAgain := fresh.GetSuggestions(t.Context(), c.request(1))
		stop()
		if status.Code(err) != status.Code(errAgain) || !proto.Equal(reply, again) {
			t.Fatalf("after %d trials: %v, %v and then %v, %v", c.suggestions, reply, err, again, errAgain)
		}
		if err == nil {
			blocks = append(blocks, blocksOf(t, codeOfTrial(c.create(reply, 1)[0])))
			continue
		}
		refused(t, err, codes.Unavailable, "is being evaluated")
		running := c.running()
		if len(running) == 0 {
			t.Fatal("to wait, and for nothing")
		}
		// In any order, and one of them fails.
		trial := running[c.random.IntN(len(running))]
		if c.suggestions == 10 && len(running) == 3 {
			c.end(trial, api.TrialStatus_FAILED)
		} else {
			c.grown(trial)
		}
	}
	for i, count := range blocks[:growingTrials] {
		expected := 1
		if i >= 10 {
			expected = 2 + (i-10)/4
		}
		if count != expected {
			t.Fatalf("trial %d has %d blocks, and not %d: %v", i, count, expected, blocks)
		}
	}
	if len(c.codes) != growingTrials {
		t.Fatalf("%d different cells, and not %d", len(c.codes), growingTrials)
	}
}

// While the last result of a round is waited for, nothing is replayed again; a request that failed among its draws has left nothing behind.
func TestWaits(t *testing.T) {
	c := growingCluster(t)
	service := NewService()
	defer service.Close()
	client := inProcess{service}
	c.create(c.get(client, c.request(9)), 9)
	// Ten cells have one block: this one gets the last of them and then has to wait.
	_, err := client.GetSuggestions(t.Context(), c.request(2))
	refused(t, err, codes.Unavailable, "suggestion 10", "is being evaluated")
	kept := service.last
	if kept == nil || len(kept.done) != 10 {
		t.Fatal("what was drawn is lost")
	}
	c.create(c.get(client, c.request(1)), 1)
	for _, trial := range c.trials[:9] {
		c.grown(trial)
		_, err := client.GetSuggestions(t.Context(), c.request(1))
		refused(t, err, codes.Unavailable, "suggestion 10", "is being evaluated")
		if service.last != kept {
			t.Fatal("the search was made again")
		}
	}
	c.grown(c.trials[9])
	reply := c.get(client, c.request(4))
	fresh, _ := serve(t)
	if service.last != kept || !proto.Equal(reply, c.get(fresh, c.request(4))) {
		t.Fatal("the kept search says something else than a new one, or was not kept")
	}
}

// inProcess is a client of a service, without a wire between them.
type inProcess struct{ service *Service }

func (p inProcess) GetSuggestions(ctx context.Context, request *api.GetSuggestionsRequest, _ ...grpc.CallOption) (*api.GetSuggestionsReply, error) {
	return p.service.GetSuggestions(ctx, request)
}

func (p inProcess) ValidateAlgorithmSettings(ctx context.Context, request *api.ValidateAlgorithmSettingsRequest, _ ...grpc.CallOption) (*api.ValidateAlgorithmSettingsReply, error) {
	return p.service.ValidateAlgorithmSettings(ctx, request)
}
