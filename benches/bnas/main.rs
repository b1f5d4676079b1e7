//! What binary weights cost and bring: `make bnas`; docs/bnas.md says what it showed. Two parts: "kernel", convolutions of signs on packed bits
//! against the same ones of floats in libtorch, in turns and after equal results; and "search", a binary and a real search of the same cells on
//! Fashion-MNIST, what each found trained by itself.
//!
//! Usage: bnas DATA OUT [PARTS]

mod kernel;
mod search;

use std::error::Error;
use std::path::Path;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [data, out, rest @ ..] = arguments.as_slice() else {
        return Err("usage: bnas DATA OUT [PARTS]".into());
    };
    std::fs::create_dir_all(out)?;
    for part in rest.first().map_or("kernel search", String::as_str).split_whitespace() {
        let table = match part {
            "kernel" => kernel::table()?,
            "search" => search::table(data, Path::new(out))?,
            other => return Err(format!("{other:?} is no part; there are kernel and search").into()),
        };
        print!("{table}");
        std::fs::write(Path::new(out).join(format!("{part}.md")), table)?;
    }
    Ok(())
}
