package chaos

import (
	"io"
	"net"
	"sync"
	"time"
)

// A proxy passes connections on, until it is told to cut, refuse or delay them.
type proxy struct {
	listen, target string
	listener       net.Listener
	wait           sync.WaitGroup

	mu      sync.Mutex
	open    map[net.Conn]bool
	refuse  bool
	delay   time.Duration
	stalled chan struct{} // closed to let bytes pass again; nil while they do
}

func newProxy(listen, target string) (*proxy, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	p := &proxy{listen: l.Addr().String(), target: target, listener: l, open: map[net.Conn]bool{}}
	p.wait.Go(p.accept)
	return p, nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		if !p.keep(client) {
			_ = client.Close()
			continue
		}
		p.wait.Go(func() { p.serve(client) })
	}
}

// serve carries bytes both ways until one side ends.
func (p *proxy) serve(client net.Conn) {
	defer p.drop(client)
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	if !p.keep(server) {
		_ = server.Close()
		return
	}
	defer p.drop(server)
	var up sync.WaitGroup
	up.Go(func() {
		p.carry(server, client)
		_ = server.Close()
	})
	p.carry(client, server)
	_ = client.Close()
	up.Wait()
}

// carry copies until an error, each piece after the delay of the moment.
func (p *proxy) carry(to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.hold()
		if _, werr := to.Write(buf[:n]); werr != nil || err != nil {
			return
		}
	}
}

// hold waits while the proxy is stalled, and for the delay.
func (p *proxy) hold() {
	p.mu.Lock()
	stalled, delay := p.stalled, p.delay
	p.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
	time.Sleep(delay)
}

// keep remembers a connection, unless connections are refused.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		return false
	}
	p.open[c] = true
	return true
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close()
}

// cut ends all connections, in the middle of whatever they carry.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, and what is under way is lost
		}
		_ = c.Close()
	}
}

// away has new connections refused and the present ones cut, or new ones taken again.
func (p *proxy) away(yes bool) {
	p.mu.Lock()
	p.refuse = yes
	p.mu.Unlock()
	if yes {
		p.cut()
	}
}

// slow delays every piece that is carried.
func (p *proxy) slow(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

// stall lets nothing pass and closes nothing, as a network does that drops packets.
func (p *proxy) stall(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case yes && p.stalled == nil:
		p.stalled = make(chan struct{})
	case !yes && p.stalled != nil:
		close(p.stalled)
		p.stalled = nil
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.stall(false)
	p.away(true)
	p.wait.Wait()
}

// heal undoes what was done to the connections.
func (p *proxy) heal() {
	p.stall(false)
	p.away(false)
	p.slow(0)
}
