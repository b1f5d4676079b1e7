//! The arrow of dependency: `ffi -> search -> {space, arch, cost}`; weights, data and files stay out of the pure part.
//! Reads the sources: comments and strings do not count, paths do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the files of a folder may name of this crate, beside the folder itself.
const MAY_NAME: [(&str, &[&str]); 4] = [
    ("space", &["error", "json"]),
    ("arch", &["error", "json", "space"]),
    ("cost", &["error", "json", "space", "arch"]),
    ("search", &["error", "json", "log", "space", "arch", "cost"]),
];

/// What the files of a folder must not name.
const MUST_NOT_NAME: [(&str, &[&str]); 7] = [
    ("report", &["ffi", "supernet"]),
    ("data", &["ffi", "supernet"]),
    ("dist", &["ffi", "supernet"]),
    ("checkpoint", &["export", "ffi", "supernet"]),
    ("export", &["ffi", "supernet"]),
    ("restore", &["ffi", "supernet"]),
    ("supernet", &["ffi"]),
];

const TORCH_CRATES: [&str; 2] = ["tch", "torch_sys"];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// "space" for src/space/json.rs; "lib.rs" for a file at the top.
fn folder(name: &str) -> &str {
    name.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The text without comments, and without strings unless they are wanted.
fn code(text: &str, strings: bool) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').unwrap() + 2
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        if strings && c == '"' {
            out.push_str(&rest[..skipped]);
        }
        rest = &rest[skipped..];
    }
    out
}

/// Identifiers and the signs between them.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = false;
    for c in code.chars() {
        let part = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if part && word => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.to_string()),
        }
        word = part;
    }
    tokens
}

/// Modules of this crate that a file names through `crate::`, or through enough `super::` to leave its folder.
fn named_modules(name: &str, text: &str) -> BTreeSet<String> {
    let tokens = tokens(&code(text, false));
    let depth = name.matches('/').count() + usize::from(!name.ends_with("mod.rs"));
    let path = |i: usize| tokens.get(i..i + 2).is_some_and(|t| t[0] == ":" && t[1] == ":");
    let mut named = BTreeSet::new();
    for (i, token) in tokens.iter().enumerate() {
        let mut end = i + 1;
        let root = match token.as_str() {
            "crate" => true,
            "super" if i < 3 || tokens[i - 3] != "super" => {
                let mut supers = 1;
                while path(end) && tokens[end + 2] == "super" {
                    (end, supers) = (end + 3, supers + 1);
                }
                supers == depth
            }
            _ => false,
        };
        if root && path(end) {
            named.extend(heads(&tokens[end + 2..]));
        }
    }
    named.into_iter().map(|m| if m == "Error" || m == "Result" { "error".into() } else { m }).collect()
}

/// The first identifiers of `a::b` or of every branch of `{a::b, c::{d, e}}`.
fn heads(tokens: &[String]) -> Vec<String> {
    if tokens[0] != "{" {
        return vec![tokens[0].clone()];
    }
    let (mut open, mut heads) = (0, Vec::new());
    for pair in tokens.windows(2) {
        match pair[0].as_str() {
            "{" => open += 1,
            "}" => open -= 1,
            _ => {}
        }
        if open == 0 {
            break;
        }
        if open == 1 && (pair[0] == "{" || pair[0] == ",") && pair[1] != "}" {
            heads.push(pair[1].clone());
        }
    }
    heads
}

fn names_crate(text: &str, name: &str) -> bool {
    tokens(&code(text, false)).iter().any(|token| token == name)
}

#[test]
fn the_scanner_sees_what_it_should() {
    let seen = |name: &str, text: &str| named_modules(name, text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(seen("space/json.rs", "use crate::arch::Architecture;"), "arch");
    assert_eq!(seen("space/json.rs", "use crate::{arch::{A, B}, cost, search::Search};"), "arch cost search");
    assert_eq!(seen("space/json.rs", "fn f() -> crate::cost::Cost { super::super::ffi::g() }"), "cost ffi");
    assert_eq!(seen("space/json.rs", "use super::{Cell, Space}; use super::pool::Pool;"), "");
    assert_eq!(seen("space/mod.rs", "use super::cost::Cost;"), "cost");
    assert_eq!(seen("cost/mod.rs", "// crate::ffi\n/* crate::data */ let a = \"crate::dist \\\" \"; crate::Error"), "error");
    assert!(names_crate("use tch::Tensor;", "tch") && names_crate("extern crate torch_sys;", "torch_sys"));
    assert!(!names_crate("//! not `tch`\nlet a = '\"'; let b = \"tch::\"; patch::apply()", "tch"));
    assert_eq!(code("a \"b // c\" // d", true), "a \"b // c\" ");
}

#[test]
fn the_pure_part_names_only_what_is_below_it() {
    for (pure, allowed) in MAY_NAME {
        let files: Vec<_> = sources().into_iter().filter(|(name, _)| folder(name) == pure).collect();
        assert!(!files.is_empty(), "src/{pure} is gone");
        for (name, text) in files {
            for named in named_modules(&name, &text) {
                assert!(named == pure || allowed.contains(&named.as_str()), "src/{name} names {named}");
            }
        }
    }
}

#[test]
fn helpers_do_not_look_up() {
    for (name, text) in sources() {
        let (_, forbidden) = MUST_NOT_NAME.iter().find(|(below, _)| *below == folder(&name)).unwrap_or(&("", &[]));
        for named in named_modules(&name, &text) {
            assert!(!forbidden.contains(&named.as_str()), "src/{name} names {named}");
        }
    }
}

#[test]
fn only_the_supernet_names_torch() {
    let sources = sources();
    for (name, text) in sources.iter().filter(|(name, _)| folder(name) != "supernet") {
        for torch in TORCH_CRATES {
            assert!(!names_crate(text, torch), "src/{name} names {torch}");
        }
    }
}

#[test]
fn only_the_top_and_the_two_ends_know_the_feature() {
    for (name, text) in sources() {
        let flat: String = code(&text, true).split_whitespace().collect();
        let known = name == "lib.rs" || folder(&name) == "supernet" || folder(&name) == "ffi";
        assert!(known || !flat.contains("feature=\"torch\""), "src/{name} depends on the feature");
    }
}
