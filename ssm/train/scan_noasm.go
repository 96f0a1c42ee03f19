//go:build !amd64 || purego

package train

// supportedScans lists what this processor can run, the fastest first.
func supportedScans() []scanImpl { return []scanImpl{genericScan} }
