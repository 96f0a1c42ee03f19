package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A Guard stands before the page and the API. It refuses what another site's page could
// make a browser do: requests under a name that is not this server's (DNS rebinding), and
// changes that come from elsewhere.
type Guard struct {
	// Hosts are names, beside any literal IP address, that this server goes by.
	Hosts []string
	// Remote allows changes from other machines. Without it, only a client on a loopback
	// address may change anything.
	Remote bool
}

// contentPolicy lets the page load nothing but its own files, and run nothing inline.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Wrap returns next behind the guard.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !g.knows(r.Host) {
			problem(w, http.StatusMisdirectedRequest, "this server does not go by that name; service.http.hosts lists those that it does")
			return
		}
		if err := cross.Check(r); err != nil {
			problem(w, http.StatusForbidden, err.Error())
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !g.Remote && !isLoopback(r.RemoteAddr) {
			problem(w, http.StatusForbidden, "changes are taken from this machine only, unless service.http.remote_changes is set")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knows reports whether a Host header names this server. A name that resolves to this
// machine by someone else's DNS does not; an address cannot be made to.
func (g *Guard) knows(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return slices.ContainsFunc(g.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
