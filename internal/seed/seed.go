// Package seed signs up demo landlords and gives them something to manage.
package seed

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/supabase-community/gotrue-go/types"
	"github.com/supabase-community/supabase-go"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// Password is that of every demo landlord.
const Password = "rowhouse-demo"

// Size is how much to make.
type Size struct {
	Landlords  int
	Properties int32 // of each landlord
	Units      int32 // in each property
}

// Run signs up the landlords that do not exist yet, through the identity
// provider as they would themselves, and fills their books as them. Landlords
// who exist are left as they are. It returns the addresses to sign in with.
//
// The provider must confirm sign-ups at once.
func Run(ctx context.Context, d *db.DB, supabaseURL, anonKey string, size Size) ([]string, error) {
	client, err := supabase.NewClient(supabaseURL, anonKey, nil)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	var addresses []string
	for n := range size.Landlords {
		address := fmt.Sprintf("landlord-%s@example.com", name(n))
		addresses = append(addresses, address)
		id, fresh, err := signUp(client, address)
		if err != nil {
			return nil, fmt.Errorf("seed %s: %w", address, err)
		}
		if !fresh {
			continue
		}
		if err := fill(auth.With(ctx, auth.Identity{UserID: id}), d, address, size); err != nil {
			return nil, fmt.Errorf("seed %s: %w", address, err)
		}
	}
	return addresses, nil
}

// name counts a, b, …, z, a1, b1, ….
func name(n int) string {
	letter := string(rune('a' + n%26))
	if n < 26 {
		return letter
	}
	return fmt.Sprintf("%s%d", letter, n/26)
}

func signUp(client *supabase.Client, address string) (id uuid.UUID, fresh bool, err error) {
	answer, err := client.Auth.Signup(types.SignupRequest{Email: address, Password: Password})
	switch {
	case err != nil && strings.Contains(err.Error(), "user_already_exists"):
		return uuid.Nil, false, nil
	case err != nil:
		return uuid.Nil, false, fmt.Errorf("sign up: %w", err)
	case answer.AccessToken == "":
		return uuid.Nil, false, errors.New("sign up: the identity provider asks for a confirmation first; switch that off to seed")
	}
	return answer.Session.User.ID, true, nil
}

func fill(ctx context.Context, d *db.DB, address string, size Size) error {
	q := query.New()
	if err := d.AsUser(ctx, db.ReadWrite, func(tx *db.Tx) error {
		return q.UserProvision(ctx, tx, &address)
	}); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := d.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		if err := q.SeedProperties(ctx, tx, size.Properties); err != nil {
			return err
		}
		return q.SeedUnits(ctx, tx, size.Units)
	}); err != nil {
		return fmt.Errorf("units: %w", err)
	}
	return nil
}
