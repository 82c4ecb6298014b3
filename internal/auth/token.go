package auth

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxTokenLen = 16 << 10
	maxKeyIDLen = 256
)

// compact is a JWS in compact serialization, taken apart but not yet verified.
type compact struct {
	header, payload, signature []byte
	signed                     []byte // what the signature is over
}

// header holds the members of a JOSE header that decide anything here. A
// member that is absent is empty; null is not.
type header struct {
	Alg  jsontext.Value `json:"alg"`
	Kid  jsontext.Value `json:"kid"`
	Typ  jsontext.Value `json:"typ"`
	Crit jsontext.Value `json:"crit"`
	JWK  jsontext.Value `json:"jwk"`
	JKU  jsontext.Value `json:"jku"`
	X5U  jsontext.Value `json:"x5u"`
	X5C  jsontext.Value `json:"x5c"`
}

// split takes token apart. One token has one spelling: padding, line breaks
// (which Go's decoder would skip) and stray bits in a last character are refused.
func split(token string) (compact, error) {
	for i := range len(token) {
		if !inAlphabet(token[i]) {
			return compact{}, ErrCharacter
		}
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return compact{}, ErrParts
	}
	var decoded [3][]byte
	for i, part := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return compact{}, ErrEncoding
		}
		decoded[i] = b
	}
	return compact{
		header:    decoded[0],
		payload:   decoded[1],
		signature: decoded[2],
		signed:    []byte(token[:len(token)-len(parts[2])-1]),
	}, nil
}

func inAlphabet(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.'
}

// readHeader returns the algorithm and the key id that raw names; the key id is
// empty when there is none.
func readHeader(raw []byte) (alg, kid string, err error) {
	var h header
	if err := decode(raw, &h); err != nil {
		return "", "", err
	}
	if len(h.Crit) > 0 {
		return "", "", ErrCritical
	}
	if len(h.JWK)+len(h.JKU)+len(h.X5U)+len(h.X5C) > 0 {
		return "", "", ErrEmbeddedKey
	}
	if typ, ok := text(h.Typ); len(h.Typ) > 0 && (!ok || !strings.EqualFold(typ, "JWT")) {
		return "", "", ErrType
	}
	alg, ok := text(h.Alg)
	if !ok {
		return "", "", ErrAlg
	}
	if len(h.Kid) > 0 {
		if kid, ok = text(h.Kid); !ok || kid == "" || len(kid) > maxKeyIDLen {
			return "", "", ErrKeyID
		}
	}
	return alg, kid, nil
}

// decode reads the one JSON object that raw has to be. The library's error is
// dropped because it can quote what the token contains.
func decode(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return ErrDuplicate
	}
	if err != nil || jsontext.Value(raw).Kind() != '{' {
		return ErrJSON
	}
	return nil
}

// text returns the string that v is, if it is one.
func text(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	s, err := jsontext.AppendUnquote(nil, v)
	return string(s), err == nil
}
