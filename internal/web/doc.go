// Package web is what a running Weir tells about itself over HTTP: whether it
// lives and is ready (Health), on a server with limits (Server). Other handlers,
// such as metrics, join the mux that Health.Mux returns.
//
// The package knows nothing of Kafka or Redis. The parts that do report to Health,
// by the name of the component, and Health repeats what they said without the
// passwords that an error's text may hold.
package web
