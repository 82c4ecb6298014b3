package authclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	authgo "github.com/supabase-community/auth-go"
	authtypes "github.com/supabase-community/auth-go/types"
	"github.com/supabase-community/gotrue-go"
	"github.com/supabase-community/gotrue-go/types"
	"github.com/supabase-community/supabase-go"
)

// Healthy asks whether the provider answers at all.
func (c *Client) Healthy() error {
	return c.supabase(func(auth gotrue.Client) error {
		_, err := auth.HealthCheck()
		return err
	})
}

// SignIn opens a session with a password.
func (c *Client) SignIn(email, password string) (s Session, err error) {
	err = c.supabase(func(auth gotrue.Client) error {
		answer, err := auth.SignInWithEmailPassword(email, password)
		if err != nil {
			return err
		}
		s, err = fromGotrue(answer.Session)
		return err
	})
	return s, err
}

// Refresh trades a refresh token for the session's next tokens.
func (c *Client) Refresh(token string) (s Session, err error) {
	err = c.supabase(func(auth gotrue.Client) error {
		answer, err := auth.RefreshToken(token)
		if err != nil {
			return err
		}
		s, err = fromGotrue(answer.Session)
		return err
	})
	return s, err
}

// User is what the provider knows of the caller.
type User struct {
	ID       uuid.UUID
	Email    string
	NewEmail string // asked for and not confirmed yet
	Factors  []Factor
}

// Factor is a second factor.
type Factor struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"name"`
	Verified bool      `json:"verified"`
}

// User asks who the caller is.
func (c *Client) User() (u User, err error) {
	err = c.supabase(func(auth gotrue.Client) error {
		answer, err := auth.GetUser()
		if err != nil {
			return err
		}
		u = User{ID: answer.ID, Email: answer.Email, NewEmail: answer.EmailChange, Factors: []Factor{}}
		for _, f := range answer.Factors {
			if f.FactorType == string(types.FactorTypeTOTP) {
				u.Factors = append(u.Factors, Factor{ID: f.ID, Name: f.FriendlyName, Verified: f.Status == verified})
			}
		}
		return nil
	})
	return u, err
}

// SignUp registers an address. The provider mails it a link that ends at redirectTo.
func (c *Client) SignUp(email, password string, data map[string]any, redirectTo string) error {
	return c.plain(http.MethodPost, "/signup", url.Values{"redirect_to": {redirectTo}},
		map[string]any{"email": email, "password": password, "data": data}, nil)
}

// Recover mails a link to set another password.
func (c *Client) Recover(email, redirectTo string) error {
	return c.authGo(func(auth authgo.Client) error {
		return auth.Recover(authtypes.RecoverRequest{Email: email, RedirectTo: redirectTo})
	})
}

// MagicLink mails a link to sign in with, if there is such a user.
func (c *Client) MagicLink(email, redirectTo string) error {
	return c.authGo(func(auth authgo.Client) error {
		return auth.OTP(authtypes.OTPRequest{Email: email, RedirectTo: redirectTo})
	})
}

// Resend mails again what kind ("signup" or "email_change") says.
func (c *Client) Resend(kind, email, redirectTo string) error {
	return c.plain(http.MethodPost, "/resend", url.Values{"redirect_to": {redirectTo}}, map[string]any{"type": kind, "email": email}, nil)
}

// ErrHalf says that the change of an address was confirmed at one of both addresses.
var ErrHalf = errors.New("the other address has to be confirmed too")

// Verify uses up a mailed link. The error may be ErrHalf.
func (c *Client) Verify(kind, tokenHash string) (s Session, err error) {
	var answer types.Session
	if err = c.plain(http.MethodPost, "/verify", nil, map[string]any{"type": kind, "token_hash": tokenHash}, &answer); err != nil {
		return s, err
	}
	if kind == "email_change" && answer.AccessToken == "" {
		return s, ErrHalf
	}
	if s, err = fromGotrue(answer); err != nil {
		return s, Unavailable(err)
	}
	return s, nil
}

// Authorize returns where the browser signs in with another provider, and the
// verifier with which the code that it comes back with is worth a session.
func (c *Client) Authorize(provider, redirectTo string) (location, verifier string, err error) {
	err = c.authGo(func(auth authgo.Client) error {
		answer, err := auth.Authorize(authtypes.AuthorizeRequest{
			Provider: authtypes.Provider(provider), RedirectTo: redirectTo, FlowType: authtypes.FlowPKCE,
		})
		if err != nil {
			return err
		}
		location, verifier = answer.AuthorizationURL, answer.Verifier
		return nil
	})
	return location, verifier, err
}

// Exchange opens the session that a code and its verifier are worth.
func (c *Client) Exchange(code, verifier string) (s Session, err error) {
	err = c.authGo(func(auth authgo.Client) error {
		answer, err := auth.Token(authtypes.TokenRequest{GrantType: "pkce", Code: code, CodeVerifier: verifier})
		if err != nil {
			return err
		}
		second := false
		for _, f := range answer.User.Factors {
			second = second || f.Status == verified
		}
		s, err = NewSession(answer.AccessToken, answer.RefreshToken, second)
		return err
	})
	return s, err
}

// SignOut ends sessions of the caller: "local" this one, "others" all but this,
// "global" all.
func (c *Client) SignOut(scope string) error {
	return c.plain(http.MethodPost, "/logout", url.Values{"scope": {scope}}, nil, nil)
}

// ChangeEmail asks for another address. The provider mails links to confirm it.
func (c *Client) ChangeEmail(email, redirectTo string) error {
	return c.plain(http.MethodPut, "/user", url.Values{"redirect_to": {redirectTo}}, map[string]any{"email": email}, nil)
}

// ChangePassword sets another password and ends the caller's other sessions. current
// and nonce are for providers that ask for them; empty ones are left out.
func (c *Client) ChangePassword(password, current, nonce string) error {
	return c.plain(http.MethodPut, "/user", nil, struct {
		Password string `json:"password"`
		Current  string `json:"current_password,omitempty"`
		Nonce    string `json:"nonce,omitempty"`
	}{password, current, nonce}, nil)
}

// Reauthenticate mails the caller a nonce.
func (c *Client) Reauthenticate() error {
	return c.supabase(func(auth gotrue.Client) error { return auth.Reauthenticate() })
}

// Enrolled is a second factor that is not verified yet.
type Enrolled struct {
	ID     uuid.UUID `json:"id"`
	Secret string    `json:"secret"` // to type into an authenticator
	URI    string    `json:"uri"`    // the same for a QR code
}

// Enroll begins a second factor.
func (c *Client) Enroll(name, issuer string) (e Enrolled, err error) {
	err = c.supabase(func(auth gotrue.Client) error {
		answer, err := auth.EnrollFactor(types.EnrollFactorRequest{FriendlyName: name, FactorType: types.FactorTypeTOTP, Issuer: issuer})
		if err != nil {
			return err
		}
		e = Enrolled{ID: answer.ID, Secret: answer.TOTP.Secret, URI: answer.TOTP.URI}
		return nil
	})
	return e, err
}

// Challenge is to be answered with a code of the factor.
type Challenge struct {
	ID        uuid.UUID `json:"id"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Challenge asks a factor for its code.
func (c *Client) Challenge(factor uuid.UUID) (ch Challenge, err error) {
	err = c.supabase(func(auth gotrue.Client) error {
		answer, err := auth.ChallengeFactor(types.ChallengeFactorRequest{FactorID: factor})
		if err != nil {
			return err
		}
		ch = Challenge{ID: answer.ID, ExpiresAt: answer.ExpiresAt.UTC()}
		return nil
	})
	return ch, err
}

// VerifyFactor answers a challenge: the caller's session is aal2 from there on.
func (c *Client) VerifyFactor(factor, challenge uuid.UUID, code string) (s Session, err error) {
	err = c.supabase(func(auth gotrue.Client) error {
		answer, err := auth.VerifyFactor(types.VerifyFactorRequest{FactorID: factor, ChallengeID: challenge, Code: code})
		if err != nil {
			return err
		}
		s, err = NewSession(answer.AccessToken, answer.RefreshToken, true)
		return err
	})
	return s, err
}

// Unenroll removes a factor.
func (c *Client) Unenroll(factor uuid.UUID) error {
	return c.supabase(func(auth gotrue.Client) error {
		_, err := auth.UnenrollFactor(types.UnenrollFactorRequest{FactorID: factor})
		return err
	})
}

// verified is the status of a factor that counts.
const verified = "verified"

func fromGotrue(answer types.Session) (Session, error) {
	second := false
	for _, f := range answer.User.Factors {
		second = second || f.Status == verified
	}
	return NewSession(answer.AccessToken, answer.RefreshToken, second)
}

// plain asks without a library. in and out are JSON, or nil for nothing.
func (c *Client) plain(method, path string, query url.Values, in, out any) error {
	return c.ask(func(client http.Client) error {
		body := []byte("{}")
		if in != nil {
			var err error
			if body, err = json.Marshal(in); err != nil {
				return err
			}
		}
		address := c.provider.config.URL + supabase.AUTH_URL + path
		if len(query) > 0 {
			address += "?" + query.Encode()
		}
		r, err := http.NewRequestWithContext(c.ctx, method, address, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("apikey", c.provider.config.AnonKey)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode >= http.StatusMultipleChoices {
			return errSession
		}
		if out == nil {
			return nil
		}
		return json.NewDecoder(answer.Body).Decode(out)
	})
}
