// Package peer tells who is at the other end of a connection.
package peer

import (
	"net/http"
	"net/netip"
)

// Network is the network that r comes from: the address with IPv4, and the first half
// of it with IPv6, where everybody has 2^64. Behind a proxy all share the proxy's; what
// a header says of them could be anything.
func Network(r *http.Request) (string, error) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr, nil
	}
	address := peer.Addr().Unmap()
	network, err := address.Prefix(min(address.BitLen(), 64))
	return network.String(), err
}
