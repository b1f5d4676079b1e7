//! Compiles the C++ beside tch's own and tells the linker where libtorch is; nothing else.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "torch")]
    torch();
}

#[cfg(feature = "torch")]
fn torch() {
    use std::path::PathBuf;
    let sources = [
        "shim",
        "backward",
        "sgd",
        "tape",
        "cell",
        "branch",
        "convolution",
        "pool",
        "level",
        "whole_norm",
        "project",
        "xnor",
        "c10d",
        "streams",
    ]
    .map(|name| format!("src/supernet/{name}.cpp"));
    let headers = [
        "cell.h",
        "branch.h",
        "convolution.h",
        "guard.h",
        "kept.h",
        "leaves.h",
        "level.h",
        "norms.h",
        "parts.h",
        "pool.h",
        "tape.h",
        "gloo",
        "kernels",
    ]
    .map(|name| format!("src/supernet/{name}"));
    for source in sources.iter().chain(&headers) {
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
        // libtorch has gloo and not its headers.
        .include("src/supernet")
        .files(sources)
        .objects(kernels())
        .compile("nse_shim");
    // For the tests and benches; libnse.so is linked by tools/link.sh. libtorch.so carries CUDA in a CUDA set.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-l:libtorch.so,--as-needed");
}

/// The kernels, once for every instruction level; src/supernet/level.cpp picks one when the program runs.
#[cfg(feature = "torch")]
fn kernels() -> Vec<std::path::PathBuf> {
    let x86 = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    let levels: &[(&str, &[&str])] = match x86 {
        true => &[
            ("level_bf16", &["-march=x86-64-v4", "-mavx512bf16"]),
            ("level_v4", &["-march=x86-64-v4"]),
            ("level_v3", &["-march=x86-64-v3"]),
            ("level_v2", &["-march=x86-64"]),
        ],
        false => &[("level_v2", &[])],
    };
    let compile = |(name, flags): &(&str, &[&str])| {
        cc::Build::new()
            .cpp(true)
            .std("c++20")
            .warnings(false)
            .opt_level(3)
            .debug(false)
            .flags(*flags)
            .flag("-ffp-contract=fast")
            .flag("-fno-math-errno")
            .flag("-fvisibility=hidden")
            .flag("-Wno-psabi")
            .define("NSE_LEVEL", *name)
            .file("src/supernet/kernels/level.cpp")
            .out_dir(std::path::PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join(name))
            .compile_intermediates()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = levels.iter().map(|level| scope.spawn(move || compile(level))).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("the compiler ran")).collect()
    })
}
