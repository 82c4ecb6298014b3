package httpapi

import (
	"strconv"
	"strings"

	"rowhouse/internal/errs"
)

// etag is the entity tag of a row's version. Strong: a version is one state.
func etag(version int32) string { return `"` + strconv.Itoa(int(version)) + `"` }

// IfMatch is the header that makes a change conditional.
type IfMatch struct {
	IfMatch string `header:"If-Match" maxLength:"100" example:"\"3\"" doc:"The ETag of the version you read. If it has changed meanwhile, the answer is 412 with the current ETag. Without the header the change is made to whatever is there."`
}

// check fails with PreconditionFailed when the caller read another version.
func (h IfMatch) check(version int32) error {
	if h.IfMatch == "" {
		return nil
	}
	for want := range strings.SplitSeq(h.IfMatch, ",") {
		if want = strings.TrimSpace(want); want == "*" || want == etag(version) {
			return nil
		}
	}
	e := errs.New(errs.PreconditionFailed, "version_changed",
		"This has changed since you read it. Read it again, and repeat your change.")
	e.ETag = etag(version)
	return e
}
