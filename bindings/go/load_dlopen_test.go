//go:build nse_dlopen

package nse

// What a program does that finds no library, or another. Each try is a process of its own: what was loaded stays.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const linked = false

// TestWithoutALibrary is what such a process does: nothing, unless it is one.
func TestWithoutALibrary(t *testing.T) {
	good := os.Getenv("NSE_TEST_GOOD")
	if good == "" {
		t.Log("not the process of another test")
		return
	}
	code := map[string]Code{"not loaded": ErrNotLoaded, "NSE_ERR_ABI": ErrABI, "NSE_ERR_INVALID_ARGUMENT": ErrInvalidArgument}[os.Getenv("NSE_TEST_CODE")]
	for name, begin := range beginnings(t, nil, nil, nil) {
		if err := begin(); !errors.Is(err, code) || !strings.Contains(err.Error(), os.Getenv("NSE_TEST_SAYS")) {
			t.Errorf("%s: %v, expected %v", name, err, code)
		}
	}
	for _, o := range []objects{{}, {&Space{}, &Dataset{}, &Arch{}, &Latency{}, &Search{}, &Model{}}} {
		for _, object := range o.all() {
			if err := object.Close(); err != nil {
				t.Errorf("%T: %v", object, err)
			}
		}
		_, err := o.arch.Cost()
		fails(t, err, ErrInvalidHandle)
		if _, err := o.space.JSON(); !errors.Is(err, code) {
			t.Error(err)
		}
		if err := o.search.Cancel(); !errors.Is(err, ErrInvalidHandle) {
			t.Error(err)
		}
	}
	if Version() != "" || VersionNumber() != 0 || Code(-999).Error() != "unknown status" {
		t.Errorf("%q, %#x, %q", Version(), VersionNumber(), Code(-999).Error())
	}
	fails(t, Load("a\x00b"), ErrInvalidArgument)

	// The next try may succeed, also by another name of the file.
	link := filepath.Join(t.TempDir(), "another name")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{good, link, "", good} {
		if err := Load(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := SpacePresets(); err != nil {
		t.Error(err)
	}
	fails(t, Load("libm.so.6"), ErrInvalidArgument)
}

func TestALibraryThatIsNoneIsAnError(t *testing.T) {
	good, err := filepath.Abs(os.Getenv("NSE_LIBRARY"))
	if err != nil || os.Getenv("NSE_LIBRARY") == "" {
		t.Fatal("NSE_LIBRARY must name the library for these tests", err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// Nothing in the file says any more where it ends, but the parts that are to be mapped.
	unmarked := append([]byte(nil), whole[:len(whole)/2]...)
	clear(unmarked[0x28:0x30])
	clear(unmarked[0x3c:0x40])
	const other = "#include <stdint.h>\nint32_t nse_abi_check(uint32_t abi) { (void)abi; return %d; }\n" +
		"const char *nse_version_string(void) { return \"7.8.9\"; }\n"
	for name, test := range map[string]struct {
		path, says string
		code       Code
	}{
		"missing":           {filepath.Join(folder, "not there"), "not there: no such file", ErrNotLoaded},
		"a name":            {"libnse-not-there.so", "libnse-not-there.so", ErrNotLoaded},
		"a folder":          {folder, "is not a file", ErrNotLoaded},
		"empty":             {file("empty", nil), "no whole library: EOF", ErrNotLoaded},
		"text":              {file("text", []byte("this is not a library\n")), "no whole library: bad magic", ErrNotLoaded},
		"cut in the middle": {file("half", whole[:len(whole)/2]), "no whole library", ErrNotLoaded},
		"cut and unmarked":  {file("unmarked", unmarked), "it is cut off", ErrNotLoaded},
		"cut at the start":  {file("start", whole[:4096]), "no whole library", ErrNotLoaded},
		"a program":         {"/proc/self/exe", "/proc/self/exe", ErrNotLoaded},
		"another library":   {"libm.so.6", "it is not libnse", ErrNotLoaded},
		"another ABI":       {compiled(t, folder, "abi", fmt.Sprintf(other, -17)), "libnse 7.8.9 has another", ErrABI},
		"fewer functions":   {compiled(t, folder, "fewer", fmt.Sprintf(other, 0)), "libnse 7.8.9 has no nse_", ErrABI},
	} {
		t.Run(name, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestWithoutALibrary$")
			child.Env = append(os.Environ(), "NSE_LIBRARY="+test.path, "NSE_TEST_GOOD="+good, "NSE_TEST_CODE="+test.code.Error(), "NSE_TEST_SAYS="+test.says)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Without a path, the system's loader looks for the library by its name.
func TestTheLoaderOfTheSystemFindsTheLibrary(t *testing.T) {
	good, err := filepath.Abs(os.Getenv("NSE_LIBRARY"))
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestTheSameFile$")
	child.Env = append(os.Environ(), "NSE_LIBRARY=", "LD_LIBRARY_PATH="+filepath.Dir(good), "NSE_TEST_SAME="+good)
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheSameFile: what was found by its name may be loaded again by its path.
func TestTheSameFile(t *testing.T) {
	path := os.Getenv("NSE_TEST_SAME")
	if path == "" {
		path = os.Getenv("NSE_LIBRARY")
	}
	if Version() == "" {
		t.Fatal(Load(""))
	}
	if err := Load(path); err != nil {
		t.Error(err)
	}
}

// compiled is a library that is made of a text in C.
func compiled(t *testing.T, folder, name, text string) string {
	t.Helper()
	source, library := filepath.Join(folder, name+".c"), filepath.Join(folder, "lib"+name+".so")
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return library
}
