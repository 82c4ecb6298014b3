// Package probe shows from outside whether a running Rowhouse keeps two landlords
// apart. It signs in as both, gives each some rows, and then tries every operation
// of the served OpenAPI document on the other's.
//
// It speaks HTTP alone and is fit for production: it touches nothing but the rows
// that it makes in the books of two landlords who exist for this, and takes them
// away again. What an operation of the document needs that the probe cannot give
// makes the run incomplete; nothing is left out in silence.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"rowhouse/internal/apiurl"
)

// Options is what a run needs.
type Options struct {
	URL         string // of the API, without /api/v1; https, or this machine's
	SupabaseURL string // of the project, without /auth/v1; likewise
	AnonKey     string // the project's public API key
	A, B        Landlord
	Rate        float64       // requests a second, from 1; 0 for no bound
	Timeout     time.Duration // of one request; 0 means 20 s
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	missing := errors.Join(apiurl.Check("URL of the API", o.URL), apiurl.Check("URL of Supabase", o.SupabaseURL))
	for name, value := range map[string]string{
		"the project's anon key": o.AnonKey, "landlord A": o.A.Email, "landlord B": o.B.Email,
		"the password of landlord A": o.A.Password, "the password of landlord B": o.B.Password,
	} {
		if value == "" {
			missing = errors.Join(missing, fmt.Errorf("%s is missing", name))
		}
	}
	if o.Rate != 0 && o.Rate < 1 {
		missing = errors.Join(missing, errors.New("the rate is less than one request a second: sessions would end before the run")) // there are a few thousand
	}
	if o.A.Email != "" && strings.EqualFold(o.A.Email, o.B.Email) {
		missing = errors.Join(missing, errors.New("landlords A and B are one"))
	}
	return missing
}

// cleaning bounds the work after the last attack, which goes on when the run was
// stopped.
const cleaning = 3 * time.Minute

// run is one run.
type run struct {
	Options
	client *client
	all    []operation
	a, b   *canary
	report *Report
	places map[string]int // of operations in the report

	comparing bool // B's rows are being compared
	harmed    bool // B's rows are no longer what they were
}

// Run tries every operation and returns what it has found; it returns a report
// even when it could not start. It deletes what it has made also when ctx ends
// before. Two runs at a time must not use the same landlords.
func Run(ctx context.Context, o Options) *Report {
	r := &run{Options: o, report: &Report{
		Target: o.URL, StartedAt: time.Now().UTC(),
		Crossings: []Crossing{}, Operations: []Operation{}, Kept: []string{}, NotDeleted: []string{},
	}}
	if r.Timeout == 0 {
		r.Timeout = 20 * time.Second
	}
	if err := r.do(ctx); err != nil {
		r.report.Error = err.Error()
	}
	if r.client != nil {
		r.report.Requests = r.client.sent
	}
	r.report.FinishedAt = time.Now().UTC()
	r.report.conclude()
	return r.report
}

func (r *run) do(ctx context.Context) (err error) {
	if err := r.Check(); err != nil {
		return err
	}
	r.client = &client{base: strings.TrimRight(r.URL, "/"), http: &http.Client{
		Timeout:       r.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // tokens go nowhere else
	}}
	if r.Rate > 0 {
		ticker := time.NewTicker(time.Duration(float64(time.Second) / r.Rate))
		defer ticker.Stop()
		r.client.tick = ticker.C
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	number := make([]byte, 4)
	_, _ = rand.Read(number) // it never fails
	r.report.RunID = hex.EncodeToString(number)
	for name, at := range map[string]**canary{"a": &r.a, "b": &r.b} {
		landlord := r.A
		if name == "b" {
			landlord = r.B
		}
		s, err := signIn(ctx, r.Options, landlord)
		if err != nil {
			return err
		}
		*at = newCanary(name, r.report.RunID, s)
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Timeout)
			defer cancel()
			err = errors.Join(err, s.signOut(ctx, r.Options))
		}()
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
		defer cancel()
		r.cleanUp(ctx, r.a)
		r.cleanUp(ctx, r.b)
	}()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	return r.attacks(ctx)
}

// read fetches the document.
func (r *run) read(ctx context.Context) error {
	a, err := r.client.send(ctx, http.MethodGet, "/openapi.json", http.Header{}, nil)
	if err != nil {
		return fmt.Errorf("fetch the OpenAPI document: %w", err)
	}
	if !a.ok() {
		return fmt.Errorf("fetch the OpenAPI document: %s", a.problem())
	}
	if r.all, err = operations(a.body); err != nil {
		return err
	}
	var about struct{ Info struct{ Version string } }
	if err := json.Unmarshal(a.body, &about); err != nil {
		return fmt.Errorf("read the OpenAPI document: %w", err)
	}
	r.report.Version = about.Info.Version
	r.places = map[string]int{}
	for i, o := range r.all {
		r.places[o.ID] = i
		r.report.Operations = append(r.report.Operations, Operation{ID: o.ID, Method: o.method, Path: o.path})
	}
	if len(r.places) != len(r.all) {
		return errors.New("read the OpenAPI document: two operations have one id")
	}
	return nil
}

func (r *run) other(c *canary) *canary {
	if c == r.a {
		return r.b
	}
	return r.a
}

// of is an operation in the report.
func (r *run) of(o operation) *Operation { return &r.report.Operations[r.places[o.ID]] }

// judged counts an answer that was judged.
func (r *run) judged(o operation) { r.of(o).Checks++ }

// uncovered says why an operation could not be tried.
func (r *run) uncovered(o operation, reason string, args ...any) {
	at := r.of(o)
	at.Reasons = appendNew(at.Reasons, fmt.Sprintf(reason, args...))
}

// note says what limits the proof for an operation.
func (r *run) note(o operation, text string) {
	at := r.of(o)
	at.Notes = appendNew(at.Notes, text)
}

// cross reports a crossing, once for each operation and check.
func (r *run) cross(o operation, check, request string, leaked []string) {
	for i, c := range r.report.Crossings {
		if c.Operation == o.ID && c.Check == check {
			for _, at := range leaked {
				c.Leaked = appendNew(c.Leaked, at)
			}
			r.report.Crossings[i] = c
			return
		}
	}
	r.report.Crossings = append(r.report.Crossings, Crossing{o.ID, check, request, leaked[:min(len(leaked), most)]})
}

// most bounds the lists of a report: what lies beyond says nothing more.
const most = 20

func appendNew(list []string, text string) []string {
	if len(list) >= most || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
