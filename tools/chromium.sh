#!/bin/sh
# Prints a Chromium command: CHROMIUM, the one on PATH, or Debian's, unpacked with the libraries that this system lacks. Nothing is
# installed, no root is needed.
set -eu
[ -z "${CHROMIUM:-}" ] || { echo "$CHROMIUM"; exit 0; }
for name in chromium chromium-browser google-chrome; do
    ! command -v "$name" || exit 0
done
. "$(dirname "$0")/common.sh"

dest="$CACHE/chromium"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching Chromium (Debian packages, 100 MB, once) into $dest"
    unpack_deb chromium "$SCRATCH/chromium"
    [ -x "$SCRATCH/chromium/usr/lib/chromium/chromium" ] || die "the package chromium of this system has no Chromium in it; set CHROMIUM"
    unpack_deb chromium-common "$SCRATCH/chromium"
    for package in $(missing_debs chromium); do
        case $package in chromium | chromium-common) ;; *) unpack_deb "$package" "$SCRATCH/chromium" ;; esac
    done
    cat >"$SCRATCH/chromium/chromium" <<'SH'
#!/bin/sh
root=$(dirname "$0")
libraries=$(find "$root/usr/lib" -name '*.so*' -printf '%h\n' | sort -u | tr '\n' ':')
LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:-}" exec "$root/usr/lib/chromium/chromium" "$@"
SH
    chmod +x "$SCRATCH/chromium/chromium"
    "$SCRATCH/chromium/chromium" --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync \
        --disable-component-update --user-data-dir="$SCRATCH/profile" --dump-dom about:blank >/dev/null 2>&1 || die "Chromium does not start"
    mv "$SCRATCH/chromium" "$dest"
fi
echo "$dest/chromium"
