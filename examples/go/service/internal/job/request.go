package job

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Request is what a client submits.
type Request struct {
	// ID that the client wants; else the service gives one.
	ID   string `json:"id,omitempty"`
	Kind Kind   `json:"kind"`
	// Name for people.
	Name string `json:"name,omitempty"`
	// Data is the name of a data set that the operator configured.
	Data string `json:"data"`
	// Space is the name of a preset, which Overrides change, or a space of one's own. A training that names a search has its
	// space.
	Space     json.RawMessage `json:"space,omitempty"`
	Overrides json.RawMessage `json:"overrides,omitempty"`
	Options   json.RawMessage `json:"options,omitempty"`
	// Latency is the text of a table, CSV or JSON, for the objective "latency".
	Latency string `json:"latency,omitempty"`

	// A training trains the member of the front of Search that has this Code, or is the best under Budget; or Architecture,
	// of Space.
	Search       string          `json:"search,omitempty"`
	Code         string          `json:"code,omitempty"`
	Budget       *float64        `json:"budget,omitempty"`
	Architecture json.RawMessage `json:"architecture,omitempty"`
}

const (
	longestID   = 63
	longestName = 200
)

// An ID is the name of a folder too, so nothing else may be one: no dot, no slash, no upper case.
var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// ValidID says whether a text can be the ID of a job.
func ValidID(id string) bool {
	return len(id) <= longestID && idForm.MatchString(id)
}

// keys of a request, and those of them that only a training has.
var (
	keys      = jsonKeys(reflect.TypeFor[Request]())
	trainKeys = []string{"search", "code", "budget", "architecture"}
)

func jsonKeys(of reflect.Type) (names []string) {
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// Parse reads a request, strictly, and gives its digest, which does not depend on white space nor on the order of its keys.
func Parse(body []byte) (request Request, digest string, err error) {
	if !utf8.Valid(body) {
		return request, "", Errorf(http.StatusBadRequest, "not_json", "the body is not UTF-8")
	}
	var members map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&members); err != nil {
		return request, "", Errorf(http.StatusBadRequest, "not_json", "the body is not a JSON object: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return request, "", Errorf(http.StatusBadRequest, "not_json", "something follows the JSON object")
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(keys, key) {
			return request, "", invalid("unknown key %q, expected one of %s", short(key), strings.Join(keys, ", ")).At("/" + escape(short(key)))
		}
	}
	canonical, err := json.Marshal(members)
	if err != nil {
		return request, "", Errorf(http.StatusBadRequest, "not_json", "%v", err)
	}
	if err := json.Unmarshal(canonical, &request); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return request, "", invalid("%s is not allowed here, expected %v", wrong.Value, wrong.Type).At("/" + escape(wrong.Field))
		}
		return request, "", Errorf(http.StatusBadRequest, "not_json", "%v", err)
	}
	sum := sha256.Sum256(canonical)
	return request, hex.EncodeToString(sum[:]), request.check(members)
}

// check what can be said without the library.
func (r Request) check(members map[string]json.RawMessage) error {
	if _, given := members["id"]; given && !ValidID(r.ID) {
		return invalid("%q is not an id: 1 to %d of a-z, 0-9 and -, not - first", short(r.ID), longestID).At("/id")
	}
	if len(r.Name) > longestName {
		return invalid("%d bytes are too long for a name, the limit is %d", len(r.Name), longestName).At("/name")
	}
	if r.Data == "" {
		return invalid("the name of a data set is missing").At("/data")
	}
	switch r.Kind {
	case Search:
		for _, key := range trainKeys {
			if _, given := members[key]; given {
				return invalid("only a job of kind %q has this key", Train).At("/" + key)
			}
		}
		if r.Space == nil {
			return invalid("the space is missing: the name of a preset, or a document").At("/space")
		}
		return nil
	case Train:
		return r.checkTrain(members)
	default:
		return invalid("%q is not a kind of job; there are %q and %q", short(string(r.Kind)), Search, Train).At("/kind")
	}
}

func (r Request) checkTrain(members map[string]json.RawMessage) error {
	if _, given := members["latency"]; given {
		return invalid("only a job of kind %q has this key", Search).At("/latency")
	}
	if r.Search == "" {
		if r.Space == nil {
			return invalid("the space of the architecture is missing, or a search to take it from").At("/space")
		}
		if (r.Architecture == nil) == (r.Code == "") {
			return invalid("exactly one of architecture and code is needed with a space").At("/architecture")
		}
		if r.Budget != nil {
			return invalid("a budget chooses from the front of a search").At("/budget")
		}
		return nil
	}
	if !ValidID(r.Search) {
		return invalid("%q is not the id of a job", short(r.Search)).At("/search")
	}
	for _, key := range []string{"space", "overrides", "architecture"} {
		if _, given := members[key]; given {
			return invalid("the search has this already").At("/" + key)
		}
	}
	if (r.Code == "") == (r.Budget == nil) {
		return invalid("exactly one of code and budget is needed with a search").At("/code")
	}
	return nil
}

func invalid(format string, values ...any) *Problem {
	return Errorf(http.StatusUnprocessableEntity, "invalid_request", format, values...)
}

// escape makes a member of a JSON pointer.
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// short is as much of a client's text as an error should repeat.
func short(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
