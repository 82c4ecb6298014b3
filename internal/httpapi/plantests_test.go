package httpapi_test

import (
	"slices"
	"strings"
)

// all is the plan of a statement that reads all of a landlord's rows of a kind: any
// index that begins with the owner serves.
const all = "*"

// planTests name, for each read and the writes that look something up, what its
// statements read: as plan.uses has it, from the left and as far as it matters. Names in
// braces are those of paths.
//
// A landlord has twenty of most kinds, and Postgres sorts so few rows rather than read
// them in an index's order, but for a page of five. It has no statistics, expects next
// to nothing of a filter, and sorts that too.
var planTests = []planTest{
	{"GET /properties?limit=1", plans{"PropertiesPage": "incremental sort < properties_name_key"}}, // by id among equals, of which there are none
	{"GET /properties?limit=1&sort=name", plans{"PropertiesPage": "incremental sort < properties_name_key"}},
	{"GET /properties?limit=1&sort=-name", plans{"PropertiesPage": "incremental sort < properties_name_key"}},
	{"GET /properties?limit=1&sort=createdAt", plans{"PropertiesPage": "properties_created_idx"}},
	{"GET /properties?limit=1&sort=-createdAt", plans{"PropertiesPage": "properties_created_idx"}},
	{"GET /properties?q=house", plans{"PropertiesPage": all}},
	{"GET /properties?kind=house", plans{"PropertiesPage": all}},
	{"GET /properties?archived=all", plans{"PropertiesPage": all}},
	{"GET /properties?cursor={cursor}", plans{"PropertiesPage": "sort < properties_pkey"}},
	{"GET /properties/{property}", plans{"Property": "properties_pkey"}},
	{"PATCH /properties/{property}", plans{"PropertyForUpdate": "properties_pkey", "PropertyUpdate": "properties_pkey"}},

	{"GET /units", plans{"UnitsPage": all, "UnitsCount": all}},
	{"GET /units?limit=5&sort=name", plans{"UnitsPage": "units_name_idx"}},
	{"GET /units?limit=5&sort=-name", plans{"UnitsPage": "units_name_idx"}},
	{"GET /units?limit=5&sort=createdAt", plans{"UnitsPage": "units_created_idx"}},
	{"GET /units?limit=5&sort=-createdAt", plans{"UnitsPage": "units_created_idx"}},
	{"GET /units?limit=5&sort=-createdAt&page=2", plans{"UnitsPage": "units_created_idx"}},
	{"GET /units?limit=5&q=flat", plans{"UnitsPage": "units_name_idx"}},
	{"GET /units?status=VACANT", plans{"UnitsPage": all}},
	{"GET /units?kind=room", plans{"UnitsPage": all}},
	{"GET /units?archived=all&limit=5", plans{"UnitsPage": "units_name_idx"}},
	{"GET /units?propertyId={property}", plans{"UnitsPage": "sort < units_property_idx", "UnitsCount": "units_property_idx"}},
	{"GET /units?cursor={cursor}", plans{"UnitsPage": "sort < units_pkey"}},
	{"GET /units?cursor={cursor}&limit=5", plans{"UnitsPage": "units_pkey"}},
	{"GET /units/{unit}", plans{"Unit": "units_pkey"}},
	{"PATCH /units/{unit}", plans{"UnitForUpdate": "units_pkey", "UnitUpdate": "units_pkey"}},

	{"GET /tenants", plans{"TenantsPage": all, "TenantsCount": all}},
	{"GET /tenants?limit=5&sort=name", plans{"TenantsPage": "sort < tenants_name_idx"}}, // the page, and its rows in order again
	{"GET /tenants?limit=5&sort=-name", plans{"TenantsPage": "sort < tenants_name_idx"}},
	{"GET /tenants?limit=5&sort=createdAt", plans{"TenantsPage": "sort < tenants_created_idx"}},
	{"GET /tenants?limit=5&sort=-createdAt", plans{"TenantsPage": "sort < tenants_created_idx"}},
	{"GET /tenants?limit=5&q=jo", plans{"TenantsPage": "sort < tenants_name_idx"}},
	{"GET /tenants?archived=all&limit=5", plans{"TenantsPage": "sort < tenants_name_idx"}},
	{"GET /tenants?unitId={unit}", plans{"TenantsPage": "sort < sort < tenants_unit_idx", "TenantsCount": "tenants_unit_idx"}},
	{"GET /tenants?cursor={cursor}", plans{"TenantsPage": "sort < tenants_pkey"}},
	{"GET /tenants/{tenant}", plans{"Tenant": "tenancies_tenant_idx < tenants_pkey < sort < tenancies_tenant_idx < tenant_invites_open_key"}},
	{"PATCH /tenants/{tenant}", plans{"TenantForUpdate": "tenants_pkey", "TenantUpdate": "tenants_pkey"}},

	{"GET /tenancies", plans{"TenanciesPage": "incremental sort < tenancies_dates_idx < tenancies_unit_idx"}}, // by id on the same day
	{"GET /tenancies?sort=startDate", plans{"TenanciesPage": "incremental sort < tenancies_dates_idx < tenancies_unit_idx"}},
	{"GET /tenancies?sort=-startDate&page=2", plans{"TenanciesPage": "incremental sort < tenancies_dates_idx < tenancies_unit_idx"}},
	{"GET /tenancies?sort=endDate", plans{"TenanciesPage": all}},
	{"GET /tenancies?status=ACTIVE", plans{"TenanciesPage": all}},
	{"GET /tenancies?unitId={unit}", plans{"TenanciesPage": "sort < tenancies_unit_idx < tenancies_unit_idx", "TenanciesCount": "tenancies_unit_idx"}},
	{"GET /tenancies?tenantId={tenant}", plans{"TenanciesPage": "sort < tenancies_tenant_idx < tenancies_unit_idx", "TenanciesCount": "tenancies_tenant_idx"}},
	{"GET /tenancies?cursor={cursor}", plans{"TenanciesPage": "tenancies_pkey < tenancies_unit_idx"}},
	{"GET /tenancies/{tenancy}", plans{"Tenancy": "tenancies_pkey < tenancies_unit_idx"}},
	{"PATCH /tenancies/{tenancy}", plans{"TenancyForUpdate": "tenancies_pkey", "TenancyUpdate": "tenancies_pkey"}},

	{"GET /tenant-invites", plans{"TenantInvitesPage": all}},
	{"GET /tenant-invites?limit=5&sort=createdAt", plans{"TenantInvitesPage": "tenant_invites_created_idx < tenants_pkey"}},
	{"GET /tenant-invites?limit=5&sort=-createdAt", plans{"TenantInvitesPage": "tenant_invites_created_idx < tenants_pkey"}},
	{"GET /tenant-invites?q=jo", plans{"TenantInvitesPage": all}},
	{"GET /tenant-invites?state=PENDING", plans{"TenantInvitesPage": "sort < tenant_invites_claimed_idx < tenants_pkey", "TenantInvitesCount": "tenant_invites_claimed_idx < tenants_pkey"}},
	{"GET /tenant-invites?state=EXPIRED", plans{"TenantInvitesPage": "sort < tenant_invites_claimed_idx < tenants_pkey"}},
	{"GET /tenant-invites?state=REVOKED", plans{"TenantInvitesPage": "sort < tenant_invites_claimed_idx < tenants_pkey"}},
	{"GET /tenant-invites?state=CLAIMED", plans{"TenantInvitesPage": all}}, // as good as all, without statistics,
	{"GET /tenant-invites?tenantId={tenant}", plans{"TenantInvitesPage": "sort < tenant_invites_tenant_idx < tenants_pkey", "TenantInvitesCount": "tenant_invites_tenant_idx < tenants_pkey"}},
	{"GET /tenant-invites?email=jo@example.com", plans{"TenantInvitesPage": "sort < tenant_invites_email_idx < tenants_pkey", "TenantInvitesCount": "tenant_invites_email_idx < tenants_pkey"}},
	{"GET /tenant-invites?cursor={cursor}", plans{"TenantInvitesPage": "tenant_invites_pkey < tenants_pkey"}},
	{"GET /tenant-invites/{invite}", plans{"TenantInvite": "tenant_invites_pkey < tenants_pkey"}},
	{"GET /invites/{token}", plans{"InviteSeen": "tenant_invites_token_idx"}},

	{"GET /imports", plans{"ImportBatchesPage": all}},
	{"GET /imports?limit=5&sort=createdAt", plans{"ImportBatchesPage": "import_batches_created_idx"}},
	{"GET /imports?limit=5&sort=-createdAt", plans{"ImportBatchesPage": "import_batches_created_idx"}},
	{"GET /imports?cursor={cursor}", plans{"ImportBatchesPage": "sort < import_batches_pkey"}},
	{"GET /imports/{import}", plans{"ImportBatch": "import_batches_pkey", "ImportSamples": "import_rows_n_key", "ImportEarlier": "import_batches_pkey < sort < import_batches_file_idx"}},
	{"GET /imports/{import}/rows", plans{"ImportRowsPage": "incremental sort < import_rows_n_key", "ImportRowsCount": "import_rows_n_key"}},
	{"GET /imports/{import}/rows?filter=ERROR", plans{"ImportRowsPage": "incremental sort < import_rows_n_key"}},
	{"GET /imports/{import}/rows?cursor={cursor}", plans{"ImportRowsPage": all}},
	{"GET /imports/{import}/failed.csv", plans{"ImportRowsAfter": "import_rows_n_key"}},
	{"GET /imports?kind=units", plans{"ImportBatchesPage": all}},
	{"GET /imports?state=COMPLETED", plans{"ImportBatchesPage": all}},
	{"GET /imports/{import}/rows?code=too_long&sort=n", plans{"ImportRowsPage": "incremental sort < import_rows_n_key"}},
	{"GET /imports/templates/tenants.csv", plans{"ImportUnitNames": all}},
	{"GET /imports/templates/units.csv", plans{}},
	{"GET /imports/templates/portfolio.csv", plans{}},

	{"GET /contractors", plans{"ContractorsPage": all}},
	{"GET /contractors?limit=5&sort=name", plans{"ContractorsPage": "contractors_name_idx"}},
	{"GET /contractors?limit=5&sort=-name", plans{"ContractorsPage": "contractors_name_idx"}},
	{"GET /contractors?limit=5&sort=createdAt", plans{"ContractorsPage": "contractors_created_idx"}},
	{"GET /contractors?limit=5&sort=-createdAt", plans{"ContractorsPage": "contractors_created_idx"}},
	{"GET /contractors?limit=5&q=pipes", plans{"ContractorsPage": "contractors_name_idx"}},
	{"GET /contractors?trade=PEST", plans{"ContractorsPage": "sort < contractors_trade_idx", "ContractorsCount": "contractors_trade_idx"}},
	{"GET /contractors?archived=all&limit=5", plans{"ContractorsPage": "contractors_name_idx"}},
	{"GET /contractors?cursor={cursor}", plans{"ContractorsPage": "sort < contractors_pkey"}},
	{"GET /contractors/{contractor}", plans{"Contractor": "contractors_pkey"}},
	{"PATCH /contractors/{contractor}", plans{"ContractorForUpdate": "contractors_pkey", "ContractorUpdate": "contractors_pkey"}},

	// the rows of a page are put in order again after the names have been joined to them
	{"GET /tickets", plans{"TicketsPage": "sort < tickets_created_idx < " + ticketNames, "TicketsCount": all}},
	{"GET /tickets?sort=createdAt", plans{"TicketsPage": "sort < tickets_created_idx < " + ticketNames}},
	{"GET /tickets?sort=-createdAt&page=3", plans{"TicketsPage": "sort < tickets_created_idx < " + ticketNames}},
	{"GET /tickets?sort=number", plans{"TicketsPage": "sort < incremental sort < tickets_number_key < " + ticketNames}},
	{"GET /tickets?sort=-number", plans{"TicketsPage": "sort < incremental sort < tickets_number_key < " + ticketNames}},
	{"GET /tickets?sort=dueAt", plans{"TicketsPage": all}}, // those without a time come last, and tickets_due_idx has none that is done
	{"GET /tickets?sort=-dueAt", plans{"TicketsPage": all}},
	{"GET /tickets?sort=priority", plans{"TicketsPage": all}},
	{"GET /tickets?status=NEW", plans{"TicketsPage": "sort < sort < tickets_status_idx < " + ticketNames, "TicketsCount": "tickets_status_idx"}},
	{"GET /tickets?status=NEW,OPEN", plans{"TicketsPage": "sort < sort < tickets_status_idx < " + ticketNames, "TicketsCount": "tickets_status_idx"}},
	{"GET /tickets?priority=HIGH", plans{"TicketsPage": "sort < sort < tickets_priority_idx < " + ticketNames, "TicketsCount": "tickets_priority_idx"}},
	{"GET /tickets?category=PLUMBING", plans{"TicketsPage": all}},
	{"GET /tickets?unitId={unit}", plans{"TicketsPage": "sort < sort < tickets_unit_idx < " + ticketNames, "TicketsCount": "tickets_unit_idx"}},
	{"GET /tickets?unitId={unit}&status=NEW", plans{"TicketsPage": "sort < sort < tickets_unit_idx < " + ticketNames, "TicketsCount": "tickets_unit_idx"}},
	{"GET /tickets?tenantId={tenant}", plans{"TicketsPage": "sort < sort < tickets_tenant_idx < " + ticketNames, "TicketsCount": "tickets_tenant_idx"}},
	{"GET /tickets?contractorId={contractor}", plans{"TicketsPage": "sort < sort < tickets_contractor_idx < " + ticketNames, "TicketsCount": "tickets_contractor_idx"}},
	{"GET /tickets?overdue=true", plans{"TicketsPage": "sort < sort < tickets_due_idx < " + ticketNames, "TicketsCount": "tickets_due_idx"}},
	{"GET /tickets?overdue=false", plans{"TicketsPage": "sort < tickets_created_idx < " + ticketNames}},
	{"GET /tickets?archived=all", plans{"TicketsPage": "sort < tickets_created_idx < " + ticketNames}},
	{"GET /tickets?q=drip", plans{"TicketsPage": "sort < tickets_created_idx < " + ticketNames}},
	{"GET /tickets?cursor={cursor}", plans{"TicketsPage": "sort < tickets_pkey < " + ticketNames}},
	{"GET /tickets/{ticket}", plans{"Ticket": "tickets_pkey < units_pkey"}},
	{"PATCH /tickets/{ticket}", plans{"TicketForUpdate": "tickets_pkey < units_pkey", "TicketUpdate": "tickets_pkey < " + ticketNames}},

	{"GET /tickets/{ticket}/timeline", plans{"TicketTimelinePage": "sort < ticket_events_ticket_idx < ticket_comments_ticket_idx"}},
	{"GET /tickets/{ticket}/timeline?sort=createdAt", plans{"TicketTimelineCount": "tickets_pkey < ticket_events_ticket_idx < ticket_comments_ticket_idx"}},
	{"GET /tickets/{ticket}/timeline?sort=-createdAt", plans{"TicketTimelinePage": "sort < ticket_events_ticket_idx < ticket_comments_ticket_idx"}},
	{"GET /tickets/{ticket}/comments", plans{"TicketCommentsPage": "ticket_comments_ticket_idx", "TicketCommentsCount": "tickets_pkey < ticket_comments_ticket_idx"}},
	{"GET /tickets/{ticket}/comments?sort=createdAt", plans{"TicketCommentsPage": "ticket_comments_ticket_idx"}},
	{"GET /tickets/{ticket}/comments?sort=-createdAt", plans{"TicketCommentsPage": "ticket_comments_ticket_idx"}},
	{"GET /tickets/{ticket}/comments?q=soon", plans{"TicketCommentsPage": "ticket_comments_ticket_idx"}},
	{"GET /tickets/{ticket}/comments?kind=shared", plans{"TicketCommentsPage": "ticket_comments_ticket_idx"}},
	{"GET /tickets/{ticket}/comments?cursor={cursor}", plans{"TicketCommentsPage": "sort < ticket_comments_ticket_idx"}},
	{"GET /comments/{comment}", plans{"TicketComment": "ticket_comments_pkey"}},
	{"PATCH /comments/{comment}", plans{"TicketCommentForUpdate": "ticket_comments_pkey", "TicketCommentUpdate": "ticket_comments_pkey"}},

	{"GET /tickets/{ticket}/attachments", plans{"AttachmentsPage": "attachments_ticket_idx", "AttachmentsCount": "tickets_pkey < attachments_ticket_idx"}},
	{"GET /tickets/{ticket}/attachments?sort=createdAt", plans{"AttachmentsPage": "attachments_ticket_idx"}},
	{"GET /tickets/{ticket}/attachments?sort=-createdAt", plans{"AttachmentsPage": "attachments_ticket_idx"}},
	{"GET /tickets/{ticket}/attachments?visibility=shared", plans{"AttachmentsPage": "attachments_ticket_idx"}},
	{"GET /tickets/{ticket}/attachments?cursor={cursor}", plans{"AttachmentsPage": "sort < attachments_ticket_idx"}},
	{"GET /attachments/{attachment}", plans{"Attachment": "attachments_pkey"}},
	{"GET /attachments/{attachment}/content", plans{"Attachment": "attachments_pkey"}},

	{"GET /tickets/{ticket}/contractor-search", plans{"ContractorSearchTicket": "tickets_pkey < units_pkey < properties_pkey < contractor_search_results_place_key", "ContractorSearchResults": "contractor_search_results_ticket_idx"}},
	{"POST /tickets/{ticket}/contractor-search", plans{"ContractorsForWork": "sort < contractors_trade_idx", "ContractorSearchKeep": "contractor_search_results_place_key"}},
	{"POST /tickets/{ticket}/contractor-search/{result}/save", plans{"ContractorSearchSave": "contractor_search_results_", "ContractorSearchSaved": all}},

	{"GET /audit", plans{"AuditPage": "audit_log_at_idx"}},
	{"GET /audit?page=2", plans{"AuditPage": "audit_log_at_idx"}},
	{"GET /audit?table=units", plans{"AuditPage": "sort < audit_log_row_idx", "AuditCount": "audit_log_row_idx"}},
	{"GET /audit?table=units&rowId={changed}", plans{"AuditPage": "sort < audit_log_row_idx", "AuditCount": "audit_log_row_idx"}},
	{"GET /audit?rowId={changed}", plans{"AuditPage": "sort < audit_log_row_idx", "AuditCount": "audit_log_row_idx"}},
	{"GET /audit?actorKind=tenant", plans{"AuditPage": all}},
	{"GET /audit?action=delete", plans{"AuditPage": all}},
	{"GET /audit?from=2026-01-01T00:00:00Z", plans{"AuditPage": "audit_log_at_idx", "AuditCount": "audit_log_at_idx"}},
	{"GET /audit?to=2026-01-01T00:00:00Z", plans{"AuditPage": "audit_log_at_idx", "AuditCount": "audit_log_at_idx"}},
	{"GET /audit?cursor={audit cursor}", plans{"AuditPage": "audit_log_at_idx"}},

	{"GET /dashboard", plans{
		"DashboardUnits": all, "DashboardTenants": all, "DashboardTickets": "tickets_due_idx",
		"DashboardNewTickets": "sort < tickets_status_idx < units_pkey", "DashboardWaitingTickets": "sort < tickets_status_idx < units_pkey",
		"DashboardInvites": "sort < tenant_invites_open_key < tenants_pkey", "DashboardEndingTenancies": "sort < tenancies_dates_idx",
		"DashboardActivity": "audit_log_at_idx",
	}},
	{"GET /search?q=flat", plans{"SearchUnits": all, "SearchTenants": all, "SearchTickets": all, "SearchContractors": all}},
	{"GET /support-grants?limit=5", plans{"SupportGrantsPage": "support_grants_created_idx"}},
	{"GET /support-grants?sort=-createdAt&state=LIVE", plans{"SupportGrantsPage": "sort < support_grants_created_idx"}},
	{"GET /support-grants?cursor={cursor}", plans{"SupportGrantsPage": "support_grants_pkey"}},
	{"GET /support-grants/{grant}", plans{"SupportGrant": "support_grants_pkey"}},
	{"POST /support-grants/{grant}/revoke", plans{"SupportGrant": "support_grants_pkey", "SupportGrantRevoke": "support_grants_pkey"}},
	{"GET /support-accesses", plans{"SupportAccessesPage": "support_accesses_at_idx"}},
	{"GET /support-accesses?sort=-at&grantId={grant}", plans{"SupportAccessesPage": "sort < support_accesses_grant_idx"}},
	{"GET /support-accesses?cursor={cursor}", plans{"SupportAccessesPage": "support_accesses_pkey"}},
	{"GET /support/grants", plans{"LiveSupportGrantsPage": "sort < support_grants_live_idx"}},
	{"GET /support/grants?sort=expiresAt", plans{"LiveSupportGrantsPage": "sort < support_grants_live_idx"}},
	{"GET /support/grants?cursor={cursor}", plans{"LiveSupportGrantsPage": all}},
	{"GET /me", plans{"UserSelf": "users_pkey"}},
	{"GET /exports", plans{"ExportsPage": all}},
	{"GET /exports?limit=1&sort=-createdAt", plans{"ExportsPage": all}},
	{"GET /exports?cursor={cursor}", plans{"ExportsPage": all}},
	{"GET /exports/{export}", plans{"Export": "exports_pkey"}},
	{"GET /exports/{export}/download?part=1", plans{"Export": "exports_pkey"}},
	{"GET /account/deletion", plans{"AccountDeletionLatest": "account_deletions_created_idx"}},
	{"GET /account/deletion/export?part=1", plans{"AccountDeletionExport": "account_deletions_created_idx"}},
	{"POST /onboarding/sample-data", plans{"Onboarding": "users_pkey"}},
	{"DELETE /onboarding/sample-data", plans{"SampleFiles": "sample_rows_pkey < attachments_ticket_idx"}},
	{"GET /onboarding", plans{"Onboarding": "users_pkey"}},
	{"PATCH /onboarding", plans{"UserForUpdate": "users_pkey", "UserOnboard": "users_pkey", "Onboarding": "users_pkey"}},
	{"PATCH /me", plans{"UserForUpdate": "users_pkey", "UserUpdate": "users_pkey"}},

	// of several landlords: no index has their rows in one order; homes by tenancies_tenant_idx,
	// or from Postgres 18 on by another that it can skip through
	{"GET /portal/homes", plans{"PortalHomesPage": all, "PortalHomesCount": all}},
	{"GET /portal/homes?sort=startDate", plans{"PortalHomesPage": all}},
	{"GET /portal/homes?sort=-startDate", plans{"PortalHomesPage": all}},
	{"GET /portal/homes?q=flat", plans{"PortalHomesPage": all}},
	{"GET /portal/homes?cursor={cursor}", plans{"PortalHomesPage": all}},
	{"GET /portal/tickets", plans{"PortalTicketsPage": "sort < tickets_tenant_idx", "PortalTicketsCount": "tickets_tenant_idx"}},
	{"GET /portal/tickets?sort=createdAt", plans{"PortalTicketsPage": "sort < tickets_tenant_idx"}},
	{"GET /portal/tickets?sort=-createdAt", plans{"PortalTicketsPage": "sort < tickets_tenant_idx"}},
	{"GET /portal/tickets?q=drip", plans{"PortalTicketsPage": "sort < tickets_tenant_idx"}},
	{"GET /portal/tickets?status=NEW", plans{"PortalTicketsPage": "sort < tickets_status_idx"}},
	{"GET /portal/tickets?tenancyId={home}", plans{"PortalTicketsPage": "sort < tickets_tenant_idx < tenancies_pkey", "PortalTicketsCount": "tickets_tenant_idx < tenancies_pkey"}},
	{"GET /portal/tickets?cursor={cursor}", plans{"PortalTicketsPage": "sort < tickets_tenant_idx"}},
	{"GET /portal/tickets/{reported}", plans{"PortalTicket": "tickets_pkey", "PortalComments": "sort < sort < ticket_comments_ticket_idx", "PortalEvents": "sort < sort < ticket_events_ticket_idx"}},
	{"GET /portal/tickets/{reported}/attachments", plans{"PortalAttachmentsPage": "sort < attachments_ticket_idx", "PortalAttachmentsCount": "tickets_pkey"}},
	{"GET /portal/tickets/{reported}/attachments?sort=createdAt", plans{"PortalAttachmentsPage": "sort < attachments_ticket_idx"}},
	{"GET /portal/tickets/{reported}/attachments?sort=-createdAt", plans{"PortalAttachmentsPage": "sort < attachments_ticket_idx"}},
	{"GET /portal/tickets/{reported}/attachments?cursor={cursor}", plans{"PortalAttachmentsPage": "sort < attachments_ticket_idx"}},
	{"GET /portal/attachments/{attachment}/content", plans{"Attachment": "attachments_pkey"}},
}

type planTest struct {
	request string
	plans   plans
}

type plans = map[string]string

// exported are the lists that are spreadsheets too, and the statements that write them.
var exported = map[string]string{
	"/properties": "PropertiesPage", "/units": "UnitsExport", "/tenants": "TenantsExport", "/tenancies": "TenanciesExport",
	"/tenant-invites": "TenantInvitesPage", "/tickets": "TicketsPage", "/contractors": "ContractorsPage", "/audit": "AuditPage",
}

// exportPlanTests ask for each spreadsheet what planTests ask of its list. It has all
// rows, of which Postgres sorts a few rather than read an index in order.
func exportPlanTests() (tests []planTest) {
	for _, test := range planTests {
		path, text, _ := strings.Cut(strings.TrimPrefix(test.request, "GET "), "?")
		name, ok := exported[path]
		if !ok || strings.Contains(text, "cursor=") {
			continue
		}
		text = strings.Join(slices.DeleteFunc(strings.Split(text, "&"), func(p string) bool {
			return strings.HasPrefix(p, "limit=") || strings.HasPrefix(p, "page=")
		}), "&")
		tests = append(tests, planTest{"GET " + path + "/export.csv?" + text, plans{name: all}})
	}
	return tests
}

// allPlanTests are planTests, those of spreadsheets, and those of them once more that
// support can ask too.
func allPlanTests() []planTest {
	every := slices.Concat(planTests, exportPlanTests())
	for _, test := range planTests {
		path := strings.TrimPrefix(test.request, "GET /")
		kind, _, one := strings.Cut(strings.SplitN(path, "?", 2)[0], "/")
		if path == test.request || one && (kind != "tickets" || strings.HasSuffix(path, "/contractor-search") || strings.Contains(path, "/attachments")) {
			continue
		}
		if slices.Contains([]string{"properties", "units", "tenants", "tenancies", "tenant-invites", "tickets", "contractors"}, kind) {
			plans := plans{}
			for name, plan := range test.plans { // names are looked up in another order
				if plans[name] = strings.TrimSuffix(plan, " < "+ticketNames); name == "Ticket" {
					plans[name] = all
				}
			}
			every = append(every, planTest{"GET /support/grants/{consent}/" + path, plans})
		}
	}
	return every
}

// ticketNames are what a ticket is shown with.
const ticketNames = "units_pkey < tenants_pkey < contractors_pkey < ticket_comments_pkey < ticket_comments_ticket_idx"
