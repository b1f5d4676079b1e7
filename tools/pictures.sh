#!/bin/sh
# Prints a folder with standard test images (astronaut, camera, chelsea, coffee and more) as PNG files: those in the wheel of
# scikit-image 0.25.2, for `make evidence-restore`. Their sources and licences are in its README.txt.
set -eu
. "$(dirname "$0")/common.sh"

dest="$CACHE/pictures-scikit-image-0.25.2"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching the images of scikit-image 0.25.2 (14 MB, once) into $dest"
    WHEEL_PYTHON=3.11 wheel scikit-image==0.25.2 24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641
    unpack_wheels "$SCRATCH/all" 'skimage/data/*.png' 'skimage/data/README.txt'
    mv "$SCRATCH/all/skimage/data" "$dest"
fi
echo "$dest"
