//go:build ignore

// Writes dlopen_table.c anew.
package main

import (
	"log"
	"os"

	"github.com/nse-project/nse/bindings/go/internal/table"
)

func main() {
	header, err := os.ReadFile("nse.h")
	if err != nil {
		log.Fatal(err)
	}
	text, err := table.Of(header)
	if err != nil {
		log.Fatal("nse.h: ", err)
	}
	if err := os.WriteFile("dlopen_table.c", text, 0o644); err != nil {
		log.Fatal(err)
	}
}
