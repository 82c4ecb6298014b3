package httpapi

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"rowhouse/internal/errs"
	"rowhouse/internal/problem"
)

// anybodys are the paths, by their first segment, that ask nobody who they are:
// what tenants use, one's own account, setting up itself (but for sample data, which
// makes rows), and what lets somebody see how they are protected or get help. Everything
// else is a landlord's; a new path is, until it stands here.
var anybodys = map[string]bool{
	"me": true, "account": true, "onboarding": true,
	"portal": true, "invites": true,
	"security": true, "support": true, "support-grants": true, "support-accesses": true,
}

// asksWho reports whether a path under the prefix is for landlords who have said who
// they are.
func asksWho(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return !anybodys[first] || path == sampleDataPath
}

var onboardingRequired = &errs.Error{
	Kind: errs.Forbidden, Code: "onboarding_required", Next: stepPath(stepCompany),
	Message: "Say who you are first: your name, country, time zone and currency.",
}

// admit gives the caller a profile at their first request, and lets landlords in once
// they have said who they are: the first step of setting up, and no other. Somebody who
// is here as a tenant reads a landlord's empty books without being asked; to write in
// them is to become a landlord.
func (a *API) admit(ctx huma.Context, next func(huma.Context)) {
	asked := asksWho(strings.TrimPrefix(ctx.Operation().Path, prefix))
	s, err := a.profiles.of(ctx.Context(), asked)
	if err == nil && asked && !s.Onboarded && (!s.Renting || ctx.Method() != http.MethodGet) {
		err = onboardingRequired
	}
	if err != nil {
		r, w := humachi.Unwrap(ctx)
		problem.Write(w, r, err)
		return
	}
	next(ctx)
}
