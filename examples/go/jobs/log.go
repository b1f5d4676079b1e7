package main

// The log: a line for each architecture that was trained, written by this process only, and on the disk before it is told.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

type results struct {
	mutex sync.Mutex
	file  *os.File
	found map[string]outcome
}

func openLog(path string) (*results, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	r := &results{file: file, found: map[string]outcome{}}
	if err := r.read(); err != nil {
		file.Close()
		return nil, err
	}
	return r, nil
}

// read what is there. A last line without an end was being written when the process was killed.
func (r *results) read() error {
	text, err := os.ReadFile(r.file.Name())
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	for i, line := range bytes.Split(text[:whole], []byte{'\n'}) {
		if len(line) == 0 {
			continue
		}
		var result outcome
		if err := json.Unmarshal(line, &result); err != nil {
			return fmt.Errorf("%s:%d: %w", r.file.Name(), i+1, err)
		}
		r.found[result.Code] = result
	}
	if err := r.file.Truncate(int64(whole)); err != nil {
		return err
	}
	_, err = r.file.Seek(int64(whole), 0)
	return err
}

func (r *results) known(code string) (outcome, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	result, ok := r.found[code]
	return result, ok
}

func (r *results) add(result outcome) error {
	line, err := json.Marshal(result)
	if err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, err := r.file.Write(append(line, '\n')); err != nil {
		return err
	}
	r.found[result.Code] = result
	return r.file.Sync()
}

func (r *results) Close() error { return r.file.Close() }
