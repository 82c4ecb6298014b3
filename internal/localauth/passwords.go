package localauth

import (
	"fmt"
	"net/http"

	"golang.org/x/crypto/bcrypt"
)

// hashPassword refuses passwords that are too short or too long.
func (s *Server) hashPassword(password string) (string, error) {
	if len(password) > maxPasswordBytes {
		return "", fail(http.StatusBadRequest, "validation_failed", "Password cannot be longer than %d characters", maxPasswordBytes)
	}
	if len(password) < s.cfg.MinPasswordLength {
		weak := fail(http.StatusUnprocessableEntity, "weak_password", "Password should be at least %d characters.", s.cfg.MinPasswordLength)
		weak.reasons = []string{"length"}
		return "", weak
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), s.cfg.HashCost)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return string(hash), nil
}

// passwordMatches does the same work for a nil user, and for one without a
// password, as for a wrong password.
func (s *Server) passwordMatches(u *user, password string) bool {
	hash := s.strangerHash
	has := u != nil && u.Password != ""
	if has {
		hash = []byte(u.Password)
	}
	tooLong := len(password) > maxPasswordBytes
	if tooLong {
		password = password[:maxPasswordBytes]
	}
	err := bcrypt.CompareHashAndPassword(hash, []byte(password))
	return err == nil && has && !tooLong
}
