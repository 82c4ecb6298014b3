package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// running is a server that somebody else has started, with the template in it.
type running struct{ address url.URL }

func newRunning(address string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("dbtest: %s is no URL", serverVariable) // the cause would quote the password
	}
	return &Server{Description: "server at " + u.Host, engine: running{*u}}, nil
}

func (r running) url(database string) string {
	u := r.address
	u.Path = "/" + database
	return u.String()
}

var errNotOurs = errors.New("the server of " + serverVariable + " is not the tests' to start or stop")

func (running) start(context.Context) error  { return errNotOurs }
func (running) stop(context.Context) error   { return errNotOurs }
func (running) remove(context.Context) error { return nil }
func (running) afterlife() []string          { return nil }
