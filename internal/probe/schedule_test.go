package probe

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Runs follow one another, and each is counted.
func TestSchedule(t *testing.T) {
	t.Parallel()
	_, o := newShop(t, "read")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := ln.Addr().String()
	require.NoError(t, ln.Close())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports, running := make(chan *Report), atomic.Int32{}
	ended := make(chan error, 1)
	go func() {
		ended <- Schedule(ctx, o, Timetable{Every: time.Millisecond, MetricsAddr: address, Report: func(r *Report) error {
			if running.Add(1) > 1 {
				t.Error("two runs at a time")
			}
			defer running.Add(-1)
			reports <- r
			return os.ErrPermission // is logged
		}})
	}()
	first, second := <-reports, <-reports
	require.NotEqual(t, first.RunID, second.RunID)
	require.False(t, second.StartedAt.Before(first.FinishedAt))
	response, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Regexp(t, `rowhouse_isolation_probe_crossings [1-9]`, string(said))
	require.Regexp(t, `rowhouse_isolation_probe_runs_total{verdict="CROSSED"} [2-9]`, string(said))
	require.NotContains(t, string(said), "last_success", "there was none")
	cancel()
	for {
		select {
		case <-reports:
			continue
		case err := <-ended:
			require.NoError(t, err)
		}
		break
	}
}

// The alerts speak of metrics that there are.
func TestAlertedMetrics(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../../deploy/alerts/isolation.yml")
	require.NoError(t, err)
	m := newMetrics()
	m.observe(&Report{Verdict: Held})
	families, err := m.registry.Gather()
	require.NoError(t, err)
	served := map[string]bool{}
	for _, f := range families {
		served[f.GetName()] = true
	}
	require.Len(t, served, 6)
	names := regexp.MustCompile(`rowhouse_isolation_probe_\w+`).FindAllString(string(rules), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		require.True(t, served[name], name)
	}
}
