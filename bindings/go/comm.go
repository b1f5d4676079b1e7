package nse

// Processes that share a search, with collectives of the host.

// #include "shim.h"
import "C"

import (
	"context"
	"io"
	"runtime"
	"runtime/cgo"
	"time"
	"unsafe"
)

// Collectives move numbers between the ranks of a Comm. All ranks call the same method in the same order, with as much on each; it
// works in place, and returns when its result is there. One is called at a time, on a thread of the library. An error, or a panic, is the
// end of the Comm. The slices are the library's, and of use until the method returns.
type Collectives interface {
	// Sum makes every number the sum over all ranks. No sum overflows.
	Sum(numbers []int64) error
	// Max makes every number the greatest over all ranks. Infinities are numbers; none is NaN.
	Max(numbers []float64) error
	// Broadcast makes all bytes those of rank 0.
	Broadcast(bytes []byte) error
	// Gather makes all the bytes of every rank's own, in the order of the ranks.
	Gather(own, all []byte) error
	// Barrier returns when all ranks have called it.
	Barrier() error
}

// Comm is several processes, its ranks, that share a search; see SearchConfig.
type Comm struct {
	ptr *C.nse_comm
	net runtime.Cleanup
}

var _ io.Closer = (*Comm)(nil)

func newComm(ptr *C.nse_comm) *Comm {
	c := &Comm{ptr: ptr}
	c.net = runtime.AddCleanup(c, func(ptr *C.nse_comm) { C.nse_comm_free(ptr) }, ptr)
	return c
}

// CommConfig is what a Comm is made of.
type CommConfig struct {
	// Rank of this process, from 0, of Size.
	Rank, Size int
	// Collectives of the host. They are let go when the library calls them no more.
	Collectives Collectives
	// Timeout of every wait for the other ranks; 0: five minutes. It must be longer than the longest step.
	Timeout time.Duration
}

// collectives is what the library's callbacks reach.
type collectives struct {
	host Collectives
	size int
}

// NewComm makes this process one of several that share a search. All ranks call this, and it checks with every method that they compute
// what they should. When ctx ends it is not waited for any more; the other ranks then wait in vain, for their timeout.
//
// ErrCollective: a method failed, is wrong, or did not return in time. ErrInvalidArgument: rank, size or timeout. ErrCancelled.
func NewComm(ctx context.Context, config CommConfig) (*Comm, error) {
	if err := before(ctx); err != nil {
		return nil, err
	}
	if config.Collectives == nil {
		return nil, failure(ErrInvalidArgument, "collectives: must not be nil")
	}
	milliseconds, err := milliseconds(config.Timeout)
	if err != nil {
		return nil, err
	}
	if err := sizes("rank and size", config.Rank, config.Size); err != nil {
		return nil, err
	}
	return unlessEnded(ctx, func() (*Comm, error) {
		return object(newComm, func(out **C.nse_comm, e **C.nse_error) C.nse_status {
			// The handle is freed by the library, whatever happens.
			handle := cgo.NewHandle(&collectives{host: config.Collectives, size: config.Size})
			return C.nsego_comm_create(C.uint32_t(config.Rank), C.uint32_t(config.Size), milliseconds, C.uintptr_t(handle), out, e)
		})
	})
}

// LaunchedComm makes this process the rank that its launcher says it is (torchrun, Kubeflow and the like, by variables that
// nse_comm_launched in nse.h lists), over TCP. Without a launcher it is the only one. Otherwise as NewComm.
//
// ErrInvalidArgument: some of the variables are there and others not, or one is wrong. ErrCollective. ErrUnsupported: a library without
// libtorch.
func LaunchedComm(ctx context.Context, timeout time.Duration) (*Comm, error) {
	milliseconds, err := milliseconds(timeout)
	if err != nil {
		return nil, err
	}
	return unlessEnded(ctx, func() (*Comm, error) {
		return object(newComm, func(out **C.nse_comm, e **C.nse_error) C.nse_status {
			return C.nse_comm_launched(milliseconds, out, e)
		})
	})
}

// milliseconds of a time limit, at least one of a short one.
func milliseconds(timeout time.Duration) (C.uint32_t, error) {
	const most = C.NSE_FOREVER - 1
	if timeout < 0 || timeout > most*time.Millisecond {
		return 0, failure(ErrInvalidArgument, "timeout: %v is not in 0 to %v", timeout, most*time.Millisecond)
	}
	return C.uint32_t((timeout + time.Millisecond - 1) / time.Millisecond), nil
}

// Test checks anew that the ranks compute what they should; all of them call this.
//
// ErrCollective: they do not. ErrBusy: a search has the Comm. ErrCancelled.
func (c *Comm) Test(ctx context.Context) error {
	_, err := unlessEnded(ctx, func() (struct{}, error) {
		defer runtime.KeepAlive(c)
		var e *C.nse_error
		return struct{}{}, check(C.nse_comm_test(c.handle(), &e), &e)
	})
	return err
}

// CommInfo is a Comm as it is known here.
type CommInfo struct {
	Kind string `json:"kind"`
	Rank int    `json:"rank"`
	Size int    `json:"size"`
	// LocalRank is that among the processes of a machine, of a LaunchedComm; else nil.
	LocalRank *int `json:"local_rank"`
	// TimeoutMS is nil when there is none.
	TimeoutMS *int64 `json:"timeout_ms"`
	// Failure is why nothing goes any more, or nil.
	Failure *string `json:"failure"`
}

// Info of the Comm. It does not wait.
func (c *Comm) Info() (CommInfo, error) {
	defer runtime.KeepAlive(c)
	return read[CommInfo](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_comm_info(c.handle(), out, e)
	})
}

// Close frees the Comm; a search that has it keeps it. Always nil; a second Close does nothing.
func (c *Comm) Close() error {
	if c.handle() == nil {
		return nil
	}
	c.net.Stop()
	C.nse_comm_free(c.ptr)
	return nil
}

func (c *Comm) handle() *C.nse_comm {
	if c == nil {
		return nil
	}
	ptr := c.ptr
	stress()
	return ptr
}

// collect calls a method of the host, and says whether that went well. A panic must not cross C, and there is no call of the host on this
// thread that it could come out of.
func collect(handle C.uintptr_t, call func(c *collectives) error) (code C.int32_t) {
	stress()
	code = 2
	defer func() { _ = recover() }()
	if err := call(cgo.Handle(handle).Value().(*collectives)); err != nil {
		return 1
	}
	return 0
}

//export nsegoSum
func nsegoSum(handle C.uintptr_t, numbers *C.int64_t, count C.size_t) C.int32_t {
	return collect(handle, func(c *collectives) error { return c.host.Sum(unsafe.Slice((*int64)(numbers), int(count))) })
}

//export nsegoMax
func nsegoMax(handle C.uintptr_t, numbers *C.double, count C.size_t) C.int32_t {
	return collect(handle, func(c *collectives) error { return c.host.Max(unsafe.Slice((*float64)(numbers), int(count))) })
}

//export nsegoBroadcast
func nsegoBroadcast(handle C.uintptr_t, bytes *C.uint8_t, count C.size_t) C.int32_t {
	return collect(handle, func(c *collectives) error { return c.host.Broadcast(unsafe.Slice((*byte)(bytes), int(count))) })
}

//export nsegoGather
func nsegoGather(handle C.uintptr_t, own *C.uint8_t, count C.size_t, all *C.uint8_t) C.int32_t {
	return collect(handle, func(c *collectives) error {
		return c.host.Gather(unsafe.Slice((*byte)(own), int(count)), unsafe.Slice((*byte)(all), int(count)*c.size))
	})
}

//export nsegoBarrier
func nsegoBarrier(handle C.uintptr_t) C.int32_t {
	return collect(handle, func(c *collectives) error { return c.host.Barrier() })
}
