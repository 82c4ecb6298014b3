package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// client sends requests to one server, at a bounded rate.
type client struct {
	base string
	http *http.Client
	tick <-chan time.Time // nil for no bound
	sent int
	lost bool // an answer to what may have made a row
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// maxAnswer bounds what is read of an answer; more is an error.
const maxAnswer = 16 << 20

// patience is how often a request is sent again that the server was too busy for.
const patience = 4

// send sends a request and, where the server is too busy, sends it again. body
// may be nil.
func (c *client) send(ctx context.Context, method, target string, header http.Header, body []byte) (answer, error) {
	for try := 1; ; try++ {
		a, err := c.once(ctx, method, target, header, body)
		busy := err == nil && (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable)
		if !busy || try == patience {
			return a, err
		}
		wait := time.Duration(try) * time.Second
		if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil {
			wait = time.Duration(min(seconds, 60)) * time.Second
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (c *client) once(ctx context.Context, method, target string, header http.Header, body []byte) (answer, error) {
	if c.tick != nil {
		select {
		case <-ctx.Done():
		case <-c.tick:
		}
	}
	if ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	var reader io.Reader = http.NoBody
	if body != nil {
		reader = bytes.NewReader(body)
	}
	if method != http.MethodGet {
		// who stops waiting does not learn what was made, and could not delete it
		ctx = context.WithoutCancel(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+target, reader)
	if err != nil {
		return answer{}, err
	}
	r.Header = header
	c.sent++
	response, err := c.http.Do(r)
	if err != nil {
		c.lost = c.lost || method != http.MethodGet
		return answer{}, withoutQuery(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		c.lost = c.lost || method != http.MethodGet
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if len(data) > maxAnswer {
		return answer{}, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return answer{response.StatusCode, response.Header, data}, nil
}

// withoutQuery takes the query, which may hold texts, out of an error.
func withoutQuery(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		path, _, _ := strings.Cut(failed.URL, "?")
		return fmt.Errorf("%s %s: %w", failed.Op, path, failed.Err)
	}
	return err
}

// problem is how the API says no; what it does not say is empty.
func (a answer) problem() string {
	var p struct {
		Code   string
		Errors []struct{ Pointer, Parameter, Header, Detail string }
	}
	_ = json.Unmarshal(a.body, &p) // another server may answer as it likes
	var text strings.Builder
	text.WriteString(strings.TrimSpace(strconv.Itoa(a.status) + " " + p.Code))
	for _, e := range p.Errors {
		fmt.Fprintf(&text, " (%s%s%s: %s)", e.Pointer, e.Parameter, e.Header, e.Detail)
	}
	return text.String()
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }
