package localauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

const maxRequestBytes = 1 << 20

// audience is what every user gets unless the client names another one.
const audience = "authenticated"

type handler func(http.ResponseWriter, *http.Request) error

// Handler serves the REST API, at the root like the bare service and under
// /auth/v1 like the hosted one. A test of a provider that is slow, or away, puts a
// handler of its own before it.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"POST /signup":               s.signup,
		"POST /token":                s.token,
		"GET /user":                  s.user,
		"PUT /user":                  s.updateUser,
		"GET /reauthenticate":        s.reauthenticate,
		"POST /logout":               s.logout,
		"POST /recover":              s.recover,
		"POST /otp":                  s.otp,
		"POST /magiclink":            s.magicLink,
		"POST /resend":               s.resend,
		"POST /verify":               s.verifyCode,
		"GET /verify":                s.followLink,
		"GET /settings":              s.settings,
		"GET /health":                s.health,
		"GET /.well-known/jwks.json": s.jwks,

		"GET /authorize":      s.authorize,
		"GET /callback":       s.callback,
		"POST /callback":      s.callback,
		"GET " + consentPath:  s.consent,
		"POST " + consentPath: s.consented,

		"POST /factors":                       s.enroll,
		"DELETE /factors/{factor_id}":         s.unenroll,
		"POST /factors/{factor_id}/challenge": s.challengeFactor,
		"POST /factors/{factor_id}/verify":    s.verifyFactor,

		"POST /invite":                  s.asAdmin(s.invite),
		"GET /admin/users":              s.asAdmin(s.adminList),
		"POST /admin/users":             s.asAdmin(s.adminCreate),
		"GET /admin/users/{user_id}":    s.asAdmin(s.adminGet),
		"PUT /admin/users/{user_id}":    s.asAdmin(s.adminUpdate),
		"DELETE /admin/users/{user_id}": s.asAdmin(s.adminDelete),
		"POST /admin/generate_link":     s.asAdmin(s.generateLink),
	} {
		mux.HandleFunc(pattern, s.answer(h))
	}
	root := http.NewServeMux()
	root.Handle("/", mux)
	root.Handle("/auth/v1/", http.StripPrefix("/auth/v1", mux))
	return root
}

// answer runs h with a bounded body and turns its error into an answer. The log
// line has the path without the query, which may hold a code.
func (s *Server) answer(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead { // which the mux takes for GET: a link would be used up
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		start := time.Now()
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBytes)
		err := protect(h, w, r)
		if err == nil {
			s.cfg.Logger.DebugContext(r.Context(), "local auth", "method", r.Method, "path", r.URL.Path, "took", time.Since(start))
			return
		}
		f := failureOf(err)
		f.id = writeFailure(w, r, f)
		s.logFailure(r, f)
	}
}

func (s *Server) logFailure(r *http.Request, f *failure) {
	log := s.cfg.Logger.With("method", r.Method, "path", r.URL.Path, "status", f.status, "code", f.code)
	if f.status >= http.StatusInternalServerError && r.Context().Err() == nil {
		log.ErrorContext(r.Context(), "local auth failed", "error_id", f.id, "error", f)
		return
	}
	log.InfoContext(r.Context(), "local auth refused")
}

func protect(h handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(w, r)
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]any{"version": "", "name": "GoTrue", "description": "Rowhouse's local stand-in for Supabase Auth"})
	return nil
}

func (s *Server) settings(w http.ResponseWriter, _ *http.Request) error {
	external := map[string]bool{"email": true, "phone": false, "anonymous_users": false}
	for _, provider := range s.cfg.OAuthProviders {
		external[provider] = true
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"external":                         external,
		"disable_signup":                   false,
		"mailer_autoconfirm":               s.cfg.Autoconfirm,
		"phone_autoconfirm":                false,
		"sms_provider":                     "",
		"saml_enabled":                     false,
		"saml_private_key_next_configured": false,
		"passkeys_enabled":                 false,
	})
	return nil
}

func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=600")
	writeJSON(w, http.StatusOK, s.keys.public)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // none of our types can fail
		status, text = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client is gone: nobody is left to tell
}

// decode reads the JSON body into the value that to points at. A form-encoded
// body is lost before the real service looks at it as JSON, hence the error.
func decode(r *http.Request, to any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
		return fail(http.StatusBadRequest, "bad_json", "Could not parse request body as JSON: send it as application/json")
	}
	body, err := io.ReadAll(r.Body)
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fail(http.StatusRequestEntityTooLarge, "request_entity_too_large", "Request body too large (max %d bytes)", big.Limit)
	}
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if err := json.Unmarshal(body, to); err != nil {
		return fail(http.StatusBadRequest, "bad_json", "Could not parse request body as JSON: %v", err)
	}
	return nil
}

// normalEmail lower-cases an address and refuses what is not one.
func normalEmail(text string) (string, error) {
	email := strings.ToLower(text)
	if email == "" {
		return "", fail(http.StatusBadRequest, "validation_failed", "An email address is required")
	}
	if len(email) > 255 {
		return "", fail(http.StatusBadRequest, "validation_failed", "An email address is too long")
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || strings.ContainsFunc(email, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", fail(http.StatusBadRequest, "validation_failed", "Unable to validate email address: invalid format")
	}
	return email, nil
}

func requestAudience(r *http.Request) string {
	if aud := r.Header.Get("X-JWT-AUD"); aud != "" {
		return aud
	}
	return audience
}

// clientIP is the first address of X-Forwarded-For that parses, else the peer:
// spoofable, as it is in the real service behind no gateway.
func clientIP(r *http.Request) string {
	for part := range strings.SplitSeq(r.Header.Get("X-Forwarded-For"), ",") {
		if ip, err := netip.ParseAddr(strings.TrimSpace(part)); err == nil {
			return ip.WithZone("").String()
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}
