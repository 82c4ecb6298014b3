package authhooks

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"rowhouse/internal/accounts"
	"rowhouse/internal/auth"
)

const (
	// requestTime is how long the provider works at a request at most. What a token says
	// was read from its database at the beginning.
	requestTime = 10 * time.Second
	// maxAnswer is what the provider takes for an answer.
	maxAnswer = 204800
	// profileClaim says whether the profile was there when the token was made. It grants
	// nothing; the API makes up for a profile that is missing.
	profileClaim = "rowhouse.dev/profile"
)

// keep keeps a profile, and tells whether it could. It must not fail the call.
func (h *hooks) keep(ctx context.Context, a accounts.Account) bool {
	err := h.within(ctx, func(ctx context.Context) error {
		_, err := accounts.Keep(ctx, h.db, a)
		return err
	})
	if err != nil {
		slog.WarnContext(auth.With(ctx, auth.Identity{UserID: a.ID}), "a profile was not kept; the user's first request will make it",
			"error", err, "sinceStart", h.unkept.Add(1))
	}
	return err == nil
}

// afterUserCreated keeps the profile. The provider calls it again with every sign-up
// that is repeated and every sign-in by OAuth, and not at all for some users.
func (h *hooks) afterUserCreated(ctx context.Context, p userPayload) (any, error) {
	if p.User.ours() {
		h.keep(ctx, p.User.account())
	}
	return struct{}{}, nil
}

type tokenPayload struct {
	Metadata metadata       `json:"metadata"`
	UserID   uuid.UUID      `json:"user_id"`
	Claims   jsontext.Value `json:"claims"`
}

func (p tokenPayload) about() metadata { return p.Metadata }

// claims are those that say whose profile a token needs.
type claims struct {
	Subject     uuid.UUID      `json:"sub"`
	Audience    jsontext.Value `json:"aud"`
	Role        string         `json:"role"`
	Email       string         `json:"email"`
	IsAnonymous bool           `json:"is_anonymous"`
	Metadata    jsontext.Value `json:"user_metadata"`
}

// account is that of the user for whom a token is made, if it will be one for us. As
// the user may have changed while the provider was at work, what the token says is
// taken to be as old as it can be.
func (p tokenPayload) account() (a accounts.Account, ok bool) {
	var c claims
	if json.Unmarshal(p.Claims, &c, tolerant) != nil || c.Subject != p.UserID || p.UserID == uuid.Nil ||
		c.Role != audience || c.IsAnonymous || !slices.Contains(audiences(c.Audience), audience) {
		return a, false
	}
	told := readHints(c.Metadata)
	return accounts.Account{
		ID: p.UserID, Email: c.Email, Name: told.name, Invited: told.invited, AsOf: p.Metadata.Time.Add(-requestTime),
	}, true
}

// audiences are those of a claim that is a text or a list.
func audiences(aud jsontext.Value) (all []string) {
	if json.Unmarshal(aud, &all, tolerant) == nil {
		return all
	}
	var one string
	if json.Unmarshal(aud, &one, tolerant) == nil {
		return []string{one}
	}
	return nil
}

// customAccessToken returns the claims as they are, but for aud as a text (the first
// token after each start of the provider has a list) and for ours.
//
// What people write about themselves goes along although it may be long: others may
// rely on it. But where the provider would not take the answer for it, and the user
// could never sign in again, it is left out.
func (h *hooks) customAccessToken(ctx context.Context, p tokenPayload) (any, error) {
	if p.Claims.Kind() != '{' {
		return nil, errMalformed
	}
	kept := false
	if account, ok := p.account(); ok {
		kept = h.keep(ctx, account)
	}
	claims, err := rewrite(p.Claims, kept, false)
	if err == nil && len(claims)+len(`{"claims":}`) > maxAnswer {
		slog.WarnContext(auth.With(ctx, auth.Identity{UserID: p.UserID}), "the user's metadata is too long for a token, and left out")
		claims, err = rewrite(p.Claims, kept, true)
	}
	if err != nil {
		return nil, errMalformed
	}
	return raw(slices.Concat([]byte(`{"claims":`), claims, []byte("}"))), nil
}

// rewrite copies claims member by member, each as it was written: a number that went
// through a float64 would be another.
func rewrite(claims jsontext.Value, profile, withoutMetadata bool) (jsontext.Value, error) {
	in := jsontext.NewDecoder(bytes.NewReader(claims), tolerant)
	if _, err := in.ReadToken(); err != nil { // {
		return nil, err
	}
	out := make(jsontext.Value, 0, len(claims)+64)
	out = append(out, '{')
	for in.PeekKind() == '"' {
		name, err := in.ReadValue()
		if err != nil {
			return nil, err
		}
		var member string
		if err := json.Unmarshal(name, &member, tolerant); err != nil {
			return nil, err
		}
		name = name.Clone() // the decoder will use its place again
		value, err := in.ReadValue()
		if err != nil {
			return nil, err
		}
		switch {
		case member == profileClaim, member == "user_metadata" && withoutMetadata:
			continue
		case member == "aud":
			value = single(value)
		}
		out = append(append(append(append(out, name...), ':'), value...), ',')
	}
	if _, err := in.ReadToken(); err != nil { // }
		return nil, err
	}
	out = append(append(out, '"'), profileClaim...)
	if profile {
		return append(out, `":true}`...), nil
	}
	return append(out, `":false}`...), nil
}

// single is the element of a list of one, and anything else as it is.
func single(aud jsontext.Value) jsontext.Value {
	var all []jsontext.Value
	if json.Unmarshal(aud, &all, tolerant) == nil && len(all) == 1 && all[0].Kind() == '"' {
		return all[0]
	}
	return aud
}
