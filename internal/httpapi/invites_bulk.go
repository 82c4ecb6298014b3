package httpapi

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/imports"
	"rowhouse/internal/query"
)

// BulkInviteData is whom a landlord invites at once.
type BulkInviteData struct {
	Tenants []BulkInvitee `json:"tenants" minItems:"1" maxItems:"100" nullable:"false" doc:"Each is judged by itself"`
}

// BulkInvitee is InviteData that is not refused with all others for what is wrong with
// it alone.
type BulkInvitee struct {
	FirstName string  `json:"firstName" maxLength:"1000" example:"Ada"`
	LastName  string  `json:"lastName" maxLength:"1000" example:"Byron"`
	Email     string  `json:"email" maxLength:"1000" example:"ada@example.com"`
	UnitID    *string `json:"unitId,omitempty" nullable:"true" maxLength:"100" example:"8f14e45f-ceea-467f-a0e6-1f2d3c4b5a69" doc:"The id of the unit where they live, if you say so, as with a single invite"`
}

// bulkInvited says what came of each.
type bulkInvited struct {
	Total      int         `json:"total" example:"2"`
	Successful int         `json:"successful" example:"1"`
	Failed     int         `json:"failed" example:"1"`
	Results    bulkResults `json:"results"`
}

type bulkResults struct {
	Success []bulkSuccess `json:"success" nullable:"false"`
	Failed  []bulkFailure `json:"failed" nullable:"false"`
}

type bulkSuccess struct {
	Email    string    `json:"email" example:"ada@example.com" doc:"As it is kept"`
	InviteID uuid.UUID `json:"inviteId" format:"uuid"`
}

type bulkFailure struct {
	Email string `json:"email" example:"ada@" doc:"As it was sent"`
	Error string `json:"error" example:"This is not an e-mail address." doc:"Why, for people"`
	Code  string `json:"code" example:"invalid_email" doc:"Why, for programs; stable: missing_required, too_long, invalid_text, invalid_email, duplicate_in_request, unknown_unit, already_claimed"`
	Index int    `json:"index" example:"1" doc:"Which of those that were sent, from 0"`
}

// invitee is somebody who can be invited, as far as can be said without the books.
type invitee struct {
	index  int
	fields map[string]string
	unitID *uuid.UUID
}

// inviteTenants invites many as inviteTenant invites one, in as many statements. Who
// cannot be invited keeps nobody else from it.
func (a *API) inviteTenants(ctx context.Context, in *createInput[BulkInviteData]) (out *created[bulkInvited], err error) {
	err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "inviteTenants", in.Body, func() (*created[bulkInvited], error) {
			failures := map[int]*imports.Problem{}
			able, err := withUnits(ctx, tx, judge(in.Body.Tenants, failures), failures)
			if err != nil {
				return nil, err
			}
			opened, err := a.openInvites(ctx, tx, able)
			if err != nil {
				return nil, err
			}
			for _, i := range able {
				if _, ok := opened[i.fields["email"]]; !ok {
					failures[i.index] = &imports.Problem{Code: alreadyClaimed.Code, Message: alreadyClaimed.Message}
				}
			}
			return &created[bulkInvited]{Location: prefix + "/tenant-invites", ETag: etag(onlyVersion), Body: report(in.Body.Tenants, failures, opened)}, nil
		})
		return err
	})
	return out, err
}

var inviteeMapping = csvfile.Mapping{"firstName", "lastName", "email"}

// judge says of each what can be said without the books.
func judge(sent []BulkInvitee, failures map[int]*imports.Problem) (able []invitee) {
	first := map[string]int{}
	for index, one := range sent {
		reading := imports.Tenants.Read(inviteeMapping, []string{one.FirstName, one.LastName, one.Email})
		i := invitee{index: index, fields: reading.Fields}
		switch {
		case reading.Problem != nil:
			failures[index] = reading.Problem
			continue
		case i.fields["email"] == "":
			failures[index] = &imports.Problem{Code: imports.CodeMissing, Message: "This must not be empty.", Field: "email"}
			continue
		}
		if one.UnitID != nil {
			id, err := uuid.Parse(*one.UnitID)
			if err != nil {
				failures[index] = unknownUnit
				continue
			}
			i.unitID = &id
		}
		if _, again := first[i.fields["email"]]; again {
			failures[index] = &imports.Problem{Code: "duplicate_in_request", Message: "This address is in the request before."}
			continue
		}
		first[i.fields["email"]] = index
		able = append(able, i)
	}
	return able
}

// unknownUnit is said of a unit that does not exist and of another landlord's alike.
var unknownUnit = &imports.Problem{Code: imports.CodeUnknownUnit, Message: db.Forbidden().Message}

// withUnits leaves out those whose unit is not the landlord's.
func withUnits(ctx context.Context, tx *db.Tx, all []invitee, failures map[int]*imports.Problem) ([]invitee, error) {
	var ids []uuid.UUID
	for _, i := range all {
		if i.unitID != nil {
			ids = append(ids, *i.unitID)
		}
	}
	if ids == nil {
		return all, nil
	}
	there, err := query.New().InviteUnits(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	known := map[uuid.UUID]bool{}
	for _, id := range there {
		known[id] = true
	}
	var able []invitee
	for _, i := range all {
		if i.unitID != nil && !known[*i.unitID] {
			failures[i.index] = unknownUnit
			continue
		}
		able = append(able, i)
	}
	return able, nil
}

// openInvites returns the invites by address, of those who have no login yet.
func (a *API) openInvites(ctx context.Context, tx *db.Tx, able []invitee) (map[string]uuid.UUID, error) {
	opened := map[string]uuid.UUID{}
	if len(able) == 0 {
		return opened, nil
	}
	sent := make([]query.InviteOneOfMany, len(able))
	for n, i := range able {
		mail := a.mint(ctx)
		sent[n] = query.InviteOneOfMany{
			FirstName: i.fields["firstName"], LastName: i.fields["lastName"], Email: i.fields["email"], UnitID: i.unitID,
			MailID: mail.MailID, MailKey: mail.Key, TokenHash: hex.EncodeToString(mail.Hash),
		}
	}
	rows, err := query.New().InviteMany(ctx, tx, sent)
	for _, row := range rows {
		opened[row.Email] = row.ID
	}
	return opened, err
}

func report(sent []BulkInvitee, failures map[int]*imports.Problem, opened map[string]uuid.UUID) bulkInvited {
	body := bulkInvited{Total: len(sent), Failed: len(failures), Results: bulkResults{Success: []bulkSuccess{}, Failed: []bulkFailure{}}}
	for index, one := range sent {
		if p := failures[index]; p != nil {
			body.Results.Failed = append(body.Results.Failed, bulkFailure{Email: one.Email, Error: p.Message, Code: p.Code, Index: index})
			continue
		}
		email := strings.ToLower(csvfile.Line(one.Email))
		body.Results.Success = append(body.Results.Success, bulkSuccess{Email: email, InviteID: opened[email]})
	}
	body.Successful = len(body.Results.Success)
	return body
}
