package auth

import (
	"net/http"
	"strings"
)

// hooks has each hook give each answer there is. What it makes of them stands in the
// provider's own words in testdata/hooks.jsonl.
func hooks(s *transcript) {
	s.brief = true
	refuse := saying(http.StatusOK, `{"error":{"http_code":403,"message":"no, thank you"}}`)
	step := func(hook string, answer http.HandlerFunc, send func()) {
		s.p.hooks.put(except(hook, answer, http.HandlerFunc(agree)))
		defer s.p.hooks.put(http.HandlerFunc(agree))
		send()
	}
	answers := []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"refusal", refuse},
		{"refusal without a code", saying(200, `{"error":{"message":"no, thank you"}}`)},
		{"no message", saying(200, `{"error":{"http_code":403,"message":""}}`)},
		{"an error that is text", saying(200, `{"error":"no"}`)},
		{"a code that is text", saying(200, `{"error":{"http_code":"403","message":"no"}}`)},
		{"an empty answer", saying(200, ``)},
		{"a list", saying(200, `[]`)},
		{"null", saying(200, `null`)},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
		{"201", saying(201, `{}`)},
		{"400", saying(400, `{}`)},
		{"401", saying(401, `{}`)},
		{"403", saying(403, `{}`)},
		{"500", saying(500, `{}`)},
		{"503", saying(503, `{}`)},
		{"plain text", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusOK)
		}},
		{"too long", saying(200, `{"x":"`+strings.Repeat("x", 204800)+`"}`)},
		{"busy, try again", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}},
	}
	for i, a := range answers {
		email := s.email("b" + string(rune('a'+i)))
		s.heading(beforeUserCreated + ": " + a.name)
		step(beforeUserCreated, a.answer, func() { s.post("/signup", obj("email", email, "password", password)) })
	}
	s.heading(beforeUserCreated + ": nobody there, three times")
	step(beforeUserCreated, hangUp, func() { s.post("/signup", obj("email", s.email("x"), "password", password)) })
	s.heading(beforeUserCreated + ": no answer")
	step(beforeUserCreated, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func() {
		s.post("/signup", obj("email", s.email("x"), "password", password))
	})
	for i, a := range answers {
		email := s.email("a" + string(rune('a'+i)))
		s.heading(afterUserCreated + ": " + a.name)
		step(afterUserCreated, a.answer, func() { s.post("/signup", obj("email", email, "password", password)) })
	}
	for i, a := range answers {
		email := s.email("m" + string(rune('a'+i)))
		s.heading(sendEmail + ": " + a.name)
		step(sendEmail, a.answer, func() { s.post("/signup", obj("email", email, "password", password)) })
	}
	session := s.user("ann")
	for _, a := range append(answers, []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"no claims", saying(200, `{}`)},
		{"claims that are null", saying(200, `{"claims":null}`)},
		{"claims that are missing", saying(200, `{"claims":{"sub":"x"}}`)},
	}...) {
		s.heading(customAccessToken + ": " + a.name)
		step(customAccessToken, a.answer, func() { s.signIn("ann", password) })
	}
	s.heading(customAccessToken + " refuses a refresh, which may be tried again")
	step(customAccessToken, refuse, func() { s.refresh(session.get("refresh_token")) })
	s.refresh(session.get("refresh_token"))
}
