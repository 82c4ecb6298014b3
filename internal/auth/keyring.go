package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refreshEvery stays below the 10 minutes for which the provider lets its
	// key set be cached, so that a revoked key is gone by then.
	refreshEvery = 9 * time.Minute
	// unknownEvery limits what callers with invented key ids can make us fetch.
	unknownEvery = time.Minute
	firstRetry   = 250 * time.Millisecond
	longestRetry = 15 * time.Second

	fetchTimeout = 5 * time.Second
	maxKeySetLen = 256 << 10
)

// keyring is the provider's published key set, kept current by one goroutine
// that makes all requests. The last good set is used for as long as no newer
// one can be had.
type keyring struct {
	url    string
	client *http.Client
	now    func() time.Time
	after  func(time.Duration) <-chan time.Time
	log    *slog.Logger

	state atomic.Pointer[keyState]
	stop  context.CancelFunc
	done  chan struct{} // closed when the goroutine has ended

	wanted  chan struct{} // asks the goroutine for a refresh
	mu      sync.Mutex
	asked   time.Time     // when a refresh was last asked for
	pending chan struct{} // closed at the end of the refresh asked for; nil if there is none
}

// keyState is what is known after a request; it is never changed.
type keyState struct {
	keys map[string]*key // by id; nil until a request has succeeded
	err  error           // of the latest request
}

// start makes the first request, bounded by ctx, and begins the refreshing.
func (r *keyring) start(ctx context.Context) {
	r.state.Store(&keyState{})
	r.wanted = make(chan struct{}, 1)
	r.done = make(chan struct{})
	failures := r.refresh(ctx, 0)
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	go r.keep(ctx, failures)
}

// close ends the refreshing and waits for it; Verify works on with what there is.
func (r *keyring) close() {
	r.stop()
	<-r.done
}

// find returns the key named id. An unknown id is looked up at the provider
// first, unless that was done less than unknownEvery ago.
func (r *keyring) find(ctx context.Context, id string) (*key, error) {
	s := r.state.Load()
	if s.keys == nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, s.err)
	}
	if k, ok := s.keys[id]; ok {
		return k, nil
	}
	if err := r.renew(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
	s = r.state.Load()
	if k, ok := s.keys[id]; ok {
		return k, nil
	}
	// Without a current set, a key made since the last one cannot be told from
	// one that never was; a 401 would sign people out during an outage.
	if s.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, s.err)
	}
	return nil, ErrUnknownKey
}

// holds reports whether k is in the current set.
func (r *keyring) holds(k *key) bool {
	return r.state.Load().keys[k.id] == k
}

// renew waits for a refresh, joining the one that others wait for. It returns
// at once if callers had one less than unknownEvery ago.
func (r *keyring) renew(ctx context.Context) error {
	r.mu.Lock()
	if r.pending == nil {
		now := r.now()
		if now.Sub(r.asked) < unknownEvery {
			r.mu.Unlock()
			return nil
		}
		r.asked = now
		r.pending = make(chan struct{})
		r.wanted <- struct{}{} // has room: nothing was pending
	}
	ended := r.pending
	r.mu.Unlock()

	select {
	case <-ended:
		return nil
	case <-r.done:
		return errors.New("key set is no longer refreshed")
	case <-ctx.Done():
		return fmt.Errorf("wait for the key set: %w", ctx.Err())
	}
}

// keep refreshes the set until ctx ends: on schedule, sooner after failures,
// and when asked to.
func (r *keyring) keep(ctx context.Context, failures int) {
	defer close(r.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.after(pause(failures)):
			failures = r.refresh(ctx, failures)
		case <-r.wanted:
			failures = r.refresh(ctx, failures)
			r.mu.Lock()
			close(r.pending)
			r.pending = nil
			r.mu.Unlock()
		}
	}
}

// pause is how long to wait after so many failures in a row.
func pause(failures int) time.Duration {
	if failures == 0 {
		return refreshEvery
	}
	d := firstRetry
	for range failures - 1 {
		if d *= 2; d >= longestRetry {
			return longestRetry
		}
	}
	return d
}

// refresh replaces the set, or keeps it and notes why. It returns how many
// requests in a row have failed, given how many had before.
func (r *keyring) refresh(ctx context.Context, failures int) int {
	previous := r.state.Load().keys
	body, err := r.fetch(ctx)
	var keys map[string]*key
	var ignored int
	if err == nil {
		keys, ignored, err = parseKeys(body, previous)
	}
	if err != nil {
		r.state.Store(&keyState{keys: previous, err: err})
		if errors.Is(ctx.Err(), context.Canceled) { // closing, or the caller gave up
			return failures + 1
		}
		r.log.WarnContext(ctx, "cannot refresh the signing keys", "url", r.url, "err", err, "keys_kept", len(previous))
		return failures + 1
	}
	r.state.Store(&keyState{keys: keys})
	if ignored > 0 {
		r.log.WarnContext(ctx, "ignored unusable signing keys", "url", r.url, "ignored", ignored, "usable", len(keys))
	}
	return 0
}

func (r *keyring) fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("request key set: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Close = true // an idle connection is of no use for minutes
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("request key set: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("request key set: answer is %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySetLen+1))
	if err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}
	if len(body) > maxKeySetLen {
		return nil, fmt.Errorf("read key set: longer than %d bytes", maxKeySetLen)
	}
	return body, nil
}
