package chaos

import (
	"testing"
	"time"
)

// interrupt is one bad moment of a network: connections reset, then refused, then slow,
// then silent for longer than the session timeout.
func interrupt(proxies []*proxy) {
	each := func(what func(p *proxy), then time.Duration) {
		for _, p := range proxies {
			what(p)
		}
		time.Sleep(then)
	}
	each((*proxy).cut, 300*time.Millisecond)
	each(func(p *proxy) { p.away(true) }, time.Second)
	each(func(p *proxy) {
		p.away(false)
		p.slow(30 * time.Millisecond)
	}, time.Second)
	each(func(p *proxy) {
		p.slow(0)
		p.stall(true)
	}, 2*time.Second)
	each((*proxy).heal, 0)
}

func TestConnectionsToKafkaInterrupted(t *testing.T) {
	r := startRedis(t)
	s := start(t, "Kafka: connections cut, refused, delayed, stalled", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	t.Cleanup(func() {
		for _, p := range s.kafka.fronts {
			p.heal()
		}
	})
	s.inject(t, func(int) { interrupt(s.kafka.fronts) })
	s.finish(t)
}

func TestConnectionsToRedisInterrupted(t *testing.T) {
	r := startRedis(t)
	p, err := newProxy("127.0.0.1:0", r.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	s := start(t, "Redis: connections cut, refused, delayed, stalled", "redis://"+p.listen, r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) { interrupt([]*proxy{p}) })
	s.finish(t)
}
