package job

import (
	"encoding/json"
	"fmt"
)

// Problem is an error for a client (RFC 9457), and the error of a job that failed. Its text names no file of the service.
type Problem struct {
	// Status of HTTP; 0 in a job.
	Status int    `json:"status,omitempty"`
	Title  string `json:"title,omitempty"`
	Detail string `json:"detail"`
	// Code for programs: a name of the library such as "NSE_ERR_CONFIG", or one of the service's in lower case.
	Code string `json:"code"`
	// Pointer to the place in the request that is wrong (RFC 6901).
	Pointer string `json:"pointer,omitempty"`
	// Reason has the library's own details.
	Reason json.RawMessage `json:"reason,omitempty"`
}

func (p *Problem) Error() string {
	if p.Pointer != "" {
		return fmt.Sprintf("%s: %s (at %s)", p.Code, p.Detail, p.Pointer)
	}
	return fmt.Sprintf("%s: %s", p.Code, p.Detail)
}

// Errorf makes a problem.
func Errorf(status int, code, format string, values ...any) *Problem {
	return &Problem{Status: status, Code: code, Detail: fmt.Sprintf(format, values...)}
}

// At says where in the request the problem is.
func (p *Problem) At(pointer string) *Problem {
	p.Pointer = pointer
	return p
}
