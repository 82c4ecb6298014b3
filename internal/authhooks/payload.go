package authhooks

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"rowhouse/internal/accounts"
)

// audience is that of everybody who can sign in. At sign-up the caller chooses it.
const audience = "authenticated"

// metadata begins every payload.
type metadata struct {
	UUID uuid.UUID `json:"uuid"` // the same in all attempts of one call
	Time time.Time `json:"time"`
	Name string    `json:"name"`
}

// userPayload is that of before-user-created and after-user-created.
type userPayload struct {
	Metadata metadata `json:"metadata"`
	User     user     `json:"user"`
}

func (p userPayload) about() metadata { return p.Metadata }

// user is somebody as the provider knows them. The id of one who is not there yet may
// not become theirs.
type user struct {
	ID          uuid.UUID      `json:"id"`
	Audience    string         `json:"aud"`
	Email       string         `json:"email"`
	NewEmail    string         `json:"new_email"`
	IsAnonymous bool           `json:"is_anonymous"`
	UpdatedAt   time.Time      `json:"updated_at"`
	Metadata    jsontext.Value `json:"user_metadata"`
}

// ours tells whether somebody can sign in here.
func (u user) ours() bool {
	return u.ID != uuid.Nil && u.Audience == audience && !u.IsAnonymous
}

func (u user) account() accounts.Account {
	told := readHints(u.Metadata)
	return accounts.Account{ID: u.ID, Email: u.Email, Name: told.name, Invited: told.invited, AsOf: u.UpdatedAt}
}

// hints are what people write about themselves at the provider. They can be anything,
// and grant nothing.
type hints struct {
	name, locale, inviteToken string
	invited                   bool // signed up to claim an invite
}

func readHints(metadata jsontext.Value) hints {
	var members map[string]jsontext.Value
	if json.Unmarshal(metadata, &members, tolerant) != nil {
		return hints{}
	}
	text := func(name string) (s string) {
		if json.Unmarshal(members[name], &s, tolerant) != nil {
			return ""
		}
		return s
	}
	told := hints{name: text("full_name"), locale: text("locale"), inviteToken: text("invite_token")}
	told.invited = told.inviteToken != "" || text("signed_up_as") == "TENANT"
	return told
}
