package localauth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// factor is a row of auth.mfa_factors.
type factor struct {
	ID               uuid.UUID  `json:"id"`
	CreatedAt        time.Time  `json:"created_at"`
	UpdatedAt        time.Time  `json:"updated_at"`
	Status           string     `json:"status"`
	FriendlyName     string     `json:"friendly_name,omitempty"`
	Secret           string     `json:"-"`
	Type             string     `json:"factor_type" db:"factor_type"`
	Phone            string     `json:"phone"`
	LastChallengedAt *time.Time `json:"last_challenged_at"`
}

func (f factor) verified() bool { return f.Status == "verified" }

func factorsOf(ctx context.Context, q querier, userID uuid.UUID) ([]factor, error) {
	rows, err := q.Query(ctx, factorsOfUserSQL, pgx.NamedArgs{"user_id": userID})
	if err != nil {
		return nil, fmt.Errorf("read factors: %w", err)
	}
	factors, err := pgx.CollectRows(rows, pgx.RowToStructByName[factor])
	if err != nil {
		return nil, fmt.Errorf("read factors: %w", err)
	}
	return factors, nil
}
