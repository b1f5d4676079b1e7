//! `include/nse.h` is the manual: every function says what its parameters are, since when it is there, and whether it takes long.

use std::path::Path;

struct Function {
    name: String,
    doc: String,
    parameters: Vec<String>,
}

/// Name of a parameter: the last word of its declaration, or what is behind the star of a function pointer.
fn parameter(declared: &str) -> Option<String> {
    let declared = declared.trim();
    let word = match declared.split_once("(*") {
        Some((_, rest)) => rest.split(')').next(),
        None => declared.rsplit([' ', '*']).next(),
    };
    word.filter(|word| !word.is_empty() && *word != "void").map(str::to_owned)
}

fn functions() -> Vec<Function> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/nse.h");
    let header = std::fs::read_to_string(path).expect("include/nse.h is there");
    let mut functions = Vec::new();
    for (at, start) in header.match_indices("NSE_API") {
        let Some((doc, between)) = header[..at].rsplit_once("/**").and_then(|(_, rest)| rest.split_once("*/")) else { continue };
        if !between.trim().is_empty() {
            continue;
        }
        let declaration = header[at + start.len()..].split(';').next().expect("a declaration ends");
        let (before, arguments) = declaration.split_once('(').expect("a function has arguments");
        let name = before.rsplit([' ', '*']).next().expect("and a name").to_owned();
        let arguments = arguments.rsplit_once(')').expect("in parentheses").0;
        // No parameter is a function pointer that has parameters of several kinds: commas separate parameters only.
        let parameters = arguments.split(',').filter_map(parameter).collect();
        let words = doc.lines().map(|line| line.trim().trim_start_matches('*').trim());
        functions.push(Function { name, doc: words.collect::<Vec<_>>().join(" "), parameters });
    }
    assert!(functions.len() > 70, "only {} functions found: has the header changed its form?", functions.len());
    functions
}

/// The object that a function is about is its first parameter and has the name of its kind; `err` is explained on the first page.
fn is_explained_once(function: &Function, parameter: &str) -> bool {
    let subject = function.name.split('_').nth(1).is_some_and(|noun| noun == parameter);
    parameter == "err" || (subject && function.parameters.first().is_some_and(|first| first == parameter))
}

#[test]
fn every_parameter_is_explained() {
    for function in functions() {
        for parameter in function.parameters.iter().filter(|parameter| !is_explained_once(&function, parameter)) {
            assert!(function.doc.contains(&format!("`{parameter}`")), "{}: nothing is said of {parameter}", function.name);
        }
    }
}

#[test]
fn every_function_says_since_when_it_is_there() {
    for function in functions() {
        assert!(function.doc.contains("Since 0."), "{}: {}", function.name, function.doc);
    }
}

/// What trains, computes with tensors, reads or writes files, or calls the host back.
const LONG: &[&str] = &[
    "nse_runtime_info",
    "nse_shutdown",
    "nse_dataset_open",
    "nse_dataset_from_source",
    "nse_latency_measure",
    "nse_latency_measure_arch",
    "nse_comm_create",
    "nse_comm_launched",
    "nse_comm_test",
    "nse_search_create",
    "nse_search_load",
    "nse_search_save",
    "nse_search_estimate",
    "nse_search_step",
    "nse_search_push",
    "nse_model_train",
    "nse_model_evaluate",
    "nse_model_export",
    "nse_model_export_memory",
    "nse_model_load",
    "nse_model_load_memory",
    "nse_model_from_search",
    "nse_op_poll",
    "nse_restoration_load",
    "nse_restoration_save",
    "nse_restoration_step",
    "nse_restoration_run",
];

#[test]
fn what_takes_long_says_so() {
    for function in functions() {
        let blocks = function.doc.contains("Blocks");
        assert_eq!(blocks, LONG.contains(&function.name.as_str()), "{}: {}", function.name, function.doc);
    }
}

#[test]
fn every_status_that_a_function_names_is_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/nse.h");
    let header = std::fs::read_to_string(path).expect("include/nse.h is there");
    let known: Vec<&str> = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split(' ').next()).collect();
    for function in functions() {
        for word in function.doc.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.starts_with("NSE_"))
        {
            assert!(known.contains(&word), "{} names {word}", function.name);
        }
    }
}
