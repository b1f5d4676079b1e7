// Service runs searches as jobs over HTTP: see docs/service.md.
//
//	service -config FILE
//
// SIGTERM or SIGINT ends it: jobs save themselves and go on when it is started again. A second one ends it at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	nse "github.com/nse-project/nse/bindings/go"
	"golang.org/x/net/netutil"

	"github.com/nse-project/nse/examples/go/service/internal/api"
	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/dataset"
	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/metrics"
	"github.com/nse-project/nse/examples/go/service/internal/queue"
	"github.com/nse-project/nse/examples/go/service/internal/store"
)

func main() {
	path := flag.String("config", "", "file of settings")
	level := slog.LevelInfo
	flag.TextVar(&level, "log", level, "least level of the log: debug, info, warn or error")
	flag.Parse()
	if *path == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, *path, log); err != nil {
		log.Error("the service ends", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path string, log *slog.Logger) error {
	settings, err := config.Read(path)
	if err != nil {
		return err
	}
	if err := nse.SetLog(log.Handler()); err != nil {
		return err
	}
	jobs, err := store.Open(settings.Folder)
	if err != nil {
		return err
	}
	defer jobs.Close()
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return err
	}
	data := dataset.NewBook(settings.Datasets)
	for _, info := range data.Infos(ctx) {
		if info.Problem != "" {
			_, err := data.Open(ctx, info.Name)
			log.Error("a data set cannot be used", "data", info.Name, "error", err)
		}
	}
	worker := engine.New(settings, data, log)
	counts := metrics.New(nse.Version())
	service := &api.Service{
		Settings: settings, Engine: worker, Data: data, Store: jobs, Metrics: counts, Log: log,
		Queue: queue.Open(settings, jobs, worker, counts, log),
	}
	server := service.Server()
	log.Info("the service is ready", "address", listener.Addr().String(), "nse", nse.Version())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(netutil.LimitListener(listener, settings.Connections)) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, end(service, server, settings.Shutdown.Duration(), log))
}

// end stops accepting, lets jobs save themselves, and answers what was begun, within the limit.
func end(service *api.Service, server *http.Server, limit time.Duration, log *slog.Logger) error {
	log.Info("the service ends; jobs save themselves", "limit", limit)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	// The jobs first, so that clients see what becomes of them, with some time left for the answers.
	saving, enough := context.WithTimeout(ctx, limit*4/5)
	defer enough()
	err := service.Queue.Close(saving)
	service.Queue.EndStreams()
	if late := server.Shutdown(ctx); late != nil {
		err = errors.Join(err, fmt.Errorf("requests were cut off: %w", late), server.Close())
	}
	if err == nil {
		log.Info("the service has ended")
	}
	return err
}
