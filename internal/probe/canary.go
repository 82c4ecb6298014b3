package probe

import (
	"encoding/json"
	"regexp"
	"slices"
)

// canary is one of the two landlords during a run.
type canary struct {
	name string // a or b
	session
	sampler

	ids   map[string][]string // of rows by kind; those of this run come first
	rows  []*row
	known map[string]string // every id in the answers to this canary, and the operation that said it first
}

// row is a row that a canary has for a run.
type row struct {
	kind, id string
	kept     bool   // of every run, as it cannot be deleted
	seen     answer // when the attacks began
}

func newCanary(name, run string, s session) *canary {
	return &canary{
		name: name, session: s, sampler: sampler{marker: run + "-" + name},
		ids: map[string][]string{}, known: map[string]string{},
	}
}

// next is the canary's sampler with a number that it has not used.
func (c *canary) next() sampler {
	c.number++
	return c.sampler
}

// id returns the id of a row of a kind, or "" if there is none.
func (c *canary) id(kind string) string {
	for known, ids := range sorted(c.ids) {
		if alike(known, kind) && len(ids) > 0 {
			return ids[0]
		}
	}
	return ""
}

// row returns the row of a kind that id names.
func (c *canary) row(kind string) *row {
	id := c.id(kind)
	i := slices.IndexFunc(c.rows, func(r *row) bool { return r.id == id })
	if i < 0 {
		return nil
	}
	return c.rows[i]
}

// all are the ids that the canary's rows have.
func (c *canary) all() []string {
	var all []string
	for _, ids := range sorted(c.ids) {
		all = append(all, ids...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// made notes a row that was made, whether or not it should have been: it has to be
// deleted, unless it is the other's.
func (c *canary) made(o operation, a answer, other *canary) {
	var made struct{ ID string }
	if json.Unmarshal(a.body, &made) == nil && made.ID != "" && other.known[made.ID] == "" {
		c.rows = append(c.rows, &row{kind: o.collection(), id: made.ID})
	}
}

func (c *canary) kindOf(id string) string {
	for kind, ids := range sorted(c.ids) {
		if slices.Contains(ids, id) {
			return kind
		}
	}
	return "row"
}

func (c *canary) add(kind, id string) {
	if id != "" && !slices.Contains(c.ids[kind], id) {
		c.ids[kind] = append(c.ids[kind], id)
	}
}

var (
	anyID   = regexp.MustCompile(`[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}`)
	wholeID = regexp.MustCompile(`^` + anyID.String() + `$`)
)

// gather takes the ids of rows out of an answer about the canary's own: those of
// objects in arrays, whose kind is the array's name. Of objects that do not speak
// of this run, nothing is taken.
func (c *canary) gather(body []byte) {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return // no object: nothing in it has a name
	}
	for name, member := range sorted(object) {
		var items []json.RawMessage
		if json.Unmarshal(member, &items) != nil {
			continue
		}
		for _, item := range items {
			var named struct{ ID string }
			if json.Unmarshal(item, &named) == nil && wholeID.MatchString(named.ID) && c.speaks(string(item)) {
				c.add(kind(name), named.ID)
			}
		}
	}
}
