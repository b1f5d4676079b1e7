#!/bin/sh
# Makes the reference in the folder given: C and C++ from the headers (Doxygen), Rust (rustdoc), Go (go doc). Anything undocumented
# or wrongly linked in the headers or in Rust is an error. A Doxygen that is installed is used; else Debian 12's is fetched.
#
#     reference.sh FOLDER     GO: go command; LIBTORCH as for cargo
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$root"

if ! command -v doxygen >/dev/null; then
    deb=$(tools/debian.sh doxygen libclang1-14 libllvm14 libxapian30 libz3-4)
    export PATH="$deb/usr/bin:$PATH" LD_LIBRARY_PATH="$deb/usr/lib/x86_64-linux-gnu:$deb/usr/lib/llvm-14/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
# The first page of nse.h is for readers of the file, laid out as it stands.
printf '%s\n' '1s|^/\*|/** @file\n * @verbatim|' '1,/^ \*\/$/s|^ \*/$| * @endverbatim */|' >"$out/page.sed"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
doxygen - <<SETTINGS
PROJECT_NAME = nse
PROJECT_NUMBER = $version
PROJECT_BRIEF = "Neural architecture search as a library"
INPUT = include/nse.h bindings/cpp/include/nse
FILTER_PATTERNS = *.h="sed -f $out/page.sed"
STRIP_FROM_PATH = $root
OUTPUT_DIRECTORY = $out
HTML_OUTPUT = c
GENERATE_LATEX = NO
JAVADOC_AUTOBRIEF = YES
EXTRACT_ALL = YES
WARN_IF_UNDOCUMENTED = NO
HIDE_UNDOC_RELATIONS = YES
HAVE_DOT = NO
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = NSE_API= __cplusplus
SORT_MEMBER_DOCS = NO
HTML_COLORSTYLE_SAT = 0
QUIET = YES
WARN_AS_ERROR = FAIL_ON_WARNINGS
SETTINGS
rm "$out/page.sed"
RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --quiet
rm -rf "$out/rust"
cp -R "${CARGO_TARGET_DIR:-target}/doc" "$out/rust"
(cd bindings/go && "${GO:-go}" doc -all .) >"$out/go.txt"
cat >"$out/index.html" <<'PAGE'
<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>nse: reference</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 40em; margin: 3em auto; padding: 0 1em; color-scheme: light dark }</style>
<h1>nse: reference</h1>
<ul>
<li><a href="c/nse_8h.html">C: nse.h</a></li>
<li><a href="c/annotated.html">C++: classes</a></li>
<li><a href="go.txt">Go: package nse</a></li>
<li><a href="rust/nse/index.html">Rust: the crate</a></li>
</ul>
PAGE
echo "$out/index.html"
