// Package page has the web page of the service and the report of a job. Everything is in the binary; nothing is fetched from elsewhere.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"net/http"
	"path"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

//go:embed static
var files embed.FS

// kinds of files there are.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

// Serve answers with a file of the page.
func Serve(w http.ResponseWriter, r *http.Request, name string) error {
	kind, known := kinds[path.Ext(name)]
	text, err := files.ReadFile("static/" + name)
	if err != nil || !known {
		return job.Errorf(http.StatusNotFound, "not_found", "there is no such file")
	}
	sum := sha256.Sum256(text)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	return nil
}

//go:embed report.html
var reportText string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"percent": func(x float64) float64 { return 100 * x },
	"time":    func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") },
	"text":    indented,
}).Parse(reportText))

// indented JSON, for people.
func indented(raw json.RawMessage) string {
	var text bytes.Buffer
	if json.Indent(&text, raw, "", "  ") != nil {
		return string(raw)
	}
	return text.String()
}

// Report writes the page of what a job has found.
func Report(w http.ResponseWriter, j job.Job, record job.Record, result job.Result) error {
	var text bytes.Buffer
	err := reportPage.Execute(&text, map[string]any{
		"Job": j, "Request": record.Request, "Plan": record.Plan, "Result": result, "Front": result.Fronts[result.Objective],
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	// A client that went away is none of our business.
	_, _ = text.WriteTo(w)
	return nil
}
