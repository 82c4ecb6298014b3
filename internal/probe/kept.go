package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// kept is the name, and keptAddress the address, of a tenant whom each canary has
// invited once. The API deletes no invite but with its tenant, and each invite is a
// mail: so every run uses the same ones. Nobody reads mail to that address.
const (
	kept        = "isolation probe, kept"
	keptAddress = "isolation-probe-kept@example.invalid"
)

// keep finds the invite of earlier runs, or makes it and at once void.
func (r *run) keep(ctx context.Context, c *canary) error {
	ops := map[string]operation{}
	for _, o := range r.all {
		ops[o.ID] = o
	}
	for _, id := range []string{inviting, "listTenantInvites", "revokeTenantInvite", "updateTenant"} {
		if _, ok := ops[id]; !ok {
			return nil // no such thing here; what needs an invite is then not covered
		}
	}
	items, err := r.list(ctx, c, ops["listTenantInvites"])
	if err != nil {
		return err
	}
	var invite struct{ ID, InviteID, TenantID, Email, State string }
	there := slices.ContainsFunc(items, func(item json.RawMessage) bool {
		return json.Unmarshal(item, &invite) == nil && invite.Email == keptAddress
	})
	if !there {
		q, err := c.ask(ops[inviting])
		if err != nil {
			return err
		}
		q.body = map[string]any{"firstName": kept, "lastName": "tenant", "email": keptAddress}
		a, err := r.send(ctx, c, q)
		if err != nil {
			return fmt.Errorf("%s: %w", inviting, err)
		}
		if a.status != http.StatusCreated || json.Unmarshal(a.body, &invite) != nil {
			r.uncovered(ops[inviting], "landlord %s's own is answered %s", strings.ToUpper(c.name), a.problem())
			return nil
		}
		invite.ID = invite.InviteID
		r.learn(c, ops[inviting], a)
	}
	c.add("tenantinvites", invite.ID)
	c.add("tenants", invite.TenantID)
	c.rows = append(c.rows, &row{kind: "tenantinvites", id: invite.ID, kept: true}, &row{kind: "tenants", id: invite.TenantID, kept: true})
	for _, what := range []string{"the invite", "the tenant"} {
		r.report.Kept = append(r.report.Kept, fmt.Sprintf("%s %q of landlord %s: an invite is a mail, so it is made once; void, archived and used by every run",
			what, kept, strings.ToUpper(c.name)))
	}
	if invite.State == "PENDING" {
		if err := r.settle(ctx, c, ops["revokeTenantInvite"], invite.ID, nil); err != nil {
			return err
		}
		return r.settle(ctx, c, ops["updateTenant"], invite.TenantID, map[string]any{"archived": true})
	}
	return nil
}

// keepGrant finds the grant to support of earlier runs, or makes it and at once takes
// it back.
func (r *run) keepGrant(ctx context.Context, c *canary) error {
	ops := map[string]operation{}
	for _, o := range r.all {
		ops[o.ID] = o
	}
	for _, id := range []string{consenting, "listSupportGrants", "revokeSupportGrant"} {
		if _, ok := ops[id]; !ok {
			return nil
		}
	}
	items, err := r.list(ctx, c, ops["listSupportGrants"])
	if err != nil {
		return err
	}
	var grant struct{ ID, Reason, State string }
	if !slices.ContainsFunc(items, func(item json.RawMessage) bool {
		return json.Unmarshal(item, &grant) == nil && grant.Reason == kept
	}) {
		q, err := c.ask(ops[consenting])
		if err != nil {
			return err
		}
		q.body["reason"] = kept
		a, err := r.send(ctx, c, q)
		if err != nil {
			return fmt.Errorf("%s: %w", consenting, err)
		}
		if a.status != http.StatusCreated || json.Unmarshal(a.body, &grant) != nil {
			r.uncovered(ops[consenting], "landlord %s's own is answered %s", strings.ToUpper(c.name), a.problem())
			return nil
		}
		r.learn(c, ops[consenting], a)
	}
	c.add("supportgrants", grant.ID)
	c.rows = append(c.rows, &row{kind: "supportgrants", id: grant.ID, kept: true})
	r.report.Kept = append(r.report.Kept, fmt.Sprintf("the grant to support %q of landlord %s: it cannot be deleted; taken back and used by every run",
		kept, strings.ToUpper(c.name)))
	if grant.State == "LIVE" {
		return r.settle(ctx, c, ops["revokeSupportGrant"], grant.ID, nil)
	}
	return nil
}

func (r *run) settle(ctx context.Context, c *canary, o operation, id string, body map[string]any) error {
	q, err := c.ask(o)
	if err != nil {
		return fmt.Errorf("%s: %w", o.ID, err)
	}
	q.body = body
	a, err := r.send(ctx, c, q.with(o.places()[0], id))
	if err == nil && !a.ok() {
		err = fmt.Errorf("answered %s", a.problem())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.ID, err)
	}
	return nil
}
