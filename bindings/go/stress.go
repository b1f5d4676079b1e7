//go:build !nse_gcstress

package nse

// stress does nothing; with the build tag nse_gcstress it collects garbage, between the reading of a handle and its use.
func stress() {}
