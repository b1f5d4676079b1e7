package nse

import (
	"bytes"
	"errors"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nse-project/nse/bindings/go/internal/table"
)

func header(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("nse.h")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The package carries the header, so that vendoring takes it along. In the repository it is a copy.
func TestHeaderIsThatOfTheRepository(t *testing.T) {
	original, err := os.ReadFile("../../include/nse.h")
	if errors.Is(err, os.ErrNotExist) {
		t.Log("outside the repository there is nothing to compare with")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(original, []byte(header(t))) {
		t.Fatal("bindings/go/nse.h differs from include/nse.h: copy it again")
	}
}

// replaced are the functions that this package does not call, with what does their work here.
var replaced = map[string]string{
	"nse_error_code":             "the status of the call says the same",
	"nse_op_poll":                "goroutines wait",
	"nse_op_cancel":              "the context of the call",
	"nse_op_take_model":          "TrainModel returns it",
	"nse_op_free":                "no operation is made",
	"nse_search_step_async":      "Step or Run, in a goroutine",
	"nse_model_train_async":      "TrainModel, in a goroutine",
	"nse_restoration_step_async": "Step, in a goroutine",
	"nse_search_front_count":     "nse_search_front has the whole front as it was at one moment",
	"nse_search_front_get":       "nse_search_front and nse_arch_from_code",
}

func TestEveryFunctionIsReachable(t *testing.T) {
	sources, files := sourcesOf(t)
	names := functions(t)
	for _, name := range names {
		used := regexp.MustCompile(`\b` + name + `\(`).MatchString(sources)
		if reason := replaced[name]; used == (reason != "") {
			t.Errorf("%s: used is %v in %v; replaced: %q", name, used, files, reason)
		}
	}
	for name := range replaced {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not in nse.h", name)
		}
	}
}

// functions of nse.h by name.
func functions(t *testing.T) (names []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(`(?m)^(?:NSE_API )?(?:nse_status|void|uint32_t|const char \*) ?\*?(nse_\w+)\(`).FindAllStringSubmatch(header(t), -1) {
		names = append(names, match[1])
	}
	if len(names) < 80 {
		t.Fatalf("only %d functions found in nse.h", len(names))
	}
	return names
}

// sourcesOf is what this package is written in, without what was made from nse.h.
func sourcesOf(t *testing.T) (text string, files []string) {
	t.Helper()
	var sources strings.Builder
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") || name == "shim.c" {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(text)
			files = append(files, name)
		}
	}
	return sources.String(), files
}

// The file through which a program that loads the library calls it is that of the header.
func TestTableIsFresh(t *testing.T) {
	fresh, err := table.Of([]byte(header(t)))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile("dlopen_table.c"); err != nil || !bytes.Equal(text, fresh) {
		t.Errorf("dlopen_table.c is not what go generate makes of nse.h: %v", err)
	}
	for _, name := range functions(t) {
		if !bytes.Contains(fresh, []byte("find(from, \""+name+"\")")) {
			t.Errorf("%s is not in the table", name)
		}
	}
	for name, odd := range map[string]string{
		"another type": "NSE_API double nse_a(void);", "no name": "NSE_API void nse_a(int32_t *);", "empty": "",
		"a function pointer": "NSE_API void nse_a(void (*f)(void));",
	} {
		if text, err := table.Of([]byte(odd)); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestEverythingExportedIsDocumented(t *testing.T) {
	_, names := sourcesOf(t)
	var files []*ast.File
	set := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, ".go") && name != "generate.go" && name != "load_dlopen.go" {
			file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	p, err := doc.NewFromFiles(set, files, "github.com/nse-project/nse/bindings/go")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string, names ...string) {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(text, name) }) {
			t.Errorf("%v: %q", names, text)
		}
	}
	functions := p.Funcs
	check(p.Doc, "Package nse")
	for _, kind := range p.Types {
		check(kind.Doc, kind.Name)
		functions = append(append(functions, kind.Funcs...), kind.Methods...)
	}
	for _, function := range functions {
		check(function.Doc, function.Name)
	}
	if len(p.Types) < 30 || len(functions) < 80 {
		t.Errorf("only %d types and %d functions", len(p.Types), len(functions))
	}
}

func TestEveryStatusHasItsCode(t *testing.T) {
	named := map[string]Code{}
	for code, name := range codeNames {
		named[name] = code
		if code.Error() != name {
			t.Errorf("%v is not %s", code, name)
		}
	}
	found := regexp.MustCompile(`#define (NSE_ERR_\w+) \((-\d+)\)`).FindAllStringSubmatch(header(t), -1)
	if len(found) != len(named)-1 { // ErrNotLoaded is no status
		t.Errorf("%d statuses in nse.h, %d codes", len(found), len(named))
	}
	for _, match := range found {
		number, _ := strconv.Atoi(match[2])
		if code, ok := named[match[1]]; !ok || int(code) != number {
			t.Errorf("%s is %d in nse.h, %d here", match[1], number, code)
		}
	}
	if name := Code(-999).Error(); name != "unknown status" {
		t.Errorf("%q", name)
	}
}

func TestABICheck(t *testing.T) {
	if err := abiCheck(ABI); err != nil {
		t.Fatal(err)
	}
	fails(t, abiCheck(ABI+1), ErrABI)
}

// Nothing reaches a library of another ABI.
func TestEveryBeginningChecksTheABI(t *testing.T) {
	space, dataset, arch := tinySpace(t), tinyDataset(t), tinyArch(t)
	before := ready
	defer func() { ready = before }()
	ready = sync.OnceValue(func() error { return abiCheck(ABI + 1) })
	for name, begin := range beginnings(t, space, dataset, arch) {
		t.Run(name, func(t *testing.T) { fails(t, begin(), ErrABI) })
	}
}

// beginnings are all functions that may be a program's first.
func beginnings(t *testing.T, space *Space, dataset *Dataset, arch *Arch) map[string]func() error {
	return map[string]func() error{
		"ArchPresets":          func() error { _, err := ArchPresets(); return err },
		"ArchPreset":           func() error { _, err := ArchPreset("nsenet", nil); return err },
		"NewLatency":           func() error { _, err := NewLatency("ms"); return err },
		"ParseLatency":         func() error { _, err := ParseLatency("{}"); return err },
		"MeasureOptionsSchema": func() error { _, err := MeasureOptionsSchema(); return err },
		"MeasureLatency":       func() error { _, err := MeasureLatency(t.Context(), MeasureConfig{Space: space}); return err },
		"SearchOptionsPresets": func() error { _, err := SearchOptionsPresets(); return err },
		"LoadSearch":           func() error { _, err := LoadSearch(t.Context(), "any", SearchConfig{Train: dataset}); return err },
		"SetLog":               func() error { return SetLog(nil) },
		"SetLogLevel":          func() error { return SetLogLevel(0) },
		"Shutdown":             func() error { return Shutdown(t.Context()) },
		"Runtime":              func() error { _, err := Runtime(t.Context()); return err },
		"SpacePresets":         func() error { _, err := SpacePresets(); return err },
		"SearchOptionsSchema":  func() error { _, err := SearchOptionsSchema(); return err },
		"ModelOptionsSchema":   func() error { _, err := ModelOptionsSchema(); return err },
		"SpacePreset":          func() error { _, err := SpacePreset("nse-27", nil); return err },
		"SpaceFromJSON":        func() error { _, err := SpaceFromJSON(tiny); return err },
		"OpenDataset":          func() error { _, err := OpenDataset(t.Context(), "{}"); return err },
		"DatasetBorrow":        func() error { _, err := DatasetBorrow(stripes(3), nil); return err },
		"DatasetFromMemory":    func() error { _, err := DatasetFromMemory(stripes(3)); return err },
		"DatasetFromSource":    func() error { _, err := DatasetFromSource(t.Context(), copying(stripes(3))); return err },
		"DatasetFromDLPack":    func() error { _, err := DatasetFromDLPack(nil, nil, 0, false); return err },
		"ArchFromJSON":         func() error { _, err := ArchFromJSON(space, "{}"); return err },
		"ArchFromCode":         func() error { _, err := ArchFromCode(space, "n1"); return err },
		"UniformArch":          func() error { _, err := UniformArch(space, "conv_k3_t1"); return err },
		"NewSearch": func() error {
			_, err := NewSearch(t.Context(), SearchConfig{Space: space, Train: dataset, Options: options(1)})
			return err
		},
		"TrainModel": func() error {
			_, err := TrainModel(t.Context(), TrainConfig{Arch: arch, Train: dataset})
			return err
		},
	}
}
