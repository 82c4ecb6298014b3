package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Timetable says when to run and whom to tell.
type Timetable struct {
	Every       time.Duration       // from the start of one run to that of the next, and up to a tenth more
	MetricsAddr string              // where /metrics is served
	Report      func(*Report) error // called after each run; what fails here is logged
}

// Schedule runs until ctx ends, at once and then by the timetable. One run ends
// before the next begins, however long it takes. It returns nil when ctx has ended.
func Schedule(ctx context.Context, o Options, t Timetable) error {
	m := newMetrics()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", t.MetricsAddr)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	defer server.Close()
	slog.InfoContext(ctx, "probing until stopped", "every", t.Every, "metrics", "http://"+ln.Addr().String()+"/metrics")
	for {
		begun := time.Now()
		report := Run(ctx, o)
		if ctx.Err() == nil { // a run that was stopped says nothing
			m.observe(report)
		}
		if err := t.Report(report); err != nil {
			slog.ErrorContext(ctx, "the report was not written", "error", err)
		}
		// not all probes of a company at the same second
		next := begun.Add(t.Every + rand.N(t.Every/10+1)) //nolint:gosec // it keeps no secret
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return errors.Join(errors.New("metrics are no longer served"), err)
		case <-time.After(time.Until(next)):
		}
	}
}

// metrics are those of the runs of this process. A gauge is there once there was a
// run: before it, nothing is known.
type metrics struct {
	registry                                    *prometheus.Registry
	lastRun, lastSuccess, crossings, operations *prometheus.GaugeVec
	duration                                    *prometheus.GaugeVec
	runs                                        *prometheus.CounterVec
}

func newMetrics() *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "rowhouse", Subsystem: "isolation_probe", Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		lastRun:     gauge("last_run_timestamp_seconds", "When the last run ended."),
		lastSuccess: gauge("last_success_timestamp_seconds", "When the last run ended that tried everything and found no crossing."),
		crossings:   gauge("crossings", "Crossings that the last run found."),
		operations:  gauge("operations", "Operations in the last run, by what came of them.", "outcome"),
		duration:    gauge("duration_seconds", "How long the last run took."),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "rowhouse", Subsystem: "isolation_probe", Name: "runs_total", Help: "Runs, by verdict.",
		}, []string{"verdict"}),
	}
	for _, v := range []Verdict{Held, Crossed, Incomplete} {
		m.runs.WithLabelValues(string(v))
	}
	m.registry.MustRegister(m.lastRun, m.lastSuccess, m.crossings, m.operations, m.duration, m.runs)
	return m
}

func (m *metrics) observe(r *Report) {
	ended := float64(r.FinishedAt.UnixMilli()) / 1000
	m.lastRun.WithLabelValues().Set(ended)
	if r.Verdict == Held {
		m.lastSuccess.WithLabelValues().Set(ended)
	}
	m.crossings.WithLabelValues().Set(float64(len(r.Crossings)))
	m.duration.WithLabelValues().Set(r.FinishedAt.Sub(r.StartedAt).Seconds())
	for _, o := range []Outcome{OperationHeld, OperationCrossed, OperationNotCovered} {
		m.operations.WithLabelValues(string(o)).Set(float64(r.Count(o)))
	}
	m.runs.WithLabelValues(string(r.Verdict)).Inc()
}
