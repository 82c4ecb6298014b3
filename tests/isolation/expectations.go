// Package isolation proves that one landlord cannot reach another's rows.
//
// The tests read the catalog and the served OpenAPI document, attack all that
// they find there, and compare it with this file: a table, column, function,
// role or route of which nothing stands here fails them. Whoever adds one says
// here what each caller may do with it.
package isolation

import (
	"slices"
	"strings"
)

// grants is what a role may do with a table. Columns are separated by spaces; a
// right that is not named is not held. The rows are the caller's own, unless rows
// says otherwise.
type grants struct {
	reads   string // columns, or all
	inserts string // columns, or all for what only triggers write
	updates string // likewise
	deletes bool
	// rows are the policies that are not simply "own", by verb; the verb "all"
	// stands for one policy for every command.
	rows map[string]rule
}

// rule is which rows a policy lets through and which new ones it accepts; no
// check is that of using.
type rule struct{ using, check string }

// table is a table and who may do what with it.
type table struct {
	// owner is the column that says whose a row is; empty for tables that are no
	// landlord's.
	owner string
	// outlives says that a row stays when its owner has left, and so refers to no user.
	outlives bool
	// byTriggers says that only triggers write it.
	byTriggers bool
	// ownerFollows says that a trigger takes the owner from the row that is referred to.
	ownerFollows bool
	// fixed are the columns that no caller writes.
	fixed string
	// chosen are columns that callers write although elsewhere a default does.
	chosen string
	// boundary is what no permissive policy gets past; the zero rule is "own".
	boundary rule
	// triggers are as Postgres prints them, with " ... " for the table's name; what
	// calls the function of its own name for each row ends before that.
	triggers []string
	grants   map[string]grants
}

// all stands for all columns.
const all = "*"

// own are the caller's rows as a landlord.
const own = "owner_user_id = (select app.current_user_id())"

// hidden is own where it is one of several ways past a boundary; policies/README.md
// says from whom it is hidden.
const hidden = "coalesce(" + own + ", false)"

// What a person has in the books of their landlords.
const (
	theirs     = "tenant_id = any ((select app.my_tenant_ids())::uuid[])"
	landlords  = "owner_user_id = any ((select app.my_landlord_ids())::uuid[])"
	ofTheirs   = landlords + " and " + theirs
	theirUnits = "id = any ((select app.my_unit_ids())::uuid[])"
	homes      = "id = any ((select app.my_property_ids())::uuid[])"
	claimed    = "id = (select app.claimed_tenant_id())"
	myself     = "user_id = (select app.current_user_id())"
	byToken    = "token_hash = (select app.invite_hash())"
	clerk      = "current_user = 'rowhouse_clerk'"
)

// What support sees of a landlord who has agreed to it.
const (
	operator = "revoked_at is null and expires_at > now() and (select app.is_operator())"
	agent    = "agent_user_id = (select app.current_user_id())"
)

// supported are the rows of the landlord under whose live consent to one of the areas
// support's request is written down.
func supported(areas string) string {
	return "owner_user_id = (select app.supported_landlord_id('{" + areas + "}'))"
}

// looksUp is what support may do with what a landlord lets it see.
func looksUp(condition string) grants {
	return grants{reads: all, rows: each(condition, "select")}
}

// remover is what rowhouse_remover may do with what landlords delete.
var remover = grants{reads: all, deletes: true}

// leaves is what it may do with what nobody deletes, but who leaves.
func leaves(owner, reads string) grants {
	self := owner + " = (select app.current_user_id())"
	rows := each(self+" and exists (select from app.account_deletions d where d.owner_user_id = (select app.current_user_id()) and d.state = 'REMOVING')", "delete")
	if self != own {
		rows["select"] = rule{using: self}
	}
	return grants{reads: reads, deletes: true, rows: rows}
}

const (
	guardOwned   = "guard_owned_row BEFORE UPDATE"
	recordInsert = "record_insert AFTER INSERT ... REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes()"
	recordUpdate = "record_update AFTER UPDATE ... REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes()"
	recordDelete = "record_delete AFTER DELETE ... REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes()"
	// the queue's jobs come of these alone
	enqueueInserted = "enqueue_inserted AFTER INSERT ... REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.enqueue_invite_mails()"
	enqueueUpdated  = "enqueue_updated AFTER UPDATE ... REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.enqueue_invite_mails()"

	tellGain = "tell_owner_gain AFTER INSERT ... REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.tell_owner_change()"
	tellLoss = "tell_owner_loss AFTER DELETE ... REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.tell_owner_change()"
)

// unrecorded says why changes of a landlord's table leave nothing in the audit trail.
// What only triggers write follows from what is recorded.
var unrecorded = map[string]string{
	"app.account_deletions":         "what happened to it is in the row itself, which outlives the trail",
	"app.contractor_search_results": "what providers answer is kept for a while and is nobody's decision",
	"app.idempotency_keys":          "a key and the answer to a request whose changes are recorded",
	"app.import_rows":               "lines of a file; the import and what it makes of them are recorded",
	"app.sample_rows":               "it says which rows are samples; those themselves are recorded",
	"app.support_accesses":          "a trail itself, which nobody can change",
}

// tables are all tables of the schemas app and app_private.
var tables = map[string]table{
	"app.users": {
		owner: "id", fixed: "id version created_at updated_at is_admin onboarding_completed",
		boundary: rule{using: "id = (select app.current_user_id())"},
		triggers: []string{
			"guard_user BEFORE UPDATE", "keep_landlord_card AFTER INSERT OR UPDATE OF full_name, company_name, email, phone",
			"tell_role_change AFTER UPDATE ... FOR EACH ROW WHEN ((old.is_admin IS DISTINCT FROM new.is_admin)) EXECUTE FUNCTION app.tell_role_change('id')",
		},
		grants: map[string]grants{
			"rowhouse_remover":  leaves("id", "id"),
			"rowhouse_clerk":    {reads: "id is_admin email", rows: each("id = (select app.current_user_id())", "select")},
			"rowhouse_landlord": {reads: all, rows: each("id = (select app.current_user_id())", "select")},
			"rowhouse_user": {
				reads: all, inserts: "email full_name signed_up_as provider_seen_at",
				updates: "email full_name company_name phone locale country time_zone currency onboarding_step planned_units require_aal2 provider_seen_at provider_deleted_at",
				rows:    each("id = (select app.current_user_id())", "select", "insert", "update"),
			},
		},
	},
	"app.landlord_cards": {
		owner: "owner_user_id", byTriggers: true, fixed: "owner_user_id name company_name email phone updated_at",
		boundary: rule{using: either(hidden, landlords, clerk)},
		grants: map[string]grants{
			"rowhouse_landlord": {reads: all},
			"rowhouse_tenant":   {reads: all, rows: each(landlords, "select")},
			"rowhouse_clerk":    {reads: all, inserts: all, updates: all, rows: each("true", "all")},
			"rowhouse_remover":  leaves("owner_user_id", "owner_user_id"),
		},
	},
	"app.properties": {
		owner: "owner_user_id", fixed: placeColumns,
		boundary: rule{using: either(hidden, homes, supported("properties")), check: own},
		triggers: []string{guardOwned, recordInsert, recordUpdate, recordDelete, tellGain, tellLoss},
		grants: map[string]grants{
			"rowhouse_landlord": {reads: all, inserts: propertyColumns, updates: propertyColumns},
			"rowhouse_remover":  remover,
			"rowhouse_support":  looksUp(supported("properties")),
			"rowhouse_tenant": {
				reads: "owner_user_id id name address1 address2 city state postal_code country",
				rows:  each(landlords+" and "+homes, "select"),
			},
			"rowhouse_clerk": {reads: "owner_user_id id"},
		},
	},
	"app.units": {
		owner: "owner_user_id", fixed: placeColumns,
		boundary: rule{using: either(hidden, theirUnits, supported("properties,tickets")), check: own},
		triggers: []string{guardOwned, recordInsert, recordUpdate, recordDelete, tellGain, tellLoss},
		grants: map[string]grants{
			"rowhouse_landlord": {reads: all, inserts: unitColumns, updates: unitColumns},
			"rowhouse_remover":  remover,
			"rowhouse_support":  looksUp(supported("properties,tickets")),
			"rowhouse_tenant": {
				reads: "owner_user_id id property_id name kind address1 address2 city state postal_code country",
				rows:  each(landlords+" and "+theirUnits, "select"),
			},
			"rowhouse_clerk": {reads: "owner_user_id id property_id", rows: each(own+" or "+landlords+" and "+theirUnits, "select")},
		},
	},
	"app.idempotency_keys": {owner: "owner_user_id", fixed: "owner_user_id created_at", grants: map[string]grants{
		"rowhouse_landlord": {reads: all, inserts: "key operation request_hash", updates: "answer"},
		"rowhouse_tenant":   {reads: all, inserts: "key operation request_hash", updates: "answer"},
		"rowhouse_remover":  remover,
	}},
	"app.exports": {
		owner: "owner_user_id", fixed: ownedColumns,
		triggers: []string{
			guardOwned, recordInsert, recordUpdate, recordDelete, "guard_export BEFORE UPDATE",
			"enqueue_export AFTER INSERT ... REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.enqueue_export()",
		},
		grants: map[string]grants{
			"rowhouse_landlord": {
				reads: all, inserts: "note with_files",
				updates: "state part_bytes exported_through rows_exported finished_at expires_at claimed_until",
			},
			"rowhouse_remover": remover,
		},
	},
	"app.account_deletions": {
		owner: "owner_user_id", outlives: true, fixed: ownedColumns,
		triggers: []string{
			guardOwned, "guard_account_deletion BEFORE UPDATE",
			"enqueue_account_deletion AFTER INSERT ... REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.enqueue_account_deletion()",
		},
		grants: map[string]grants{
			"rowhouse_landlord": {
				reads: all, inserts: "remove_after",
				updates: "state export_keys exported_through rows_exported rows_removed files_removed profile_kept exported_at ended_at claimed_until",
			},
			"rowhouse_remover": {reads: "owner_user_id id state"},
		},
	},
	"app.sample_rows": {owner: "owner_user_id", fixed: "owner_user_id created_at", grants: map[string]grants{
		"rowhouse_landlord": {reads: all, inserts: "table_name row_id"},
		"rowhouse_remover":  remover,
	}},
	"app.tenants": {
		owner: "owner_user_id", fixed: placeColumns,
		boundary: rule{using: either(hidden, myself, claimed, supported("tenants")), check: either(hidden, myself, claimed)},
		triggers: []string{
			guardOwned, recordInsert, recordUpdate, recordDelete, tellGain, tellLoss,
			"tell_role_gain AFTER INSERT ... FOR EACH ROW WHEN ((new.user_id IS NOT NULL)) EXECUTE FUNCTION app.tell_role_change('user_id')",
			"tell_role_change AFTER UPDATE ... FOR EACH ROW WHEN ((old.user_id IS DISTINCT FROM new.user_id)) EXECUTE FUNCTION app.tell_role_change('user_id')",
			"tell_role_loss AFTER DELETE ... FOR EACH ROW WHEN ((old.user_id IS NOT NULL)) EXECUTE FUNCTION app.tell_role_change('user_id')",
		},
		grants: map[string]grants{
			"rowhouse_landlord": {reads: all, inserts: personColumns, updates: personColumns},
			"rowhouse_remover":  remover,
			"rowhouse_support":  looksUp(supported("tenants")),
			"rowhouse_tenant": {
				reads: "id owner_user_id user_id first_name last_name email phone unit_id",
				rows:  each(myself, "select"),
			},
			"rowhouse_user": {reads: "id owner_user_id user_id", updates: "user_id", rows: map[string]rule{
				"select": {using: claimed},
				"update": {using: "user_id is null and " + claimed, check: myself},
			}},
			"rowhouse_clerk": {reads: "id owner_user_id user_id", rows: each(myself+" or "+own, "select")},
		},
	},
	"app.tenancies": {
		owner: "owner_user_id", fixed: ownedColumns,
		boundary: rule{using: either(hidden, theirs, supported("tenants")), check: either(hidden, theirs)},
		triggers: []string{guardOwned, recordInsert, recordUpdate, recordDelete},
		grants: map[string]grants{
			"rowhouse_landlord": {
				reads: all, inserts: "unit_id tenant_id start_date end_date is_primary notice_given_on move_out_reason",
				updates: "start_date end_date is_primary notice_given_on move_out_reason cancelled_at",
			},
			"rowhouse_remover": remover,
			"rowhouse_support": looksUp(supported("tenants")),
			"rowhouse_tenant": {
				reads: "id owner_user_id unit_id tenant_id start_date end_date is_primary notice_given_on cancelled_at",
				rows:  each(ofTheirs, "select"),
			},
			"rowhouse_clerk": {reads: "unit_id tenant_id cancelled_at owner_user_id", rows: each(ofTheirs, "select")},
		},
	},
	"app.tenant_invites": {
		owner: "owner_user_id", fixed: ownedColumns + " send_count", // guard_invite_mail counts
		boundary: rule{using: either(hidden, byToken, supported("tenants")), check: either(hidden, byToken)},
		triggers: []string{guardOwned, "guard_invite_mail BEFORE UPDATE", recordInsert, recordUpdate, recordDelete, enqueueInserted, enqueueUpdated},
		grants: map[string]grants{
			"rowhouse_landlord": { // everything but the hash of the token
				reads:   seenOfInvites,
				inserts: "tenant_id unit_id email token_hash landlord_name unit_label expires_at mail_id mail_key",
				updates: "unit_id email token_hash expires_at sent_at last_error mail_id mail_key mail_state revoked_at landlord_name unit_label",
			},
			"rowhouse_support": {reads: seenOfInvites, rows: each(supported("tenants"), "select")},
			"rowhouse_user": {
				reads:   "owner_user_id id tenant_id email landlord_name unit_label expires_at claimed_at claimed_by_user_id revoked_at",
				updates: "claimed_at claimed_by_user_id",
				rows: map[string]rule{
					"select": {using: byToken},
					"update": {
						using: byToken + " and claimed_at is null and revoked_at is null and expires_at > now()" +
							" and email = lower((select current_setting('app.user_email', true)))",
						check: byToken + " and claimed_by_user_id = (select app.current_user_id())",
					},
				},
			},
			"rowhouse_clerk":   {reads: "owner_user_id tenant_id token_hash claimed_by_user_id", rows: each(byToken, "select")},
			"rowhouse_remover": {reads: "owner_user_id id tenant_id unit_id", deletes: true},
		},
	},
	"app.contractors": {
		owner: "owner_user_id", fixed: placeColumns, triggers: []string{guardOwned, recordInsert, recordUpdate, recordDelete},
		boundary: rule{using: either(hidden, supported("contractors")), check: own},
		grants: map[string]grants{
			"rowhouse_landlord": {
				reads: all, inserts: contractorColumns + " source external_place_id", updates: contractorColumns,
			},
			"rowhouse_remover": remover,
			"rowhouse_support": looksUp(supported("contractors")),
		},
	},
	"app.contractor_search_results": {
		owner: "owner_user_id", fixed: "owner_user_id id", chosen: "updated_at",
		grants: map[string]grants{
			"rowhouse_landlord": {
				reads: all, inserts: "ticket_id provider provider_place_id fetched_at " + foundColumns,
				updates: "fetched_at updated_at " + foundColumns,
			},
			"rowhouse_remover": remover,
		},
	},
	"app.ticket_counters": {
		owner: "owner_user_id", byTriggers: true, fixed: "owner_user_id last_number",
		boundary: rule{using: either(hidden, clerk)},
		grants: map[string]grants{
			"rowhouse_clerk":   {reads: all, inserts: all, updates: all, rows: each("true", "all")},
			"rowhouse_remover": leaves("owner_user_id", "owner_user_id"),
		},
	},
	"app.tickets": {
		owner: "owner_user_id", fixed: placeColumns + " number resolved_at closed_at reopened_count",
		boundary: rule{using: either(hidden, theirs, supported("tickets")), check: either(hidden, theirs)},
		triggers: []string{
			guardOwned, "guard_ticket BEFORE INSERT OR UPDATE", "number_ticket BEFORE INSERT",
			recordInsert, recordUpdate, recordDelete, "record_ticket_event AFTER INSERT OR UPDATE",
		},
		grants: map[string]grants{
			"rowhouse_landlord": {
				reads: all, inserts: ticketColumns + " tenant_id source", updates: ticketColumns + " status_reason archived_at",
			},
			"rowhouse_remover": remover,
			"rowhouse_support": looksUp(supported("tickets")),
			"rowhouse_tenant": {
				reads: "id owner_user_id number unit_id tenant_id title description category priority status due_at entry_permission" +
					" entry_notes scheduled_at resolved_at closed_at version created_at updated_at",
				inserts: "unit_id tenant_id title description category entry_permission entry_notes",
				updates: "status",
				rows: map[string]rule{
					"select": {using: ofTheirs},
					"insert": {check: "status = 'NEW' and " + theirs + ` and exists (select from app.tenancies y
						where y.owner_user_id = tickets.owner_user_id and y.unit_id = tickets.unit_id
						  and y.tenant_id = tickets.tenant_id and y.cancelled_at is null
						  and y.start_date <= current_date and (y.end_date is null or y.end_date >= current_date))`},
					"update": {using: ofTheirs, check: theirs},
				},
			},
		},
	},
	"app.ticket_comments": {
		owner: "owner_user_id", fixed: ownedColumns + " tenant_id author edited_at",
		boundary: rule{
			using: either(hidden, "kind = 'shared' and "+theirs, "kind = 'shared' and "+supported("tickets")),
			check: either(hidden, "kind = 'shared' and "+theirs),
		},
		triggers: []string{"guard_comment BEFORE INSERT OR UPDATE", guardOwned, recordInsert, recordUpdate, recordDelete},
		grants: map[string]grants{
			"rowhouse_landlord": {
				reads: all, inserts: "ticket_id kind body", updates: "body",
				rows: each(own+" and created_by = (select app.current_user_id())", "update"),
			},
			"rowhouse_remover": remover,
			"rowhouse_support": looksUp("kind = 'shared' and " + supported("tickets")),
			"rowhouse_tenant": {
				reads:   ownedColumns + " ticket_id kind author body edited_at",
				inserts: "ticket_id body",
				rows: map[string]rule{
					"select": {using: "kind = 'shared' and " + ofTheirs},
					"insert": {check: "kind = 'shared' and author = 'tenant' and " + ofTheirs},
				},
			},
		},
	},
	"app.ticket_events": {
		owner: "owner_user_id", byTriggers: true,
		fixed:    "owner_user_id id ticket_id tenant_id type from_value to_value actor_user_id actor_kind created_at",
		boundary: rule{using: either(hidden, theirs, clerk, supported("tickets")), check: either(hidden, theirs, clerk)},
		grants: map[string]grants{
			"rowhouse_landlord": {reads: all},
			"rowhouse_support":  looksUp(supported("tickets")),
			"rowhouse_tenant": {
				reads: "id owner_user_id ticket_id type from_value to_value actor_kind created_at",
				rows:  each("type in ('created', 'status') and "+ofTheirs, "select"),
			},
			"rowhouse_clerk":   {inserts: all, rows: each("true", "insert")},
			"rowhouse_remover": leaves("owner_user_id", "owner_user_id id"),
		},
	},
	"app.attachments": {
		owner: "owner_user_id", fixed: "owner_user_id tenant_id created_by created_at",
		chosen:   "id", // the place of the file holds it
		boundary: rule{using: either(hidden, "visibility = 'shared' and "+theirs)},
		triggers: []string{"guard_attachment BEFORE INSERT", recordInsert, recordUpdate, recordDelete},
		grants: map[string]grants{
			"rowhouse_landlord": {reads: all, inserts: "id visibility " + fileColumns},
			"rowhouse_remover":  remover,
			"rowhouse_tenant": {
				reads: all, inserts: fileColumns,
				rows: each("visibility = 'shared' and "+ofTheirs, "select", "insert"),
			},
		},
	},
	"app.audit_log": {
		owner: "owner_user_id", byTriggers: true,
		fixed:    "owner_user_id id at actor_user_id actor_kind request_id action table_name row_id before after",
		boundary: rule{using: own, check: either(hidden, clerk)},
		grants: map[string]grants{
			"rowhouse_landlord": {reads: all},
			"rowhouse_clerk":    {inserts: all, rows: each("true", "insert")},
			"rowhouse_remover":  leaves("owner_user_id", "owner_user_id id"),
		},
	},
	"app.support_grants": {
		owner: "owner_user_id", fixed: ownedColumns,
		boundary: rule{using: either(hidden, operator), check: own},
		triggers: []string{guardOwned, recordInsert, recordUpdate, recordDelete},
		grants: map[string]grants{
			"rowhouse_landlord": {
				reads: all, inserts: "areas reason landlord_name expires_at", updates: "revoked_at",
				rows: map[string]rule{"update": {using: own + " and revoked_at is null", check: own + " and revoked_at is not null"}},
			},
			"rowhouse_support": {
				reads: "owner_user_id id areas reason landlord_name expires_at created_at", rows: each(operator, "select"),
			},
			"rowhouse_clerk":   {reads: "owner_user_id id areas expires_at revoked_at", rows: each(operator, "select")},
			"rowhouse_remover": leaves("owner_user_id", "owner_user_id id"),
		},
	},
	"app.support_accesses": {
		owner: "owner_user_id", ownerFollows: true, fixed: "owner_user_id id agent_user_id agent_email request_id at transaction_id",
		boundary: rule{using: either(hidden, agent), check: agent},
		triggers: []string{"record_support_access BEFORE INSERT"},
		grants: map[string]grants{
			"rowhouse_landlord": {reads: all},
			"rowhouse_support": {
				reads: "owner_user_id id grant_id operation at", inserts: "grant_id operation",
				rows: map[string]rule{
					"select": {using: agent},
					"insert": {check: agent + ` and exists (select from app.support_grants g
						where g.owner_user_id = support_accesses.owner_user_id and g.id = support_accesses.grant_id)`},
				},
			},
			"rowhouse_clerk": {
				reads: "owner_user_id id grant_id agent_user_id at transaction_id", rows: each(agent, "select"),
			},
			"rowhouse_remover": leaves("owner_user_id", "owner_user_id id"),
		},
	},
	"app.import_batches": {
		owner: "owner_user_id", fixed: ownedColumns,
		triggers: []string{
			guardOwned, recordInsert, recordUpdate, recordDelete,
			"enqueue_inserted AFTER INSERT ... REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.enqueue_imports()",
			"enqueue_updated AFTER UPDATE ... REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.enqueue_imports()",
		},
		grants: map[string]grants{"rowhouse_landlord": {
			reads: all, inserts: "kind file_name file_sha256 encoding delimiter header mapping on_existing unknown_units send_invites row_count",
			updates: "mapping on_existing unknown_units send_invites state created updated unchanged skipped failed invited warned done kept job_id cancel_asked_at started_at finished_at undone_at rows_purged_at",
		}, "rowhouse_remover": remover},
	},
	"app.import_rows": {
		owner: "owner_user_id", fixed: "owner_user_id id",
		grants: map[string]grants{"rowhouse_landlord": {
			reads: all, inserts: "batch_id n line cells fields same_as action code field message",
			updates: "cells fields same_as action code field message unit_id tenant_id invite_id changes done_at undone",
		}, "rowhouse_remover": remover},
	},
	"app_private.seal_keys":        {fixed: "id inner_pad outer_pad binds_pid created_at"},
	"app_private.goose_db_version": {fixed: "id version_id is_applied tstamp"},
}

const (
	ownedColumns      = "owner_user_id id version created_by created_at updated_at"
	placeColumns      = ownedColumns + " archived" // archived follows from archived_at
	addressColumns    = "address1 address2 city state postal_code country"
	propertyColumns   = "name kind latitude longitude external_ref archived_at " + addressColumns
	unitColumns       = "property_id name kind status bedrooms bathrooms area_m2 external_ref archived_at " + addressColumns
	personColumns     = "first_name last_name email phone unit_id notes external_ref archived_at"
	contractorColumns = "name trade phone email website rating license_no insured_until notes archived_at " + addressColumns
	foundColumns      = "name trade phone website address distance_m rating rating_count expires_at"
	ticketColumns     = "unit_id title description category priority status contractor_id due_at entry_permission entry_notes" +
		" scheduled_at cost_minor currency"
	seenOfInvites = ownedColumns + " tenant_id unit_id email landlord_name unit_label expires_at send_count sent_at last_error mail_id mail_key mail_state" +
		" claimed_at claimed_by_user_id revoked_at" // not the token's hash
	fileColumns = "ticket_id storage_key file_name media_type size_bytes sha256"
)

// each gives several policies of a role the same rows.
func each(condition string, verbs ...string) map[string]rule {
	rows := map[string]rule{}
	for _, verb := range verbs {
		rows[verb] = rule{using: condition}
	}
	return rows
}

// either is what one of the conditions is enough for.
func either(conditions ...string) string { return "(" + strings.Join(conditions, ") or (") + ")" }

// byOtherThanOwner are the indexes that are not led by the owner, and why. None is
// unique: nobody can ask one whether a value exists.
var byOtherThanOwner = map[string]string{
	"app.tenants_login_idx":             "a person's entries with all their landlords are found by the person",
	"app.support_grants_live_idx":       "who works for Rowhouse names what was granted, and does not know the landlord",
	"app.support_accesses_agent_idx":    "with each statement of support's the database looks for what they have just asked",
	"app.tenant_invites_token_idx":      "the holder of a token does not know the landlord",
	"app.tenant_invites_claimed_by_idx": "whether a deleted user has claimed an invite is asked past every landlord",
}

// loose are the columns that hold another row's id without a foreign key, and why.
// Without a reason here a key has been lost, and with it what keeps rows together.
var loose = map[string]string{
	"app.attachments.tenant_id": "the ticket's, set by guard_attachment", "app.ticket_comments.tenant_id": "the ticket's, set by guard_comment",
	"app.ticket_events.tenant_id": "the ticket's, set by record_ticket_event",
	// who did it is kept when the user is gone
	"app.attachments.created_by": "kept", "app.contractors.created_by": "kept", "app.properties.created_by": "kept",
	"app.tenancies.created_by": "kept", "app.tenant_invites.created_by": "kept", "app.tenants.created_by": "kept",
	"app.ticket_comments.created_by": "kept", "app.tickets.created_by": "kept", "app.units.created_by": "kept",
	"app.ticket_events.actor_user_id": "kept", "app.audit_log.actor_user_id": "kept", "app.support_grants.created_by": "kept",
	"app.support_accesses.agent_user_id":     "kept",
	"app.account_deletions.owner_user_id":    "outlives the account",
	"app.account_deletions.exported_through": "how far an export is",
	"app.exports.exported_through":           "how far it is",
	"app.exports.created_by":                 "kept",
	"app.account_deletions.created_by":       "kept",
	"app.sample_rows.row_id":                 "of one of several tables, and of rows that are gone",
	"app.tenant_invites.mail_id":             "names a mail, and no row",
	"app.audit_log.row_id":                   "of any table, and of rows that are gone",
	"app.import_batches.created_by":          "kept",
	"app.import_batches.job_id":              "names a job, and no row",
	"app.import_rows.unit_id":                "what the row was about, kept when that is gone",
	"app.import_rows.tenant_id":              "likewise",
	"app.import_rows.invite_id":              "likewise",
}

// cascades are the references along which deleting goes: within one landlord's
// ticket.
var cascades = []string{
	"ticket_comments_ticket_fkey", "ticket_events_ticket_fkey", "attachments_ticket_fkey", "contractor_search_results_ticket_fkey",
}

// sequences are all sequences of the two schemas. None counts landlords' rows: a
// serial id would tell how many there are.
var sequences = []string{"app_private.goose_db_version_id_seq"}

// function is a function and who may call it.
type function struct {
	owner      string
	definer    bool   // runs as its owner
	volatility string // i, s or v
	parallel   string // r, u or s; s would be wrong for what asks for the backend's pid
	callers    []string
}

// functions are all functions of the schemas app and app_private.
var functions = map[string]function{
	"app.current_user_id()": {owner: "rowhouse_owner", definer: true, volatility: "s", parallel: "r", callers: slices.Concat(personas, servants, []string{enqueuer})},
	"app.invite_hash()":     {owner: "rowhouse_owner", volatility: "s", parallel: "s", callers: slices.Concat(personas, servants)},
	"app.time_to_due(text)": {owner: "rowhouse_owner", volatility: "i", parallel: "s", callers: slices.Concat(personas, servants)},
	"app.next_ticket_statuses(text,timestamp with time zone)": {
		owner: "rowhouse_owner", volatility: "s", parallel: "s", callers: slices.Concat(personas, servants),
	},
	"app.demand_second_factor()": {
		owner: "rowhouse_owner", volatility: "s", parallel: "r", callers: []string{"rowhouse_landlord", "rowhouse_user"},
	},
	"app.my_roles()":                                   {owner: "rowhouse_clerk", definer: true, volatility: "s", parallel: "r", callers: []string{"rowhouse_user"}},
	"app.tell_role_change()":                           trigger("rowhouse_clerk"),
	"app.tell_owner_change()":                          trigger("rowhouse_clerk"),
	"app.enqueue_jobs(text,uuid[])":                    {owner: enqueuer, volatility: "v", parallel: "u"},
	"app.enqueue_invite_mails()":                       trigger(enqueuer),
	"app.enqueue_imports()":                            trigger(enqueuer),
	"app.guard_invite_mail()":                          trigger("rowhouse_owner"),
	"app.guard_owned_row()":                            trigger("rowhouse_owner"),
	"app.guard_user()":                                 trigger("rowhouse_owner"),
	"app.guard_ticket()":                               trigger("rowhouse_owner"),
	"app.guard_comment()":                              trigger("rowhouse_owner"),
	"app.guard_attachment()":                           trigger("rowhouse_owner"),
	"app.number_ticket()":                              trigger("rowhouse_clerk"),
	"app.keep_landlord_card()":                         trigger("rowhouse_clerk"),
	"app.take_turn()":                                  {owner: "rowhouse_clerk", definer: true, volatility: "v", parallel: "u", callers: []string{"rowhouse_landlord"}},
	"app.record_ticket_event()":                        trigger("rowhouse_clerk"),
	"app.record_change()":                              trigger("rowhouse_clerk"),
	"app.record_changes()":                             trigger("rowhouse_clerk"),
	"app.masked(jsonb)":                                {owner: "rowhouse_clerk", volatility: "i", parallel: "s"},
	"app.my_tenant_ids()":                              aboutCaller,
	"app.my_landlord_ids()":                            aboutCaller,
	"app.my_unit_ids()":                                aboutCaller,
	"app.my_property_ids()":                            aboutCaller,
	"app.claimed_tenant_id()":                          aboutCaller,
	"app.is_operator()":                                aboutCaller,
	"app.supported_landlord_id(text[])":                aboutCaller,
	"app.record_support_access()":                      trigger("rowhouse_clerk"),
	"app.delete_sample_rows()":                         removal,
	"app.remove_account_rows(integer)":                 removal,
	"app.remove_profile()":                             removal,
	"app.guard_account_deletion()":                     trigger("rowhouse_owner"),
	"app.enqueue_account_deletion()":                   trigger(enqueuer),
	"app.guard_export()":                               trigger("rowhouse_owner"),
	"app.enqueue_export()":                             trigger(enqueuer),
	"app.delete_unit(uuid)":                            removal,
	"app.delete_property(uuid)":                        removal,
	"app.delete_tenant(uuid)":                          removal,
	"app.delete_tenancy(uuid)":                         removal,
	"app.delete_contractor(uuid)":                      removal,
	"app.delete_ticket(uuid)":                          removal,
	"app.delete_comment(uuid)":                         removal,
	"app.delete_attachment(uuid)":                      removal,
	"app.forget_search_results(uuid)":                  removal,
	"app.delete_import(uuid)":                          removal,
	"app.forget_import_rows(uuid)":                     removal,
	"app.delete_export(uuid)":                          removal,
	"app.delete_imported(uuid[],uuid[],uuid[],uuid[])": removal,
	"app.forget_idempotency_keys()": {
		owner: "rowhouse_remover", definer: true, volatility: "v", parallel: "u", callers: []string{"rowhouse_landlord", "rowhouse_tenant"},
	},
}

// removal deletes rows of the caller's.
var removal = function{owner: "rowhouse_remover", definer: true, volatility: "v", parallel: "u", callers: []string{"rowhouse_landlord"}}

// aboutCaller is what policies ask about the caller.
var aboutCaller = function{
	owner: "rowhouse_clerk", definer: true, volatility: "s", parallel: "r",
	callers: append([]string{"rowhouse_remover"}, personas...),
}

// trigger is a trigger function; nobody may call it. Those of rowhouse_clerk and
// rowhouse_enqueuer write what the caller may not.
func trigger(owner string) function {
	return function{owner: owner, definer: owner != "rowhouse_owner", volatility: "v", parallel: "u"}
}

// role is what a role is and may become. A role that is not named here, and is
// neither Postgres's own nor the superuser of the tests, fails them.
type role struct {
	login     bool
	bypasses  bool // BYPASSRLS; on Supabase for service_role only
	inherits  bool // Supabase's roles do; ours never
	looksInto bool // USAGE on schema app
	becomes   []string
}

var personas = []string{"rowhouse_landlord", "rowhouse_tenant", "rowhouse_user", "rowhouse_support"}

// servants own the functions that do what personas may not.
var servants = []string{"rowhouse_remover", "rowhouse_clerk"}

// enqueuer owns the functions that queue jobs, and may do nothing else.
const enqueuer = "rowhouse_enqueuer"

// roles are all roles of the cluster.
var roles = map[string]role{
	"rowhouse_owner":    {looksInto: true},
	"rowhouse_landlord": {looksInto: true},
	"rowhouse_tenant":   {looksInto: true},
	"rowhouse_user":     {looksInto: true},
	"rowhouse_support":  {looksInto: true},
	"rowhouse_remover":  {looksInto: true},
	"rowhouse_clerk":    {looksInto: true},
	enqueuer:            {looksInto: true},
	"rowhouse_api":      {login: true, looksInto: true, becomes: personas},
	"rowhouse_worker":   {login: true, looksInto: true, becomes: []string{"rowhouse_landlord", "rowhouse_tenant", "rowhouse_user"}},
	"rowhouse_migrator": {login: true, becomes: []string{"rowhouse_owner", "rowhouse_remover", "rowhouse_clerk", enqueuer}},
	"anon":              {inherits: true},
	"authenticated":     {inherits: true},
	"service_role":      {inherits: true, bypasses: true},
}

// undocumented are the routes that are not in the OpenAPI document. None of them
// looks at who is asking.
var undocumented = []string{"/healthz", "/readyz", "/openapi.json", "/docs", "/docs/*", "/.well-known/isolation-report-keys.json"}

// collections are the tables whose rows the segments of paths are for.
var collections = map[string]string{
	"units": "app.units", "properties": "app.properties", "tenants": "app.tenants", "tenancies": "app.tenancies",
	"contractors": "app.contractors", "tickets": "app.tickets", "comments": "app.ticket_comments",
	"attachments": "app.attachments", "tenant-invites": "app.tenant_invites",
	"support-grants": "app.support_grants", "exports": "app.exports", "imports": "app.import_batches",
}

// namedIDs are the tables whose ids the parameters and members of these names
// take. A name that is not here fails the suite.
var namedIDs = map[string]string{
	"propertyId": "app.properties", "unitId": "app.units", "tenantId": "app.tenants", "tenancyId": "app.tenancies",
	"ticketId": "app.tickets", "contractorId": "app.contractors", "inviteId": "app.tenant_invites",
	"commentId": "app.ticket_comments", "attachmentId": "app.attachments", "resultId": "app.contractor_search_results",
	"grantId": "app.support_grants", "batchId": "app.import_batches",
	"rowId": "app.units", // of the trail: of any table
}

// rowByRow are the operations that take many rows and judge each by itself, with the
// place of an id in one: a foreign one is refused inside an answer that is a success.
var rowByRow = map[string]string{"inviteTenants": "tenants.unitId"}

// byInvite are the operations for who holds an invite's token, and public those of
// them that need no other.
var (
	byInvite = []string{"getInvite", "claimInvite"}
	public   = []string{"getInvite"}
)
