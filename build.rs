//! Compiles the C++ beside tch's own and tells the linker where libtorch is; nothing else.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "torch")]
    torch();
}

#[cfg(feature = "torch")]
fn torch() {
    use std::path::PathBuf;
    let sources = ["src/supernet/shim.cpp", "src/supernet/depthwise.cpp"];
    for source in sources.iter().chain(&["src/supernet/depthwise.h"]) {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rerun-if-env-changed=LIBTORCH_INCLUDE");
    // Set by the build script of torch-sys, which has found libtorch already.
    let lib = PathBuf::from(std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys names the folder of libtorch"));
    let root = std::env::var("LIBTORCH_INCLUDE").map(PathBuf::from).unwrap_or_else(|_| lib.join(".."));
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".into());
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        .warnings(false)
        .flag("-ffp-contract=fast")
        // libnse.so exports what is called nse_* and not hidden.
        .flag("-fvisibility=hidden")
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str())
        .include(root.join("include"))
        .include(root.join("include/torch/csrc/api/include"))
        .files(sources)
        .compile("nse_shim");
    // For the tests and benches; libnse.so is linked by tools/link.sh. libtorch.so carries CUDA in a CUDA set.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-l:libtorch.so,--as-needed");
}
