//! `include/nse.h` is what `src/ffi` says. `make header` (NSE_UPDATE_HEADER=1) writes it anew.

use cbindgen::{Builder, Config};
use std::fmt::Write;
use std::path::Path;

/// Title and source file of every section, in the order of the header.
const SECTIONS: &[(&str, &str)] = &[
    ("Status", "status"),
    ("Text", "buffer"),
    ("Errors", "error"),
    ("Library", "library"),
    ("Progress", "callback"),
    ("Log", "log"),
    ("Search space", "space"),
    ("Dataset", "dataset"),
    ("Images of the host", "source"),
    ("Architecture", "arch"),
    ("Latency", "latency"),
    ("Ranks", "comm"),
    ("Search", "search"),
    ("Batches of the host", "push"),
    ("Results of the host", "told"),
    ("Results", "result"),
    ("Model", "model"),
    ("Models elsewhere", "export"),
    ("Pictures", "picture"),
    ("Restoration", "restoration"),
    ("Genomes", "genome"),
    ("Operation", "op"),
];

fn generate(root: &Path) -> String {
    let mut config = Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    let take = |part: &mut Option<String>| part.take().expect("cbindgen.toml has the part").trim().to_owned();
    let (rules, macros, inits) = (take(&mut config.header), take(&mut config.after_includes), take(&mut config.trailer));
    let mut header = format!(
        "{rules}\n\n#ifndef NSE_H\n#define NSE_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n{macros}\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n"
    );
    let (mut handles, mut sections) = (String::new(), String::new());
    for (title, file) in SECTIONS {
        let source = root.join("src/ffi").join(file).with_extension("rs");
        let bindings = Builder::new().with_config(config.clone()).with_src(source).generate().expect("the section parses");
        let mut text = Vec::new();
        bindings.write(&mut text);
        let text = String::from_utf8(text).expect("cbindgen writes UTF-8");
        let (own, rest) = opaque(&text.lines().map(polished).collect::<Vec<_>>().join("\n"));
        handles.push_str(&own);
        write!(sections, "\n{}\n\n{}\n", rule(title), rest.trim()).expect("writing to a string");
    }
    write!(header, "\n{}\n\n{}\n", rule("Handles"), handles.trim()).expect("writing to a string");
    header + &sections + "\n" + &inits + "\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* NSE_H */\n"
}

fn rule(title: &str) -> String {
    format!("/* ---- {title} {} */", "-".repeat(110 - title.len()))
}

/// Incomplete structs with their comments, and the rest: sections use each other's handles, so all of them come first.
fn opaque(text: &str) -> (String, String) {
    let blocks = text.split("\n\n");
    let is_handle = |block: &&str| {
        let declares = block.lines().last().is_some_and(|line| line.starts_with("typedef struct nse_") && line.ends_with(';'));
        declares && !block.contains('{')
    };
    let (handles, rest): (Vec<_>, Vec<_>) = blocks.partition(is_handle);
    (handles.iter().map(|block| format!("{}\n\n", block.trim())).collect(), rest.join("\n\n"))
}

/// Every struct is a typedef too, and a negative constant in parentheses survives any expression.
fn polished(line: &str) -> String {
    match line.rsplit_once(' ') {
        Some((define, number)) if define.starts_with("#define NSE_ERR") => format!("{define} ({number})"),
        _ if line.starts_with("typedef struct") => line.into(),
        _ => line.replace("struct nse_", "nse_"),
    }
}

#[test]
fn header_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (path, generated) = (root.join("include/nse.h"), generate(root));
    if std::env::var_os("NSE_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("include/nse.h can be written");
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    let stale = checked_in.lines().zip(generated.lines()).position(|(a, b)| a != b);
    assert!(
        checked_in == generated,
        "include/nse.h is stale (first difference in line {:?}): run `make header`",
        stale.map(|n| n + 1)
    );
}

#[test]
fn every_exported_function_is_declared() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = std::fs::read_to_string(root.join("include/nse.h")).expect("include/nse.h is there");
    let mut exported = 0;
    for file in std::fs::read_dir(root.join("src/ffi")).expect("src/ffi is there") {
        let source = std::fs::read_to_string(file.expect("readable").path()).expect("readable");
        for (_, rest) in source.match_indices("pub extern \"C\" fn ").map(|(at, what)| (at, &source[at + what.len()..])) {
            let name = rest.split('(').next().expect("a function has arguments");
            assert!(header.contains(&format!("{name}(")), "{name} is in no section of the header");
            exported += 1;
        }
    }
    assert!(exported > 30, "only {exported} functions found: has the way they are written changed?");
}
