package main

import (
	"context"
	"fmt"
	"os"
)

@HEAD@

func run(ctx context.Context) error {
@BLOCK@
	if err == nil {
		fmt.Println(json)
	}
	return err
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
