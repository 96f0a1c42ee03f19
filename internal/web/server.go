package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Limits of the server, against clients that are slow or greedy. A handler that
// streams sets its own write deadline through http.ResponseController.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	shutdownTimeout   = 3 * time.Second
)

// A Server answers HTTP on an address that it has bound.
type Server struct {
	listener net.Listener
	http     http.Server
}

// Listen binds addr, such as "127.0.0.1:8490"; port 0 takes a free one. The
// address answers once Serve is called.
func Listen(ctx context.Context, addr string, handler http.Handler) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("service.http.listen %q: %w", addr, err)
	}
	return &Server{
		listener: listener,
		http: http.Server{
			Handler:           handler,
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
		},
	}, nil
}

// Addr returns the address that was bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers until ctx ends. Then the requests' contexts end as well, and
// answers under way have a few seconds to finish before they are cut off. It
// returns nil after that, and an error if the server could not go on.
func (s *Server) Serve(ctx context.Context) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { stopped <- s.shutdown() })
	err := s.http.Serve(s.listener)
	if stop() { // ctx has not ended: the listener failed
		return errors.Join(fmt.Errorf("serve http on %s: %w", s.Addr(), err), s.http.Close())
	}
	return <-stopped
}

func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return s.http.Close()
	}
	return err
}
