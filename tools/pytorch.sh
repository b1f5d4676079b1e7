#!/bin/sh
# Prints a Python command that has PyTorch 2.13.0, for the baseline of `make bench`: a virtual environment, made once. The wheel is the
# one that tools/libtorch.sh unpacks. NSE_PYTHON, a command that has PyTorch already, is printed back unchanged.
set -eu
[ -z "${NSE_PYTHON:-}" ] || { echo "$NSE_PYTHON"; exit 0; }
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tools/common.sh"

dest="$CACHE/pytorch-2.13.0"
lock
if [ ! -d "$dest" ]; then
    python=$(command -v python3.11 || command -v python3) || die "the baseline needs Python 3.11"
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
        die "the baseline needs Python 3.11: set NSE_PYTHON to a Python that has PyTorch 2.13.0"
    scratch
    say "fetching PyTorch 2.13.0 (2.5 GB, once) into $dest"
    # Not `python -m venv`: on Debian that is a package of its own.
    PIP_ROOT_USER_ACTION=ignore pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        --requirement "$root/benches/baseline/requirements.txt" --target "$SCRATCH/packages"
    mkdir -p "$SCRATCH/env"
    mv "$SCRATCH/packages" "$SCRATCH/env/packages"
    printf '#!/bin/sh\nPYTHONPATH="%s/packages" exec "%s" "$@"\n' "$dest" "$python" >"$SCRATCH/env/python"
    chmod +x "$SCRATCH/env/python"
    mv "$SCRATCH/env" "$dest"
fi
echo "$dest/python"
