//go:build !amd64 || purego

package kernel

// supported lists what this processor can run, the fastest first.
func supported() []implementation { return []implementation{generic} }
