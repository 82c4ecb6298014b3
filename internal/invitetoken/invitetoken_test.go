package invitetoken_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/invitetoken"
)

func secret(fill string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, 32)))
}

func ring(t *testing.T, text string) invitetoken.Keyring {
	t.Helper()
	r, err := invitetoken.ParseKeyring(text)
	require.NoError(t, err)
	return r
}

func TestToken(t *testing.T) {
	t.Parallel()
	r := ring(t, "a:"+secret("a"))
	ann, bob := uuid.New(), uuid.New()
	m := r.Mint(ann)
	token, err := r.Token(ann, m.MailID, m.Key)
	require.NoError(t, err)
	require.Len(t, token, 43)
	require.Equal(t, m.Hash, invitetoken.Hash(token))
	require.NotContains(t, m.Key, secret("a"))

	for name, other := range map[string]func() (string, error){
		"another mail":     func() (string, error) { return r.Token(ann, uuid.New(), m.Key) },
		"another landlord": func() (string, error) { return r.Token(bob, m.MailID, m.Key) },
		"another key": func() (string, error) {
			o := ring(t, "a:"+secret("b"))
			return o.Token(ann, m.MailID, o.Mint(ann).Key)
		},
	} {
		got, err := other()
		require.NoError(t, err)
		require.NotEqual(t, token, got, name)
	}
}

// TestRotation: what was made with an old key is computed as long as that is known,
// and never with another key of its name.
func TestRotation(t *testing.T) {
	t.Parallel()
	old := ring(t, "a:"+secret("a"))
	ann := uuid.New()
	m := old.Mint(ann)
	want, err := old.Token(ann, m.MailID, m.Key)
	require.NoError(t, err)
	both := ring(t, "b:"+secret("b")+",a:"+secret("a"))
	got, err := both.Token(ann, m.MailID, m.Key)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NotEqual(t, m.Key, both.Mint(ann).Key)
	for _, text := range []string{"b:" + secret("b"), "a:" + secret("b")} {
		_, err = ring(t, text).Token(ann, m.MailID, m.Key)
		require.ErrorIs(t, err, invitetoken.ErrUnknownKey)
	}
}

func TestMessageID(t *testing.T) {
	t.Parallel()
	r := ring(t, "a:"+secret("a"))
	ann := uuid.New()
	m := r.Mint(ann)
	messageID := func(r invitetoken.Keyring, landlord, mail uuid.UUID) string {
		id, err := r.MessageID(landlord, mail, m.Key)
		require.NoError(t, err)
		return id
	}
	id := messageID(r, ann, m.MailID)
	rotated := ring(t, "b:"+secret("b")+",a:"+secret("a"))
	require.Equal(t, id, messageID(rotated, ann, m.MailID), "the same mail after a rotation")
	require.LessOrEqual(t, len(id), 128)
	require.NotContains(t, id, strings.ReplaceAll(ann.String(), "-", ""))
	for _, given := range []string{id, "<" + id + "@rowhouse.example>", " <" + strings.ToUpper(id) + "@x> "} {
		landlord, mail, ok := rotated.ParseMessageID(given)
		require.True(t, ok, given)
		require.Equal(t, ann, landlord)
		require.Equal(t, m.MailID, mail)
	}
	other := messageID(r, uuid.New(), uuid.New())
	parts, others := strings.Split(id, "."), strings.Split(other, ".")
	for _, forged := range []string{
		"", "invite", "invite...", "invite.x.y.z", other[:len(other)-1] + "0x",
		strings.Join([]string{parts[0], parts[1], others[2], parts[3]}, "."),
		strings.Join([]string{parts[0], others[1], parts[2], parts[3]}, "."),
		strings.Join([]string{parts[0], parts[1], parts[2], others[3]}, "."),
		strings.Join([]string{parts[0], parts[1], parts[2], ""}, "."),
	} {
		_, _, ok := r.ParseMessageID(forged)
		require.False(t, ok, forged)
	}
	_, _, ok := ring(t, "a:"+secret("b")).ParseMessageID(id)
	require.False(t, ok)
	_, err := ring(t, "b:"+secret("b")).MessageID(ann, m.MailID, m.Key)
	require.ErrorIs(t, err, invitetoken.ErrUnknownKey)
}

func TestParseKeyring(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a", "a:", "A:" + secret("a"), "a:c2hvcnQ=", "a:" + secret("a") + ",a:" + secret("b"), "a:" + secret("a") + secret("a") + secret("a")} {
		_, err := invitetoken.ParseKeyring(bad)
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), secret("a"))
	}
	r := ring(t, "a:"+secret("a"))
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", r, r, r), "aaaa")
}
