// Package dataset opens the data sets of the operator, by name, once each.
package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	nse "github.com/nse-project/nse/bindings/go"

	"github.com/nse-project/nse/examples/go/service/internal/config"
)

// Set is one data set in memory. HeldOut and Test may be nil. Nobody closes them: they serve all jobs.
type Set struct {
	Train, HeldOut, Test *nse.Dataset
}

// Book has all data sets of the operator.
type Book struct {
	config map[string]config.Dataset
	mutex  sync.Mutex
	open   map[string]Set
}

// NewBook opens nothing yet.
func NewBook(config map[string]config.Dataset) *Book {
	return &Book{config: config, open: map[string]Set{}}
}

// Names of all data sets.
func (b *Book) Names() []string {
	return slices.Sorted(maps.Keys(b.config))
}

// Has a data set of this name been configured?
func (b *Book) Has(name string) bool {
	_, known := b.config[name]
	return known
}

// Open gives a data set, which is read the first time. What failed is tried again the next time, so that an operator can mend
// a file without a restart.
func (b *Book) Open(ctx context.Context, name string) (Set, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if set, opened := b.open[name]; opened {
		return set, nil
	}
	documents, known := b.config[name]
	if !known {
		return Set{}, fmt.Errorf("%q is not a data set", name)
	}
	var set Set
	for _, part := range []struct {
		name     string
		document json.RawMessage
		out      **nse.Dataset
	}{{"train", documents.Train, &set.Train}, {"held_out", documents.HeldOut, &set.HeldOut}, {"test", documents.Test, &set.Test}} {
		if part.document == nil {
			continue
		}
		opened, err := nse.OpenDataset(ctx, part.document)
		if err != nil {
			set.close()
			return Set{}, fmt.Errorf("data set %q, %s: %w", name, part.name, err)
		}
		*part.out = opened
	}
	b.open[name] = set
	return set, nil
}

func (s Set) close() {
	for _, part := range []*nse.Dataset{s.Train, s.HeldOut, s.Test} {
		part.Close()
	}
}

// Info of a data set for clients: sizes, and no path.
type Info struct {
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Train       *nse.DatasetInfo `json:"train,omitempty"`
	HeldOut     *nse.DatasetInfo `json:"held_out,omitempty"`
	Test        *nse.DatasetInfo `json:"test,omitempty"`
	// Problem says that it cannot be used; the log says why.
	Problem string `json:"problem,omitempty"`
}

// Infos of all data sets, which are opened for it.
func (b *Book) Infos(ctx context.Context) []Info {
	infos := []Info{}
	for _, name := range b.Names() {
		info := Info{Name: name, Description: b.config[name].Description}
		set, err := b.Open(ctx, name)
		if err != nil {
			info.Problem = "cannot be read"
		} else {
			info.Train, info.HeldOut, info.Test = size(set.Train), size(set.HeldOut), size(set.Test)
		}
		infos = append(infos, info)
	}
	return infos
}

func size(dataset *nse.Dataset) *nse.DatasetInfo {
	if dataset == nil {
		return nil
	}
	info, err := dataset.Info()
	if err != nil {
		return nil
	}
	return &info
}

// Hide replaces every path of the operator's documents in a text for clients.
func (b *Book) Hide(text string) string {
	for name, set := range b.config {
		for _, document := range []json.RawMessage{set.Train, set.HeldOut, set.Test} {
			var value any
			if json.Unmarshal(document, &value) == nil {
				text = hide(text, name, value)
			}
		}
	}
	return text
}

func hide(text, name string, value any) string {
	switch value := value.(type) {
	case map[string]any:
		for _, member := range value {
			text = hide(text, name, member)
		}
	case []any:
		for _, member := range value {
			text = hide(text, name, member)
		}
	case string:
		if strings.ContainsRune(value, '/') {
			text = strings.ReplaceAll(text, value, "a file of data set "+name)
		}
	}
	return text
}
