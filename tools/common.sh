# Shared by the fetch scripts: a cache outside the checkout, one line of progress per step, verified downloads.
# Sourced, not run. Everything the scripts print on stdout is the answer (a path); progress goes to stderr.

CACHE="${NSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nse}"
mkdir -p "$CACHE"

say() { printf 'nse: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# One fetch at a time per cache, so that two builds never unpack into the same folder.
lock() { exec 9>"$CACHE/.lock"; flock 9; }

# A scratch folder inside the cache (same file system, so that the final rename is atomic), removed on exit.
scratch() {
    SCRATCH="$(mktemp -d "$CACHE/.tmp.XXXXXX")"
    trap 'rm -rf "$SCRATCH"' EXIT
}

# apt_get ARGS...: apt-get that needs no root: when the system's package lists are missing, private ones are made.
apt_get() {
    if [ -d "$CACHE/apt/lists" ]; then
        apt-get -qq -o Dir::State::Lists="$CACHE/apt/lists" -o Dir::Cache="$CACHE/apt" -o APT::Sandbox::User="" "$@" >&2
    else
        apt-get -qq -o APT::Sandbox::User="" "$@" >&2
    fi
}

# unpack_deb PACKAGE FOLDER: downloads a Debian package (apt verifies its signature chain) and unpacks it there.
unpack_deb() (
    command -v apt-get >/dev/null || die "package $1 comes from Debian or Ubuntu, and there is no apt-get here"
    cd "$SCRATCH"
    if ! apt_get download "$1" 2>/dev/null; then
        say "reading the package lists"
        mkdir -p "$CACHE/apt/lists/partial" "$CACHE/apt/archives/partial"
        apt_get update || die "the package lists could not be read"
        apt_get download "$1" || die "package $1 could not be downloaded"
    fi
    mkdir -p "$2"
    dpkg -x "$1"_*.deb "$2"
)

# missing_debs PACKAGE: what a system must install to have it, as it would itself (one that lacks nothing: nothing).
missing_debs() (
    lists="$CACHE/apt/lists"
    [ -d "$lists" ] || lists=/var/lib/apt/lists
    apt-get -qq -s -o Dir::State::Lists="$lists" -o Debug::NoLocking=1 install --no-install-recommends "$1" |
        sed -n 's/^Inst \([^ ]*\).*/\1/p'
)

# pip ARGS...: the system's pip, or the one inside Debian's package python3-pip-whl when python3 came without.
pip() {
    if python3 -m pip --version >/dev/null 2>&1; then
        python3 -m pip "$@" >&2
    else
        [ -d "$CACHE/pip" ] || { unpack_deb python3-pip-whl "$SCRATCH/pip" && mv "$SCRATCH/pip" "$CACHE/pip"; }
        python3 "$(echo "$CACHE"/pip/usr/share/python-wheels/pip-*.whl)/pip" "$@" >&2
    fi
}

# wheel REQUIREMENT SHA256...: downloads one x86-64 wheel, for Python $WHEEL_PYTHON, into $SCRATCH/wheels; pip refuses any content but these.
wheel() {
    echo "$1$(printf ' --hash=sha256:%s' $(echo "$*" | cut -d ' ' -f 2-))" >"$SCRATCH/requirement.txt"
    pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version "${WHEEL_PYTHON:-3.11}" \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --platform manylinux_2_5_x86_64 --platform manylinux1_x86_64 \
        --require-hashes --requirement "$SCRATCH/requirement.txt" --dest "$SCRATCH/wheels" ||
        die "$1 could not be downloaded or does not have the expected content"
}

# unpack_wheels FOLDER PATTERN...: unpacks the members that match a shell pattern from all downloaded wheels.
unpack_wheels() {
    python3 - "$SCRATCH/wheels" "$@" <<'PY'
import fnmatch, glob, os, sys, zipfile
wheels, folder, *patterns = sys.argv[1:]
for path in glob.glob(wheels + "/*.whl"):
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if any(fnmatch.fnmatchcase(member.filename, p) for p in patterns):
                target = archive.extract(member, folder)
                os.chmod(target, 0o755 if member.external_attr >> 16 & 0o100 or member.is_dir() else 0o644)
PY
}
