#!/bin/sh
# Prints a folder with Debian's OpenMPI unpacked into it, for the example that brings its own collectives. Nothing is installed, no root is
# needed. Compile with -I FOLDER/mpi-include FOLDER/mpi-lib/libmpi.so.40 -Wl,--allow-shlib-undefined, and run FOLDER/mpirun.
set -eu
. "$(dirname "$0")/common.sh"

dest="$CACHE/openmpi-4.1"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching OpenMPI (Debian packages, once) into $dest"
    for package in openmpi-bin openmpi-common libopenmpi3 libopenmpi-dev libpmix2 libhwloc15 libevent-core-2.1-7 libevent-pthreads-2.1-7 \
        libmunge2 libltdl7 libnl-3-200 libnl-route-3-200 libibverbs1 libfabric1 libucx0 libpsm2-2 libpsm-infinipath1 librdmacm1 libnuma1; do
        # Ubuntu has some of them under another name since its times have 64 bits.
        unpack_deb "$package" "$SCRATCH/root" 2>/dev/null || unpack_deb "${package}t64" "$SCRATCH/root"
    done
    root="$SCRATCH/root"
    libs=$(dirname "$(find "$root/usr/lib" -name 'libmpi.so.40' | head -n 1)")
    ln -s "${libs#"$root/"}/openmpi/include" "$root/mpi-include"
    ln -s "${libs#"$root/"}" "$root/mpi-lib"
    cat >"$root/mpirun" <<'RUN'
#!/bin/sh
# OpenMPI where it was unpacked, for processes of this machine.
here=$(cd "$(dirname "$0")" && pwd)
libs=$(cd "$here/mpi-lib" && pwd -P)
export OPAL_PREFIX="$here/usr" OPAL_LIBDIR="$libs/openmpi/lib" PMIX_INSTALL_PREFIX="$libs/pmix2"
export LD_LIBRARY_PATH="$libs:$here/lib/${libs##*/}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# No word of drivers for networks that are not here.
export OMPI_MCA_mca_base_component_show_load_errors=0 PMIX_MCA_pcompress_base_silence_warning=1
exec "$here/usr/bin/orterun" --oversubscribe --bind-to none "$@"
RUN
    chmod +x "$root/mpirun"
    mv "$root" "$dest"
fi
echo "$dest"
