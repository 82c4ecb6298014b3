package web

import (
	"net/http"

	"github.com/google/uuid"

	"rowhouse/internal/authclient"
	"rowhouse/internal/errs"
)

// issuer is what authenticators show beside the name of a factor.
const issuer = "Rowhouse"

type factorList struct {
	Factors []authclient.Factor `json:"factors"`
}

func (s *Web) factors(c *call) (any, error) {
	var user authclient.User
	_, err := c.ask(func(provider *authclient.Client, _ session) (err error) {
		user, err = provider.User()
		return err
	})
	if err != nil {
		return nil, explain(err)
	}
	return factorList{user.Factors}, nil
}

type enrollInput struct {
	Name string `json:"name"`
}

func (in enrollInput) check() []errs.Field { return checkName("name", in.Name, 100) }

// enroll begins a second factor, which counts when a code of it has been verified.
func (s *Web) enroll(c *call, in enrollInput) (outcome, error) {
	var enrolled authclient.Enrolled
	_, err := c.ask(func(provider *authclient.Client, _ session) (err error) {
		enrolled, err = provider.Enroll(in.Name, issuer)
		return err
	})
	return outcome{status: http.StatusCreated, body: enrolled}, explain(err)
}

type factorInput struct {
	FactorID uuid.UUID `json:"factorId"`
}

func (in factorInput) check() []errs.Field {
	if in.FactorID == uuid.Nil {
		return []errs.Field{{Pointer: "/factorId", Message: "is required"}}
	}
	return nil
}

func (s *Web) challenge(c *call, in factorInput) (outcome, error) {
	var challenge authclient.Challenge
	_, err := c.ask(func(provider *authclient.Client, _ session) (err error) {
		challenge, err = provider.Challenge(in.FactorID)
		return err
	})
	return outcome{status: http.StatusCreated, body: challenge}, explain(err)
}

type codeInput struct {
	FactorID    uuid.UUID `json:"factorId"`
	ChallengeID uuid.UUID `json:"challengeId"`
	Code        string    `json:"code"`
}

func (in codeInput) check() []errs.Field {
	fields := append(factorInput{in.FactorID}.check(), checkPattern("code", in.Code, codePattern)...)
	if in.ChallengeID == uuid.Nil {
		fields = append(fields, errs.Field{Pointer: "/challengeId", Message: "is required"})
	}
	return fields
}

// verifyFactor makes the session aal2.
func (s *Web) verifyFactor(c *call, in codeInput) (outcome, error) {
	var tokens authclient.Session
	ss, err := c.ask(func(provider *authclient.Client, ss session) (err error) {
		if err = s.codes.Try(c.w, c.r, ss.UserID.String()); err != nil {
			return err
		}
		tokens, err = provider.VerifyFactor(in.FactorID, in.ChallengeID, in.Code)
		return err
	})
	if err != nil {
		return outcome{}, explain(err)
	}
	next := ss.next(tokens, s.now())
	s.memory.follow(ss, next)
	if err := s.keep(c.w, c.r, next); err != nil {
		return outcome{}, err
	}
	return outcome{body: s.view(next)}, nil
}

// unenroll removes a factor. What the session is without it stands in its next tokens.
func (s *Web) unenroll(c *call, in factorInput) (outcome, error) {
	ss, err := c.ask(func(provider *authclient.Client, _ session) error { return provider.Unenroll(in.FactorID) })
	if err != nil {
		return outcome{}, explain(err)
	}
	return c.renewed(ss)
}
