package importcli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// batch is what is read of an import.
type batch struct {
	ID        string
	State     string
	EarlierID string
	Done      int
	Invited   int
	Rows      struct{ Total, Create, Update, Unchanged, Skip, Error, Warning int }
	Columns   []struct{ Heading, Field, Suggested string }
	Missing   []string
}

// failedRow is what is read of a row that is not taken.
type failedRow struct {
	Line                 int
	Field, Code, Message string
}

const (
	// maxAnswer bounds what is read of an answer into memory.
	maxAnswer = 4 << 20
	// maxFailed bounds a file of rows that are not taken: they were in a file of at
	// most maxFile, and each says what is wrong with it.
	maxFailed = 64 << 20
	// patience is how often a request is sent again that the server was too busy for,
	// or whose answer was lost.
	patience = 4
)

// client sends a landlord's requests to one server.
type client struct {
	base, token string
	http        *http.Client
}

func newClient(base, token string) *client {
	return &client{base: strings.TrimRight(base, "/") + "/api/v1", token: token, http: &http.Client{
		Timeout:       5 * time.Minute, // a large file is checked before it is answered
		CheckRedirect: func(*http.Request, []*http.Request) error { return errElsewhere },
	}}
}

var errElsewhere = errors.New("the server sends us elsewhere; the token goes there only if you name that address")

// upload sends the file. When ctx ends meanwhile, it waits a little for the answer:
// whoever does not know what was made cannot have it forgotten.
func (r *run) upload(ctx context.Context, content []byte) (b batch, err error) {
	ctx, cancel := lingering(ctx, lingers)
	defer cancel()
	query := url.Values{"fileName": {filepath.Base(r.File)}}
	if r.SendInvites {
		query.Set("sendInvites", "true")
	}
	for name, value := range map[string]string{"onExisting": r.OnExisting, "unknownUnits": r.UnknownUnits} {
		if value != "" {
			query.Set(name, value)
		}
	}
	// with the key, a file that is sent again is not another import
	header := http.Header{"Content-Type": {"text/csv"}, "Idempotency-Key": {uuid.NewString()}}
	err = r.client.call(ctx, http.MethodPost, "/"+r.Kind+"/import?"+query.Encode(), header, content, &b)
	return b, err
}

const lingers = 15 * time.Second

// lingering ends some time after ctx.
func lingering(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(wait, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}

func (c *client) show(ctx context.Context, id string) (b batch, err error) {
	err = c.call(ctx, http.MethodGet, "/imports/"+url.PathEscape(id), nil, nil, &b)
	return b, err
}

// start runs an import. If the answer was lost it may be running already, and is then
// no failure.
func (c *client) start(ctx context.Context, id string) (b batch, err error) {
	err = c.call(ctx, http.MethodPost, "/imports/"+url.PathEscape(id)+"/run", nil, nil, &b)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.status == http.StatusConflict {
		if now, err := c.show(ctx, id); err == nil && now.State != "CHECKED" && now.State != "UPLOADED" {
			return now, nil
		}
	}
	return b, err
}

// cancel stops an import, if there is still something to stop.
func (c *client) cancel(ctx context.Context, id string) (b batch, err error) {
	err = c.call(ctx, http.MethodPost, "/imports/"+url.PathEscape(id)+"/cancel", nil, nil, &b)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.status == http.StatusConflict {
		return c.show(ctx, id)
	}
	return b, err
}

func (c *client) forget(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/imports/"+url.PathEscape(id), nil, nil, nil)
}

// errors are the first rows that are not taken.
func (c *client) errors(ctx context.Context, id string, most int) ([]failedRow, error) {
	var page struct{ Rows []failedRow }
	err := c.call(ctx, http.MethodGet, "/imports/"+url.PathEscape(id)+"/rows?filter=ERROR&limit="+strconv.Itoa(most), nil, nil, &page)
	return page.Rows, err
}

// failed writes the file of rows that are not taken.
func (c *client) failed(ctx context.Context, id string, to io.Writer) error {
	return c.send(ctx, http.MethodGet, "/imports/"+url.PathEscape(id)+"/failed.csv", nil, nil, func(body io.Reader) error {
		n, err := io.Copy(to, io.LimitReader(body, maxFailed+1))
		if err == nil && n > maxFailed {
			err = errors.New("the answer is too long")
		}
		return err
	})
}

// call sends a request and reads the answer, JSON, into to, if that is not nil.
func (c *client) call(ctx context.Context, method, path string, header http.Header, body []byte, to any) error {
	return c.send(ctx, method, path, header, body, func(answer io.Reader) error {
		text, err := io.ReadAll(io.LimitReader(answer, maxAnswer+1))
		switch {
		case err != nil:
			return err
		case len(text) > maxAnswer:
			return errors.New("the answer is too long")
		case to == nil:
			return nil
		}
		if err := json.Unmarshal(text, to); err != nil {
			return fmt.Errorf("this is not the answer of Rowhouse's API: %w", err)
		}
		return nil
	})
}

// send sends a request, again if the server was too busy for it or could not be
// reached: all of ours can be sent twice.
func (c *client) send(ctx context.Context, method, path string, header http.Header, body []byte, read func(io.Reader) error) error {
	for try := 1; ; try++ {
		wait, err := c.once(ctx, method, path, header, body, read)
		if err == nil || wait == 0 || try == patience || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(wait, time.Duration(try)*time.Second)):
		}
	}
}

// once sends a request. wait is how long to wait before it may be sent again, if it may.
func (c *client) once(ctx context.Context, method, path string, header http.Header, body []byte, read func(io.Reader) error) (wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	maps.Copy(request.Header, header)
	request.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := c.http.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // the address is known, and its query has a file's name in it
		}
		if errors.Is(err, errElsewhere) {
			return 0, err
		}
		return time.Second, err
	}
	defer func() { _ = answer.Body.Close() }() // only read
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return 0, read(answer.Body)
	}
	refused := refusalOf(answer)
	if refused.status == http.StatusTooManyRequests || refused.status == http.StatusServiceUnavailable {
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		wait = time.Duration(min(max(seconds, 1), 60)) * time.Second
	}
	return wait, refused
}

// refusal is how the API says no.
type refusal struct {
	status                  int
	code, detail, requestID string
}

func refusalOf(answer *http.Response) *refusal {
	r := &refusal{status: answer.StatusCode}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10)) // another server may answer as it likes
	var p struct{ Code, Detail, RequestID string }
	if json.Unmarshal(text, &p) == nil {
		r.code, r.detail, r.requestID = p.Code, p.Detail, p.RequestID
	}
	return r
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("the server answers %d", r.status)
	if r.status == http.StatusUnauthorized {
		text += ": the token is not valid, or not any longer"
	}
	if r.detail != "" {
		text += ": " + plain(r.detail)
	}
	if r.code != "" {
		text += " (" + plain(r.code) + ", request " + plain(r.requestID) + ")"
	}
	return text
}
