package main

// The loader: files, normalisation, augmentation and order, none of which the library knows of.

import (
	"compress/gzip"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"

	nse "github.com/nse-project/nse/bindings/go"
)

const (
	trainImages   = 2000
	heldOutImages = 500
	allImages     = trainImages + heldOutImages
	side          = 28
	size          = side * side
)

type loader struct {
	pixels, classes []byte
	mean, deviation float32
	order           [allImages]int
	state           uint64
	parts           map[nse.Phase]*part
	values          [batchSize * size]float32
	labels          [batchSize]uint32
}

// part is where the images of a phase come from, and how far they have been read.
type part struct {
	first, count       int
	augmented, endless bool
	at                 int
}

func open(folder string) (*loader, error) {
	l := &loader{state: 1, parts: map[nse.Phase]*part{
		nse.PhaseWeight:       {first: 0, count: trainImages, augmented: true},
		nse.PhaseArchitecture: {first: trainImages, count: heldOutImages, endless: true},
		nse.PhaseCalibrate:    {first: 0, count: trainImages, endless: true},
		nse.PhaseEvaluate:     {first: trainImages, count: heldOutImages},
	}}
	var err error
	if l.pixels, err = readIDX(folder, "images-idx3", 16, allImages*size); err != nil {
		return nil, err
	}
	if l.classes, err = readIDX(folder, "labels-idx1", 8, allImages); err != nil {
		return nil, err
	}
	var sum, squares float64
	for _, pixel := range l.pixels[:trainImages*size] {
		sum += float64(pixel)
		squares += float64(pixel) * float64(pixel)
	}
	const count = trainImages * size
	l.mean = float32(sum / count)
	l.deviation = float32(math.Sqrt(squares/count - float64(l.mean)*float64(l.mean)))
	for i := range l.order {
		l.order[i] = i
	}
	return l, nil
}

func readIDX(folder, name string, header, bytes int) ([]byte, error) {
	file, err := os.Open(filepath.Join(folder, "train-"+name+"-ubyte.gz"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	content := make([]byte, header+bytes)
	_, err = io.ReadFull(text, content)
	return content[header:], err
}

func (l *loader) below(n int) int {
	l.state = l.state*6364136223846793005 + 1442695040888963407
	return int(uint32(l.state>>33) % uint32(n))
}

// next is the next batch of a phase, each image moved by up to two pixels and mirrored where it is augmented; none at its end. It is of
// use until the next one.
func (l *loader) next(phase nse.Phase) (nse.Batch, bool) {
	part := l.parts[phase]
	if part.at == part.count {
		for i := part.count - 1; i > 0; i-- { // in another order from now on
			a, b := part.first+i, part.first+l.below(i+1)
			l.order[a], l.order[b] = l.order[b], l.order[a]
		}
		part.at = 0
		if !part.endless {
			return nse.Batch{}, false
		}
	}
	count := 0
	for ; count < batchSize && part.at < part.count; count, part.at = count+1, part.at+1 {
		image, moves := l.order[part.first+part.at], 12
		if part.augmented {
			moves = l.below(50)
		}
		l.normalise(l.values[count*size:][:size], image, moves >= 25, moves/5%5-2, moves%5-2)
		l.labels[count] = uint32(l.classes[image])
	}
	return nse.Batch{Images: l.values[:count*size], Labels: l.labels[:count]}, true
}

func (l *loader) normalise(values []float32, image int, mirrored bool, down, right int) {
	pixels := l.pixels[image*size:][:size]
	for y := range side {
		for x := range side {
			row, column := y-down, x-right
			if mirrored {
				column = side - 1 - x - right
			}
			var pixel byte
			if row >= 0 && row < side && column >= 0 && column < side {
				pixel = pixels[row*side+column]
			}
			values[y*side+x] = (float32(pixel) - l.mean) / l.deviation
		}
	}
}

// images are some of the loader's as a source of the library's, which asks for them as it needs them.
func (l *loader) images(first, count int) nse.Source {
	return source{l, first, count}
}

type source struct {
	*loader
	first, count int
}

func (s source) Info() nse.DatasetInfo {
	return nse.DatasetInfo{Images: s.count, Classes: 10, Channels: 1, Height: side, Width: side}
}

func (s source) Fill(_ context.Context, first int, pixels []byte, labels []uint32) error {
	from := s.first + first
	copy(pixels, s.pixels[from*size:])
	for i := range labels {
		labels[i] = uint32(s.classes[from+i])
	}
	return nil
}
