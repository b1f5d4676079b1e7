package nse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// pieces is a source that a function writes.
type pieces struct {
	DatasetInfo
	fill func(first int, pixels []byte, labels []uint32) error
}

func (p *pieces) Info() DatasetInfo { return p.DatasetInfo }

func (p *pieces) Fill(_ context.Context, first int, pixels []byte, labels []uint32) error {
	return p.fill(first, pixels, labels)
}

// copying is a source of these images that works piece by piece.
func copying(images Images) *pieces {
	size := images.Channels * images.Height * images.Width
	return &pieces{
		DatasetInfo{len(images.Labels), images.Classes, images.Channels, images.Height, images.Width},
		func(first int, pixels []byte, labels []uint32) error {
			if len(pixels) != len(labels)*size {
				return fmt.Errorf("%d bytes for %d labels", len(pixels), len(labels))
			}
			copy(pixels, images.Pixels[first*size:])
			copy(labels, images.Labels[first:])
			return nil
		},
	}
}

// found is what a search on these images finds, which shows whether they are the same.
func found(t *testing.T, dataset *Dataset, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer dataset.Close()
	search, err := NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Train: dataset, Options: options(1)})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	if _, err := search.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(timeless(t, search))
}

func TestSourceWritesWhatMemoryWouldHave(t *testing.T) {
	source, err := DatasetFromSource(t.Context(), copying(stripes(96)))
	wrote := found(t, source, err)
	memory, err := DatasetFromMemory(stripes(96))
	if had := found(t, memory, err); wrote != had {
		t.Errorf("%s\ninstead of\n%s", wrote, had)
	}
}

func TestSourceComesInPieces(t *testing.T) {
	next, calls := 0, 0
	source := &pieces{DatasetInfo: DatasetInfo{Images: 5, Channels: 3, Height: 512, Width: 512}}
	source.fill = func(first int, pixels []byte, labels []uint32) error {
		if first != next {
			t.Errorf("%d, expected %d", first, next)
		}
		next, calls = first+len(labels), calls+1
		clear(labels)
		return nil
	}
	dataset, err := DatasetFromSource(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer dataset.Close()
	if info, err := dataset.Info(); err != nil || info != (DatasetInfo{5, 1, 3, 512, 512}) || next != 5 || calls != 5 {
		t.Errorf("%+v, %v, after %d images in %d calls", info, err, next, calls)
	}
}

func TestSourceThatFails(t *testing.T) {
	source := copying(stripes(6))
	source.fill = func(int, []byte, []uint32) error { return io.ErrUnexpectedEOF }
	_, err := DatasetFromSource(t.Context(), source)
	e := fails(t, err, ErrCallback)
	if !errors.Is(err, io.ErrUnexpectedEOF) || e.Detail().HostCode != 1 || !strings.HasSuffix(e.Message, ": unexpected EOF") {
		t.Errorf("%v: %+v", err, e.Detail())
	}

	source = copying(stripes(6))
	source.Classes = 2
	_, err = DatasetFromSource(t.Context(), source)
	if e := fails(t, err, ErrInvalidArgument); !strings.Contains(e.Message, "label 2 of image 2") {
		t.Error(e)
	}
	_, err = DatasetFromSource(t.Context(), nil)
	fails(t, err, ErrInvalidArgument)
	for _, change := range []func(*pieces){
		func(s *pieces) { s.Images = -1 },
		func(s *pieces) { s.Images = 0 },
		func(s *pieces) { s.Width = 1 << 40 },
		func(s *pieces) { s.Height, s.Width, s.Images = 1<<31, 1<<31, 1<<31 },
	} {
		source := copying(stripes(6))
		change(source)
		_, err := DatasetFromSource(t.Context(), source)
		fails(t, err, ErrInvalidArgument)
	}
}

func TestSourceThatPanics(t *testing.T) {
	source := copying(stripes(6))
	source.fill = func(int, []byte, []uint32) error { panic("full") }
	if value := outcomeOf(func() { DatasetFromSource(t.Context(), source) }); value != "full" {
		t.Errorf("panicked with %v", value)
	}
	if !ends(func() { DatasetFromSource(t.Context(), source) }, func() { source.fill = leave }) {
		t.Error("the goroutine did not end")
	}
}

// leave ends the goroutine, as FailNow of a test does.
func leave(int, []byte, []uint32) error {
	runtime.Goexit()
	return nil
}

// ends says whether f ended its goroutine instead of returning.
func ends(f func(), before func()) bool {
	before()
	returned, left := false, make(chan struct{})
	go func() {
		defer close(left)
		f()
		returned = true
	}()
	<-left
	return !returned
}

func TestSourceIsAskedForNoMoreWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	source, calls := &pieces{DatasetInfo: DatasetInfo{Images: 5, Channels: 3, Height: 512, Width: 512}}, 0
	source.fill = func(_ int, _ []byte, labels []uint32) error {
		clear(labels)
		if calls++; calls == 2 {
			cancel()
		}
		return nil
	}
	for range 2 {
		_, err := DatasetFromSource(ctx, source)
		if fails(t, err, ErrCancelled); !errors.Is(err, context.Canceled) || errors.Is(err, ErrCallback) || calls != 2 {
			t.Errorf("%v, %d calls", err, calls)
		}
	}
}

func TestBorrowedImagesAreGivenBack(t *testing.T) {
	released := make(chan struct{}, 9)
	release := func() { released <- struct{}{} }
	is := func(count int) bool { return len(released) == count }
	memory, err := DatasetFromMemory(stripes(96))
	had := found(t, memory, err)
	dataset, err := DatasetBorrow(stripes(96), release)
	if err != nil {
		t.Fatal(err)
	}
	first, second, err := dataset.Split(0.5, 1)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC() // would move or free what is not pinned
	if got := found(t, dataset, nil); got != had {
		t.Errorf("%s\ninstead of\n%s", got, had)
	}
	first.Close()
	if !is(0) {
		t.Error("given back in use")
	}
	second.Close()
	eventually(t, "given back", func() bool { return is(1) })

	wrong := stripes(96)
	wrong.Classes = 2
	_, err = DatasetBorrow(wrong, release)
	fails(t, err, ErrInvalidArgument)
	wrong.Pixels = wrong.Pixels[1:]
	_, err = DatasetBorrow(wrong, release)
	fails(t, err, ErrInvalidArgument)
	_, err = DatasetBorrow(Images{}, release)
	fails(t, err, ErrInvalidArgument)
	eventually(t, "given back, though refused", func() bool { return is(4) })

	// Memory that is not Go's.
	images := stripes(96)
	mapped, err := syscall.Mmap(-1, 0, len(images.Pixels), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	copy(mapped, images.Pixels)
	images.Pixels = mapped
	dataset, err = DatasetBorrow(images, func() { syscall.Munmap(mapped); release() })
	if got := found(t, dataset, err); got != had {
		t.Errorf("%s\ninstead of\n%s", got, had)
	}
	eventually(t, "unmapped", func() bool { return is(5) })
}

// managed is a DLManagedTensorVersioned without a deleter: nobody says when it is not needed any more, so it stays.
type managed struct {
	major, minor         uint32
	context, deleter     uintptr
	flags                uint64
	data                 uintptr
	deviceType, deviceID int32
	rank                 int32
	code, bits           uint8
	lanes                uint16
	shape, strides       uintptr
	offset               uint64
	sizes                [4]int64
}

// tensor is one in memory that is not Go's.
func tensor(t *testing.T, data []byte, code, bits uint8, sizes ...int64) *managed {
	t.Helper()
	memory, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	const room = 4096
	copy(memory[room:], data)
	m := (*managed)(unsafe.Pointer(&memory[0]))
	*m = managed{major: 1, data: uintptr(unsafe.Pointer(&memory[room])), deviceType: 1, rank: int32(len(sizes)), code: code, bits: bits, lanes: 1}
	copy(m.sizes[:], sizes)
	m.shape = uintptr(unsafe.Pointer(&m.sizes))
	return m
}

func TestDLPack(t *testing.T) {
	images := stripes(96)
	labels := make([]byte, len(images.Labels))
	for i, label := range images.Labels {
		labels[i] = byte(label)
	}
	memory, err := DatasetFromMemory(images)
	had := found(t, memory, err)
	for _, borrow := range []bool{false, true} {
		i := tensor(t, images.Pixels, 1, 8, 96, 1, side, side)
		l := tensor(t, labels, 1, 8, 96)
		dataset, err := DatasetFromDLPack(unsafe.Pointer(i), unsafe.Pointer(l), classes, borrow)
		if got := found(t, dataset, err); got != had {
			t.Errorf("%s\ninstead of\n%s", got, had)
		}
	}
	refused := func(says string, images, labels *managed, classes int) {
		t.Helper()
		_, err := DatasetFromDLPack(unsafe.Pointer(images), unsafe.Pointer(labels), classes, false)
		if e := fails(t, err, ErrInvalidArgument); !strings.Contains(e.Message, says) {
			t.Errorf("%q does not say %q", e.Message, says)
		}
	}
	i, l := tensor(t, images.Pixels, 1, 8, 96, 1, side, side), tensor(t, labels, 1, 8, 96)
	refused("images: NULL is not a tensor", nil, l, 0)
	refused("labels: the same tensor", i, i, 0)
	refused("label 2 of image 2", i, l, 2)
	refused("classes: -1", i, l, -1)
	refused("elements of float32", tensor(t, nil, 2, 32, 1, 1, 2, 2), l, 0)
	i.deviceType = 7
	_, err = DatasetFromDLPack(unsafe.Pointer(i), unsafe.Pointer(l), 0, false)
	if e := fails(t, err, ErrDevice); e.Detail().Device != "DLPack type 7, number 0" {
		t.Errorf("%+v", e.Detail())
	}
}
