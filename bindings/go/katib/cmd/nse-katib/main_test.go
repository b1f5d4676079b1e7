package main

// The program: killed and ended while Katib needs it.

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// start the program on a port of its own.
func start(t *testing.T, program string) (*exec.Cmd, *grpc.ClientConn) {
	t.Helper()
	command := exec.Command(program, "-listen", "127.0.0.1:0")
	log, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill() })
	lines := bufio.NewReader(log)
	line, err := lines.ReadString('\n')
	var listening struct{ Msg, Address, Libnse string }
	if err != nil || json.Unmarshal([]byte(line), &listening) != nil || listening.Msg != "listening" || listening.Libnse == "" {
		t.Fatal(line, err)
	}
	go io.Copy(io.Discard, lines)
	connection, err := grpc.NewClient(listening.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return command, connection
}

func TestProgram(t *testing.T) {
	program := filepath.Join(t.TempDir(), "nse-katib")
	if said, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatal(string(said))
	}
	if err := exec.Command(program, "-listen", "256.0.0.1:1").Run(); err == nil {
		t.Fatal("listening nowhere")
	}
	experiment := &api.Experiment{Name: "killed", Spec: &api.ExperimentSpec{
		Objective: &api.ObjectiveSpec{Type: api.ObjectiveType_MAXIMIZE, ObjectiveMetricName: "accuracy"},
		Algorithm: &api.AlgorithmSpec{AlgorithmSettings: []*api.AlgorithmSetting{
			{Name: "space", Value: "nse-27-small"}, {Name: "options", Value: `{"objective": {"low": 2e6, "high": 3e6}, "told": {"group": 2}}`},
		}},
		MaxTrialCount: 20,
	}}
	command, connection := start(t, program)
	for _, name := range []string{"", "manager.v1beta1.Suggestion"} {
		health, err := grpc_health_v1.NewHealthClient(connection).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: name})
		if err != nil || health.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Fatal(health, err)
		}
	}
	request := &api.GetSuggestionsRequest{Experiment: experiment}
	for i, signal := range []os.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL, syscall.SIGINT} {
		client := api.NewSuggestionClient(connection)
		if _, err := client.ValidateAlgorithmSettings(t.Context(), &api.ValidateAlgorithmSettingsRequest{Experiment: experiment}); err != nil {
			t.Fatal(err)
		}
		request.CurrentRequestNumber = 2
		request.TotalRequestNumber += 2
		reply, err := client.GetSuggestions(t.Context(), request)
		if err != nil || len(reply.ParameterAssignments) != 2 {
			t.Fatal(reply, err)
		}
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); (err == nil) != (signal != syscall.SIGKILL) {
			t.Fatal(signal, err)
		}
		if _, err := client.GetSuggestions(t.Context(), request); status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
		command, connection = start(t, program)
		again, err := api.NewSuggestionClient(connection).GetSuggestions(t.Context(), request)
		if err != nil || !proto.Equal(reply, again) {
			t.Fatal(reply, again, err)
		}
		for _, suggestion := range reply.ParameterAssignments {
			request.Trials = append(request.Trials, &api.Trial{
				Name: suggestion.TrialName,
				Spec: &api.TrialSpec{Labels: suggestion.Labels, ParameterAssignments: &api.TrialSpec_ParameterAssignments{
					Assignments: suggestion.Assignments,
				}},
				Status: &api.TrialStatus{Condition: api.TrialStatus_SUCCEEDED, Observation: &api.Observation{Metrics: []*api.Metric{
					{Name: "accuracy", Value: strings.Repeat("0", i) + "0.5"},
				}}},
			})
		}
	}
}
