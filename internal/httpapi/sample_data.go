package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

const sampleDataPath = "/onboarding/sample-data"

// sampleDataRoutes are the operations on what a landlord may look around with before
// there is anything of their own.
func (a *API) sampleDataRoutes(api huma.API) {
	change(api, http.MethodPost, sampleDataPath, "addSampleData", "Add a house to look around in, with tenants whom no mail reaches", a.addSampleData)
	o := describe(http.MethodDelete, sampleDataPath, "deleteSampleData", "Take the sample data away", http.StatusOK,
		http.StatusForbidden, http.StatusConflict, http.StatusPreconditionFailed)
	o.Description = "What rows of your own refer to stays and is yours from then on: a unit about which you have opened a ticket, or somebody who has " +
		"claimed an invite. A sample ticket goes with what was said and filed about it."
	serve(api, sensitive(o), a.deleteSampleData)
}

// addSampleData adds it once: while some is there, it adds nothing.
func (a *API) addSampleData(ctx context.Context, in *struct{ IfMatch }) (*shown[onboarding], error) {
	var row query.OnboardingRow
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		if err := in.checkProfile(ctx, tx); err != nil {
			return err
		}
		made, err := query.New().SampleCreate(ctx, tx)
		if err != nil {
			return err
		}
		if row, err = query.New().Onboarding(ctx, tx); err == nil && made == 0 && !row.SampleData {
			return errs.New(errs.Conflict, "name_taken", "You have a property of your own that is called Sample House. Give it another name first.")
		}
		return err
	})
	return &shown[onboarding]{ETag: etag(row.User.Version), Body: toOnboarding(row)}, err
}

type sampleDataRemoved struct {
	Removed int64 `json:"removed" example:"13" doc:"How many rows are gone"`
	Kept    int64 `json:"kept" example:"2" doc:"How many stay, because rows of your own refer to them"`
}

type deleteSampleDataOutput struct{ Body sampleDataRemoved }

func (a *API) deleteSampleData(ctx context.Context, in *struct{ IfMatch }) (*deleteSampleDataOutput, error) {
	var counts []int64
	var files []string
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		if err := in.checkProfile(ctx, tx); err != nil {
			return err
		}
		if files, err = query.New().SampleFiles(ctx, tx); err != nil {
			return err
		}
		counts, err = query.New().SampleDelete(ctx, tx)
		return removal(true, err)
	})
	if err != nil {
		return nil, err
	}
	a.deleteFiles(ctx, files...)
	return &deleteSampleDataOutput{sampleDataRemoved{Removed: counts[0], Kept: counts[1]}}, nil
}

// checkProfile is check against the version of the caller's profile, which is that of
// their onboarding too.
func (h IfMatch) checkProfile(ctx context.Context, tx *db.Tx) error {
	if h.IfMatch == "" {
		return nil
	}
	self, err := query.New().UserSelf(ctx, tx)
	if err != nil {
		return forbidMissing(err)
	}
	return h.check(self.Version)
}
