package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	storage_go "github.com/supabase-community/storage-go"

	"rowhouse/internal/auth"
)

// Supabase is a Store in a private bucket of Supabase Storage. Each call goes out
// with the token of the user in its context and with no right of its own, so the
// bucket needs policies. With a bucket called attachments:
//
//	create policy attachments_select on storage.objects for select to authenticated
//	  using (bucket_id = 'attachments' and (select auth.uid())::text = any ((storage.foldername(name))[1:2]));
//	create policy attachments_insert on storage.objects for insert to authenticated
//	  with check (bucket_id = 'attachments' and (select auth.uid())::text = any ((storage.foldername(name))[1:2]));
//	create policy attachments_delete on storage.objects for delete to authenticated
//	  using (bucket_id = 'attachments' and (select auth.uid())::text = (storage.foldername(name))[1]);
//
// A tenant cannot delete there: what they have reported is the landlord's to keep.
type Supabase struct{ url, anonKey, bucket string }

// NewSupabase returns the store in a bucket of the project at url.
func NewSupabase(url, anonKey, bucket string) *Supabase {
	return &Supabase{strings.TrimRight(url, "/") + "/storage/v1", anonKey, bucket}
}

// Put implements Store.
func (s *Supabase) Put(ctx context.Context, key, mediaType string, r io.Reader) error {
	if err := checkKey(key); err != nil {
		return err
	}
	resp, err := s.send(ctx, http.MethodPost, key, mediaType, r)
	if err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	return resp.Body.Close()
}

// Open implements Store.
func (s *Supabase) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	resp, err := s.send(ctx, http.MethodGet, key, "", nil)
	// it answers 400, and says 404 in a member that the library does not read
	if said, ok := errors.AsType[*storage_go.StorageError](err); ok && strings.EqualFold(said.Message, "Object not found") {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return resp.Body, nil
}

// Delete implements Store. What the policies do not let the user delete stays,
// without an error: Supabase answers as if it were not there.
func (s *Supabase) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	body, err := json.Marshal(map[string][]string{"prefixes": {key}})
	if err != nil {
		return fmt.Errorf("delete file: %w", err)
	}
	resp, err := s.send(ctx, http.MethodDelete, "", "application/json", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("delete file: %w", err)
	}
	return resp.Body.Close()
}

// send asks for something in the bucket. The library's own upload and download know
// no context and read whole files into memory; its client takes any request. A
// client holds the headers of everything that is sent through it, so each call has
// its own.
func (s *Supabase) send(ctx context.Context, method, key, mediaType string, body io.Reader) (*http.Response, error) {
	token, ok := auth.Token(ctx)
	if !ok {
		return nil, ErrNoSession
	}
	headers := map[string]string{"Apikey": s.anonKey}
	if mediaType != "" {
		headers["Content-Type"] = mediaType
	}
	client := storage_go.NewClient(s.url, token, headers)
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(s.url+"/object/"+s.bucket+"/"+key, "/"), body)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req, nil)
	if err != nil && resp != nil {
		return nil, errors.Join(fmt.Errorf("status %d: %w", resp.StatusCode, err), resp.Body.Close())
	}
	return resp, err
}
