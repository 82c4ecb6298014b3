package exports

import (
	"encoding/json"
	"strings"

	"rowhouse/internal/query"
)

// Units are those of a landlord.
var Units = Table[query.UnitsExportParams, query.UnitsExportRow]{
	Name: "units", rows: query.New().UnitsRows,
	columns: []column[query.UnitsExportRow]{
		{"unit", func(u query.UnitsExportRow) any { return u.Name }},
		{"propertyName", func(u query.UnitsExportRow) any { return u.PropertyName }},
		{"kind", func(u query.UnitsExportRow) any { return u.Kind }},
		{"status", func(u query.UnitsExportRow) any { return u.Status }},
		{"address1", func(u query.UnitsExportRow) any { return u.Address1 }},
		{"address2", func(u query.UnitsExportRow) any { return u.Address2 }},
		{"city", func(u query.UnitsExportRow) any { return u.City }},
		{"state", func(u query.UnitsExportRow) any { return u.State }},
		{"postalCode", func(u query.UnitsExportRow) any { return u.PostalCode }},
		{"country", func(u query.UnitsExportRow) any { return u.Country }},
		{"bedrooms", func(u query.UnitsExportRow) any { return u.Bedrooms }},
		{"bathrooms", func(u query.UnitsExportRow) any { return u.Bathrooms }},
		{"areaM2", func(u query.UnitsExportRow) any { return u.AreaM2 }},
		{"unitRef", func(u query.UnitsExportRow) any { return u.ExternalRef }},
		{"id", func(u query.UnitsExportRow) any { return u.ID }},
		{"propertyId", func(u query.UnitsExportRow) any { return u.PropertyID }},
		{"archivedAt", func(u query.UnitsExportRow) any { return u.ArchivedAt }},
		{"createdAt", func(u query.UnitsExportRow) any { return u.CreatedAt }},
		{"updatedAt", func(u query.UnitsExportRow) any { return u.UpdatedAt }},
	},
}

// Properties are those of a landlord. After, offset and limit of the page say nothing
// here, nor do they in the tables below.
var Properties = Table[query.PropertiesPageParams, query.Property]{
	Name: "properties", rows: query.New().PropertiesRows,
	columns: []column[query.Property]{
		{"name", func(p query.Property) any { return p.Name }},
		{"kind", func(p query.Property) any { return p.Kind }},
		{"address1", func(p query.Property) any { return p.Address1 }},
		{"address2", func(p query.Property) any { return p.Address2 }},
		{"city", func(p query.Property) any { return p.City }},
		{"state", func(p query.Property) any { return p.State }},
		{"postalCode", func(p query.Property) any { return p.PostalCode }},
		{"country", func(p query.Property) any { return p.Country }},
		{"latitude", func(p query.Property) any { return p.Latitude }},
		{"longitude", func(p query.Property) any { return p.Longitude }},
		{"externalRef", func(p query.Property) any { return p.ExternalRef }},
		{"id", func(p query.Property) any { return p.ID }},
		{"archivedAt", func(p query.Property) any { return p.ArchivedAt }},
		{"createdAt", func(p query.Property) any { return p.CreatedAt }},
		{"updatedAt", func(p query.Property) any { return p.UpdatedAt }},
	},
}

// Tenants are those of a landlord, each with where they live and since when.
var Tenants = Table[query.TenantsExportParams, query.TenantsExportRow]{
	Name: "tenants", rows: query.New().TenantsRows,
	columns: []column[query.TenantsExportRow]{
		{"firstName", func(t query.TenantsExportRow) any { return t.FirstName }},
		{"lastName", func(t query.TenantsExportRow) any { return t.LastName }},
		{"email", func(t query.TenantsExportRow) any { return t.Email }},
		{"phone", func(t query.TenantsExportRow) any { return t.Phone }},
		{"unit", func(t query.TenantsExportRow) any { return t.UnitName }},
		{"propertyName", func(t query.TenantsExportRow) any { return t.PropertyName }},
		{"unitId", func(t query.TenantsExportRow) any { return t.UnitID }}, // names may be several units'
		{"startDate", func(t query.TenantsExportRow) any { return dayOf(t.StartDate) }},
		{"endDate", func(t query.TenantsExportRow) any { return dayOf(t.EndDate) }},
		{"tenantRef", func(t query.TenantsExportRow) any { return t.ExternalRef }},
		{"notes", func(t query.TenantsExportRow) any { return t.Notes }},
		{"portalStatus", func(t query.TenantsExportRow) any { return t.PortalStatus }},
		{"id", func(t query.TenantsExportRow) any { return t.ID }},
		{"archivedAt", func(t query.TenantsExportRow) any { return t.ArchivedAt }},
		{"createdAt", func(t query.TenantsExportRow) any { return t.CreatedAt }},
		{"updatedAt", func(t query.TenantsExportRow) any { return t.UpdatedAt }},
	},
}

// Tenancies are those of a landlord, each with who lives where by name.
var Tenancies = Table[query.TenanciesExportParams, query.TenanciesExportRow]{
	Name: "tenancies", rows: query.New().TenanciesRows,
	columns: []column[query.TenanciesExportRow]{
		{"firstName", func(y query.TenanciesExportRow) any { return y.FirstName }},
		{"lastName", func(y query.TenanciesExportRow) any { return y.LastName }},
		{"email", func(y query.TenanciesExportRow) any { return y.Email }},
		{"unit", func(y query.TenanciesExportRow) any { return y.UnitName }},
		{"propertyName", func(y query.TenanciesExportRow) any { return y.PropertyName }},
		{"startDate", func(y query.TenanciesExportRow) any { return day{y.StartDate} }},
		{"endDate", func(y query.TenanciesExportRow) any { return dayOf(y.EndDate) }},
		{"status", func(y query.TenanciesExportRow) any { return y.Status }},
		{"isPrimary", func(y query.TenanciesExportRow) any { return y.IsPrimary }},
		{"noticeGivenOn", func(y query.TenanciesExportRow) any { return dayOf(y.NoticeGivenOn) }},
		{"moveOutReason", func(y query.TenanciesExportRow) any { return y.MoveOutReason }},
		{"id", func(y query.TenanciesExportRow) any { return y.ID }},
		{"unitId", func(y query.TenanciesExportRow) any { return y.UnitID }},
		{"tenantId", func(y query.TenanciesExportRow) any { return y.TenantID }},
		{"cancelledAt", func(y query.TenanciesExportRow) any { return y.CancelledAt }},
		{"createdAt", func(y query.TenanciesExportRow) any { return y.CreatedAt }},
		{"updatedAt", func(y query.TenanciesExportRow) any { return y.UpdatedAt }},
	},
}

// TenantInvites are those of a landlord. What they are claimed with is in nobody's
// spreadsheet.
var TenantInvites = Table[query.TenantInvitesPageParams, query.TenantInvitesPageRow]{
	Name: "tenant-invites", rows: query.New().TenantInvitesRows,
	columns: []column[query.TenantInvitesPageRow]{
		{"firstName", func(i query.TenantInvitesPageRow) any { return i.FirstName }},
		{"lastName", func(i query.TenantInvitesPageRow) any { return i.LastName }},
		{"email", func(i query.TenantInvitesPageRow) any { return i.Email }},
		{"unitLabel", func(i query.TenantInvitesPageRow) any { return i.UnitLabel }},
		{"landlordName", func(i query.TenantInvitesPageRow) any { return i.LandlordName }},
		{"state", func(i query.TenantInvitesPageRow) any { return i.State }},
		{"expiresAt", func(i query.TenantInvitesPageRow) any { return i.ExpiresAt }},
		{"sendCount", func(i query.TenantInvitesPageRow) any { return i.SendCount }},
		{"mailState", func(i query.TenantInvitesPageRow) any { return i.MailState }},
		{"sentAt", func(i query.TenantInvitesPageRow) any { return i.SentAt }},
		{"lastError", func(i query.TenantInvitesPageRow) any { return i.LastError }},
		{"claimedAt", func(i query.TenantInvitesPageRow) any { return i.ClaimedAt }},
		{"revokedAt", func(i query.TenantInvitesPageRow) any { return i.RevokedAt }},
		{"id", func(i query.TenantInvitesPageRow) any { return i.ID }},
		{"tenantId", func(i query.TenantInvitesPageRow) any { return i.TenantID }},
		{"unitId", func(i query.TenantInvitesPageRow) any { return i.UnitID }},
		{"createdAt", func(i query.TenantInvitesPageRow) any { return i.CreatedAt }},
		{"updatedAt", func(i query.TenantInvitesPageRow) any { return i.UpdatedAt }},
	},
}

// Tickets are those of a landlord.
var Tickets = Table[query.TicketsPageParams, query.TicketRow]{
	Name: "tickets", rows: query.New().TicketsRows,
	columns: []column[query.TicketRow]{
		{"number", func(k query.TicketRow) any { return k.Number }},
		{"title", func(k query.TicketRow) any { return k.Title }},
		{"description", func(k query.TicketRow) any { return k.Description }},
		{"category", func(k query.TicketRow) any { return k.Category }},
		{"priority", func(k query.TicketRow) any { return k.Priority }},
		{"status", func(k query.TicketRow) any { return k.Status }},
		{"statusReason", func(k query.TicketRow) any { return k.StatusReason }},
		{"unitName", func(k query.TicketRow) any { return k.UnitName }},
		{"tenantName", func(k query.TicketRow) any { return joined(k.TenantFirstName, k.TenantLastName) }},
		{"contractorName", func(k query.TicketRow) any { return k.ContractorName }},
		{"dueAt", func(k query.TicketRow) any { return k.DueAt }},
		{"overdue", func(k query.TicketRow) any { return k.Overdue }},
		{"entryPermission", func(k query.TicketRow) any { return k.EntryPermission }},
		{"entryNotes", func(k query.TicketRow) any { return k.EntryNotes }},
		{"source", func(k query.TicketRow) any { return k.Source }},
		{"resolvedAt", func(k query.TicketRow) any { return k.ResolvedAt }},
		{"closedAt", func(k query.TicketRow) any { return k.ClosedAt }},
		{"reopenedCount", func(k query.TicketRow) any { return k.ReopenedCount }},
		{"lastCommentAt", func(k query.TicketRow) any { return k.LastCommentAt }},
		{"id", func(k query.TicketRow) any { return k.ID }},
		{"unitId", func(k query.TicketRow) any { return k.UnitID }},
		{"tenantId", func(k query.TicketRow) any { return k.TenantID }},
		{"contractorId", func(k query.TicketRow) any { return k.ContractorID }},
		{"archivedAt", func(k query.TicketRow) any { return k.ArchivedAt }},
		{"createdAt", func(k query.TicketRow) any { return k.CreatedAt }},
		{"updatedAt", func(k query.TicketRow) any { return k.UpdatedAt }},
	},
}

// joined is a name whose parts are both there or neither.
func joined(first, last *string) *string {
	if first == nil || last == nil {
		return nil
	}
	name := strings.Join([]string{*first, *last}, " ")
	return &name
}

// Contractors are those of a landlord.
var Contractors = Table[query.ContractorsPageParams, query.Contractor]{
	Name: "contractors", rows: query.New().ContractorsRows,
	columns: []column[query.Contractor]{
		{"name", func(c query.Contractor) any { return c.Name }},
		{"trade", func(c query.Contractor) any { return c.Trade }},
		{"phone", func(c query.Contractor) any { return c.Phone }},
		{"email", func(c query.Contractor) any { return c.Email }},
		{"website", func(c query.Contractor) any { return c.Website }},
		{"address1", func(c query.Contractor) any { return c.Address1 }},
		{"address2", func(c query.Contractor) any { return c.Address2 }},
		{"city", func(c query.Contractor) any { return c.City }},
		{"state", func(c query.Contractor) any { return c.State }},
		{"postalCode", func(c query.Contractor) any { return c.PostalCode }},
		{"country", func(c query.Contractor) any { return c.Country }},
		{"rating", func(c query.Contractor) any { return c.Rating }},
		{"licenseNo", func(c query.Contractor) any { return c.LicenseNo }},
		{"insuredUntil", func(c query.Contractor) any { return dayOf(c.InsuredUntil) }},
		{"notes", func(c query.Contractor) any { return c.Notes }},
		{"source", func(c query.Contractor) any { return c.Source }},
		{"externalPlaceId", func(c query.Contractor) any { return c.ExternalPlaceID }},
		{"id", func(c query.Contractor) any { return c.ID }},
		{"archivedAt", func(c query.Contractor) any { return c.ArchivedAt }},
		{"createdAt", func(c query.Contractor) any { return c.CreatedAt }},
		{"updatedAt", func(c query.Contractor) any { return c.UpdatedAt }},
	},
}

// Audit is a landlord's trail.
var Audit = Table[query.AuditPageParams, query.AuditEntry]{
	Name: "audit", rows: query.New().AuditRows,
	columns: []column[query.AuditEntry]{
		{"at", func(e query.AuditEntry) any { return e.At }},
		{"actorKind", func(e query.AuditEntry) any { return e.ActorKind }},
		{"actorUserId", func(e query.AuditEntry) any { return e.ActorUserID }},
		{"action", func(e query.AuditEntry) any { return e.Action }},
		{"table", func(e query.AuditEntry) any { return e.TableName }},
		{"rowId", func(e query.AuditEntry) any { return e.RowID }},
		{"before", func(e query.AuditEntry) any { return json.RawMessage(e.Before) }},
		{"after", func(e query.AuditEntry) any { return json.RawMessage(e.After) }},
		{"requestId", func(e query.AuditEntry) any { return e.RequestID }},
		{"id", func(e query.AuditEntry) any { return e.ID }},
	},
}
