package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/tiny"
)

// The settings and the commands of docs/service.md, as they stand there, on small images.
func TestTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)<!-- test: service -->\n```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 || blocks[0][1] != "json" || blocks[1][1] != "sh" {
		t.Fatalf("%d blocks", len(blocks))
	}
	folder := t.TempDir()
	tiny.Fashion(t, folder)
	settings := strings.NewReplacer("/var/lib/nse", folder+"/store", "/data/", folder+"/", ":8080", ":0").Replace(blocks[0][2])
	file := folder + "/service.json"
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, read)
	shell := exec.Command("sh", "-euxc", strings.ReplaceAll(blocks[1][2], "http://127.0.0.1:8080", p.url))
	shell.Dir = folder
	said, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, p.said())
	}
	if model, err := os.ReadFile(folder + "/model.pt"); err != nil || !strings.HasPrefix(string(model), "PK") {
		t.Errorf("%v\n%s", err, said)
	}
}

// Every setting is described, with its default.
func TestTheSettingsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("../../../docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range config.Names() {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s is not described", name)
		}
	}
}
