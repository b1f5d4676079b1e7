#!/bin/sh
# Fetches the Go module as a stranger does: packed as a module proxy has it, got with `go get` into a module outside the repository,
# built there by pkg-config and with the tag nse_dlopen, and run. The go command checks the rules of module archives by itself.
#
#     NSE_LIB          folder of libnse.so
#     PKG_CONFIG_PATH  folder of an nse.pc
#     GO               go command (default: go)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${PKG_CONFIG_PATH:?}"
GO=${GO:-go}
out=$(mktemp -d)
trap 'chmod -R u+w "$out"; rm -rf "$out"' EXIT

module=$(sed -n 's/^module //p' "$root/bindings/go/go.mod")
version=v$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
proxy="$out/proxy/$module/@v"
mkdir -p "$proxy" "$out/user"
echo "$version" >"$proxy/list"
echo "{\"Version\": \"$version\", \"Time\": \"2026-01-01T00:00:00Z\"}" >"$proxy/$version.info"
cp "$root/bindings/go/go.mod" "$proxy/$version.mod"
# What git has, or would have: a file that only lies about here is not in a release, and katib is a module of its own. The licence is that
# of the repository.
(cd "$root/bindings/go" && git ls-files --cached --others --exclude-standard 2>/dev/null || find . -type f | sed 's|^\./||') |
    grep -v '^katib/' | python3 -c '
import os, sys, zipfile
root, prefix, archive = sys.argv[1:]
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
    for name in sorted(set(sys.stdin.read().splitlines())):
        if os.path.exists(f"{root}/bindings/go/{name}"):
            file.write(f"{root}/bindings/go/{name}", f"{prefix}/{name}")
    file.write(f"{root}/LICENSE", f"{prefix}/LICENSE")
' "$root" "$module@$version" "$proxy/$version.zip"

cd "$out/user"
cat >main.go <<'END'
package main

import (
	"fmt"
	"log"

	nse "MODULE"
)

func main() {
	space, err := nse.SpacePreset("nse-27-small", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer space.Close()
	arch, err := nse.UniformArch(space, "mbconv_k3_t6")
	if err != nil {
		log.Fatal(err)
	}
	defer arch.Close()
	cost, err := arch.Cost()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("libnse", nse.Version(), "counts", cost.MACs)
}
END
sed -i "s|MODULE|$module|" main.go
export GOPROXY="file://$out/proxy" GOSUMDB=off GOTOOLCHAIN=local GOFLAGS= GOWORK=off GOMODCACHE="$out/modules" CGO_ENABLED=1
unset CGO_LDFLAGS CGO_CFLAGS
"$GO" mod init example.com/user 2>/dev/null
"$GO" get "$module@latest"
grep -q "$module $version" go.mod
"$GO" build -o linked .
./linked | tee linked.said
grep -q '^libnse .* counts [1-9]' linked.said
# Nothing of libnse is needed to build, and nothing of it is linked.
PKG_CONFIG=false "$GO" build -tags nse_dlopen -o loaded .
if readelf -d loaded | grep -q 'NEEDED.*libnse'; then
    echo "a program that loads libnse is linked with it" >&2
    exit 1
fi
NSE_LIBRARY="$NSE_LIB/libnse.so" ./loaded >loaded.said
cmp linked.said loaded.said
if NSE_LIBRARY=/nowhere/libnse.so ./loaded 2>refused.said; then
    echo "a program without libnse ran" >&2
    exit 1
fi
grep -q 'nse: libnse was not loaded from /nowhere/libnse.so: no such file' refused.said
