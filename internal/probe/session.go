package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/supabase-community/supabase-go"
)

// Landlord is a canary: a landlord who exists to be attacked, or to attack.
type Landlord struct{ Email, Password string }

// session is a landlord's at the identity provider.
type session struct {
	landlord Landlord
	client   *supabase.Client // one a landlord: it keeps the token
	token    string
	until    time.Time
}

// bound sends everything within a context: the libraries take none.
type bound struct {
	ctx  context.Context
	next http.RoundTripper
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.next.RoundTrip(r.WithContext(b.ctx))
}

// signIn signs a landlord in at the project.
func signIn(ctx context.Context, o Options, l Landlord) (session, error) {
	client, err := supabase.NewClient(strings.TrimRight(o.SupabaseURL, "/"), o.AnonKey, nil)
	if err != nil {
		return session{}, fmt.Errorf("sign in: %w", err)
	}
	client.Auth = client.Auth.WithClient(http.Client{Timeout: o.Timeout, Transport: bound{ctx, http.DefaultTransport}})
	in, err := client.SignInWithEmailPassword(l.Email, l.Password)
	if err != nil {
		return session{}, fmt.Errorf("sign in as %s: %w", l.Email, err)
	}
	if in.AccessToken == "" {
		return session{}, errors.New("sign in: the identity provider gave no token")
	}
	return session{l, client, in.AccessToken, time.Now().Add(time.Duration(in.ExpiresIn) * time.Second)}, nil
}

// signOut ends this session alone: the library would end all of the landlord's.
func (s session) signOut(ctx context.Context, o Options) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(o.SupabaseURL, "/")+"/auth/v1/logout?scope=local", http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Apikey", o.AnonKey)
	r.Header.Set("Authorization", "Bearer "+s.token)
	response, err := (&http.Client{Timeout: o.Timeout}).Do(r)
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return response.Body.Close()
}
