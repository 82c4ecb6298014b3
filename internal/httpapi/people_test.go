package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// fillPeople gives c n tenants, each with a unit, a tenancy of it and an invite,
// and n contractors.
func (s *service) fillPeople(t testing.TB, c client, n int) {
	t.Helper()
	c.as(t).get("/me").ok(http.StatusOK) // makes the profile that the rows refer to
	s.Exec(t, `with u as (
			insert into app.units (owner_user_id, name, created_by) select $1, 'Home ' || n, $1 from generate_series(1, $2::integer) n returning id
		), t as (
			insert into app.tenants (owner_user_id, first_name, last_name, email, unit_id, created_by, created_at)
			select $1, 'Jo ' || md5(id::text), 'Jansen', id || '@example.com', id, $1, now() - random() * interval '300 days' from u
			returning id, unit_id
		), y as (
			insert into app.tenancies (owner_user_id, unit_id, tenant_id, start_date, created_by)
			select $1, unit_id, id, current_date - 1, $1 from t
		), i as (
			insert into app.tenant_invites (owner_user_id, tenant_id, email, token_hash, expires_at, created_by)
			select $1, id, 'jo@example.com', sha256(id::text::bytea), now() + interval '1 day', $1 from t
		)
		insert into app.contractors (owner_user_id, name, trade, created_by, created_at)
		select $1, 'Pipes ' || md5(id::text), (array['PLUMBING', 'HVAC', 'PEST', 'OTHER'])[1 + ascii(right(id::text, 1)) % 4], $1,
		       now() - random() * interval '300 days' from u`, c.id, n)
}

// TestPeoplePlans reads the plans of lists and single rows as one of forty
// landlords: every index is read for that landlord alone, also those of the
// tables joined in. Which of a table's own indexes serves a whole list is the
// planner's choice: a landlord's rows are few, and it may as well sort them.
func TestPeoplePlans(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var heard listener
	opened := d.Open(t, db.Config{MaxConns: 1, Configure: heard.listen})
	s := serveOn(t, d, opened)
	c := s.newLandlord(t)
	s.fillPeople(t, c, 200)
	tables := []string{"units", "tenants", "tenancies", "tenant_invites", "contractors"}
	for _, table := range tables {
		s.Exec(t, "alter table app."+table+" disable trigger user") // what others did is not the point, and the trail takes its time
	}
	for range 40 {
		s.fillPeople(t, s.newLandlord(t), 200)
	}
	for _, table := range tables {
		s.Exec(t, "alter table app."+table+" enable trigger user")
	}
	s.Exec(t, `analyze app.users, app.units, app.tenants, app.tenancies, app.tenant_invites, app.contractors`)
	tenant := c.get("/tenants?limit=1").list("tenants")[0]
	id, unit := tenant["id"].(string), tenant["unitId"].(string)
	tenancy := c.get("/tenancies?limit=1").list("tenancies")[0]["id"].(string)
	contractor := c.get("/contractors?limit=1").list("contractors")[0]["id"].(string)

	for request, want := range map[string]string{
		"GET /tenants":                       "TenantsPage ",
		"GET /tenants?sort=-name&page=2":     "TenantsPage ",
		"GET /tenants?sort=createdAt":        "TenantsPage ",
		"GET /tenants?sort=-createdAt":       "TenantsPage ",
		"GET /tenants?q=jo":                  "TenantsPage ",
		"GET /tenants?cursor=*":              "TenantsPage ",
		"GET /tenants?unitId=" + unit:        "TenantsPage tenants_unit_idx",
		"GET /tenants/" + id:                 "Tenant tenants_pkey",
		"PATCH /tenants/" + id:               "TenantUpdate tenants_pkey",
		"GET /tenancies":                     "TenanciesPage ",
		"GET /tenancies?sort=startDate":      "TenanciesPage ",
		"GET /tenancies?sort=endDate":        "TenanciesPage ",
		"GET /tenancies?status=NOTICE_GIVEN": "TenanciesPage ",
		"GET /tenancies?cursor=*":            "TenanciesPage ",
		"GET /tenancies?unitId=" + unit:      "TenanciesPage tenancies_unit_idx",
		"GET /tenancies?tenantId=" + id:      "TenanciesPage tenancies_tenant_idx",
		"GET /tenancies/" + tenancy:          "Tenancy tenancies_pkey",
		"PATCH /tenancies/" + tenancy:        "TenancyUpdate tenancies_pkey",
		"GET /contractors":                   "ContractorsPage ",
		"GET /contractors?sort=-name":        "ContractorsPage ",
		"GET /contractors?sort=createdAt":    "ContractorsPage ",
		"GET /contractors?sort=-createdAt":   "ContractorsPage ",
		"GET /contractors?cursor=*":          "ContractorsPage ",
		"GET /contractors?trade=PEST":        "ContractorsPage ",
		"GET /contractors/" + contractor:     "Contractor contractors_pkey",
		"PATCH /contractors/" + contractor:   "ContractorUpdate contractors_pkey",
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			var body any
			if method != http.MethodGet {
				body = object{}
			}
			statements := heard.of(func() { c.as(t).send(method, path, body).ok(http.StatusOK) })
			require.LessOrEqual(t, len(statements), 3)
			name, index, _ := strings.Cut(want, " ")
			seen := false
			for _, st := range statements {
				p, text := explain(t, opened, c, st)
				p.walk(func(p plan) {
					require.NotEqual(t, "Seq Scan", p.Type, text)
					if p.Index != "" {
						require.Regexp(t, `^\(+(\w+\.)?owner_user_id = `, p.Cond, text)
					}
				})
				if st.name == name {
					seen = true
					require.Contains(t, p.uses(), index, text)
				}
			}
			require.True(t, seen)
		})
	}
}
