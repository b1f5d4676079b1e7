// Package table writes the C file through which a program that was built with the tag nse_dlopen calls libnse: every function of
// nse.h, as one that calls what was found in the library.
package table

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

const head = `//go:build nse_dlopen

/* Made by "go generate" from nse.h; do not edit. Every function of nse.h, by way of a table that nsego_load fills. */

#include "dlopen.h"
#include <stdatomic.h>

struct table {
%s};

static struct table functions;
static _Atomic(struct table *) loaded;

/* Without a library there is no handle that could be good. */
static nse_status unloaded(nse_error **err) {
    if (err) *err = NULL;
    return NSE_ERR_INVALID_HANDLE;
}

const char *nsego_fill(void *(*find)(void *from, const char *name), void *from) {
%s    return NULL;
}

void nsego_publish(void) {
    atomic_store(&loaded, &functions);
}
`

var (
	comment   = regexp.MustCompile(`(?s)/\*.*?\*/`)
	directive = regexp.MustCompile(`(?m)^#.*$`)
	function  = regexp.MustCompile(`(?s)\bNSE_API\s+(const char \*|\w+\s)\s*(nse_\w+)\(([^()]*)\)\s*;`)
	last      = regexp.MustCompile(`\w+$`)
	space     = regexp.MustCompile(`\s+`)
)

// Of a header is the file.
func Of(header []byte) ([]byte, error) {
	text := directive.ReplaceAll(comment.ReplaceAll(header, nil), nil)
	found := function.FindAllSubmatch(text, -1)
	if declared := bytes.Count(text, []byte("NSE_API")); declared != len(found) || declared == 0 {
		return nil, fmt.Errorf("%d functions are declared, and %d are understood", declared, len(found))
	}
	var fields, fills, bodies strings.Builder
	for _, match := range found {
		result, name, parameters := strings.TrimSpace(string(match[1])), string(match[2]), parametersOf(string(match[3]))
		body, err := bodyOf(result, name, parameters)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&fields, "    __typeof__(%s) *%s;\n", name, name)
		fmt.Fprintf(&fills, "    if (!(functions.%s = (__typeof__(%s) *)find(from, \"%s\"))) return \"%s\";\n", name, name, name, name)
		bodies.WriteString(body)
	}
	return []byte(fmt.Sprintf(head, fields.String(), fills.String()) + bodies.String()), nil
}

func parametersOf(list string) []string {
	var parameters []string
	for parameter := range strings.SplitSeq(list, ",") {
		parameters = append(parameters, space.ReplaceAllString(strings.TrimSpace(parameter), " "))
	}
	return parameters
}

func bodyOf(result, name string, parameters []string) (string, error) {
	var arguments []string
	errors := "NULL"
	for _, parameter := range parameters {
		if parameter == "void" {
			continue
		}
		argument := last.FindString(parameter)
		if argument == "" {
			return "", fmt.Errorf("%s: the parameter %q has no name", name, parameter)
		}
		if parameter == "nse_error **err" {
			errors = argument
		}
		arguments = append(arguments, argument)
	}
	call := fmt.Sprintf("nse->%s(%s)", name, strings.Join(arguments, ", "))
	var statement string
	switch result {
	case "void":
		statement = "if (nse) " + call
	case "nse_status":
		statement = fmt.Sprintf("return nse ? %s : unloaded(%s)", call, errors)
	case "uint32_t":
		statement = fmt.Sprintf("return nse ? %s : 0", call)
	case "const char *":
		statement = fmt.Sprintf(`return nse ? %s : ""`, call)
	default:
		return "", fmt.Errorf("%s: what to return instead of %q?", name, result)
	}
	return fmt.Sprintf("\n%s%s(%s) {\n    struct table *nse = atomic_load(&loaded);\n    %s;\n}\n",
		strings.TrimSuffix(result+" ", "* ")+strings.Repeat("*", strings.Count(result, "*")), name, strings.Join(parameters, ", "), statement), nil
}
