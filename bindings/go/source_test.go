package nse

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// copying is a source of these images that works piece by piece.
func copying(images Images) Source {
	size := images.Channels * images.Height * images.Width
	return Source{
		Channels: images.Channels, Height: images.Height, Width: images.Width, Count: len(images.Labels), Classes: images.Classes,
		Fill: func(first int, pixels []byte, labels []uint32) error {
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
	search, err := NewSearch(SearchConfig{Space: tinySpace(t), Train: dataset, Options: options(1)})
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
	source, err := DatasetFromSource(copying(stripes(96)))
	wrote := found(t, source, err)
	memory, err := DatasetFromMemory(stripes(96))
	if had := found(t, memory, err); wrote != had {
		t.Errorf("%s\ninstead of\n%s", wrote, had)
	}
}

func TestSourceComesInPieces(t *testing.T) {
	next, calls := 0, 0
	source := Source{Channels: 3, Height: 512, Width: 512, Count: 5}
	source.Fill = func(first int, pixels []byte, labels []uint32) error {
		if first != next {
			t.Errorf("%d, expected %d", first, next)
		}
		next, calls = first+len(labels), calls+1
		clear(labels)
		return nil
	}
	dataset, err := DatasetFromSource(source)
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
	source.Fill = func(int, []byte, []uint32) error { return io.ErrUnexpectedEOF }
	_, err := DatasetFromSource(source)
	e := fails(t, err, ErrCallback)
	if !errors.Is(err, io.ErrUnexpectedEOF) || e.Detail().HostCode != 1 || !strings.HasSuffix(e.Message, ": unexpected EOF") {
		t.Errorf("%v: %+v", err, e.Detail())
	}

	source = copying(stripes(6))
	source.Classes = 2
	_, err = DatasetFromSource(source)
	if e := fails(t, err, ErrInvalidArgument); !strings.Contains(e.Message, "label 2 of image 2") {
		t.Error(e)
	}
	for _, change := range []func(*Source){
		func(s *Source) { s.Fill = nil },
		func(s *Source) { s.Count = -1 },
		func(s *Source) { s.Count = 0 },
		func(s *Source) { s.Width = 1 << 40 },
		func(s *Source) { s.Height, s.Width, s.Count = 1<<31, 1<<31, 1<<31 },
	} {
		source := copying(stripes(6))
		change(&source)
		_, err := DatasetFromSource(source)
		fails(t, err, ErrInvalidArgument)
	}
}

func TestSourceThatPanics(t *testing.T) {
	source := copying(stripes(6))
	source.Fill = func(int, []byte, []uint32) error { panic("full") }
	defer func() {
		if value := recover(); value != "full" {
			t.Errorf("panicked with %v", value)
		}
	}()
	_, err := DatasetFromSource(source)
	t.Errorf("no panic, %v", err)
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
