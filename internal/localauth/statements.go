package localauth

import _ "embed"

// The statements, one file each under sql/; they are never written to.
var (
	//go:embed sql/challenge_by_id.sql
	challengeByIDSQL string

	//go:embed sql/challenge_delete.sql
	challengeDeleteSQL string

	//go:embed sql/challenge_insert.sql
	challengeInsertSQL string

	//go:embed sql/challenge_verify.sql
	challengeVerifySQL string

	//go:embed sql/email_taken.sql
	emailTakenSQL string

	//go:embed sql/factor_delete.sql
	factorDeleteSQL string

	//go:embed sql/factor_insert.sql
	factorInsertSQL string

	//go:embed sql/factor_verified.sql
	factorVerifiedSQL string

	//go:embed sql/factors_expire.sql
	factorsExpireSQL string

	//go:embed sql/factors_of_user.sql
	factorsOfUserSQL string

	//go:embed sql/flow_arrive.sql
	flowArriveSQL string

	//go:embed sql/flow_by_code.sql
	flowByCodeSQL string

	//go:embed sql/flow_by_id.sql
	flowByIDSQL string

	//go:embed sql/flow_delete.sql
	flowDeleteSQL string

	//go:embed sql/flow_insert.sql
	flowInsertSQL string

	//go:embed sql/flow_issue_code.sql
	flowIssueCodeSQL string

	//go:embed sql/identities_delete_others.sql
	identitiesDeleteOthersSQL string

	//go:embed sql/identities_of_user.sql
	identitiesOfUserSQL string

	//go:embed sql/identity_by_provider.sql
	identityByProviderSQL string

	//go:embed sql/identity_insert.sql
	identityInsertSQL string

	//go:embed sql/identity_set_data.sql
	identitySetDataSQL string

	//go:embed sql/identity_set_email.sql
	identitySetEmailSQL string

	//go:embed sql/identity_verify.sql
	identityVerifySQL string

	//go:embed sql/one_time_token_match.sql
	oneTimeTokenMatchSQL string

	//go:embed sql/one_time_token_put.sql
	oneTimeTokenPutSQL string

	//go:embed sql/one_time_token_take.sql
	oneTimeTokenTakeSQL string

	//go:embed sql/one_time_tokens_clear.sql
	oneTimeTokensClearSQL string

	//go:embed sql/refresh_token_active.sql
	refreshTokenActiveSQL string

	//go:embed sql/refresh_token_by_hash.sql
	refreshTokenByHashSQL string

	//go:embed sql/refresh_token_insert.sql
	refreshTokenInsertSQL string

	//go:embed sql/refresh_token_number.sql
	refreshTokenNumberSQL string

	//go:embed sql/refresh_token_revoke.sql
	refreshTokenRevokeSQL string

	//go:embed sql/refresh_tokens_revoke_session.sql
	refreshTokensRevokeSessionSQL string

	//go:embed sql/session_by_id.sql
	sessionByIDSQL string

	//go:embed sql/session_claim_insert.sql
	sessionClaimInsertSQL string

	//go:embed sql/session_claims.sql
	sessionClaimsSQL string

	//go:embed sql/session_insert.sql
	sessionInsertSQL string

	//go:embed sql/session_lock.sql
	sessionLockSQL string

	//go:embed sql/session_refreshed.sql
	sessionRefreshedSQL string

	//go:embed sql/session_set_aal2.sql
	sessionSetAAL2SQL string

	//go:embed sql/sessions_downgrade.sql
	sessionsDowngradeSQL string

	//go:embed sql/sessions_end.sql
	sessionsEndSQL string

	//go:embed sql/sessions_end_below_aal2.sql
	sessionsEndBelowAAL2SQL string

	//go:embed sql/setup_foreign.sql
	setupForeignSQL string

	//go:embed sql/setup_role.sql
	setupRoleSQL string

	//go:embed sql/setup_schema.sql
	setupSchemaSQL string

	//go:embed sql/user_admin_update.sql
	userAdminUpdateSQL string

	//go:embed sql/user_by_id.sql
	userByIDSQL string

	//go:embed sql/user_code_sent.sql
	userCodeSentSQL string

	//go:embed sql/user_confirm.sql
	userConfirmSQL string

	//go:embed sql/user_delete.sql
	userDeleteSQL string

	//go:embed sql/user_email_change_ask.sql
	userEmailChangeAskSQL string

	//go:embed sql/user_email_change_done.sql
	userEmailChangeDoneSQL string

	//go:embed sql/user_email_change_half.sql
	userEmailChangeHalfSQL string

	//go:embed sql/user_id_by_any_email.sql
	userIDByAnyEmailSQL string

	//go:embed sql/user_id_by_email.sql
	userIDByEmailSQL string

	//go:embed sql/user_insert.sql
	userInsertSQL string

	//go:embed sql/user_lock.sql
	userLockSQL string

	//go:embed sql/user_set_metadata.sql
	userSetMetadataSQL string

	//go:embed sql/user_set_password.sql
	userSetPasswordSQL string

	//go:embed sql/user_set_providers.sql
	userSetProvidersSQL string

	//go:embed sql/user_set_role.sql
	userSetRoleSQL string

	//go:embed sql/user_signed_in.sql
	userSignedInSQL string

	//go:embed sql/user_soft_delete.sql
	userSoftDeleteSQL string

	//go:embed sql/user_unproven_reset.sql
	userUnprovenResetSQL string

	//go:embed sql/users_page.sql
	usersPageSQL string

	//go:embed sql/webhook_off.sql
	webhookOffSQL string

	//go:embed sql/webhook_on.sql
	webhookOnSQL string

	//go:embed sql/webhook_take.sql
	webhookTakeSQL string
)
