//! A C compiler gives every struct of `include/nse.h` the size, alignment and offsets that Rust gives it. The structs and
//! fields that C is asked for are read from the header, so one that is not in the list here makes the two differ.

use nse::ffi::layout::*;
use std::fmt::Write;
use std::mem::{align_of, offset_of, size_of};
use std::path::Path;
use std::process::Command;

fn width<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

/// One line for a struct (name, size, alignment) and one for each field (name, offset, size).
macro_rules! layouts {
    ($($name:ident { $($field:ident)* })*) => {{
        let mut text = String::new();
        $(
            writeln!(text, "{} {} {}", stringify!($name), size_of::<$name>(), align_of::<$name>()).expect("writing to a string");
            $(
                let (offset, size) = (offset_of!($name, $field), width(|s: &$name| &s.$field));
                writeln!(text, "{}.{} {offset} {size}", stringify!($name), stringify!($field)).expect("writing to a string");
            )*
        )*
        text
    }};
}

fn rust() -> String {
    layouts! {
        nse_buffer { data len reserved }
        nse_event {
            struct_size kind round rounds epoch epochs step steps loss accuracy images_per_second seconds seconds_left
        }
        nse_events { struct_size flags on_event user user_free }
        nse_log_sink { struct_size flags log user user_free }
        nse_images { struct_size channels height width count classes pixels labels }
        nse_source { struct_size flags channels height width count classes fill user user_free }
        nse_measure_desc { struct_size flags space options_json events }
        nse_comm_desc { struct_size flags rank size timeout_ms sum max broadcast gather barrier user user_free }
        nse_search_desc {
            struct_size flags space train held_out options_json events latency continued start start_count comm
        }
        nse_batch { struct_size flags phase count images labels images_dlpack labels_dlpack lr }
        nse_pushed { struct_size next completed rounds epoch epochs step loss accuracy lr }
        nse_result { struct_size flags code accuracy cost }
        nse_model_desc { struct_size flags arch train options_json events held_out init }
        nse_picture { struct_size channels height width data }
        nse_restoration_desc { struct_size flags picture mask reference options_json events }
    }
}

/// A program that prints the same lines, for what the header declares.
fn program(header: &str) -> String {
    let mut body = String::new();
    let mut inside = None;
    for line in header.lines().filter(|line| !line.trim_start().starts_with(['*', '/'])) {
        if let Some(name) = line.strip_prefix("typedef struct ").and_then(|rest| rest.strip_suffix(" {")) {
            inside = Some(name);
            writeln!(body, "    printf(\"{name} %zu %zu\\n\", sizeof({name}), _Alignof({name}));").expect("writing to a string");
        } else if line.starts_with('}') {
            inside = None;
        } else if let (Some(name), Some(declared)) = (inside, line.strip_suffix(';')) {
            let field = declared.rsplit([' ', '*']).next().unwrap_or_default();
            writeln!(
                body,
                "    printf(\"{name}.{field} %zu %zu\\n\", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));"
            )
            .expect("writing to a string");
        }
    }
    format!("#include <nse.h>\n#include <stdio.h>\n\nint main(void) {{\n{body}    return 0;\n}}\n")
}

#[test]
fn structs_have_one_layout_in_rust_and_c() {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let header = std::fs::read_to_string(include.join("nse.h")).expect("include/nse.h is there");
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("layout.c"), program(&header)).expect("the program can be written");
    // Through the shell, for a CC of several words.
    let output = Command::new("sh")
        .args(["-ec", "${CC:-cc} -std=c11 -Werror -I\"$1\" layout.c -o layout && ./layout", "sh"])
        .arg(&include)
        .current_dir(folder.path())
        .output()
        .expect("there is a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (c, rust) = (String::from_utf8_lossy(&output.stdout).into_owned(), rust());
    for line in c.lines() {
        assert!(
            rust.lines().any(|known| known == line),
            "in C \"{line}\"; Rust has it otherwise, or it is not in tests/abi/layout.rs"
        );
    }
    assert_eq!(c, rust, "tests/abi/layout.rs lists what include/nse.h does not have, or in another order");
}
