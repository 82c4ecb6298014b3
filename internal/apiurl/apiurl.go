// Package apiurl judges addresses that commands send somebody's secrets to.
package apiurl

import (
	"fmt"
	"net"
	"net/url"
)

// Check refuses what is no address of a server, and those over which secrets would go
// in clear text through a network. name says in the error what the address is of.
func Check(name, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("%s: want https://host, not %q", name, text)
	}
	if u.Scheme == "http" && !Loopback(text) {
		return fmt.Errorf("%s: %s would carry passwords and tokens in clear text; only https:// will do, except for this machine", name, text)
	}
	return nil
}

// Loopback reports whether a URL is of this machine.
func Loopback(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
