package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

func open(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func record(id string, at int64) job.Record {
	return job.Record{Format: job.Format1, Job: job.Job{ID: id, Kind: job.Search, Created: time.Unix(at, 0).UTC()}}
}

func ids(records []job.Record) (ids []string) {
	for _, r := range records {
		ids = append(ids, r.Job.ID)
	}
	return ids
}

func TestOneServiceHasTheFolder(t *testing.T) {
	folder := t.TempDir()
	first := open(t, folder)
	if _, err := Open(folder); !errors.Is(err, ErrLocked) {
		t.Fatalf("%v", err)
	}
	first.Close()
	open(t, folder)
}

func TestRecordsOutlastTheService(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	for i, id := range []string{"b", "a", "c"} {
		if err := s.Create(record(id, int64(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Create(record("a", 9)); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	if err := s.Delete("c"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	records, problems := open(t, folder).Records()
	if got := ids(records); !slices.Equal(got, []string{"b", "a"}) || problems != nil {
		t.Errorf("%v, %v", got, problems)
	}
	if left, err := os.ReadDir(filepath.Join(folder, "trash")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// One bad file must not keep the service from starting, and must not be written over.
func TestDamagedRecordsAreLeftAlone(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	for _, id := range []string{"fine", "cut", "other", "newer"} {
		if err := s.Create(record(id, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for id, text := range map[string]string{
		"cut": `{"format": 1, "job": {"id": "cu`, "other": `{"format": 1, "job": {"id": "fine"}}`, "newer": `{"format": 2, "job": {"id": "newer"}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, "jobs", id, recordFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What a kill leaves between the folder and the record.
	if err := os.Mkdir(filepath.Join(folder, "jobs", "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	records, problems := s.Records()
	if got := ids(records); !slices.Equal(got, []string{"fine"}) || len(problems) != 3 {
		t.Errorf("%v, %v", got, problems)
	}
	if err := s.Create(record("cut", 2)); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	if err := s.Create(record("half", 2)); err != nil {
		t.Error(err)
	}
}

func TestAKillWhileDeletingLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	if err := errors.Join(s.Create(record("a", 1)), s.remove("a")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if records, problems := open(t, folder).Records(); records != nil || problems != nil {
		t.Errorf("%v, %v", records, problems)
	}
	if left, _ := os.ReadDir(filepath.Join(folder, "trash")); len(left) != 0 {
		t.Errorf("%v", left)
	}
}

func TestNoNameLeadsOut(t *testing.T) {
	s := open(t, t.TempDir())
	for _, id := range []string{"..", "../..", "a/../../b", "/etc", "", ".", "a\x00b", "ü"} {
		r := record(id, 1)
		if s.Create(r) == nil || s.Save(r) == nil || s.SaveResult(id, job.Result{}) == nil || s.Delete(id) == nil {
			t.Errorf("%q was taken", id)
		}
		if _, err := s.OpenModel(id); err == nil {
			t.Errorf("%q was opened", id)
		}
	}
}

// A reader sees the old file or the new one, whatever happens in between.
func TestFilesAreReplacedWhole(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Create(record("a", 1)); err != nil {
		t.Fatal(err)
	}
	result := func(n int) job.Result {
		return job.Result{Completed: n, Picture: string(slices.Repeat([]byte{byte('a' + n)}, 100_000))}
	}
	if err := s.SaveResult("a", result(0)); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for n := range 2 {
		writers.Go(func() {
			for range 20 {
				if err := s.SaveResult("a", result(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		if got, err := s.Result("a"); err != nil || got.Picture != result(got.Completed).Picture {
			t.Fatalf("%d, %v", got.Completed, err)
		}
	}
	writers.Wait()
	if left, _ := os.ReadDir(filepath.Join(s.folder, "jobs", "a")); len(left) != 2 {
		t.Errorf("%v", left)
	}
}

func TestADiskThatFailsIsAnError(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	if err := s.Create(record("a", 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(folder, "jobs"), filepath.Join(folder, "away")); err != nil {
		t.Fatal(err)
	}
	if s.Save(record("a", 1)) == nil || s.Create(record("b", 1)) == nil || s.SaveResult("a", job.Result{}) == nil || s.Delete("a") == nil {
		t.Error("no error")
	}
}
