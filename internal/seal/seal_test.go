package seal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/seal"
)

// TestSign compares with what openssl dgst -sha256 -hmac makes of the message in
// policies/functions.sql.
func TestSign(t *testing.T) {
	t.Parallel()
	ring, err := seal.ParseKeyring("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	require.NoError(t, err)
	got := ring.Sign("rowhouse_landlord", uuid.MustParse("0f0e0d0c-0b0a-4908-8706-050403020100"), time.Unix(1795400000, 0), 4711)
	require.Equal(t, "k1.1795400000.4711.262a324714e1023993eda55f03d5c85f857ec751fc05eb6ab49f0e9e04e08ba7", got)
}

func TestParseKeyring(t *testing.T) {
	t.Parallel()
	good := "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	ring, err := seal.ParseKeyring("new:" + good + ", old:" + good)
	require.NoError(t, err)
	require.Equal(t, "new", ring.Keys()[0].ID)
	require.Equal(t, "old", ring.Keys()[1].ID)

	for name, text := range map[string]string{
		"empty": "", "no id": good, "empty id": ":" + good, "a dot in the id": "a.b:" + good, "upper case": "K:" + good,
		"too short": "k:c2hvcnQ=", "too long": "k:" + strings.Repeat("QUFB", 22), "not base64": "k:***",
		"the same id twice": "k:" + good + ",k:" + good, "an empty entry": "k:" + good + ",",
	} {
		_, err := seal.ParseKeyring(text)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), good, name)
	}
}

func TestSecretsStayOutOfText(t *testing.T) {
	t.Parallel()
	ring, err := seal.ParseKeyring("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	require.NoError(t, err)
	for _, text := range []string{
		fmt.Sprint(ring), fmt.Sprintf("%+v", ring), fmt.Sprintf("%#v", ring), fmt.Sprintf("%v", ring.Keys()), fmt.Sprintf("%#v", ring.Keys()),
	} {
		require.NotContains(t, text, "0123456789abcdef")
		require.NotContains(t, text, "0x30, 0x31")
	}
}
