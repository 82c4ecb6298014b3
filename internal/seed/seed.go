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

	"rowhouse/internal/accounts"
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
// whose books are not empty, or whose password was changed, are left as they are.
// It returns the addresses to sign in with.
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
		id, err := signIn(client, address)
		if err != nil {
			return nil, fmt.Errorf("seed %s: %w", address, err)
		}
		if id == uuid.Nil {
			continue
		}
		if err := fill(auth.With(ctx, auth.Identity{UserID: id}), d, id, address, size); err != nil {
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

// signIn signs a landlord up, or in. It returns uuid.Nil for one who exists with
// another password.
func signIn(client *supabase.Client, address string) (uuid.UUID, error) {
	up, err := client.Auth.Signup(types.SignupRequest{Email: address, Password: Password})
	switch {
	case err == nil && up.AccessToken == "":
		return uuid.Nil, errors.New("sign up: the identity provider asks for a confirmation first; switch that off to seed")
	case err == nil:
		return up.Session.User.ID, nil
	case !strings.Contains(err.Error(), "user_already_exists"):
		return uuid.Nil, fmt.Errorf("sign up: %w", err)
	}
	in, err := client.Auth.SignInWithEmailPassword(address, Password)
	switch {
	case err == nil:
		return in.User.ID, nil
	case strings.Contains(err.Error(), "invalid_credentials"):
		return uuid.Nil, nil
	}
	return uuid.Nil, fmt.Errorf("sign in: %w", err)
}

// onboard has a landlord say who they are, unless they have.
func onboard(ctx context.Context, tx *db.Tx, address string) error {
	self, err := query.New().UserForUpdate(ctx, tx)
	if err != nil || self.OnboardingStep > 1 {
		return err
	}
	name, _, _ := strings.Cut(address, "@")
	english, dutch, amsterdam, euro := "en-GB", "NL", "Europe/Amsterdam", "EUR"
	return query.New().UserOnboard(ctx, tx, query.UserOnboardParams{
		FullName: &name, Locale: &english, Country: &dutch, TimeZone: &amsterdam, Currency: &euro, OnboardingStep: 6,
	})
}

func fill(ctx context.Context, d *db.DB, id uuid.UUID, address string, size Size) error {
	q := query.New()
	if _, err := accounts.Keep(ctx, d, accounts.Account{ID: id, Email: address}); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := d.AsUser(ctx, db.ReadWrite, func(tx *db.Tx) error { return onboard(ctx, tx, address) }); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := d.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		_, there, err := q.PropertiesPageWithCount(ctx, tx, query.PropertiesPageParams{})
		if err != nil || there > 0 {
			return err
		}
		if err := q.SeedProperties(ctx, tx, size.Properties); err != nil {
			return err
		}
		return q.SeedUnits(ctx, tx, size.Units)
	}); err != nil {
		return fmt.Errorf("units: %w", err)
	}
	return nil
}
