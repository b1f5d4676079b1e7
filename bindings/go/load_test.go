package nse

import (
	"os"
	"testing"
)

func TestLoadOfALibraryThatIsThere(t *testing.T) {
	for range 2 {
		if err := Load(""); err != nil {
			t.Fatal(err)
		}
	}
	if Version() == "" || VersionNumber() == 0 {
		t.Errorf("%q, %#x", Version(), VersionNumber())
	}
	err := Load("/not/there")
	if linked {
		fails(t, err, ErrUnsupported)
	} else {
		// The one that is there stays.
		fails(t, err, ErrInvalidArgument)
	}
	if _, err := SpacePresets(); err != nil {
		t.Error(err)
	}
	if path := os.Getenv("NSE_LIBRARY"); !linked && path != "" {
		if err := Load(path); err != nil {
			t.Error(err)
		}
	}
}
