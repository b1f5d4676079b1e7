// Package katib is the suggestion service of Kubeflow Katib for searches of nse: an algorithm "nse" beside Katib's own. See
// docs/katib.md.
//
// It keeps nothing: a reply depends on the request alone. So it may be restarted, doubled or asked twice at any time.
package katib

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"sync"
	"time"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	nse "github.com/nse-project/nse/bindings/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// mostSuggestions in a reply.
	mostSuggestions = 10_000
	// patience is less than the minute that Katib waits.
	patience = 45 * time.Second
	// nameRoom is what Kubernetes gives the name of a job.
	nameRoom = 63
)

// Service answers Katib; NewService makes one.
type Service struct {
	api.UnimplementedSuggestionServer

	// turn is had by the request that is at work, and with it what follows. A request that is over time waits for no lock.
	turn chan struct{}
	// last search, of the experiment that asked last: Katib has a service of its own for each.
	last *replay
	name string
	once sync.Once
}

// NewService makes a service.
func NewService() *Service {
	return &Service{turn: make(chan struct{}, 1)}
}

// Close frees what the service holds.
func (s *Service) Close() {
	s.once.Do(func() {
		s.turn <- struct{}{}
		s.forget()
	})
}

func (s *Service) forget() {
	if s.last != nil {
		s.last.close()
	}
	s.last = nil
}

// ValidateAlgorithmSettings refuses an experiment that cannot work, with the value that is wrong.
func (s *Service) ValidateAlgorithmSettings(
	_ context.Context, request *api.ValidateAlgorithmSettingsRequest,
) (*api.ValidateAlgorithmSettingsReply, error) {
	c, err := configOf(request.GetExperiment())
	if err != nil {
		return nil, err
	}
	if c.grid == nil {
		c.roundsOf(request.GetExperiment(), &known{})
		r, err := c.replay(map[string]bool{})
		if err != nil {
			return nil, err
		}
		r.close()
	}
	return &api.ValidateAlgorithmSettingsReply{}, nil
}

// GetSuggestions gives as many suggestions as are wanted, or an error: Katib then asks again.
func (s *Service) GetSuggestions(ctx context.Context, request *api.GetSuggestionsRequest) (*api.GetSuggestionsReply, error) {
	count := int(request.GetCurrentRequestNumber())
	if count < 0 || count > mostSuggestions {
		return nil, refuse("current_request_number: %d is not in 0 to %d", count, mostSuggestions)
	}
	c, err := configOf(request.GetExperiment())
	if err != nil {
		return nil, err
	}
	k, err := c.look(request)
	if err != nil {
		return nil, err
	}
	if c.grid != nil {
		return c.grid.suggest(k.next, count)
	}
	c.roundsOf(request.GetExperiment(), k)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if end, ok := ctx.Deadline(); ok { // the reply needs time too
		var sooner context.CancelFunc
		ctx, sooner = context.WithDeadline(ctx, end.Add(-time.Until(end)/10))
		defer sooner()
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, status.Error(codes.Unavailable, "another request is being answered")
	}
	return s.suggest(ctx, c, k, request.GetExperiment().GetName(), count)
}

func (s *Service) suggest(ctx context.Context, c *config, k *known, name string, count int) (*api.GetSuggestionsReply, error) {
	script, told, old, err := k.script()
	if err != nil {
		return nil, err
	}
	strangers, err := k.foreign()
	if err != nil {
		return nil, err
	}
	if s.last == nil || s.name != name || s.last.config.key() != c.key() || !maps.Equal(s.last.strangers, strangers) || !s.last.begins(script, k.running, count) {
		s.forget()
		if s.last, err = c.replay(strangers); err != nil {
			return nil, err
		}
		s.name = name
	}
	var given []string
	if err = s.last.follow(ctx, script); err == nil {
		given, err = s.last.suggest(ctx, k, count)
	}
	if err != nil {
		if s.last.half {
			s.forget()
		}
		return nil, err
	}
	reply := &api.GetSuggestionsReply{}
	for i, code := range given {
		number := k.next + i
		reply.ParameterAssignments = append(reply.ParameterAssignments, &api.GetSuggestionsReply_ParameterAssignments{
			Assignments: []*api.ParameterAssignment{{Name: Parameter, Value: code}},
			TrialName:   trialName(name, number, code),
			Labels:      labelsOf(number, told, old, c.round),
		})
	}
	return reply, nil
}

func (g *grid) suggest(next, count int) (*api.GetSuggestionsReply, error) {
	reply := &api.GetSuggestionsReply{}
	for number := next; number < next+count; number++ {
		assignments, ok := g.at(number)
		if !ok {
			return nil, status.Errorf(codes.ResourceExhausted, "there are only %d different searches", g.count())
		}
		reply.ParameterAssignments = append(reply.ParameterAssignments, &api.GetSuggestionsReply_ParameterAssignments{
			Assignments: assignments, Labels: labelsOf(number, nil, 0, 0),
		})
	}
	return reply, nil
}

// trialName tells trials apart at a glance; where it has no room, Katib makes one.
func trialName(experiment string, number int, code string) string {
	name := fmt.Sprintf("%s-%d-%08x", experiment, number, crc32.ChecksumIEEE([]byte(code)))
	if experiment == "" || len(name) > nameRoom {
		return ""
	}
	return name
}

// refuse is the error that Katib shows, and takes as final when it validates.
func refuse(format string, values ...any) error {
	return status.Errorf(codes.InvalidArgument, format, values...)
}

// refusal of the library: of what it was given, or else of its own.
func refusal(what string, err error) error {
	for _, code := range []nse.Code{nse.ErrConfig, nse.ErrInvalidArgument, nse.ErrUnreachable, nse.ErrTooFew, nse.ErrMissingLatency, nse.ErrFormat} {
		if errors.Is(err, code) {
			return refuse("%s: %v", what, err)
		}
	}
	return internal(err)
}

func internal(err error) error {
	if err == nil {
		return nil
	}
	return status.Error(codes.Internal, err.Error())
}
