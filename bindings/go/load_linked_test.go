//go:build !nse_dlopen

package nse

const linked = true
