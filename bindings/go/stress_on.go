//go:build nse_gcstress

package nse

import "runtime"

// stress collects garbage, and waits until what was found has been freed: an object that nothing keeps alive until the end of the
// call is gone before it.
func stress() {
	runtime.GC()
	freed := make(chan struct{})
	runtime.AddCleanup(new([64]byte), func(freed chan struct{}) { close(freed) }, freed)
	runtime.GC()
	<-freed
}
