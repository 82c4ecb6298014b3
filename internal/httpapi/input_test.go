package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// marker stands in every bad value below, and must come back in no answer and no
// log line.
const marker = "zKqWvYtB"

// badUnits are bodies that no unit may come of, each with what is to blame.
var badUnits = map[string]struct {
	body   string
	blamed []string
}{
	"name empty":                 {`{"name":""}`, []string{"#/name"}},
	"name of spaces":             {`{"name":"  \t "}`, []string{"#/name"}},
	"name of no-break spaces":    {"{\"name\":\"\u00a0\u2003\u3000\"}", []string{"#/name"}},
	"name of a line separator":   {`{"name":"\u2028"}`, []string{"#/name"}},
	"name of 201 characters":     {`{"name":"` + marker + strings.Repeat("é", 193) + `"}`, []string{"#/name"}},
	"name with a NUL":            {`{"name":"` + marker + `\u0000"}`, []string{"#/name"}},
	"name with a line feed":      {`{"name":"` + marker + `\n"}`, []string{"#/name"}},
	"name with an escape":        {`{"name":"` + marker + `\u001b[31m"}`, []string{"#/name"}},
	"name with a C1 control":     {`{"name":"` + marker + `\u0085"}`, []string{"#/name"}},
	"name with DEL":              {`{"name":"` + marker + `\u007f"}`, []string{"#/name"}},
	"name with a raw line feed":  {"{\"name\":\"" + marker + "\n\"}", []string{"#/name"}},
	"name with a lone surrogate": {`{"name":"` + marker + `\ud83c"}`, []string{"#/name"}},
	"name with swapped halves":   {`{"name":"` + marker + `\udfe0\ud83c"}`, []string{"#/name"}},
	"name not UTF-8":             {"{\"name\":\"" + marker + "\xff\"}", []string{"#/name"}},
	"name overlong UTF-8":        {"{\"name\":\"" + marker + "\xc0\xaf\"}", []string{"#/name"}},
	"name null":                  {`{"name":null}`, []string{"#/name"}},
	"name a number":              {`{"name":17}`, []string{"#/name"}},
	"name an object":             {`{"name":{"` + marker + `":1}}`, []string{"#/name"}},
	"name missing":               {`{}`, []string{"#/name"}},
	"name in another case":       {`{"Name":"` + marker + `"}`, []string{"#/name", "#/Name"}},
	"name twice":                 {`{"name":"` + marker + `","name":"` + marker + `"}`, []string{"#/name"}},
	"name twice by an escape":    {`{"name":"` + marker + `","\u006eame":"` + marker + `"}`, []string{"#/name"}},
	"a deep member twice":        {`{"name":"a","x":{"y":[{"z":1,"z":"` + marker + `"}]}}`, []string{"#/x/y/0/z"}},
	"unknown member":             {`{"name":"a","colour":"` + marker + `"}`, []string{"#/colour"}},
	"unknown, to be escaped":     {`{"name":"a","a/b~c":"` + marker + `"}`, []string{"#/a~1b~0c"}},
	"owner":                      {`{"name":"a","ownerUserId":"` + noSuchRow + `"}`, []string{"#/ownerUserId"}},
	"id":                         {`{"name":"a","id":"` + noSuchRow + `"}`, []string{"#/id"}},
	"version":                    {`{"name":"a","version":7}`, []string{"#/version"}},
	"city empty":                 {`{"name":"a","city":""}`, []string{"#/city"}},
	"city too long":              {`{"name":"a","city":"` + marker + strings.Repeat("x", 93) + `"}`, []string{"#/city"}},
	"postal code too long":       {`{"name":"a","postalCode":"` + marker + strings.Repeat("1", 13) + `"}`, []string{"#/postalCode"}},
	"address with a NUL":         {`{"name":"a","address1":"` + marker + `\u0000"}`, []string{"#/address1"}},
	"reference with a tab":       {`{"name":"a","externalRef":"` + marker + `\t"}`, []string{"#/externalRef"}},
	"country in lower case":      {`{"name":"a","country":"nl"}`, []string{"#/country"}},
	"country of three letters":   {`{"name":"a","country":"NLD"}`, []string{"#/country"}},
	"country and a line feed":    {`{"name":"a","country":"NL\n"}`, []string{"#/country"}},
	"kind unknown":               {`{"name":"a","kind":"` + marker + `"}`, []string{"#/kind"}},
	"kind null":                  {`{"name":"a","kind":null}`, []string{"#/kind"}},
	"kind empty":                 {`{"name":"a","kind":""}`, []string{"#/kind"}},
	"status in lower case":       {`{"name":"a","status":"vacant"}`, []string{"#/status"}},
	"bedrooms a half":            {`{"name":"a","bedrooms":1.5}`, []string{"#/bedrooms"}},
	"bedrooms below zero":        {`{"name":"a","bedrooms":-1}`, []string{"#/bedrooms"}},
	"bedrooms above 99":          {`{"name":"a","bedrooms":100}`, []string{"#/bedrooms"}},
	"bedrooms past int16":        {`{"name":"a","bedrooms":65537}`, []string{"#/bedrooms"}},
	"bedrooms past int64":        {`{"name":"a","bedrooms":18446744073709551617}`, []string{"#/bedrooms"}},
	"bedrooms a string":          {`{"name":"a","bedrooms":"2` + marker + `"}`, []string{"#/bedrooms"}},
	"bathrooms 1.3":              {`{"name":"a","bathrooms":1.3}`, []string{"#/bathrooms"}},
	"bathrooms 1e400":            {`{"name":"a","bathrooms":1e400}`, []string{"#/bathrooms"}},
	"bathrooms NaN":              {`{"name":"a","bathrooms":NaN}`, []string{"#/bathrooms"}},
	"area 1e9":                   {`{"name":"a","areaM2":1e9}`, []string{"#/areaM2"}},
	"area past numeric(8,2)":     {`{"name":"a","areaM2":999999.999}`, []string{"#/areaM2"}},
	"archived a string":          {`{"name":"a","archived":"true"}`, []string{"#/archived"}},
	"archived null":              {`{"name":"a","archived":null}`, []string{"#/archived"}},
	"property not an id":         {`{"name":"a","propertyId":"` + marker + `"}`, []string{"#/propertyId"}},
	"property of 45 characters":  {`{"name":"a","propertyId":"` + marker + strings.Repeat("x", 37) + `"}`, []string{"#/propertyId"}},
	"property a number":          {`{"name":"a","propertyId":1}`, []string{"#/propertyId"}},
	"several at once":            {`{"name":"","kind":"` + marker + `","bedrooms":-1}`, []string{"#/name", "#/kind", "#/bedrooms"}},
	"array":                      {`[{"name":"` + marker + `"}]`, []string{"#"}},
	"null":                       {`null`, []string{"#"}},
	"string":                     {`"` + marker + `"`, []string{"#"}},
	"number":                     {`1`, []string{"#"}},
	"empty body":                 {``, []string{"#"}},
	"space":                      {" \n", []string{"#"}},
	"two values":                 {`{"name":"a"}{"name":"` + marker + `"}`, []string{"#"}},
	"trailing text":              {`{"name":"a"} ` + marker, []string{"#"}},
	"trailing comma":             {`{"name":"a",}`, []string{"#"}},
	"cut off":                    {`{"name":"` + marker, []string{"#/name"}},
	"comment":                    {`{/*` + marker + `*/"name":"a"}`, []string{"#"}},
	"single quotes":              {`{'name':'` + marker + `'}`, []string{"#"}},
	"byte order mark":            {"\ufeff" + `{"name":"a"}`, []string{"#"}},
	"UTF-16":                     {"\xff\xfe{\x00}\x00", []string{"#"}},
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	before := c.get(unit).text
	t.Run("refused", func(t *testing.T) {
		for name, test := range badUnits {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := c.as(t)
				c.post("/units", test.body).refused(http.StatusBadRequest, "invalid_request", test.blamed...)
				a := c.put(unit, test.body).refused(http.StatusBadRequest, "invalid_request", test.blamed...)
				a.discreet(c.token)
				if name != "name missing" && name != "name in another case" { // a patch may leave it out
					c.patch(unit, test.body).refused(http.StatusBadRequest, "invalid_request", test.blamed...).discreet(c.token)
				}
			})
		}
	})
	require.Equal(t, 1, s.rows(t, "units"))
	var version int
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select version from app.units").Scan(&version))
	require.Equal(t, 1, version)
	logged.RequireWithout(t, marker)
	logged.RequireWithout(t, c.token)
	require.Equal(t, before, c.get(unit).text)
}

// discreet requires that the answer gives nothing away.
func (a answer) discreet(token string) {
	a.t.Helper()
	for _, secret := range []string{marker, token, "SQLSTATE", "app.units", "units_", "insert into", "select ", "goroutine", ".go:"} {
		require.NotContains(a.t, a.text, secret)
	}
}

func TestBadProperties(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	for body, blamed := range map[string]string{
		`{"name":"a","latitude":90.1}`:      "#/latitude",
		`{"name":"a","latitude":-91}`:       "#/latitude",
		`{"name":"a","longitude":181}`:      "#/longitude",
		`{"name":"a","longitude":"5"}`:      "#/longitude",
		`{"name":"a","kind":"apartment"}`:   "#/kind", // a unit's
		`{"name":"a","status":"VACANT"}`:    "#/status",
		`{"name":"a","country":"Holland"}`:  "#/country",
		`{"name":"\u200b\u00a0\u0000"}`:     "#/name",
		`{"name":"a","externalRef":"\r\n"}`: "#/externalRef",
	} {
		c.post("/properties", body).refused(http.StatusBadRequest, "invalid_request", blamed).discreet(c.token)
	}
	require.Zero(t, s.rows(t, "properties"))
}

func TestBadIDs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	for _, id := range []string{
		marker, "1", "0", "-1", "null", "%00", "%20", "%ff", noSuchRow + "0", noSuchRow[1:], strings.Replace(noSuchRow, "0", "g", 1),
		noSuchRow + "%00", noSuchRow + "%20", marker + strings.Repeat("x", 37), "%27%3B%20drop%20table%20app.units%3B--" + marker, strings.Repeat("9", 4000),
	} {
		for _, a := range []answer{
			c.get("/units/" + id), c.put("/units/"+id, object{"name": "a"}), c.patch("/units/"+id, object{"name": "a"}),
			c.delete("/units/" + id), c.get("/properties/" + id), c.delete("/properties/" + id),
		} {
			a.refused(http.StatusBadRequest, "invalid_request", "?id").discreet(c.token)
		}
	}
	logged.RequireWithout(t, marker)
}

func TestBodySize(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	body := `{"name":"a"` + strings.Repeat(" ", maxBody) + `}`
	c.post("/units", body).refused(http.StatusRequestEntityTooLarge, "too_large")
	c.put(unit, body).refused(http.StatusRequestEntityTooLarge, "too_large")
	c.patch(unit, body).refused(http.StatusRequestEntityTooLarge, "too_large")
	c.post("/properties", body).refused(http.StatusRequestEntityTooLarge, "too_large")
	c.patch("/me", body).refused(http.StatusRequestEntityTooLarge, "too_large")

	// without a length that was announced
	req := c.request(http.MethodPost, "/units", body)
	req.ContentLength = -1
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	c.read(resp).refused(http.StatusRequestEntityTooLarge, "too_large")
	require.Equal(t, 1, s.rows(t, "units"))

	c.post("/units", `{"name":"Just fits"`+strings.Repeat(" ", maxBody-50)+`}`).ok(http.StatusCreated)
}

func TestJSONBombs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	almost := maxBody - 100
	for name, body := range map[string]string{
		"arrays":        strings.Repeat("[", almost),
		"objects":       strings.Repeat(`{"a":`, almost/5),
		"nested name":   `{"name":` + strings.Repeat("[", almost),
		"closed arrays": strings.Repeat("[", almost/2) + strings.Repeat("]", almost/2),
		"members":       `{"name":"a"` + distinctMembers(almost/13) + `}`,
		"one member":    `{"name":"a"` + strings.Repeat(`,"a":1`, almost/6) + `}`,
		"long number":   `{"name":"a","bedrooms":` + strings.Repeat("9", almost-20) + `}`,
		"long exponent": `{"name":"a","areaM2":1e` + strings.Repeat("9", almost-20) + `}`,
		"escapes":       `{"name":"` + strings.Repeat(`\u0041`, almost/6-10) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			a := c.as(t).post("/units", body)
			require.Equal(t, http.StatusBadRequest, a.status, a.text)
			require.Less(t, len(a.text), 256<<10, "an answer is no amplifier")
			require.Less(t, time.Since(start), 20*time.Second) // a tenth of a second, on a machine with nothing else to do
		})
	}
}

func distinctMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"x`)
		for v := i; ; v /= 26 {
			b.WriteByte(byte('a' + v%26))
			if v < 26 {
				break
			}
		}
		b.WriteString(`":1`)
	}
	return b.String()
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	unit := c.created("/units", object{"name": "Attic"})
	for _, accepted := range []string{"", "application/json", "application/json; charset=utf-8", "application/merge-patch+json"} {
		c.patch(unit, `{"name":"Attic"}`, "Content-Type: "+accepted).ok(http.StatusOK)
	}
	for _, refused := range []string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "text/json", "image/png", "*/*", "JSON?",
	} {
		c.post("/units", `{"name":"b"}`, "Content-Type: "+refused).refused(http.StatusUnsupportedMediaType, "unsupported_media_type")
		c.patch(unit, `{"name":"b"}`, "Content-Type: "+refused).refused(http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write([]byte(`{"name":"b"}`))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for _, coding := range []string{"gzip", "br", "deflate", "gzip, gzip"} {
		a := c.post("/units", packed.Bytes(), "Content-Encoding: "+coding).
			refused(http.StatusUnsupportedMediaType, "unsupported_media_type", "header Content-Encoding")
		require.Equal(t, "identity", a.header.Get("Accept-Encoding"))
	}
	c.post("/units", packed.Bytes()).refused(http.StatusBadRequest, "invalid_request", "#")
	require.Equal(t, 1, s.rows(t, "units"))

	for _, accept := range []string{"", "*/*", "application/json", "text/html", "application/xml;q=0.9", "application/problem+json"} {
		require.Equal(t, jsonType, c.get(unit, "Accept: "+accept).ok(http.StatusOK).header.Get("Content-Type"), accept)
		c.get("/units/"+noSuchRow, "Accept: "+accept).refused(http.StatusNotFound, "not_found")
	}
}
