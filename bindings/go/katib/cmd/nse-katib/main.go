// Nse-katib is the suggestion service as a program: what the image of Katib's algorithm "nse" runs. See docs/katib.md.
//
//	nse-katib [-listen ADDRESS]
//
// SIGTERM or SIGINT ends it when the requests at hand are answered; a second one at once.
package main

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	nse "github.com/nse-project/nse/bindings/go"
	"github.com/nse-project/nse/bindings/go/katib"
)

// mostBytes of a request: all trials come with each.
const mostBytes = 256 << 20

func main() {
	listen := flag.String("listen", ":6789", "address; Katib wants port 6789")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, *listen, log); err != nil {
		log.Error("the service ends", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string, log *slog.Logger) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	service := katib.NewService()
	server := grpc.NewServer(grpc.MaxRecvMsgSize(mostBytes), grpc.UnaryInterceptor(func(
		ctx context.Context, request any, info *grpc.UnaryServerInfo, answer grpc.UnaryHandler,
	) (any, error) {
		reply, err := answer(ctx, request)
		if err != nil {
			log.Warn("no answer", "method", info.FullMethod, "error", err)
		}
		return reply, err
	}))
	api.RegisterSuggestionServer(server, service)
	healthy := health.NewServer()
	// The name that Katib's probes ask for.
	healthy.SetServingStatus("manager.v1beta1.Suggestion", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthy)
	log.Info("listening", "address", listener.Addr().String(), "libnse", nse.Version())
	context.AfterFunc(ctx, server.GracefulStop)
	err = server.Serve(listener)
	service.Close()
	return err
}
