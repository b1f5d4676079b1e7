// Package metrics counts for Prometheus. Series of single jobs exist only while they run, so that their number stays small.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// Metrics of one service.
type Metrics struct {
	registry *prometheus.Registry
	step     *prometheus.HistogramVec
	round    *prometheus.HistogramVec
	settled  *prometheus.CounterVec
	retries  *prometheus.CounterVec
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	// Streams that are open, and those dropped because they were too slow.
	Streams        prometheus.Gauge
	StreamsDropped prometheus.Counter
}

// New metrics, with those of the Go runtime and the process (memory, CPU time, files).
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		step: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nse_step_seconds", Help: "Time of a step: one batch in training, one candidate in scoring.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}, []string{"kind", "phase"}),
		round: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nse_round_seconds", Help: "Time of a round that was not interrupted.", Buckets: prometheus.ExponentialBuckets(0.1, 3, 12),
		}, []string{"kind"}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nse_jobs_settled_total", Help: "Runs that ended, by what became of the job.",
		}, []string{"kind", "state"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nse_job_warnings_total", Help: "Failures that are tried again, such as a full disk.",
		}, []string{"kind"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nse_http_requests_total", Help: "Requests by route and status.",
		}, []string{"route", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nse_http_request_seconds", Help: "Time of requests by route, event streams left out.", Buckets: prometheus.DefBuckets,
		}, []string{"route"}),
		Streams:        prometheus.NewGauge(prometheus.GaugeOpts{Name: "nse_event_streams", Help: "Open event streams."}),
		StreamsDropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "nse_event_streams_dropped_total", Help: "Event streams ended because the client was too slow."}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "nse_info", Help: "The library.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(m.step, m.round, m.settled, m.retries, m.requests, m.latency, m.Streams, m.StreamsDropped, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Step of a job took so long.
func (m *Metrics) Step(kind job.Kind, phase string, took time.Duration) {
	m.step.WithLabelValues(string(kind), phase).Observe(took.Seconds())
}

// Round of a job took so long.
func (m *Metrics) Round(kind job.Kind, took time.Duration) {
	m.round.WithLabelValues(string(kind)).Observe(took.Seconds())
}

// Settled counts the end of a run.
func (m *Metrics) Settled(kind job.Kind, state job.State) {
	m.settled.WithLabelValues(string(kind), string(state)).Inc()
}

// Warned counts a failure that is tried again.
func (m *Metrics) Warned(kind job.Kind) {
	m.retries.WithLabelValues(string(kind)).Inc()
}

// Request counts a request; took is 0 for what is not to be timed.
func (m *Metrics) Request(route, status string, took time.Duration) {
	m.requests.WithLabelValues(route, status).Inc()
	if took > 0 {
		m.latency.WithLabelValues(route).Observe(took.Seconds())
	}
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
}

// Watch takes numbers of jobs, and of the disk, when Prometheus asks.
func (m *Metrics) Watch(jobs func() []job.Job, free func() (uint64, error)) {
	m.registry.MustRegister(&watch{jobs, free})
}

type watch struct {
	jobs func() []job.Job
	free func() (uint64, error)
}

var (
	jobsMetric   = prometheus.NewDesc("nse_jobs", "Jobs by kind and state.", []string{"kind", "state"}, nil)
	queueMetric  = prometheus.NewDesc("nse_queue_length", "Jobs that wait for a slot.", nil, nil)
	freeMetric   = prometheus.NewDesc("nse_store_free_bytes", "Bytes that the disk of the jobs has left.", nil, nil)
	roundMetric  = prometheus.NewDesc("nse_job_round", "Round under way of a running job, from 1.", []string{"job"}, nil)
	speedMetric  = prometheus.NewDesc("nse_job_images_per_second", "Images per second in training of a running job.", []string{"job"}, nil)
	bestMetric   = prometheus.NewDesc("nse_job_best_accuracy_ratio", "Best held-out accuracy on the front of a running job, 0 to 1.", []string{"job"}, nil)
	lossMetric   = prometheus.NewDesc("nse_job_loss", "Smoothed loss in training of a running job.", []string{"job"}, nil)
	watchMetrics = []*prometheus.Desc{jobsMetric, queueMetric, freeMetric, roundMetric, speedMetric, bestMetric, lossMetric}
)

func (w *watch) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range watchMetrics {
		out <- desc
	}
}

func (w *watch) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	type key struct {
		kind  job.Kind
		state job.State
	}
	counts := map[key]int{}
	queued := 0
	for _, j := range w.jobs() {
		counts[key{j.Kind, j.State}]++
		if j.State == job.Queued {
			queued++
		}
		if j.State != job.Running && j.State != job.Cancelling || j.Progress == nil {
			continue
		}
		gauge(roundMetric, float64(j.Progress.Round), j.ID)
		for _, number := range []struct {
			desc  *prometheus.Desc
			value *float64
		}{{speedMetric, j.Progress.ImagesPerSecond}, {bestMetric, j.Best}, {lossMetric, j.Progress.Loss}} {
			if number.value != nil {
				gauge(number.desc, *number.value, j.ID)
			}
		}
	}
	for _, kind := range []job.Kind{job.Search, job.Train} {
		for _, state := range job.States {
			gauge(jobsMetric, float64(counts[key{kind, state}]), string(kind), string(state))
		}
	}
	gauge(queueMetric, float64(queued))
	if free, err := w.free(); err == nil {
		gauge(freeMetric, float64(free))
	}
}
