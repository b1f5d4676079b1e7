package job

import (
	"errors"
	"strings"
	"testing"
)

func TestRequestsAreStrict(t *testing.T) {
	search := `"kind": "search", "data": "d", "space": "s"`
	for name, c := range map[string]struct{ body, pointer, text string }{
		"empty":              {``, "", "not a JSON object"},
		"null":               {`null`, "/data", "data set is missing"},
		"array":              {`[1]`, "", "not a JSON object"},
		"two":                {`{` + search + `} {}`, "", "follows"},
		"not UTF-8":          {"{\"name\": \"\xff\"}", "", "UTF-8"},
		"unknown key":        {`{` + search + `, "a/b": 1}`, "/a~1b", `"a/b"`},
		"another case":       {`{` + search + `, "Options": {}}`, "/Options", "unknown"},
		"long key":           {`{"` + strings.Repeat("k", 5000) + `": 1}`, "", "unknown"},
		"wrong type":         {`{` + search + `, "name": 3}`, "/name", "number"},
		"no data":            {`{"kind": "search", "space": "s"}`, "/data", "missing"},
		"no kind":            {`{"data": "d"}`, "/kind", "kind"},
		"no space":           {`{"kind": "search", "data": "d"}`, "/space", "missing"},
		"id of a path":       {`{` + search + `, "id": "../x"}`, "/id", "not an id"},
		"empty id":           {`{` + search + `, "id": ""}`, "/id", "not an id"},
		"upper case":         {`{` + search + `, "id": "A"}`, "/id", "not an id"},
		"long id":            {`{` + search + `, "id": "` + strings.Repeat("a", 64) + `"}`, "/id", "not an id"},
		"long name":          {`{` + search + `, "name": "` + strings.Repeat("a", 201) + `"}`, "/name", "too long"},
		"search with code":   {`{` + search + `, "code": "n1"}`, "/code", "train"},
		"train without":      {`{"kind": "train", "data": "d"}`, "/space", "missing"},
		"train of nothing":   {`{"kind": "train", "data": "d", "space": "s"}`, "/architecture", "exactly one"},
		"train of two":       {`{"kind": "train", "data": "d", "space": "s", "code": "n1", "architecture": {}}`, "/architecture", "exactly one"},
		"train by budget":    {`{"kind": "train", "data": "d", "space": "s", "code": "n1", "budget": 1}`, "/budget", "front"},
		"search and space":   {`{"kind": "train", "data": "d", "search": "s", "space": "s", "code": "n1"}`, "/space", "already"},
		"search and neither": {`{"kind": "train", "data": "d", "search": "s"}`, "/code", "exactly one"},
		"search of a path":   {`{"kind": "train", "data": "d", "search": "../s", "code": "n1"}`, "/search", "not the id"},
		"train with latency": {`{"kind": "train", "data": "d", "search": "s", "code": "n1", "latency": "x"}`, "/latency", "search"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Parse([]byte(c.body))
			var problem *Problem
			if !errors.As(err, &problem) {
				t.Fatalf("%v", err)
			}
			if c.pointer != "" && problem.Pointer != c.pointer || !strings.Contains(problem.Detail, c.text) || problem.Status < 400 || problem.Status > 499 {
				t.Errorf("%d %v", problem.Status, problem)
			}
			if len(problem.Error()) > 1000 {
				t.Errorf("%d bytes", len(problem.Error()))
			}
		})
	}
}

// Whatever comes, the answer is a request that a service can work with, or a problem that says why not.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"kind": "search", "data": "d", "space": "s", "id": "a"}`, `{"kind": "train", "data": "d", "search": "a", "budget": 1e3}`, `{"a~/b": 0}`,
		`{"kind": "search", "data": "d", "space": {"a": [1]}, "options": {"objective": {"low": 1}}}`, "{\"id\": \"\xff\"}", `{"id": "\u0000"}`, `null`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, digest, err := Parse(body)
		if err == nil {
			if len(digest) != 64 || request.ID != "" && !ValidID(request.ID) || request.Data == "" {
				t.Errorf("%+v", request)
			}
			return
		}
		var problem *Problem
		if !errors.As(err, &problem) || problem.Status < 400 || problem.Status > 499 || len(problem.Error()) > 10*len(body)+1000 {
			t.Errorf("%v", err)
		}
	})
}

func TestTheDigestIsThatOfTheMeaning(t *testing.T) {
	digest := func(body string) string {
		_, digest, err := Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	a := digest(`{"kind": "search", "data": "d", "space": "s", "options": {"seed": 1}}`)
	if b := digest(` {"options":{"seed":1},"space":"s","data":"d","kind":"search"}`); a != b {
		t.Error("white space and order count")
	}
	if b := digest(`{"kind": "search", "data": "d", "space": "s", "options": {"seed": 2}}`); a == b {
		t.Error("the options do not count")
	}
}

func TestTheBestUnderABudget(t *testing.T) {
	front := Front{Members: []Member{{Code: "a", Cost: 1, Accuracy: 0.5}, {Code: "b", Cost: 2, Accuracy: 0.7}, {Code: "c", Cost: 3, Accuracy: 0.6}}}
	for budget, want := range map[float64]string{0.5: "", 1: "a", 1.9: "a", 2: "b", 10: "b"} {
		if best, some := front.Best(budget); best.Code != want || some != (want != "") {
			t.Errorf("%v: %q", budget, best.Code)
		}
	}
}
