//go:build !nse_dlopen

package nse

// #cgo pkg-config: nse
// #include "shim.h"
import "C"

import "sync"

// libraryReady remembers the answer: the library is there from the first instruction of the program on.
var libraryReady = sync.OnceValue(func() error { return abiCheck(ABI) })

// Load says whether the library and this package fit together. In a program that was built with the tag nse_dlopen it loads the
// library from a path, or, with "", as at the first use: from the path in the environment variable NSE_LIBRARY, else where the
// system's loader finds it, by its name libnse.so.1. It may be called again, until it succeeds.
//
// In a program that was linked with libnse, as this one, a path is ErrUnsupported. With the tag: ErrNotLoaded, ErrABI;
// ErrInvalidArgument: another library is loaded already, or a NUL in the path.
func Load(path string) error {
	if path != "" {
		return failure(ErrUnsupported, "%s: this program is linked with libnse; one that loads it is built with -tags nse_dlopen", path)
	}
	return ready()
}
