package auth

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestIdentityTravelsInTheContext(t *testing.T) {
	t.Parallel()
	_, ok := From(t.Context())
	require.False(t, ok)
	want := Identity{UserID: uuid.MustParse(subject), AAL: "aal1"}
	got, ok := From(With(t.Context(), want))
	require.True(t, ok)
	require.Equal(t, want, got)
}
