package httpapi

import (
	"context"
	"net/http"

	"rowhouse/internal/isolationreport"
	"rowhouse/internal/problem"
)

// reportKeysPath is where the keys of the isolation report are published, for
// everybody: who is shown a report need not be a landlord.
const reportKeysPath = "/.well-known/isolation-report-keys.json"

type isolationReportOutput struct {
	Body struct {
		Report isolationreport.Report `json:"report"`
		JWS    string                 `json:"jws,omitempty" example:"eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiIsInR5cCI6InJvd2hvdXNlLWlzb2xhdGlvbi1yZXBvcnQifQ.eyJjaGVja3MiOltdfQ.c2lnbmF0dXJl" doc:"A compact JWS (RFC 7515, ES256) over the canonical JSON (RFC 8785) of the report. The keys are at /.well-known/isolation-report-keys.json, and \"rowhouse isolation-verify\" checks it. Absent if the server has no key, and the verdict then says so."`
	}
}

// isolationReport is the same for everybody, and reads nobody's rows.
func (a *API) isolationReport(ctx context.Context, _ *struct{}) (*isolationReportOutput, error) {
	signed, err := a.report.Current(ctx)
	if err != nil {
		return nil, err
	}
	out := &isolationReportOutput{}
	out.Body.Report, out.Body.JWS = signed.Report, signed.JWS
	return out, nil
}

// isolationReportKeys shows the public keys that reports are signed with.
func (a *API) isolationReportKeys(w http.ResponseWriter, r *http.Request) {
	keys, err := a.report.Keys().Public()
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(keys) // the caller may be gone
}
