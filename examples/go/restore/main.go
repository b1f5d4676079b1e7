// Command restore restores a noisy picture without any training data (docs/nas-dip.md).
//
//	restore NOISY RESTORED [CLEAN]
//
// As examples/c/restore.c, step by step: pictures as binary PGM or PPM of 8 bits.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	nse "github.com/nse-project/nse/bindings/go"
)

var options = map[string]any{
	"task": "denoise", "seed": 1, "threads": 1,
	"train":  map[string]any{"iterations": 150, "smoothing": 0.95, "input_channels": 8},
	"search": map[string]any{"units": 2, "population": 4, "generations": 2, "max_macs": 6_000_000},
}

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: restore NOISY RESTORED [CLEAN]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, from, to string, reference []string) error {
	noisy, err := read(from)
	if err != nil {
		return err
	}
	config := nse.RestorationConfig{Picture: noisy, Options: options, OnEvent: show}
	for _, path := range reference {
		clean, err := read(path)
		if err != nil {
			return err
		}
		config.Reference = &clean
	}
	restoration, err := nse.NewRestoration(config)
	if err != nil {
		return err
	}
	defer restoration.Close()
	for done := false; !done; {
		if done, err = restoration.Step(ctx); err != nil {
			return err
		}
	}
	restored, fit, err := restoration.Restore(ctx, "")
	if err != nil {
		return err
	}
	if err := write(to, restored); err != nil {
		return err
	}
	fmt.Println(string(fit.Raw))
	if config.Reference == nil {
		return nil
	}
	before, _, err := noisy.Compare(*config.Reference)
	if err != nil {
		return err
	}
	after, _, err := restored.Compare(*config.Reference)
	if err != nil {
		return err
	}
	fmt.Printf("noisy %.2f dB, restored %.2f dB\n", before, after)
	return nil
}

func show(event nse.Event) {
	if event.Kind == nse.EventFinish && event.Rounds > 1 {
		fmt.Printf("generation %d of %d: %.1f dB on held-out pixels\n", event.Round, event.Rounds, event.Accuracy)
	}
}

func read(path string) (nse.Picture, error) {
	file, err := os.Open(path)
	if err != nil {
		return nse.Picture{}, err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	var kind string
	var picture nse.Picture
	var white int
	_, err = fmt.Fscan(in, &kind, &picture.Width, &picture.Height, &white)
	picture.Channels = map[string]int{"P5": 1, "P6": 3}[kind]
	if err != nil || picture.Channels == 0 || white != 255 || min(picture.Width, picture.Height) < 1 || max(picture.Width, picture.Height) > 16384 {
		return nse.Picture{}, fmt.Errorf("%s is no binary PGM or PPM of 8 bits", path)
	}
	pixels := picture.Height * picture.Width
	bytes := make([]byte, 1+picture.Channels*pixels)
	if _, err := io.ReadFull(in, bytes); err != nil {
		return nse.Picture{}, fmt.Errorf("%s: %w", path, err)
	}
	picture.Values = make([]float32, picture.Channels*pixels)
	for i, value := range bytes[1:] { // pixel after pixel there, plane after plane here
		picture.Values[i%picture.Channels*pixels+i/picture.Channels] = float32(value) / 255
	}
	return picture, nil
}

func write(path string, picture nse.Picture) error {
	kind := "P5"
	if picture.Channels == 3 {
		kind = "P6"
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\n%d %d\n255\n", kind, picture.Width, picture.Height)
	for i := range picture.Height * picture.Width {
		for c := range picture.Channels {
			out.WriteByte(byte(picture.Values[c*picture.Height*picture.Width+i]*255 + 0.5))
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o666)
}
