package web

import (
	"net/http"
)

// InvitePath is where links of tenants' invites lead, with the token behind a #, where
// no server, log or referrer gets to know it.
const InvitePath = "/invite"

// invitePolicy lets in the one script that reads what stands behind the #.
const invitePolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// InvitePage answers at InvitePath.
func (s *Web) InvitePage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.render(w, page{Name: "invite", Status: http.StatusOK, Policy: invitePolicy})
	})
}
