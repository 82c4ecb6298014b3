package isolationreport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"rowhouse/internal/probe"
)

// maxProbeFile bounds what is read of a probe's report.
const maxProbeFile = 16 << 20

// readProbe says what the last probe found. Of its report only the outcome is
// taken: what it says of single requests is for operators.
func readProbe(ctx context.Context, path string, maxAge time.Duration, version string, now time.Time) Probe {
	if path == "" {
		return Probe{Status: ProbeAbsent, InWords: "No report of a probe from outside is known to this server."}
	}
	report, err := readProbeFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Probe{Status: ProbeAbsent, InWords: "There is no report of a probe from outside yet."}
	}
	if err != nil {
		slog.WarnContext(ctx, "isolation report: the probe's report", "error", err)
		return Probe{Status: ProbeAbsent, InWords: "The report of the last probe from outside cannot be read."}
	}
	p := Probe{Result: &ProbeResult{
		Target: report.Target, Version: report.Version, StartedAt: report.StartedAt.UTC(), FinishedAt: report.FinishedAt.UTC(),
		Requests: report.Requests, Crossings: len(report.Crossings),
		Held: report.Count(probe.OperationHeld), Crossed: report.Count(probe.OperationCrossed), NotCovered: report.Count(probe.OperationNotCovered),
	}}
	age := now.Sub(report.FinishedAt)
	ended := report.FinishedAt.UTC().Format("2 January 2006 15:04 MST")
	switch {
	case report.Verdict == probe.Crossed || len(report.Crossings) > 0:
		p.Status = ProbeCrossed
		p.InWords = fmt.Sprintf("The last probe from outside ended on %s and got through to another landlord's rows.", ended)
	case report.Verdict != probe.Held:
		p.Status = ProbeIncomplete
		p.InWords = fmt.Sprintf("The last probe from outside ended on %s, found nothing, and could not try everything.", ended)
	case age > maxAge:
		p.Status = ProbeStale
		p.InWords = fmt.Sprintf("The last probe from outside found nothing, and ended on %s, more than %s ago.", ended, maxAge)
	case age < -5*time.Minute: // as far as clocks may be apart
		p.Status = ProbeStale
		p.InWords = fmt.Sprintf("The last probe from outside says that it ended on %s, which is yet to come.", ended)
	case report.Version != version:
		p.Status = ProbeIncomplete
		p.InWords = fmt.Sprintf("The last probe from outside ended on %s and found nothing, in another build than this.", ended)
	default:
		p.Status = ProbeHeld
		p.InWords = fmt.Sprintf("The last probe from outside ended on %s: it tried %d operations with %d requests, and found nothing.", ended, p.Result.Held, report.Requests)
	}
	return p
}

func readProbeFile(path string) (*probe.Report, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var report probe.Report
	if err := json.NewDecoder(io.LimitReader(f, maxProbeFile)).Decode(&report); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &report, nil
}
