// Package store keeps jobs in a folder: plain files, each replaced whole or not at all, and flushed to the disk before a call
// returns. One process at a time has the folder.
//
//	lock                    held while the service runs; the system lets go of it when the process dies, however it does
//	jobs/ID/job.json        the record
//	jobs/ID/result.json     what was found so far
//	jobs/ID/search.nse      checkpoint of the library
//	jobs/ID/model.pt        exported model
//	trash/                  what is being removed
//
// All files but the checkpoint and the model, which the library writes, are reached through an [os.Root]: no name leads out of
// the folder.
package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// Names of files in the folder of a job.
const (
	recordFile = "job.json"
	resultFile = "result.json"
	checkpoint = "search.nse"
	model      = "model.pt"
)

// Store is an open folder.
type Store struct {
	folder string
	root   *os.Root
	lock   *flock.Flock
}

// ErrLocked: another service has the folder.
var ErrLocked = errors.New("another service is using this folder")

// ErrTaken: a job with this ID is there, or what is left of one.
var ErrTaken = errors.New("there is a folder for this id already")

// Open takes the folder, which is made if it is missing.
func Open(folder string) (*Store, error) {
	for _, part := range []string{"", "jobs", "trash"} {
		if err := os.MkdirAll(filepath.Join(folder, part), 0o750); err != nil {
			return nil, err
		}
	}
	s := &Store{folder: folder, lock: flock.New(filepath.Join(folder, "lock"), flock.SetPermissions(0o640))}
	held, err := s.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	if !held {
		return nil, fmt.Errorf("%s: %w", folder, ErrLocked)
	}
	if s.root, err = os.OpenRoot(folder); err != nil {
		s.lock.Close()
		return nil, err
	}
	// What a kill left half removed.
	if err := s.emptyTrash(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close lets go of the folder.
func (s *Store) Close() error {
	return errors.Join(s.root.Close(), s.lock.Close())
}

// Records of all jobs, oldest first, and what kept others from being read; those stay as they are.
func (s *Store) Records() (records []job.Record, problems []error) {
	entries, err := fs.ReadDir(s.root.FS(), "jobs")
	if err != nil {
		return nil, []error{err}
	}
	for _, entry := range entries {
		record, err := s.record(entry.Name())
		switch {
		case err == nil:
			records = append(records, record)
		case errors.Is(err, fs.ErrNotExist) && s.remove(entry.Name()) == nil:
			// A kill came between making the folder and writing the record: nobody was told of the job.
		default:
			problems = append(problems, fmt.Errorf("job %q is left out: %w", entry.Name(), err))
		}
	}
	slices.SortStableFunc(records, func(a, b job.Record) int { return a.Job.Created.Compare(b.Job.Created) })
	return records, problems
}

func (s *Store) record(id string) (record job.Record, err error) {
	if !job.ValidID(id) {
		return record, errors.New("not the id of a job")
	}
	text, err := s.root.ReadFile(inJob(id, recordFile))
	if err != nil {
		return record, err
	}
	if err := json.Unmarshal(text, &record); err != nil {
		return record, err
	}
	if record.Format != job.Format1 {
		return record, fmt.Errorf("format %d is not known", record.Format)
	}
	if record.Job.ID != id {
		return record, fmt.Errorf("the record is that of job %q", record.Job.ID)
	}
	return record, nil
}

// Create writes the first record of a job.
func (s *Store) Create(record job.Record) error {
	id := record.Job.ID
	if err := s.root.Mkdir(inJob(id, ""), 0o750); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return ErrTaken
		}
		return err
	}
	err := errors.Join(s.Save(record), s.flush("jobs"))
	if err != nil {
		// Nobody will be told of it.
		_ = s.remove(id)
	}
	return err
}

// Save replaces the record of a job.
func (s *Store) Save(record job.Record) error {
	return s.write(record.Job.ID, recordFile, record)
}

// SaveResult replaces the result of a job.
func (s *Store) SaveResult(id string, result job.Result) error {
	return s.write(id, resultFile, result)
}

// Result of a job; the zero one when there is none yet.
func (s *Store) Result(id string) (result job.Result, err error) {
	text, err := s.root.ReadFile(inJob(id, resultFile))
	if errors.Is(err, fs.ErrNotExist) {
		return result, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	return result, err
}

func (s *Store) write(id, name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	err = renameio.WriteFile(inJob(id, name), text, 0o640, renameio.WithRoot(s.root), renameio.WithStaticPermissions(0o640),
		renameio.WithTempDir(inJob(id, "")))
	if err != nil {
		return err
	}
	return s.flush(inJob(id, ""))
}

// flush makes the names in a folder outlast a power cut.
func (s *Store) flush(name string) error {
	folder, err := s.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Delete removes a job and all its files: at once for whoever looks, also after a kill.
func (s *Store) Delete(id string) error {
	if err := s.remove(id); err != nil {
		return err
	}
	return s.emptyTrash()
}

func (s *Store) remove(id string) error {
	err := s.root.Rename(inJob(id, ""), filepath.Join("trash", id+"."+rand.Text()))
	if err != nil {
		return err
	}
	return s.flush("jobs")
}

func (s *Store) emptyTrash() error {
	entries, err := fs.ReadDir(s.root.FS(), "trash")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := s.root.RemoveAll(filepath.Join("trash", entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoint is the file that the library keeps a search in, and when it was last written; zero when there is none.
func (s *Store) Checkpoint(id string) (path string, written time.Time) {
	if info, err := s.root.Stat(inJob(id, checkpoint)); err == nil {
		written = info.ModTime()
	}
	return filepath.Join(s.folder, inJob(id, checkpoint)), written
}

// DropCheckpoint removes the checkpoint and what a killed save left; without one it does nothing.
func (s *Store) DropCheckpoint(id string) error {
	return errors.Join(s.drop(inJob(id, checkpoint)), s.drop(inJob(id, "."+checkpoint+".partial")))
}

func (s *Store) drop(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ModelPath is where the library exports a model to.
func (s *Store) ModelPath(id string) string {
	return filepath.Join(s.folder, inJob(id, model))
}

// OpenModel opens an exported model.
func (s *Store) OpenModel(id string) (*os.File, error) {
	return s.root.Open(inJob(id, model))
}

// Free is how many bytes the disk has for the service.
func (s *Store) Free() (uint64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(s.folder, &stat); err != nil {
		return 0, err
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}

// Folder of the store, to keep out of texts for clients.
func (s *Store) Folder() string {
	return s.folder
}

// inJob is the path of a file of a job within the root. An ID is one name of a folder: job.ValidID lets no other through, and
// this is the second look.
func inJob(id, name string) string {
	if !job.ValidID(id) || strings.ContainsRune(name, filepath.Separator) {
		// A name that no file has, for os.Root to refuse.
		return filepath.Join("jobs", "..", "..", "refused")
	}
	return filepath.Join("jobs", id, name)
}
