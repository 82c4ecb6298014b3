package localauth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const maxUsersPerPage = 1000

// adminRoles are those whose tokens may call the admin API.
var adminRoles = []string{"service_role", "supabase_admin"}

// ServiceKey returns a token with the role service_role and no subject, which
// opens the admin API and nothing of ours. It is valid for ten years.
func (s *Server) ServiceKey() (string, error) { return s.apiKey("service_role") }

// asAdmin lets tokens of an admin role through. One that names a session counts
// only while that session is there.
func (s *Server) asAdmin(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		payload, err := s.bearer(r)
		if err != nil {
			return err
		}
		var claims struct {
			Role      string `json:"role"`
			SessionID string `json:"session_id"`
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			return fail(http.StatusForbidden, "bad_jwt", "invalid JWT: unable to parse claims").because(err)
		}
		if claims.SessionID != "" {
			if _, err := s.authenticate(r.Context(), r); err != nil {
				return err
			}
		}
		if !slices.Contains(adminRoles, claims.Role) {
			return fail(http.StatusForbidden, "not_admin", "User not allowed")
		}
		return h(w, r)
	}
}

// adminList pages through the users of an audience, newest first.
func (s *Server) adminList(w http.ResponseWriter, r *http.Request) error {
	query, aud := r.URL.Query(), requestAudience(r)
	page, err := positive(query.Get("page"), 1)
	if err != nil {
		return err
	}
	perPage, err := positive(query.Get("per_page"), 50)
	if err != nil {
		return err
	}
	perPage = min(perPage, maxUsersPerPage)
	rows, err := s.cfg.Pool.Query(r.Context(), usersPageSQL, pgx.NamedArgs{
		"aud": aud, "filter": query.Get("filter"), "limit": perPage, "offset": (page - 1) * perPage,
	})
	if err != nil {
		return fmt.Errorf("list users: %w", err)
	}
	type row struct {
		ID    uuid.UUID
		Total int
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	if err != nil {
		return fmt.Errorf("list users: %w", err)
	}
	users, total := []*user{}, 0
	for _, f := range found {
		total = f.Total
		u, err := userByID(r.Context(), s.cfg.Pool, f.ID)
		if err != nil {
			return err
		}
		if u != nil {
			users = append(users, u)
		}
	}
	pageLinks(w.Header(), r.URL, page, (total+perPage-1)/perPage, total)
	writeJSON(w, http.StatusOK, map[string]any{"users": users, "aud": aud})
	return nil
}

// positive bounds what is multiplied later as well.
func positive(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fail(http.StatusBadRequest, "validation_failed", "Bad Pagination Parameters: %q is not a number", text)
	}
	return max(int(n), 1), nil
}

func pageLinks(h http.Header, u *url.URL, page, pages, total int) {
	link := func(n int, rel string) string {
		to, query := *u, u.Query()
		query.Set("page", strconv.Itoa(n))
		to.RawQuery = query.Encode()
		return "<" + to.String() + `>; rel="` + rel + `"`
	}
	links := []string{link(pages, "last")}
	if page < pages {
		links = []string{link(page+1, "next"), link(pages, "last")}
	}
	h.Set("Link", strings.Join(links, ", "))
	h.Set("X-Total-Count", strconv.Itoa(total))
}

type adminUserRequest struct {
	ID           string         `json:"id"`
	Aud          string         `json:"aud"`
	Role         string         `json:"role"`
	Email        string         `json:"email"`
	Phone        string         `json:"phone"`
	Password     string         `json:"password"`
	EmailConfirm bool           `json:"email_confirm"`
	UserMetadata map[string]any `json:"user_metadata"`
	AppMetadata  map[string]any `json:"app_metadata"`
	BanDuration  string         `json:"ban_duration"`

	passwordHash string
	bannedUntil  *time.Time // with a BanDuration other than "none"
}

func (s *Server) decodeAdminUser(r *http.Request) (q adminUserRequest, err error) {
	if err := decode(r, &q); err != nil {
		return q, err
	}
	if q.Phone != "" {
		return q, fail(http.StatusBadRequest, "phone_provider_disabled", "Phone numbers are disabled")
	}
	if q.Email != "" {
		if q.Email, err = normalEmail(q.Email); err != nil {
			return q, err
		}
	}
	if q.Password != "" {
		if q.passwordHash, err = s.hashPassword(q.Password); err != nil {
			return q, err
		}
	}
	if q.BanDuration != "" && q.BanDuration != "none" {
		d, err := time.ParseDuration(q.BanDuration)
		if err != nil {
			return q, fail(http.StatusBadRequest, "validation_failed", "invalid format for ban duration: %v", err)
		}
		until := s.now().Add(d)
		q.bannedUntil = &until
	}
	return q, nil
}

// adminCreate makes a user without asking or telling any hook.
func (s *Server) adminCreate(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	q, err := s.decodeAdminUser(r)
	if err != nil {
		return err
	}
	if q.Email == "" {
		return fail(http.StatusBadRequest, "validation_failed", "Cannot create a user without either an email or phone")
	}
	aud := requestAudience(r)
	if q.Aud != "" {
		aud = q.Aud
	}
	if err := s.refuseTaken(ctx, s.cfg.Pool, q.Email, aud, uuid.Nil); err != nil {
		return err
	}
	draft := newDraft(q.Email, aud, "email", q.UserMetadata)
	draft.Password = q.passwordHash
	if q.ID != "" {
		if draft.ID, err = uuid.Parse(q.ID); err != nil {
			return fail(http.StatusBadRequest, "validation_failed", "ID must conform to the uuid v4 format")
		}
		if draft.ID == uuid.Nil {
			return fail(http.StatusBadRequest, "validation_failed", "ID cannot be a nil uuid")
		}
	}
	var u *user
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		if u, err = s.insertUser(ctx, tx, draft, "email", emailClaims(draft)); err != nil {
			return err
		}
		q.Email, q.UserMetadata, q.passwordHash = "", nil, ""
		u, err = s.adminChange(ctx, tx, u, q)
		return err
	})
	if err != nil {
		return err
	}
	u.ConfirmedAt = nil // generated, and not read again there
	writeJSON(w, http.StatusOK, u)
	return nil
}

// adminChange writes what the request names. A new password ends all sessions of
// the user.
func (s *Server) adminChange(ctx context.Context, tx pgx.Tx, u *user, q adminUserRequest) (*user, error) {
	merge(u.AppMetadata, q.AppMetadata)
	_, err := tx.Exec(ctx, userAdminUpdateSQL, pgx.NamedArgs{
		"id": u.ID, "role": q.Role, "email": q.Email, "app_metadata": u.AppMetadata,
		"ban": q.BanDuration != "", "banned_until": q.bannedUntil, "now": s.now(),
	})
	if err != nil {
		return nil, fmt.Errorf("change user: %w", err)
	}
	if q.Email != "" {
		args := pgx.NamedArgs{"user_id": u.ID, "email": q.Email, "now": s.now()}
		if _, err := tx.Exec(ctx, identitySetEmailSQL, args); err != nil {
			return nil, fmt.Errorf("change identity: %w", err)
		}
	}
	if q.passwordHash != "" {
		if err := s.setPassword(ctx, tx, u, q.passwordHash); err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, sessionsEndSQL, pgx.NamedArgs{"user_id": u.ID, "scope": "global", "id": uuid.Nil}); err != nil {
			return nil, fmt.Errorf("end sessions: %w", err)
		}
	}
	if q.UserMetadata != nil {
		if err := s.setMetadata(ctx, tx, u, q.UserMetadata); err != nil {
			return nil, err
		}
	}
	if q.EmailConfirm {
		if err := s.confirm(ctx, tx, u); err != nil {
			return nil, fmt.Errorf("confirm: %w", err)
		}
	}
	return reloaded(ctx, tx, u)
}

// userOfPath is whom the path of an admin request names.
func (s *Server) userOfPath(r *http.Request) (*user, error) {
	id, err := uuid.Parse(r.PathValue("user_id"))
	if err != nil {
		return nil, fail(http.StatusNotFound, "validation_failed", "user_id must be an UUID")
	}
	u, err := userByID(r.Context(), s.cfg.Pool, id)
	if err == nil && u == nil {
		err = fail(http.StatusNotFound, "user_not_found", "User not found")
	}
	return u, err
}

func (s *Server) adminGet(w http.ResponseWriter, r *http.Request) error {
	u, err := s.userOfPath(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, u)
	return nil
}

func (s *Server) adminUpdate(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	u, err := s.userOfPath(r)
	if err != nil {
		return err
	}
	q, err := s.decodeAdminUser(r)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) (err error) {
		if _, err = tx.Exec(ctx, userLockSQL, pgx.NamedArgs{"id": u.ID}); err != nil {
			return fmt.Errorf("lock user: %w", err)
		}
		if u, err = reloaded(ctx, tx, u); err != nil {
			return err
		}
		before := u.Identities // the answer shows them as they were
		if u, err = s.adminChange(ctx, tx, u, q); err == nil {
			u.Identities = before
		}
		return err
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, u)
	return nil
}

// adminDelete removes a user with all that hangs on it, or with
// should_soft_delete keeps the row, emptied.
func (s *Server) adminDelete(w http.ResponseWriter, r *http.Request) error {
	u, err := s.userOfPath(r)
	if err != nil {
		return err
	}
	var q struct {
		Soft bool `json:"should_soft_delete"`
	}
	if err := decodeOptional(r, &q); err != nil {
		return err
	}
	statement := userDeleteSQL
	if q.Soft {
		statement = userSoftDeleteSQL
	}
	if _, err := s.cfg.Pool.Exec(r.Context(), statement, pgx.NamedArgs{"id": u.ID, "now": s.now()}); err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

// decodeOptional is decode for a body that may be missing.
func decodeOptional(r *http.Request, to any) error {
	if r.ContentLength == 0 {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, to); err != nil {
		return fail(http.StatusBadRequest, "bad_json", "Could not parse request body as JSON: %v", err)
	}
	return nil
}
