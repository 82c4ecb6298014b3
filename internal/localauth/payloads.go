package localauth

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// metadata begins the payload of every hook. UUID is the same in all attempts of
// one call.
type metadata struct {
	UUID      uuid.UUID `json:"uuid"`
	Time      time.Time `json:"time"`
	Name      string    `json:"name"`
	IPAddress string    `json:"ip_address"`
}

// emailData is what a mail of the send-email hook is made of. The fields without
// a value belong to changes that the stand-in does not make, and are sent empty.
type emailData struct {
	Token        string `json:"token"`
	TokenHash    string `json:"token_hash"`
	RedirectTo   string `json:"redirect_to"`
	Action       string `json:"email_action_type"`
	SiteURL      string `json:"site_url"`
	TokenNew     string `json:"token_new"`
	TokenHashNew string `json:"token_hash_new"`
	OldEmail     string `json:"old_email"`
	OldPhone     string `json:"old_phone"`
	Provider     string `json:"provider"`
	FactorType   string `json:"factor_type"`
}

func (d *dispatcher) metadata(r *http.Request, name string) metadata {
	return metadata{UUID: uuid.New(), Time: d.now().UTC(), Name: name, IPAddress: clientIP(r)}
}

// userHook calls before-user-created or after-user-created; nil is off.
func (d *dispatcher) userHook(r *http.Request, hook *Hook, name string, u *user) error {
	if hook == nil {
		return nil
	}
	answer, err := d.call(r.Context(), hook, struct {
		Metadata metadata `json:"metadata"`
		User     *user    `json:"user"`
	}{d.metadata(r, name), u})
	if err != nil {
		return err
	}
	return consent(answer)
}

func (d *dispatcher) mailHook(r *http.Request, hook *Hook, u *user, data emailData) error {
	answer, err := d.call(r.Context(), hook, struct {
		Metadata metadata  `json:"metadata"`
		User     *user     `json:"user"`
		Data     emailData `json:"email_data"`
	}{d.metadata(r, "send-email"), u, data})
	if err != nil {
		return err
	}
	return consent(answer)
}

// tokenHook returns the claims that the hook wants signed instead of the draft.
// Its name in the payload is not the name of its setting.
func (d *dispatcher) tokenHook(r *http.Request, hook *Hook, draft claims, method string) (map[string]any, error) {
	answer, err := d.call(r.Context(), hook, struct {
		Metadata metadata `json:"metadata"`
		UserID   string   `json:"user_id"`
		Claims   claims   `json:"claims"`
		Method   string   `json:"authentication_method"`
	}{d.metadata(r, "customize-access-token"), draft.Subject, draft, method})
	if err != nil {
		return nil, err
	}
	var output struct {
		Claims json.RawMessage `json:"claims"`
	}
	if answer != nil {
		if err := json.Unmarshal(answer, &output); err != nil {
			return nil, malformed(err)
		}
	}
	switch {
	case answer == nil:
		output.Claims = json.RawMessage("null")
	case len(output.Claims) == 0:
		return nil, fail(http.StatusInternalServerError, "", "output claims field is missing")
	}
	return checkClaims(output.Claims)
}

// consent takes 204, any object and null; what it says does not matter.
func consent(answer []byte) error {
	if answer == nil {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(answer, &object); err != nil {
		return malformed(err)
	}
	return nil
}

func malformed(err error) error {
	return fail(http.StatusInternalServerError, "unexpected_failure", "Error unmarshaling JSON output.").because(err)
}
