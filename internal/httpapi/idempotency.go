package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

// Idempotent is the header that makes a create safe to repeat.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" pattern:"^[!-~]*$" patternDescription:"visible ASCII" example:"0b6f5d0e-2c0e-4a43-9a51-0d8f0f6f3a11" doc:"Choose one per thing to create. Repeating the request with it within a day gives the first answer again and creates nothing more. With another body it is refused."`
}

// created is the answer to a create.
type created[T any] struct {
	Location string `header:"Location" doc:"Where it is now"`
	ETag     string `header:"ETag" doc:"Its version, for If-Match"`
	Replayed bool   `header:"Idempotency-Replayed" json:"-" doc:"Whether this is the answer to an earlier request with the same Idempotency-Key"`
	Body     T
}

// once runs create in tx, unless key names an earlier request: then it returns
// what that one answered. Of two requests with one key at the same time the
// second waits in the database for the first.
func once[T any](ctx context.Context, tx *db.Tx, key, operation string, request any, create func() (*created[T], error)) (*created[T], error) {
	if key == "" {
		return create()
	}
	body, err := json.Marshal(request, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("hash request: %w", err)
	}
	hash := sha256.Sum256(body)
	q := query.New()
	// first, so that a key past its day is free for the request that brings it again
	if err := q.IdempotencyKeysForget(ctx, tx); err != nil {
		return nil, fmt.Errorf("forget idempotency keys: %w", err)
	}
	taken, err := q.IdempotencyKeyTake(ctx, tx, query.IdempotencyKeyTakeParams{
		Key: key, Operation: operation, RequestHash: hash[:],
	})
	if err != nil {
		return nil, fmt.Errorf("take idempotency key: %w", err)
	}
	if taken == 0 {
		return replay[T](ctx, tx, key, operation, hash[:])
	}
	answer, err := create()
	if err != nil {
		return nil, err
	}
	kept, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("keep answer: %w", err)
	}
	text := string(kept)
	if err := q.IdempotencyKeyAnswer(ctx, tx, query.IdempotencyKeyAnswerParams{Key: key, Answer: &text}); err != nil {
		return nil, fmt.Errorf("keep answer: %w", err)
	}
	return answer, nil
}

func replay[T any](ctx context.Context, tx *db.Tx, key, operation string, hash []byte) (*created[T], error) {
	kept, err := query.New().IdempotencyKey(ctx, tx, key)
	if err != nil {
		return nil, fmt.Errorf("read idempotency key: %w", err)
	}
	if kept.Operation != operation || subtle.ConstantTimeCompare(kept.RequestHash, hash) == 0 {
		return nil, errs.New(errs.Unprocessable, "idempotency_key_reused",
			"This Idempotency-Key was used for another request. Choose a new one for each thing to create.").
			At(errs.Field{Header: "Idempotency-Key", Message: "was used for another request"})
	}
	if kept.Answer == nil {
		return nil, errors.New("an idempotency key was committed without its answer")
	}
	answer := &created[T]{Replayed: true}
	if err := json.Unmarshal([]byte(*kept.Answer), answer); err != nil {
		return nil, fmt.Errorf("read kept answer: %w", err)
	}
	return answer, nil
}
