package httpapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/storage"
)

// whereabouts stands in the metadata of every file that tests send.
const whereabouts = "GPS 51.5007N 0.1246W"

func photoJPEG(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil))
	body := "Exif\x00\x00" + whereabouts
	return []byte("\xff\xd8\xff\xe1" + string(binary.BigEndian.AppendUint16(nil, uint16(len(body)+2))) + body + b.String()[2:])
}

func photoPNG(t testing.TB, width, height uint32) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16))))
	chunk := func(name, body string) string {
		sum := crc32.ChecksumIEEE([]byte(name + body))
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + name + body + string(binary.BigEndian.AppendUint32(nil, sum))
	}
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	plain := b.String()
	return []byte(plain[:8] + chunk("IHDR", string(size)+plain[24:29]) + chunk("tEXt", whereabouts) + plain[33:])
}

func photoWebP() []byte {
	picture := "VP8 \x10\x00\x00\x00\x10\x00\x00\x9d\x01\x2a\x10\x00\x10\x00pixels"
	exif := "EXIF\x14\x00\x00\x00" + whereabouts
	body := "WEBPVP8X\x0a\x00\x00\x00\x08\x00\x00\x00\x0f\x00\x00\x0f\x00\x00" + picture + exif
	return []byte("RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body)
}

// photoHEIC is what an encoder has made, with EXIF and XMP.
func photoHEIC(t testing.TB) []byte {
	t.Helper()
	file, err := os.ReadFile("../imagemeta/testdata/photo.heic")
	require.NoError(t, err)
	require.Contains(t, string(file), whereabouts)
	return file
}

const bill = "%PDF-1.7\nstartxref\n0\n%%EOF\n"

// bigPDF is a file of size bytes.
func bigPDF(size int) []byte {
	b := bytes.Repeat([]byte("x"), size)
	copy(b, "%PDF-1.7\n")
	copy(b[size-6:], "%%EOF\n")
	return b
}

// caller is somebody who is in the database already.
func (s *service) caller(t testing.TB, id auth.Identity) client {
	t.Helper()
	return client{t: t, url: s.url, id: id.UserID, token: accessToken(t, object{"sub": id.UserID.String(), "email": id.Email})}
}

func (c client) upload(path, name, mediaType string, file []byte, headers ...string) answer {
	c.t.Helper()
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	return c.send(http.MethodPost, path+mark+"fileName="+url.QueryEscape(name), file, append([]string{"Content-Type: " + mediaType}, headers...)...)
}

// filesTest is a service whose store the test looks into.
type filesTest struct {
	*service
	dir                   string
	landlord, tenant      client
	ann                   dbtest.Landlord
	ticket, portal, other string // paths of files of ann's ticket, the same as its tenant sees it, and of another's
	stranger              client
	strangersTenant       client
}

func newFilesTest(t testing.TB, set ...func(*httpapi.Config)) filesTest {
	t.Helper()
	dir := t.TempDir()
	disk, err := storage.NewDisk(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, disk.Close()) })
	s := serve(t, append([]func(*httpapi.Config){func(c *httpapi.Config) { c.Files = disk }}, set...)...)
	ann, bob := s.Landlord(t, "ann"), s.Landlord(t, "bob")
	return filesTest{
		service: s, dir: dir, ann: ann,
		landlord: s.caller(t, ann.Identity), tenant: s.caller(t, ann.Tenant.Identity),
		stranger: s.caller(t, bob.Identity), strangersTenant: s.caller(t, bob.Tenant.Identity),
		ticket: "/tickets/" + ann.TicketID.String() + "/attachments", portal: "/portal/tickets/" + ann.TicketID.String() + "/attachments",
		other: "/tickets/" + bob.TicketID.String() + "/attachments",
	}
}

// kept returns the files in the store.
func (f filesTest) kept(t testing.TB) (contents []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(f.dir, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		if !entry.IsDir() {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			contents = append(contents, string(data))
		}
		return nil
	}))
	return contents
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	for _, test := range []struct {
		mediaType, name, keptAs string
		file                    []byte
	}{
		{"image/jpeg", "leak.jpg", "leak.jpg", photoJPEG(t)},
		{"image/png", `C:\Users\ann\leak.PNG`, "leak.PNG", photoPNG(t, 16, 16)},
		{"image/webp", "../../leak", "leak.webp", photoWebP()},
		{"image/heic", "IMG_0001.HEIC", "IMG_0001.HEIC", photoHEIC(t)},
		{"image/heif", "IMG_0001.jpg", "IMG_0001.jpg.heif", bytes.Replace(photoHEIC(t), []byte("heic"), []byte("mif1"), 3)},
		{"application/pdf", "Stückliste „neu“.html", "Stückliste „neu“.html.pdf", []byte(bill)},
	} {
		t.Run(test.mediaType, func(t *testing.T) {
			c := f.landlord.as(t)
			a := c.upload(f.ticket, test.name, test.mediaType, test.file).ok(http.StatusCreated)
			require.Equal(t, test.keptAs, a.body["fileName"])
			require.Equal(t, test.mediaType, a.body["mediaType"])
			require.Equal(t, "shared", a.body["visibility"])
			require.Equal(t, f.ann.TicketID.String(), a.body["ticketId"])
			require.Equal(t, `"1"`, a.header.Get("ETag"))
			at := strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
			require.Equal(t, a.body, c.get(at).ok(http.StatusOK).body)

			got := c.get(at + "/content").ok(http.StatusOK)
			require.NotContains(t, got.text, whereabouts)
			require.Equal(t, test.mediaType, got.header.Get("Content-Type"))
			require.Equal(t, fmt.Sprint(len(got.text)), got.header.Get("Content-Length"))
			require.EqualValues(t, len(got.text), a.body["size"])
			require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
			require.Equal(t, "sandbox; default-src 'none'; frame-ancestors 'none'", got.header.Get("Content-Security-Policy"))
			require.Regexp(t, `^attachment; filename(=|\*=utf-8'')`, got.header.Get("Content-Disposition"))
			var hash []byte
			require.NoError(t, f.Admin.QueryRow(t.Context(), "select sha256 from app.attachments where id = $1", a.body["id"]).Scan(&hash))
			sum := sha256.Sum256([]byte(got.text))
			require.Equal(t, hex.EncodeToString(sum[:]), hex.EncodeToString(hash))
			require.Contains(t, f.kept(t), got.text)

			c.delete(at, `If-Match: "7"`).refused(http.StatusPreconditionFailed, "version_changed")
			c.delete(at).ok(http.StatusNoContent)
			c.get(at).refused(http.StatusNotFound, "not_found")
			c.get(at+"/content").refused(http.StatusNotFound, "not_found")
			c.delete(at).refused(http.StatusForbidden, "forbidden")
			require.NotContains(t, f.kept(t), got.text)
		})
	}
}

func TestAttachmentList(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	f.landlord.upload(f.ticket, "a.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated)
	f.landlord.upload(f.ticket+"?visibility=internal", "b.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated)
	names := func(query string) (names []string) {
		for _, row := range f.landlord.get(f.ticket + query).list("attachments") {
			names = append(names, row["fileName"].(string))
		}
		return names
	}
	require.Equal(t, []string{"ann.jpg", "a.pdf", "b.pdf"}, names(""))
	require.Equal(t, []string{"b.pdf", "a.pdf", "ann.jpg"}, names("?sort=-createdAt"))
	require.Equal(t, []string{"b.pdf"}, names("?visibility=internal"))
	require.Equal(t, []string{"a.pdf"}, names("?page=2&limit=1"))
	require.ElementsMatch(t, names(""), names("?cursor=*"))
	require.Equal(t, 3, f.landlord.get(f.ticket+"?limit=1").pagination("total"))
	f.landlord.get(f.other).refused(http.StatusNotFound, "not_found")
	f.landlord.get("/tickets/"+noSuchRow+"/attachments").refused(http.StatusNotFound, "not_found")
}

// TestAttachmentsOfOthers: nobody learns of another's file, or leaves one with them.
func TestAttachmentsOfOthers(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	f.Exec(t, "update app.users set onboarding_step = 2") // so that tenants too get as far as the rows
	shared := f.landlord.upload(f.ticket, "shared.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated).body["id"].(string)
	internal := f.landlord.upload(f.ticket+"?visibility=internal", "internal.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated).body["id"].(string)

	require.Equal(t, bill, f.tenant.get("/portal/attachments/"+shared+"/content").ok(http.StatusOK).text)
	f.tenant.get("/portal/attachments/"+internal+"/content").refused(http.StatusNotFound, "not_found")
	shown := f.tenant.get(f.portal + "?sort=-createdAt").list("attachments")
	require.Equal(t, "shared.pdf", shown[0]["fileName"])
	require.Equal(t, shared, shown[0]["id"])
	require.NotContains(t, f.tenant.get(f.portal).text, "internal")
	require.NotContains(t, f.tenant.get(f.portal+"?cursor=*").text, "internal")
	require.Equal(t, len(shown), f.tenant.get(f.portal+"?limit=1").pagination("total"))
	for _, c := range []client{f.landlord, f.stranger, f.strangersTenant, f.newLandlord(t)} {
		c.get(f.portal).refused(http.StatusNotFound, "not_found")
	}
	for _, id := range []string{shared, internal, noSuchRow} {
		f.landlord.get("/portal/attachments/"+id+"/content").refused(http.StatusNotFound, "not_found")
		for _, c := range []client{f.tenant, f.stranger, f.strangersTenant, f.newLandlord(t)} {
			c.get("/attachments/"+id).refused(http.StatusNotFound, "not_found")
			c.get("/attachments/"+id+"/content").refused(http.StatusNotFound, "not_found")
			c.delete("/attachments/"+id).refused(http.StatusForbidden, "forbidden")
			if c.id != f.tenant.id {
				c.get("/portal/attachments/"+id+"/content").refused(http.StatusNotFound, "not_found")
			}
		}
	}
	before, files := f.rows(t, "attachments"), len(f.kept(t))
	for _, c := range []client{f.tenant, f.stranger, f.strangersTenant, f.newLandlord(t)} {
		c.upload(f.ticket, "x.pdf", "application/pdf", []byte(bill)).refused(http.StatusForbidden, "forbidden")
	}
	for _, c := range []client{f.landlord, f.stranger, f.strangersTenant, f.newLandlord(t)} {
		c.upload(f.portal, "x.pdf", "application/pdf", []byte(bill)).refused(http.StatusForbidden, "forbidden")
	}
	f.landlord.upload("/tickets/"+noSuchRow+"/attachments", "x.pdf", "application/pdf", []byte(bill)).refused(http.StatusForbidden, "forbidden")
	require.Equal(t, before, f.rows(t, "attachments"))
	require.Len(t, f.kept(t), files)

	// what the tenant adds is the landlord's, and shared whatever they say
	a := f.tenant.upload(f.portal, "mine.jpg", "image/jpeg", photoJPEG(t)).ok(http.StatusCreated)
	require.Equal(t, "shared", a.body["visibility"])
	at := strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
	text := f.tenant.get(at).ok(http.StatusOK).text
	require.NotContains(t, text, whereabouts)
	require.Equal(t, text, f.landlord.get("/attachments/"+a.body["id"].(string)+"/content").ok(http.StatusOK).text)
	f.tenant.upload(f.portal+"?visibility=internal", "x.jpg", "image/jpeg", photoJPEG(t)).refused(http.StatusBadRequest, "invalid_request", "?visibility")
	f.tenant.delete("/attachments/"+a.body["id"].(string)).refused(http.StatusForbidden, "forbidden")
}

func TestUploadRefused(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	c := f.landlord
	before := f.rows(t, "attachments")
	photo := photoJPEG(t)
	for _, test := range []struct {
		what, mediaType, file string
		status                int
		code                  string
		blamed                []string
	}{
		{"a page as JPEG", "image/jpeg", "<!doctype html>", 415, "unsupported_media_type", nil},
		{"a page as page", "text/html", "<!doctype html>", 415, "unsupported_media_type", nil},
		{"a JPEG as PNG", "image/png", string(photo), 415, "unsupported_media_type", []string{"header Content-Type"}},
		{"a JPEG as anything", "application/octet-stream", string(photo), 415, "unsupported_media_type", []string{"header Content-Type"}},
		{"a JPEG as JSON", "application/json", string(photo), 415, "unsupported_media_type", []string{"header Content-Type"}},
		{"a JPEG as nothing", "", string(photo), 415, "unsupported_media_type", []string{"header Content-Type"}},
		{"a page with a JPEG's beginning", "image/jpeg", "\xff\xd8\xff\xe0<!doctype html><script>", 415, "file_damaged", nil},
		{"half a JPEG", "image/jpeg", string(photo[:len(photo)/2]), 415, "file_damaged", nil},
		{"a page as HEIC", "image/heic", "<!doctype html>", 415, "unsupported_media_type", nil},
		{"a JPEG as HEIC", "image/heic", string(photo), 415, "unsupported_media_type", []string{"header Content-Type"}},
		{"a HEIC as JPEG", "image/jpeg", string(photoHEIC(t)), 415, "unsupported_media_type", []string{"header Content-Type"}},
		{"a HEIC's beginning", "image/heic", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", 415, "file_damaged", nil},
		{"half a HEIC", "image/heic", string(photoHEIC(t)[:2000]), 415, "file_damaged", nil},
		{"a film", "image/heic", string(photoHEIC(t)) + "\x00\x00\x00\x08moov", 415, "unsupported_media_type", nil},
		{"nothing", "image/jpeg", "", 415, "unsupported_media_type", nil},
		{"a pixel bomb", "image/png", string(photoPNG(t, 1<<30, 1<<30)), 413, "too_large", nil},
		{"too much", "application/pdf", string(bigPDF(11 << 20)), 413, "too_large", nil},
		{"a byte too much", "application/pdf", string(bigPDF(10<<20 + 1)), 413, "too_large", nil},
	} {
		t.Run(test.what, func(t *testing.T) {
			c.as(t).upload(f.ticket, "x.jpg", test.mediaType, []byte(test.file)).refused(test.status, test.code, test.blamed...)
		})
	}
	c.send(http.MethodPost, f.ticket, photo, "Content-Type: image/jpeg").refused(http.StatusBadRequest, "invalid_request", "?fileName")
	c.upload(f.ticket, "", "image/jpeg", photo).refused(http.StatusBadRequest, "invalid_request", "?fileName")
	c.upload(f.ticket, "a\nb", "image/jpeg", photo).refused(http.StatusBadRequest, "invalid_request", "?fileName")
	c.upload(f.ticket, strings.Repeat("x", 151), "image/jpeg", photo).refused(http.StatusBadRequest, "invalid_request", "?fileName")
	c.upload(f.ticket+"?visibility=public", "x.jpg", "image/jpeg", photo).refused(http.StatusBadRequest, "invalid_request", "?visibility")
	c.upload(f.ticket, "x.jpg", "image/jpeg", photo, "Content-Encoding: gzip").refused(http.StatusUnsupportedMediaType, "unsupported_media_type", "header Content-Encoding")
	require.Equal(t, before, f.rows(t, "attachments"))
	require.Empty(t, f.kept(t))
	c.upload(f.ticket, "x.pdf", "application/pdf", bigPDF(10<<20)).ok(http.StatusCreated)
}

// TestUploadCutShort: a line that dies half way leaves nothing.
func TestUploadCutShort(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	before := f.rows(t, "attachments")
	host := strings.TrimPrefix(f.url, "http://")
	conn, err := net.Dial("tcp", host)
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "POST /api/v1%s?fileName=x.pdf HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/pdf\r\nContent-Length: 1000\r\n\r\n%s", f.ticket, host, f.landlord.token, bill)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Contains(t, string(answer), "body_incomplete")
	require.Equal(t, before, f.rows(t, "attachments"))
	require.Empty(t, f.kept(t))
}

// TestUploadOnce: the same key keeps one row and one file, also when all arrive at
// once.
func TestUploadOnce(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	before := f.rows(t, "attachments")
	for _, who := range []struct {
		client
		path string
	}{{f.landlord, f.ticket}, {f.tenant, f.portal}} {
		ids, answers := make([]string, 4), make([]string, 4)
		var done sync.WaitGroup
		for i := range ids {
			done.Go(func() {
				a := who.upload(who.path, "x.pdf", "application/pdf", []byte(bill), key("one-file"))
				if answers[i] = a.text; a.status == http.StatusCreated {
					ids[i] = a.body["id"].(string)
				}
			})
		}
		done.Wait()
		for _, id := range ids {
			require.NotEmpty(t, id, answers)
			require.Equal(t, ids[0], id)
		}
		who.upload(who.path, "y.pdf", "application/pdf", []byte(bill), key("one-file")).
			refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
		who.upload(who.path, "x.pdf", "application/pdf", []byte(bill+"\n"), key("one-file")).
			refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
	}
	require.Equal(t, before+2, f.rows(t, "attachments"))
	require.Len(t, f.kept(t), 2)
}

// TestUploadWithoutRow: when the row is refused, the file goes.
func TestUploadWithoutRow(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	f.Exec(t, "alter table app.attachments add constraint refuse_all check (file_name <> 'x.pdf') not valid")
	f.landlord.upload(f.ticket, "x.pdf", "application/pdf", []byte(bill)).refused(http.StatusBadRequest, "invalid_request")
	require.Empty(t, f.kept(t))
}

// TestTicketTakesItsFiles: when a ticket is deleted, its files go too.
func TestTicketTakesItsFiles(t *testing.T) {
	t.Parallel()
	f := newFilesTest(t)
	f.landlord.upload(f.ticket, "x.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated)
	path := "/tickets/" + f.ann.TicketID.String()
	f.landlord.delete(path).refused(http.StatusConflict, "archive_first")
	require.Len(t, f.kept(t), 1)
	f.landlord.patch(path, object{"archived": true}).ok(http.StatusOK)
	f.landlord.delete(path).ok(http.StatusNoContent)
	require.Empty(t, f.kept(t))
}

// brokenStore fails at what the test says.
type brokenStore struct {
	storage.Store
	put, open, del error
}

func (b *brokenStore) Put(ctx context.Context, key, mediaType string, r io.Reader) error {
	if b.put != nil {
		return b.put
	}
	return b.Store.Put(ctx, key, mediaType, r)
}

func (b *brokenStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if b.open != nil {
		return nil, b.open
	}
	return b.Store.Open(ctx, key)
}

func (b *brokenStore) Delete(ctx context.Context, key string) error {
	if b.del != nil {
		return b.del
	}
	return b.Store.Delete(ctx, key)
}

func TestStoreTrouble(t *testing.T) {
	t.Parallel()
	broken := &brokenStore{}
	f := newFilesTest(t, func(c *httpapi.Config) { broken.Store, c.Files = c.Files, broken })
	at := "/attachments/" + f.landlord.upload(f.ticket, "x.pdf", "application/pdf", []byte(bill)).ok(http.StatusCreated).body["id"].(string)
	before := f.rows(t, "attachments")
	away := errors.New("the store is away")
	broken.put, broken.open, broken.del = away, away, away
	a := f.landlord.upload(f.ticket, "x.pdf", "application/pdf", []byte(bill)).refused(http.StatusServiceUnavailable, "storage_unavailable")
	require.Equal(t, "5", a.header.Get("Retry-After"))
	require.Equal(t, before, f.rows(t, "attachments"))
	f.landlord.get(at+"/content").refused(http.StatusServiceUnavailable, "storage_unavailable")
	f.landlord.delete(at).ok(http.StatusNoContent) // the row is gone, and the log names the file
	require.Contains(t, logged.String(), "a file that no row names could not be deleted")

	broken.open = nil
	var id uuid.UUID
	require.NoError(t, f.Admin.QueryRow(t.Context(), "select id from app.attachments where owner_user_id = $1", f.ann.UserID).Scan(&id))
	f.landlord.get("/attachments/"+id.String()+"/content").refused(http.StatusNotFound, "file_missing")
}

// TestUploadMemory measures what an upload takes of memory: it does not grow with
// the file. It runs alone, because the measure is the process's.
func TestUploadMemory(t *testing.T) {
	f := newFilesTest(t)
	fits, tooBig := bigPDF(10<<20), bigPDF(11<<20)
	var before, after runtime.MemStats
	for name, send := range map[string]func(){
		"kept": func() {
			id := f.landlord.upload(f.ticket, "x.pdf", "application/pdf", fits).ok(http.StatusCreated).body["id"].(string)
			f.landlord.delete("/attachments/" + id).ok(http.StatusNoContent)
		},
		"refused": func() {
			f.landlord.upload(f.ticket, "x.pdf", "application/pdf", tooBig).refused(http.StatusRequestEntityTooLarge, "too_large")
		},
	} {
		t.Run(name, func(t *testing.T) {
			send()
			runtime.ReadMemStats(&before)
			send()
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
		})
	}
}
