package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// story follows some callers through what they do, and compares everything that
// each of them is told with what they should be told, after every step.
type story struct {
	t        *testing.T
	s        *service
	mail     *mailbox
	callers  map[string]client
	expected map[string]view
	tickets  map[string]string // ids by the names that the story has for them
}

// view is what a caller is told: "ticket tap" is `1 "Dripping tap", NEW, A1, …`.
type view map[string]string

func (v view) add(what, format string, args ...any) { v[what] = fmt.Sprintf(format, args...) }

func (v view) String() string {
	lines := []string{}
	for what, is := range v {
		lines = append(lines, what+": "+is)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// step has something happen and says what it changes in the views of some callers:
// lines of their views, and "-" before the name of what is gone. Everything else
// must stay as it was, for everybody.
func (st *story) step(what string, happens func(), changes map[string]string) {
	st.t.Helper()
	happens()
	for caller, lines := range changes {
		for line := range strings.Lines(lines) {
			line = strings.TrimSpace(line)
			if gone, ok := strings.CutPrefix(line, "- "); ok {
				require.Contains(st.t, st.expected[caller], gone, what)
				delete(st.expected[caller], gone)
			} else if thing, is, ok := strings.Cut(line, ": "); ok {
				st.expected[caller][thing] = is
			} else {
				require.Empty(st.t, line, what)
			}
		}
	}
	for caller := range st.callers {
		require.Equal(st.t, st.expected[caller].String(), st.view(caller).String(), "%s: what %s sees", what, caller)
	}
}

// quietly is step for what changes nothing for anybody.
func (st *story) quietly(what string, happens func()) {
	st.t.Helper()
	st.step(what, happens, nil)
}

// view collects what the API tells a caller: their profile, the lists of landlords
// and of tenants, and what is said and done about each ticket of the story that
// they are shown when they ask for it by its id.
func (st *story) view(caller string) view {
	st.t.Helper()
	c, v := st.callers[caller].as(st.t), view{}
	v.add("I am", "%v", c.get("/me").ok(http.StatusOK).body["roles"])

	names := map[any]any{} // of units, by id
	for _, p := range c.get("/properties").list("properties") {
		v.add(fmt.Sprint("property ", p["name"]), "%v", p["city"])
	}
	for _, u := range c.get("/units").list("units") {
		names[u["id"]] = u["name"]
		v.add(fmt.Sprint("unit ", u["name"]), "%v", u["status"])
	}
	for _, tenant := range c.get("/tenants").list("tenants") {
		v.add(fmt.Sprint("tenant ", tenant["firstName"]), "%v, %v, lives in %v", tenant["email"], tenant["portalStatus"], names[tenant["unitId"]])
	}
	for _, i := range c.get("/tenant-invites").list("tenantInvites") {
		v.add(fmt.Sprint("invite ", i["firstName"]), "%v, %v, to %v", i["email"], i["state"], i["unitLabel"])
	}
	for _, y := range c.get("/tenancies").list("tenancies") {
		v.add(fmt.Sprint("tenancy of ", names[y["unitId"]]), "%v", y["status"])
	}
	for _, craftsman := range c.get("/contractors").list("contractors") {
		v.add(fmt.Sprint("contractor ", craftsman["name"]), "%v", craftsman["trade"])
	}
	d := c.get("/dashboard").ok(http.StatusOK).body
	v.add("dashboard", "%v units, %v tenants, %v open tickets",
		d["units"].(object)["total"], d["tenants"].(object)["total"], d["tickets"].(object)["open"])
	for _, h := range c.get("/portal/homes").list("homes") {
		v.add(fmt.Sprint("home ", h["unit"].(object)["name"]), "%v, of %v", h["status"], h["landlord"].(object)["name"])
	}

	ticketNames := map[any]string{}
	for name, id := range st.tickets {
		ticketNames[id] = name
	}
	for _, ticket := range c.get("/tickets").list("tickets") {
		v.add("ticket "+ticketNames[ticket["id"]], "%v %q, %v, %v", ticket["number"], ticket["title"], ticket["status"],
			listed(ticket["unitName"], ticket["tenantName"], ticket["contractorName"]))
	}
	for _, ticket := range c.get("/portal/tickets").list("tickets") {
		v.add("my ticket "+ticketNames[ticket["id"]], "%v %q, %v, %v, of %v", ticket["number"], ticket["title"], ticket["status"],
			ticket["unitName"], ticket["landlordName"])
	}
	for name, id := range st.tickets {
		if a := c.get("/tickets/" + id + "/comments"); a.status != http.StatusNotFound {
			for i, said := range a.list("comments") {
				v.add(fmt.Sprintf("%s comment %d", name, i+1), "%v, %v: %v", said["author"], said["kind"], said["body"])
			}
			for _, file := range c.get("/tickets/" + id + "/attachments").list("attachments") {
				v.add(fmt.Sprintf("%s file %s", name, file["fileName"]), "%v", file["visibility"])
			}
			types := []any{}
			for _, entry := range c.get("/tickets/" + id + "/timeline").list("timeline") {
				types = append(types, entry["type"])
			}
			v.add(name+" timeline", "%v", listed(types...))
		}
		if a := c.get("/portal/tickets/" + id); a.status != http.StatusNotFound {
			for i, said := range a.ok(http.StatusOK).list("comments") {
				v.add(fmt.Sprintf("my %s comment %d", name, i+1), "%v: %v", said["author"], said["body"])
			}
			for _, file := range c.get("/portal/tickets/" + id + "/attachments").list("attachments") {
				content := c.get(fmt.Sprint("/portal/attachments/", file["id"], "/content")).ok(http.StatusOK)
				v.add(fmt.Sprintf("my %s file %s", name, file["fileName"]), "%v", content.header.Get("Content-Type"))
			}
			statuses := []any{}
			for _, event := range a.list("events") {
				statuses = append(statuses, event["to"])
			}
			v.add("my "+name+" events", "%v", listed(statuses...))
		}
	}
	return v
}

// listed joins what is there.
func listed(values ...any) string {
	texts := []string{}
	for _, value := range values {
		if value != nil {
			texts = append(texts, fmt.Sprint(value))
		}
	}
	return strings.Join(texts, ", ")
}
