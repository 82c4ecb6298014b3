package probe

import (
	"slices"
	"strings"
)

// place is where an operation takes something that names a row.
type place struct {
	in, name string // path, query or body
	// kind is the kind of row as the document's words have it: the collection in
	// the path, or the parameter's name.
	kind string
	// secret says that it takes no id but a text that nobody can guess.
	secret bool
}

func (p place) String() string { return p.in + " " + p.name }

// places are where an operation takes ids.
func (o operation) places() []place {
	var all []place
	for _, p := range o.Parameters {
		switch {
		case p.In == "path" && p.Schema.is("integer"): // counts what is inside a row
		case p.In == "path":
			all = append(all, place{"path", p.Name, o.kindInPath(p.Name), p.Schema.Format != "uuid"})
		case p.In == "query" && p.Schema.Format == "uuid":
			all = append(all, place{"query", p.Name, kindNamed(p.Name), false})
		}
	}
	if o.json == nil {
		return all
	}
	for name, member := range sorted(o.json.Properties) {
		if member.Format == "uuid" {
			all = append(all, place{"body", name, kindNamed(name), false})
		}
	}
	return all
}

// kindInPath is the collection that a path's parameter stands behind, unless the
// parameter says more than id.
func (o operation) kindInPath(name string) string {
	if name != "id" {
		return kindNamed(name)
	}
	before, _, _ := strings.Cut(o.path, "/{"+name+"}")
	return kind(before[strings.LastIndex(before, "/")+1:])
}

// kindNamed is the kind of row that a member such as tenancyId names.
func kindNamed(name string) string {
	name, _ = strings.CutSuffix(name, "Id")
	if stem, ok := strings.CutSuffix(name, "y"); ok {
		return kind(stem + "ies")
	}
	return kind(name + "s")
}

// kind is a collection's name without the differences between a path and a member.
func kind(collection string) string {
	return strings.ToLower(strings.ReplaceAll(collection, "-", ""))
}

// alike reports whether two kinds are one: invites are tenant-invites where it is
// clear of whom.
func alike(x, y string) bool {
	return x == y || x != "" && y != "" && (strings.HasSuffix(x, y) || strings.HasSuffix(y, x))
}

// collection is the kind of row that a POST makes, or that a list is of.
func (o operation) collection() string {
	last := kind(o.path[strings.LastIndex(o.path, "/")+1:])
	if last == "import" { // of units, of tenants …
		return "imports"
	}
	return last
}

// forTenants reports whether the operation is for the people who rent, whom
// neither canary is.
func (o operation) forTenants() bool { return strings.Contains(o.path, "/portal/") }

// makes reports whether the operation makes a row that a canary can have.
func (o operation) makes() bool {
	return o.method == "POST" && o.answers("201") && !o.forTenants() && o.ID != inviting && o.ID != invitingMany && o.ID != consenting
}

// item are the operations on single rows of a kind.
type item struct{ get, change, remove *operation }

// itemOf returns the operations on single rows of a kind.
func itemOf(all []operation, of string) item {
	var found item
	for i, o := range all {
		if o.forTenants() || !strings.HasSuffix(o.path, "/{id}") || strings.Count(o.path, "{") != 1 || !alike(o.kindInPath("id"), of) {
			continue
		}
		switch o.method {
		case "GET":
			found.get = &all[i]
		case "PATCH":
			found.change = &all[i]
		case "DELETE":
			found.remove = &all[i]
		}
	}
	return found
}

// unfillable are the parts of a request that the probe knows no value for.
func (o operation) unfillable() []string {
	var parts []string
	for _, p := range o.Parameters {
		if !p.Required || p.In == "path" {
			continue
		}
		if _, ok := (sampler{}).value(p.Name, p.Schema); !ok && p.Schema.Format != "uuid" || p.In != "query" {
			parts = append(parts, p.In+" parameter "+p.Name)
		}
	}
	if o.json != nil {
		for _, name := range o.json.Required {
			if _, ok := (sampler{}).value(name, o.json.Properties[name]); !ok && o.json.Properties[name].Format != "uuid" {
				parts = append(parts, "member "+name+" of the body")
			}
		}
		if !o.json.is("object") {
			parts = append(parts, "the body")
		}
	} else if len(o.files) > 0 && !slices.Contains(o.files, pictureType) && !slices.Contains(o.files, tableType) {
		parts = append(parts, "a body of type "+strings.Join(o.files, ", "))
	}
	return parts
}

// inviting is the one operation that would send mail: it is called once in the
// life of a canary, to an address that cannot exist.
const inviting = "inviteTenant"

// invitingMany would send as many mails as it has rows, and is never called.
const invitingMany = "inviteTenants"

// consenting opens a landlord's books to support. What it makes cannot be deleted: it
// is called once in the life of a canary, and at once taken back.
const consenting = "createSupportGrant"

// forSupport reports whether the operation reads as support does, under a grant.
func (o operation) forSupport() bool { return strings.Contains(o.path, "/support/grants/") }

// asLandlord is what limits the proof for operations that neither canary is for.
const asLandlord = "for tenants; asked as a landlord, who is nobody's tenant"

// uncontrolled says why nobody can see that an operation finds a canary's own row
// in a place; it is empty where that has to be seen.
func (o operation) uncontrolled(p place) string {
	switch {
	case o.forTenants():
		return asLandlord
	case o.forSupport():
		return "for support; asked as a landlord, whom no grant lets read so"
	case p.in == "query" && alike(p.kind, "supportgrants"):
		return "lists what support has read, which is nothing of the canaries'"
	case p.secret:
		return "opened by a secret that only a mail holds; ids were tried in its place"
	case o.ID == inviting:
		return "sends mail, so no invite is made with the canary's own ids"
	}
	return ""
}
