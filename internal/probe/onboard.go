package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// who is what a canary says of itself where landlords have to before anything else.
var who = map[string]any{"fullName": prefix, "country": "NL", "timeZone": "Europe/Amsterdam", "currency": "EUR"}

// onboard has a canary say who they are, once in its life, if the server asks for it.
func (r *run) onboard(ctx context.Context, c *canary) error {
	ops := map[string]operation{}
	for _, o := range r.all {
		ops[o.ID] = o
	}
	show, known := ops["getOnboarding"]
	goOn, too := ops["updateOnboarding"]
	if !known || !too {
		return nil
	}
	q, err := c.ask(show)
	if err != nil {
		return err
	}
	a, err := r.send(ctx, c, q)
	if err != nil {
		return fmt.Errorf("%s: %w", show.ID, err)
	}
	var state struct{ Required bool }
	if !a.ok() || json.Unmarshal(a.body, &state) != nil {
		return fmt.Errorf("%s of landlord %s is answered %s", show.ID, strings.ToUpper(c.name), a.problem())
	}
	if !state.Required {
		return nil
	}
	if q, err = c.ask(goOn); err != nil {
		return err
	}
	q.body = who
	if a, err = r.send(ctx, c, q); err != nil {
		return fmt.Errorf("%s: %w", goOn.ID, err)
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("%s of landlord %s is answered %s", goOn.ID, strings.ToUpper(c.name), a.problem())
	}
	return nil
}
