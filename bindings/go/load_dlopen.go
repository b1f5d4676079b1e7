//go:build nse_dlopen

package nse

// #cgo CFLAGS: -DNSE_GO_DLOPEN
// #cgo linux LDFLAGS: -ldl
// #include "dlopen.h"
// #include <stdlib.h>
import "C"

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

var library struct {
	loading sync.Mutex
	// loaded is the file it was loaded from; nil: not yet.
	loaded atomic.Pointer[string]
}

// libraryReady loads the library at the first use, and tries again when that did not succeed.
func libraryReady() error {
	if library.loaded.Load() != nil {
		return nil
	}
	return load("")
}

// Load loads the library from a path or, with "", as at the first use: from the path in the environment variable NSE_LIBRARY, else
// where the system's loader finds it, by its name libnse.so.1. A path without a slash is such a name too. It may be called again,
// until it succeeds.
//
// ErrNotLoaded: no such file, or it is not libnse. ErrABI: it is one of another version. ErrInvalidArgument: another library is
// loaded already, or a NUL in the path.
func Load(path string) error {
	if path == "" {
		return ready()
	}
	return load(path)
}

func load(path string) error {
	library.loading.Lock()
	defer library.loading.Unlock()
	wanted := path
	if wanted == "" {
		wanted = os.Getenv("NSE_LIBRARY")
	}
	if wanted == "" {
		wanted = fmt.Sprintf("libnse.so.%d", ABI)
	}
	if loaded := library.loaded.Load(); loaded != nil {
		if path == "" || sameFile(*loaded, path) {
			return nil
		}
		return failure(ErrInvalidArgument, "path %s: libnse is loaded already, from %s", path, *loaded)
	}
	if at := strings.IndexByte(wanted, 0); at >= 0 {
		return failure(ErrInvalidArgument, "path: a NUL at byte %d", at)
	}
	if err := whole(wanted); err != nil {
		return &Error{Code: ErrNotLoaded, Message: fmt.Sprintf("libnse was not loaded from %s: %v", wanted, err), causes: []error{err}}
	}
	cPath := C.CString(wanted)
	defer C.free(unsafe.Pointer(cPath))
	var cSays *C.char
	outcome := C.nsego_load(cPath, &cSays)
	says := C.GoString(cSays)
	C.free(unsafe.Pointer(cSays))
	switch outcome {
	case C.NSEGO_LOADED:
		library.loaded.Store(&says)
		return nil
	case C.NSEGO_OTHER_ABI:
		return failure(ErrABI, "%s: %s", wanted, says)
	default:
		return failure(ErrNotLoaded, "libnse was not loaded from %s: %s", wanted, says)
	}
}

// sameFile says whether two paths are one file.
func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// whole says whether a file has all that its headers promise. The system's loader maps it without looking, and a process that
// touches what is not there dies. What is only a name is the loader's to find.
func whole(path string) error {
	if !strings.Contains(path, "/") {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return errors.Unwrap(err) // without the path, which the caller names
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a file")
	}
	file, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("it is no whole library: %w", err)
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Off+part.Filesz < part.Off || part.Off+part.Filesz > uint64(info.Size()) {
			return fmt.Errorf("it is cut off: %d bytes, of %d at least", info.Size(), part.Off+part.Filesz)
		}
	}
	return nil
}
