package localauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// user is a row of auth.users, and as JSON the user of the REST API and hooks.
type user struct {
	ID                 uuid.UUID      `json:"id"`
	Aud                string         `json:"aud"`
	Role               string         `json:"role"`
	Email              string         `json:"email"`
	Password           string         `json:"-" db:"encrypted_password"`
	EmailConfirmedAt   *time.Time     `json:"email_confirmed_at,omitempty"`
	InvitedAt          *time.Time     `json:"invited_at,omitempty"`
	Phone              string         `json:"phone"`
	ConfirmationSentAt *time.Time     `json:"confirmation_sent_at,omitempty"`
	ConfirmedAt        *time.Time     `json:"confirmed_at,omitempty"`
	RecoverySentAt     *time.Time     `json:"recovery_sent_at,omitempty"`
	NewEmail           string         `json:"new_email,omitempty" db:"email_change"`
	EmailChangeSentAt  *time.Time     `json:"email_change_sent_at,omitempty"`
	EmailChangeHalves  int            `json:"-" db:"email_change_confirm_status"`
	ReauthSentAt       *time.Time     `json:"reauthentication_sent_at,omitempty" db:"reauthentication_sent_at"`
	LastSignInAt       *time.Time     `json:"last_sign_in_at,omitempty"`
	AppMetadata        map[string]any `json:"app_metadata" db:"raw_app_meta_data"`
	UserMetadata       map[string]any `json:"user_metadata" db:"raw_user_meta_data"`
	Factors            []factor       `json:"factors,omitempty" db:"-"`
	Identities         []identity     `json:"identities" db:"-"`
	CreatedAt          time.Time      `json:"created_at"`
	UpdatedAt          time.Time      `json:"updated_at"`
	BannedUntil        *time.Time     `json:"banned_until,omitempty"`
	IsAnonymous        bool           `json:"is_anonymous"`
}

// identity is a row of auth.identities.
type identity struct {
	IdentityID   uuid.UUID      `json:"identity_id"`
	ID           string         `json:"id" db:"provider_id"`
	UserID       uuid.UUID      `json:"user_id"`
	IdentityData map[string]any `json:"identity_data"`
	Provider     string         `json:"provider"`
	LastSignInAt *time.Time     `json:"last_sign_in_at,omitempty"`
	CreatedAt    time.Time      `json:"created_at"`
	UpdatedAt    time.Time      `json:"updated_at"`
	Email        string         `json:"email,omitempty"`
}

// querier is the pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// userByID returns nil if there is no such user.
func userByID(ctx context.Context, q querier, id uuid.UUID) (*user, error) {
	rows, err := q.Query(ctx, userByIDSQL, pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("read user: %w", err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[user])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read user: %w", err)
	}
	rows, err = q.Query(ctx, identitiesOfUserSQL, pgx.NamedArgs{"user_id": id})
	if err != nil {
		return nil, fmt.Errorf("read identities: %w", err)
	}
	if u.Identities, err = pgx.CollectRows(rows, pgx.RowToStructByName[identity]); err != nil {
		return nil, fmt.Errorf("read identities: %w", err)
	}
	if u.Factors, err = factorsOf(ctx, q, id); err != nil {
		return nil, err
	}
	u.inUTC()
	return u, nil
}

// userByEmail returns nil if nobody of this audience has the address.
func userByEmail(ctx context.Context, q querier, email, aud string) (*user, error) {
	var id uuid.UUID
	err := q.QueryRow(ctx, userIDByEmailSQL, pgx.NamedArgs{"email": email, "aud": aud}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	return userByID(ctx, q, id)
}

// reloaded reads u again after a change in the same transaction.
func reloaded(ctx context.Context, q querier, u *user) (*user, error) {
	fresh, err := userByID(ctx, q, u.ID)
	if err == nil && fresh == nil {
		return nil, fail(http.StatusForbidden, "user_not_found", "The user is gone")
	}
	return fresh, err
}

func (u *user) confirmed() bool { return u.EmailConfirmedAt != nil }

func (u *user) hasMFA() bool {
	return slices.ContainsFunc(u.Factors, func(f factor) bool { return f.verified() })
}

func (u *user) banned(now time.Time) bool {
	return u.BannedUntil != nil && now.Before(*u.BannedUntil)
}

// inUTC makes the JSON independent of the server's time zone.
func (u *user) inUTC() {
	for _, t := range []*time.Time{
		&u.CreatedAt, &u.UpdatedAt, u.EmailConfirmedAt, u.ConfirmedAt, u.ConfirmationSentAt,
		u.RecoverySentAt, u.LastSignInAt, u.BannedUntil, u.InvitedAt, u.EmailChangeSentAt, u.ReauthSentAt,
	} {
		if t != nil {
			*t = t.UTC()
		}
	}
	for i := range u.Factors {
		f := &u.Factors[i]
		f.CreatedAt, f.UpdatedAt = f.CreatedAt.UTC(), f.UpdatedAt.UTC()
		if f.LastChallengedAt != nil {
			*f.LastChallengedAt = f.LastChallengedAt.UTC()
		}
	}
	for i := range u.Identities {
		id := &u.Identities[i]
		id.CreatedAt, id.UpdatedAt = id.CreatedAt.UTC(), id.UpdatedAt.UTC()
		if id.LastSignInAt != nil {
			*id.LastSignInAt = id.LastSignInAt.UTC()
		}
	}
}
