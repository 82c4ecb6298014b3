package httpapi_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
)

// importing sends a spreadsheet and returns the import's path.
func (c client) importing(path, text string) string {
	c.t.Helper()
	a := c.post(path, text, csvType...).ok(http.StatusCreated)
	return strings.TrimPrefix(a.header.Get("Location"), "/api/v1")
}

// runImport does what the worker does with an import that was started or is to be
// undone.
func (s *service) runImport(c client, path string) {
	c.t.Helper()
	id, err := uuid.Parse(path[strings.LastIndex(path, "/")+1:])
	require.NoError(c.t, err)
	require.NoError(c.t, imports.New(s.DB, dbtest.InviteKeys(c.t)).Run(auth.With(c.t.Context(), auth.Identity{UserID: c.id}), id))
}

// tiles are an import's state and how many rows come to what.
func (a answer) tiles() string {
	a.t.Helper()
	rows := a.body["rows"].(object)
	require.Equal(a.t, rows["total"], rows["create"].(float64)+rows["update"].(float64)+rows["unchanged"].(float64)+rows["skip"].(float64)+rows["error"].(float64))
	return fmt.Sprintf("%v create %v update %v unchanged %v skip %v error %v", a.body["state"],
		rows["create"], rows["update"], rows["unchanged"], rows["skip"], rows["error"])
}

// A landlord has an import invite the tenants: what would come of that is shown first.
func TestImportInvites(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	file := "firstName,lastName,email\nAda,Byron,ada@example.com\nGrace,Hopper,\n"

	at := c.importing("/tenants/import?sendInvites=true", file)
	invites := func() []any {
		a := c.get(at).ok(http.StatusOK)
		return []any{a.body["state"], a.body["sendInvites"], a.body["invited"]}
	}
	require.Equal(t, []any{"CHECKED", true, 1.0}, invites())
	require.NotContains(t, c.get(at + "/rows").list("rows")[0], "inviteId", "nobody was invited yet")
	c.patch(at+"/mapping", object{"sendInvites": false}).ok(http.StatusOK)
	require.Equal(t, []any{"CHECKED", false, 0.0}, invites())
	c.patch(at+"/mapping", object{"sendInvites": true}).ok(http.StatusOK)
	require.Equal(t, []any{"CHECKED", true, 1.0}, invites())
	require.Empty(t, c.get("/tenant-invites").list("tenantInvites"))

	c.post(at+"/run", nil).ok(http.StatusOK)
	s.runImport(c, at)
	require.Equal(t, []any{"COMPLETED", true, 1.0}, invites())
	invite := c.get("/tenant-invites").list("tenantInvites")[0]
	require.Equal(t, []any{"ada@example.com", "PENDING", "QUEUED"}, []any{invite["email"], invite["state"], invite["mailState"]})
	rows := c.get(at + "/rows").list("rows")
	require.Equal(t, invite["id"], rows[0]["inviteId"])
	require.NotContains(t, rows[1], "inviteId", "without an address")
	c.post("/tenants/import?sendInvites=maybe", file, csvType...).refused(http.StatusBadRequest, "invalid_request", "?sendInvites")
}

// A landlord sends the file that they have, says what its columns are, mends a row,
// runs it, mends the rest in the file that they get back, and takes all of it back.
func TestImport(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	c.created("/units", object{"name": "Flat 1"})

	file := "\xef\xbb\xbfWer;E-Mail;Wohnung;Farbe\r\nAda Byron;ada@example.com;Flat 1;blau\r\n" +
		"\"Hopper, Grace\";grace@;flat 1;rot\r\nAlan Turing;alan@example.com;Flat 9;\r\nKay Noe;ADA@example.com;;\r\n"
	at := c.importing("/tenants/import?fileName=Mieter.csv", file)
	a := c.get(at).ok(http.StatusOK)
	require.Equal(t, "UPLOADED create 0 update 0 unchanged 0 skip 0 error 4", a.tiles())
	require.Equal(t, []any{"firstName", "lastName"}, a.body["missing"])
	require.Equal(t, "UTF-8", a.body["encoding"])
	require.Equal(t, ";", a.body["delimiter"])
	require.Equal(t, "Mieter.csv", a.body["fileName"])
	require.Equal(t, object{"heading": "Wer", "field": "", "samples": []any{"Ada Byron", "Hopper, Grace", "Alan Turing"}}, a.body["columns"].([]any)[0])
	require.Equal(t, object{"heading": "Wohnung", "field": "unit", "samples": []any{"Flat 1", "flat 1", "Flat 9"}}, a.body["columns"].([]any)[2])
	c.post(at+"/run", nil).refused(http.StatusConflict, "not_possible_now")

	mapping := []string{"fullName", "email", "unit", ""}
	c.patch(at+"/mapping", object{"mapping": mapping[:3]}).refused(http.StatusBadRequest, "invalid_request", "#/mapping")
	c.patch(at+"/mapping", object{"mapping": []string{"email", "email", "", ""}}).refused(http.StatusBadRequest, "invalid_request", "#/mapping")
	c.patch(at+"/mapping", object{"mapping": []string{"owner", "", "", ""}}).refused(http.StatusBadRequest, "invalid_request", "#/mapping/0")
	c.patch(at+"/mapping", object{"mapping": []string{"bedrooms", "", "", ""}}).refused(http.StatusBadRequest, "invalid_request", "#/mapping")
	c.patch(at+"/mapping", object{"mapping": mapping}, `If-Match: "99"`).refused(http.StatusPreconditionFailed, "version_changed")
	a = c.patch(at+"/mapping", object{"mapping": mapping}, "If-Match: "+a.header.Get("ETag")).ok(http.StatusOK)
	require.Equal(t, "CHECKED create 1 update 0 unchanged 0 skip 1 error 2", a.tiles())
	require.Empty(t, c.get("/tenants").list("tenants"), "nothing was done yet")

	failed := c.get(at + "/rows?filter=ERROR").list("rows")
	require.Len(t, failed, 2)
	require.Equal(t, []any{2.0, 3.0, "invalid_email", "email", "This is not an e-mail address."},
		[]any{failed[0]["n"], failed[0]["line"], failed[0]["code"], failed[0]["field"], failed[0]["message"]})
	require.Equal(t, "unknown_unit", failed[1]["code"])
	require.Len(t, c.get(at+"/rows?code=duplicate_in_file").list("rows"), 1)
	require.Len(t, c.get(at+"/rows?cursor=*&limit=2").list("rows"), 2)

	row := c.patch(at+"/rows/2", object{"field": "email", "value": "grace@example.com"}).ok(http.StatusOK)
	require.Equal(t, "CREATE", row.body["action"])
	require.Equal(t, []any{"Hopper, Grace", "grace@example.com", "flat 1", "rot"}, row.body["cells"])
	c.patch(at+"/rows/5", object{"field": "email", "value": ""}).refused(http.StatusForbidden, "forbidden")
	c.patch(at+"/rows/0", object{"field": "email", "value": ""}).refused(http.StatusBadRequest, "invalid_request", "?n")
	c.patch(at+"/rows/1", object{"field": "", "value": ""}).refused(http.StatusBadRequest, "invalid_request", "#/field")
	c.patch(at+"/rows/1", object{"field": "phone", "value": ""}).refused(http.StatusConflict, "not_possible_now", "#/field")

	a = c.post(at+"/run", nil).ok(http.StatusOK)
	require.Equal(t, "RUNNING", a.body["state"])
	c.delete(at).refused(http.StatusConflict, "not_possible_now")
	s.runImport(c, at)
	require.Equal(t, "PARTIAL create 2 update 0 unchanged 0 skip 1 error 1", c.get(at).tiles())
	c.post(at+"/run", nil).refused(http.StatusConflict, "not_possible_now")
	require.Len(t, c.get("/tenants").list("tenants"), 2)
	require.NotEmpty(t, c.get(at + "/rows?filter=CREATE").list("rows")[0]["tenantId"])

	rest := c.get(at + "/failed.csv").ok(http.StatusOK)
	require.Equal(t, "text/csv; charset=utf-8", rest.header.Get("Content-Type"))
	require.Equal(t, "attachment; filename=failed.csv", rest.header.Get("Content-Disposition"))
	require.Equal(t, "\ufeffWer,E-Mail,Wohnung,Farbe,row,error_code,error\n"+
		"Alan Turing,alan@example.com,Flat 9,,4,unknown_unit,unit: There is no such unit.\n", rest.text)
	again := c.importing("/tenants/import?unknownUnits=create", strings.Replace(rest.text, "Wer", "Mieter", 1))
	require.Equal(t, "CHECKED create 1 update 0 unchanged 0 skip 0 error 0", c.get(again).tiles())

	twice := c.get(c.importing("/tenants/import", file)).ok(http.StatusOK)
	require.Equal(t, a.body["id"], twice.body["earlierId"])

	require.Equal(t, "UNDOING", c.post(at+"/undo", nil).ok(http.StatusOK).body["state"])
	s.runImport(c, at)
	require.Equal(t, "UNDONE", c.get(at).body["state"])
	require.Empty(t, c.get("/tenants").list("tenants"))
	c.post(at+"/cancel", nil).refused(http.StatusConflict, "not_possible_now")
	require.Equal(t, "CANCELLED", c.post(again+"/cancel", nil).ok(http.StatusOK).body["state"])
	require.Len(t, c.get("/imports?kind=tenants").list("imports"), 3)
	require.Len(t, c.get("/imports?state=UNDONE").list("imports"), 1)

	c.delete(at, `If-Match: "0"`).refused(http.StatusPreconditionFailed, "version_changed")
	c.delete(at).ok(http.StatusNoContent)
	c.get(at).refused(http.StatusNotFound, "not_found")
	require.Len(t, c.get("/imports").list("imports"), 2)
}

// A form does as well as the file itself, and one key makes one import.
func TestImportForm(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(t, form.WriteField("comment", "not a file"))
	part, err := form.CreateFormFile("file", `C:\Users\ann\units.csv`)
	require.NoError(t, err)
	_, err = part.Write([]byte("unit,city\nAttic,Delft\n"))
	require.NoError(t, err)
	require.NoError(t, form.Close())
	send := func() answer {
		return c.post("/units/import", body.Bytes(), "Content-Type: "+form.FormDataContentType(), key("form")).ok(http.StatusCreated)
	}
	first := send()
	require.Equal(t, "units.csv", first.body["fileName"])
	require.Equal(t, "CHECKED create 1 update 0 unchanged 0 skip 0 error 0", first.tiles())
	require.Equal(t, first.text, send().text)
	require.Len(t, c.get("/imports").list("imports"), 1)
	c.post("/units/import", "unit\nother\n", csvType[0], key("form")).refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
}

func TestImportFilesThatAreNone(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	for name, test := range map[string]struct {
		body        string
		contentType string
		status      int
		code        string
		detail      string
	}{
		"empty":         {body: "", status: 422, code: "empty_file", detail: "The file is empty."},
		"header only":   {body: "unit,city\n", status: 422, code: "no_rows", detail: "The file has a header and no rows below it."},
		"open quote":    {body: "unit,city\na,\"b\nc,d\n", status: 422, code: "malformed_csv", detail: "Line 2, column 2: a quote is opened here and never closed."},
		"late quote":    {body: "unit\n" + strings.Repeat("a\n", 600) + "b,\"c", status: 422, code: "malformed_csv", detail: "Line 602, column 2: a quote is opened here and never closed."},
		"a workbook":    {body: "PK\x03\x04....", status: 415, code: "not_csv", detail: "This is a workbook (.xlsx or .ods) or a zip file; save the sheet as CSV and send that."},
		"zero bytes":    {body: "unit\na\x00\n", status: 415, code: "not_csv", detail: "Line 2, column 1: there is a zero byte; this is no text, or it is damaged."},
		"mixed":         {body: "unit\nZoë\nJ\xfcrgen\n", status: 422, code: "unreadable_text", detail: "Line 3: the file mixes UTF-8 with another encoding; save it as \"CSV UTF-8\" and send it again."},
		"65 columns":    {body: "unit" + strings.Repeat(",x", 64) + "\n", status: 422, code: "limit_exceeded", detail: "Line 1, column 65: the row has more than 64 columns."},
		"10001 rows":    {body: "unit\n" + strings.Repeat("a\n", 10_001), status: 422, code: "limit_exceeded", detail: "Line 10002: the file has more than 10000 rows."},
		"9 MB in a row": {body: "unit\n" + strings.Repeat("a", 9<<20), status: 422, code: "limit_exceeded", detail: "Line 2, column 1: the cell is longer than 10000 characters; perhaps a quote is not closed."},
		"11 MB":         {body: strings.Repeat("unit\n", 11<<20/5), status: 413, code: "limit_exceeded", detail: "The file is larger than 10 MB."},
		"JSON":          {body: "{}", contentType: jsonType, status: 415, code: "unsupported_media_type", detail: "Send the file as text/csv, or as a part of multipart/form-data, and say so in Content-Type."},
		"no form":       {body: "x", contentType: "multipart/form-data; boundary=y", status: 400, code: "invalid_request", detail: "The form holds no file."},
		"empty form":    {body: "--y--\r\n", contentType: "multipart/form-data; boundary=y", status: 400, code: "invalid_request", detail: "The form holds no file."},
	} {
		t.Run(name, func(t *testing.T) {
			contentType := test.contentType
			if contentType == "" {
				contentType = "text/csv"
			}
			a := c.as(t).post("/units/import", test.body, "Content-Type: "+contentType).refused(test.status, test.code)
			require.Equal(t, test.detail, a.body["detail"])
			require.Zero(t, s.rows(t, "import_batches"))
			require.Zero(t, s.rows(t, "import_rows"))
		})
	}
}

func TestImportTemplates(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	for _, kind := range []string{"units", "portfolio", "tenants"} {
		template := c.get("/imports/templates/" + kind + ".csv").ok(http.StatusOK)
		at := c.importing("/"+kind+"/import?unknownUnits=create", template.text)
		require.Equal(t, "CHECKED create 2 update 0 unchanged 0 skip 0 error 0", c.get(at).tiles(), kind)
	}
	_, house := c.made("/properties", object{"name": "Canal House"})
	c.created("/units", object{"name": "=Attic", "propertyId": house})
	c.created("/units", object{"name": "Cellar"})
	template := c.get("/imports/templates/tenants.csv").text
	require.Contains(t, template, ",,,,'=Attic,Canal House,,,,\n", "a formula would run")
	filled := strings.Replace(template, ",,,,'=Attic", "Ada,Byron,,,'=Attic", 1)
	at := c.importing("/tenants/import", filled)
	require.Equal(t, "CHECKED create 1 update 0 unchanged 0 skip 1 error 0", c.get(at).tiles(), "the other unit's row names nobody")
	c.post(at+"/run", nil).ok(http.StatusOK)
	s.runImport(c, at)
	require.Equal(t, "=Attic", c.get("/units?q=attic").list("units")[0]["name"])
	require.NotEmpty(t, c.get("/tenants").list("tenants")[0]["unitId"])
}
