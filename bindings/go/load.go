package nse

// Which library it is that the package calls.

// #include "shim.h"
import "C"

import "fmt"

//go:generate go run generate.go

// ABI is the ABI number of the header that this package was made from.
const ABI = C.NSE_ABI_VERSION

// ready says whether there is a library, and whether it and the package fit together.
var ready = libraryReady

func abiCheck(header uint32) error {
	status := C.nse_abi_check(C.uint32_t(header))
	if status >= 0 {
		return nil
	}
	version := C.GoString(C.nse_version_string())
	return &Error{Code: Code(status), Message: fmt.Sprintf("this package is for ABI %d, libnse %s has another", header, version)}
}

// Version is the version of the library, for example "0.1.0"; "" when there is none.
func Version() string {
	if libraryReady() != nil {
		return ""
	}
	return C.GoString(C.nse_version_string())
}

// VersionNumber is the version of the library as major << 16 | minor << 8 | patch; 0 when there is none.
func VersionNumber() uint32 {
	if libraryReady() != nil {
		return 0
	}
	return uint32(C.nse_version_number())
}
