//! Links against the libnse.so that tools/link.sh left where cargo puts programs; says where it is at run time.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=NSE_LIB");
    // OUT_DIR is <target>/<profile>/build/<package>/out.
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let beside = out.ancestors().nth(3).expect("OUT_DIR is deep").to_owned();
    let lib = std::env::var("NSE_LIB").map_or(beside, PathBuf::from);
    println!("cargo:rustc-link-search=native={}", lib.display());
    println!("cargo:rustc-link-lib=dylib=nse");
    // In an installed tree, then here.
    println!("cargo:rustc-link-arg-bins=-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib,-rpath,$ORIGIN");
}
