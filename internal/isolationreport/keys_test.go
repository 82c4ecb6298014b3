package isolationreport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"
)

func newKey(t *testing.T) string {
	t.Helper()
	key, err := GenerateKey()
	require.NoError(t, err)
	return key
}

func parse(t *testing.T, text string) Keys {
	t.Helper()
	keys, err := ParseKeys(text)
	require.NoError(t, err)
	return keys
}

func published(t *testing.T, k Keys) []byte {
	t.Helper()
	text, err := k.Public()
	require.NoError(t, err)
	require.NotContains(t, string(text), `"d"`)
	return text
}

// answer is what the API answers with a report that keys have signed.
func answer(t *testing.T, keys Keys) []byte {
	t.Helper()
	signed, err := New(Config{Version: "of the test", Keys: keys}).Current(t.Context())
	require.NoError(t, err)
	body, err := json.Marshal(map[string]any{"report": signed.Report, "jws": signed.JWS}, json.Deterministic(true))
	require.NoError(t, err)
	return body
}

// TestEveryByteIsSigned changes each byte of an answer. Nothing else passes for it:
// what is read after a change that passes must be what was signed.
func TestEveryByteIsSigned(t *testing.T) {
	t.Parallel()
	keys := parse(t, newKey(t))
	body, public := answer(t, keys), published(t, keys)
	report, keyID, err := Verify(body, public)
	require.NoError(t, err)
	require.Equal(t, "of the test", report.Version)
	require.Contains(t, string(public), fmt.Sprintf("%q", keyID))

	for i := range body {
		changed := bytes.Clone(body)
		changed[i] ^= 1
		_, _, err := Verify(changed, public)
		require.Error(t, err, "byte %d: %s", i, body[max(0, i-20):min(len(body), i+20)])
	}
	_, _, err = Verify(body, published(t, parse(t, newKey(t))))
	require.ErrorContains(t, err, "does not hold")
	_, _, err = Verify(body, published(t, Keys{}))
	require.Error(t, err)
}

// TestRotation: what an earlier key has signed still holds when its public part is
// all that is left.
func TestRotation(t *testing.T) {
	t.Parallel()
	oldText, newText := newKey(t), newKey(t)
	old := parse(t, oldText)
	before := answer(t, old)
	block, _ := pem.Decode([]byte(oldText))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(private.(*ecdsa.PrivateKey).Public())
	require.NoError(t, err)
	publicText := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))

	for _, text := range []string{newText + oldText, newText + publicText} {
		keys := parse(t, text)
		_, oldID, err := Verify(before, published(t, keys))
		require.NoError(t, err)
		_, newID, err := Verify(answer(t, keys), published(t, keys))
		require.NoError(t, err)
		require.NotEqual(t, oldID, newID)
		_, _, err = Verify(answer(t, keys), published(t, old))
		require.Error(t, err)
	}
	_, err = ParseKeys(publicText + newText)
	require.ErrorContains(t, err, "key 1 is not private")
}

func TestUnsigned(t *testing.T) {
	t.Parallel()
	_, _, err := Verify(answer(t, Keys{}), published(t, parse(t, newKey(t))))
	require.EqualError(t, err, "the report is not signed")
	require.JSONEq(t, `{"keys":[]}`, string(published(t, Keys{})))
}

// TestOtherSignatures: the key's signature under anything else is not one of a
// report.
func TestOtherSignatures(t *testing.T) {
	t.Parallel()
	keys := parse(t, newKey(t))
	signed, err := jws.Sign([]byte("{}"), jws.WithKey(jwa.ES256, keys.signing))
	require.NoError(t, err)
	body, err := json.Marshal(map[string]any{"report": struct{}{}, "jws": string(signed)})
	require.NoError(t, err)
	_, _, err = Verify(body, published(t, keys))
	require.EqualError(t, err, "the signature is not one of an isolation report")
}

// TestBadKeys: what was given is named and not shown.
func TestBadKeys(t *testing.T) {
	t.Parallel()
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(other)
	require.NoError(t, err)
	key := newKey(t)
	for text, said := range map[string]string{
		"":          "want EC keys in PEM",
		"c2VjcmV0":  "want EC keys in PEM",
		key + key:   "key 2 stands twice",
		key + "c2V": "want EC keys in PEM",
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})): "key 1: it is not of the curve P-256",
	} {
		_, err := ParseKeys(text)
		require.ErrorContains(t, err, said)
		require.NotContains(t, err.Error(), "c2V")
	}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", parse(t, key), parse(t, key), parse(t, key)), "ecdsa")
}
