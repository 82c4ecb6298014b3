// Package importclient imports a spreadsheet through the API, as a landlord's browser
// does: it sends the file, shows what would come of it, has it run, and fetches the rows
// that were not taken.
package importclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Config is what Run needs; OnExisting, UnknownUnits, HTTP and Poll may be zero.
type Config struct {
	URL   string // of the server
	Token string // the landlord's access token
	Kind  string // units, tenants or portfolio
	File  string // its name

	OnExisting   string // skip, fill or update
	UnknownUnits string // error or create
	DryRun       bool   // show what would come of it and leave nothing behind

	Out  io.Writer // hears of the progress
	HTTP *http.Client
	Poll time.Duration // how often the progress is asked for; 0 means half a second
}

// Result says what came of the rows of a file, or would.
type Result struct {
	State                                  string
	Total, Create, Update, Unchanged, Skip int
	Error                                  int
	// FailedFile holds the rows that were not taken; empty if all were.
	FailedFile string
}

// ErrNotMapped says that the headings of the file do not say what its columns are.
var ErrNotMapped = errors.New("the file's headings do not say what its columns are")

// shown is what is read of an import.
type shown struct {
	ID      string
	State   string
	Missing []string
	Rows    struct{ Total, Create, Update, Unchanged, Skip, Error int }
	Done    int
}

func (s shown) result() Result {
	return Result{
		State: s.State, Total: s.Rows.Total, Create: s.Rows.Create, Update: s.Rows.Update, Unchanged: s.Rows.Unchanged,
		Skip: s.Rows.Skip, Error: s.Rows.Error,
	}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// Run imports the file. Rows that are not taken are no error: Result counts them, and
// names the file beside the given one that holds them. It fails with ErrNotMapped if the
// columns have to be mapped first, which is for the app to do.
func Run(ctx context.Context, c Config) (Result, error) {
	base, err := url.Parse(strings.TrimRight(c.URL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && (base.Scheme != "http" || !loopback(base.Hostname())) {
		return Result{}, errors.New("the server's URL must begin with https://, or with http:// on this machine")
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: 5 * time.Minute}
	}
	if c.Poll == 0 {
		c.Poll = 500 * time.Millisecond
	}
	r := &run{Config: c, base: base.String() + "/api/v1"}
	// the token goes to no other server
	r.HTTP = &http.Client{Transport: c.HTTP.Transport, Timeout: c.HTTP.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return r.do(ctx)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

type run struct {
	Config
	base string
}

func (r *run) do(ctx context.Context) (Result, error) {
	now, err := r.send(ctx)
	if err != nil {
		return Result{}, err
	}
	r.say("%d rows: %s\n", now.Rows.Total, tiles(now))
	switch {
	case now.State == "UPLOADED":
		return now.result(), fmt.Errorf("%w: there is no column for %s. Map them in the app, under Imports",
			ErrNotMapped, strings.Join(now.Missing, ", "))
	case r.DryRun:
		result, err := r.finish(ctx, now)
		return result, errors.Join(err, r.ask(ctx, http.MethodDelete, "/imports/"+now.ID, nil, nil))
	}
	if err := r.ask(ctx, http.MethodPost, "/imports/"+now.ID+"/run", nil, &now); err != nil {
		return now.result(), err
	}
	for now.State == "RUNNING" {
		r.say("\r%s %d of %d", bar(now.Done, now.Rows.Total), now.Done, now.Rows.Total)
		select {
		case <-ctx.Done():
			r.say("\nIt goes on without you; the app shows how far it is.\n")
			return now.result(), ctx.Err()
		case <-time.After(r.Poll):
		}
		if err := r.ask(ctx, http.MethodGet, "/imports/"+now.ID, nil, &now); err != nil {
			return now.result(), err
		}
	}
	r.say("\r%s %d of %d\n%s: %s\n", bar(now.Done, now.Rows.Total), now.Done, now.Rows.Total, now.State, tiles(now))
	return r.finish(ctx, now)
}

// send sends the file.
func (r *run) send(ctx context.Context) (now shown, err error) {
	data, err := os.ReadFile(r.File)
	if err != nil {
		return now, err
	}
	query := url.Values{"fileName": {filepath.Base(r.File)}}
	for name, value := range map[string]string{"onExisting": r.OnExisting, "unknownUnits": r.UnknownUnits} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return now, r.ask(ctx, http.MethodPost, "/"+r.Kind+"/import?"+query.Encode(), data, &now)
}

// finish fetches the rows that were not taken.
func (r *run) finish(ctx context.Context, now shown) (Result, error) {
	result := now.result()
	if result.Error == 0 {
		return result, nil
	}
	var text []byte
	if err := r.ask(ctx, http.MethodGet, "/imports/"+now.ID+"/failed.csv", nil, &text); err != nil {
		return result, err
	}
	result.FailedFile = strings.TrimSuffix(r.File, filepath.Ext(r.File)) + ".failed.csv"
	r.say("What is wrong with the others stands in %s.\n", result.FailedFile)
	return result, os.WriteFile(result.FailedFile, text, 0o600)
}

// attempts is how often a request is sent that the server was too busy for.
const attempts = 5

// ask sends a request, again while the server is too busy, and reads the answer into
// out: JSON, or for a *[]byte as it is. One key makes sure that it is done once.
func (r *run) ask(ctx context.Context, method, path string, body []byte, out any) error {
	key := rand.Text()
	for attempt := 1; ; attempt++ {
		request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+r.Token)
		request.Header.Set("User-Agent", "rowhouse-import")
		if body != nil {
			request.Header.Set("Content-Type", "text/csv")
			request.Header.Set("Idempotency-Key", key)
		}
		wait, err := r.once(request, out)
		if wait == 0 || attempt == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// once returns how long to wait before another attempt, or 0 for none.
func (r *run) once(request *http.Request, out any) (wait time.Duration, err error) {
	response, err := r.HTTP.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	if response.StatusCode >= 300 {
		if response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable {
			wait = time.Second
			if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
				wait = time.Duration(min(max(seconds, 1), 60)) * time.Second
			}
		}
		var problem struct{ Detail string }
		if json.Unmarshal(data, &problem) != nil || problem.Detail == "" {
			problem.Detail = "The server answers " + response.Status + "."
		}
		return wait, errors.New(problem.Detail)
	}
	switch out := out.(type) {
	case nil:
		return 0, nil
	case *[]byte:
		*out = data
		return 0, nil
	default:
		return 0, json.Unmarshal(data, out)
	}
}

func (r *run) say(format string, args ...any) { _, _ = fmt.Fprintf(r.Out, format, args...) }

func tiles(s shown) string {
	return fmt.Sprintf("%d to create, %d to update, %d unchanged, %d skipped, %d with errors", s.Rows.Create, s.Rows.Update, s.Rows.Unchanged, s.Rows.Skip, s.Rows.Error)
}

// barWidth is how many signs a progress bar has.
const barWidth = 30

func bar(done, total int) string {
	filled := barWidth * done / max(total, 1)
	return "[" + strings.Repeat("#", filled) + strings.Repeat(".", barWidth-filled) + "]"
}
