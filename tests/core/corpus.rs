//! What the fuzz targets start from, and what they once found: every file of every corpus, once.

#[path = "../fuzz/parsers.rs"]
mod parsers;

use std::path::Path;

#[test]
fn every_input_is_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, parser) in parsers::PARSERS {
        let files: Vec<_> = std::fs::read_dir(corpus.join(name)).expect("each parser has a corpus").collect();
        assert!(!files.is_empty(), "{name} has nothing to read");
        for file in files {
            let path = file.expect("an entry").path();
            let data = std::fs::read(&path).expect("a file");
            let read = std::panic::catch_unwind(|| parser(&data));
            assert!(read.is_ok(), "{} makes it panic", path.display());
        }
    }
    let known = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        parsers::PARSERS.iter().any(|(parser, _)| name == *parser)
    };
    assert!(std::fs::read_dir(corpus).expect("there is a corpus").all(known), "a corpus of no parser");
}

/// `cargo fuzz` knows every parser.
#[test]
fn targets_are_those_of_the_manifest() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    for (name, _) in parsers::PARSERS {
        assert!(manifest.contains(&format!("[[bin]]\nname = \"{name}\"\n")), "{name} is no target");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), parsers::PARSERS.len());
    parsers::named("space");
}
