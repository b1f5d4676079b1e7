//! What the command line says of nse.h (cli/sys.rs) is what nse.h says.

#[path = "../../cli/sys.rs"]
#[allow(non_camel_case_types, dead_code)]
mod sys;

use nse::ffi::layout;
use std::mem::offset_of;

const SYS: &str = include_str!("../../cli/sys.rs");
const HEADER: &str = include_str!("../../include/nse.h");

/// Of Rust, as C would write it.
fn c_type(rust: &str) -> String {
    match rust {
        "u8" | "u32" | "u64" | "i32" => format!("{}int{}_t", if rust.starts_with('u') { "u" } else { "" }, &rust[1..]),
        "f64" => "double".into(),
        "usize" => "size_t".into(),
        "c_char" => "char".into(),
        other => match (other.strip_prefix("*const "), other.strip_prefix("*mut ")) {
            (Some(inner), _) if !inner.starts_with('*') => format!("const {} *", c_type(inner)),
            (_, Some(inner)) | (Some(inner), _) => format!("{} *", c_type(inner)),
            _ => other.into(),
        },
    }
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn functions_of_the_command_line_are_those_of_the_header() {
    let header = squeezed(HEADER);
    let mut count = 0;
    for part in SYS.split("pub fn ").skip(1) {
        let line = part[..part.find(';').unwrap()].split_whitespace().collect::<Vec<_>>().join(" ");
        let (name, rest) = line.split_once('(').unwrap();
        let (arguments, rest) = rest.rsplit_once(')').unwrap();
        let result = rest.strip_prefix(" -> ").map_or("void".into(), c_type);
        let argument = |argument: &str| {
            let (name, rust) = argument.trim().trim_end_matches(',').split_once(": ").unwrap();
            format!("{} {name}", c_type(rust))
        };
        let arguments: Vec<_> = arguments.split(", ").filter(|a| !a.is_empty()).map(argument).collect();
        let arguments = if arguments.is_empty() { "void".into() } else { arguments.join(", ") };
        let prototype = squeezed(&format!("NSE_API {result} {name}({arguments});"));
        assert!(header.contains(&prototype), "{prototype}");
        count += 1;
    }
    assert!(count > 40);
}

#[test]
fn numbers_of_the_command_line_are_those_of_the_header() {
    let mut count = 0;
    for line in SYS.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, rest) = line.split_once(": ").unwrap();
        let value = rest.split_once(" = ").unwrap().1.trim_end_matches(';');
        let defined = |value: &str| HEADER.contains(&format!("#define {name} {value}\n"));
        assert!(defined(value) || defined(&format!("({value})")), "{line}");
        count += 1;
    }
    assert!(count > 20);
}

macro_rules! same {
    ($name:ident: $($field:ident)*) => {
        assert_eq!(size_of::<sys::$name>(), size_of::<layout::$name>(), stringify!($name));
        $(assert_eq!(offset_of!(sys::$name, $field), offset_of!(layout::$name, $field), stringify!($name $field));)*
    };
}

#[test]
fn structs_of_the_command_line_are_those_of_the_library() {
    same!(nse_buffer: data len reserved);
    same!(nse_event: struct_size kind round rounds epoch epochs step steps loss accuracy images_per_second seconds seconds_left);
    same!(nse_events: struct_size flags on_event user user_free);
    same!(nse_measure_desc: struct_size flags space options_json events);
    same!(nse_search_desc: struct_size flags space train held_out options_json events latency continued start start_count comm);
    same!(nse_model_desc: struct_size flags arch train options_json events held_out init);
}
