//! What the list of mapped files says.

use nse::process::{find, mapped, parse, OpenMp};
use std::path::Path;

const MAPS: &str = "\
7f10c0000000-7f10c0021000 rw-p 00000000 00:00 0 
7f10c4a00000-7f10c4a10000 r--p 00000000 fe:01 4711                       /usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0
7f10c4a10000-7f10c4a40000 r-xp 00010000 fe:01 4711                       /usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0
7f10c5000000-7f10c5001000 r--p 00000000 fe:01 99                         /opt/my programs/torch/lib/libtorch_cpu.so
7f10c6000000-7f10c6001000 r--p 00000000 fe:01 100                        /opt/libomptarget.so
7ffd0d5f0000-7ffd0d611000 rw-p 00000000 00:00 0                          [stack]
";

fn with(line: &str) -> OpenMp {
    OpenMp::among(&parse(&format!("{MAPS}7f20c0000000-7f20c0021000 r--p 00000000 {line}\n")))
}

#[test]
fn files_are_read_once_each_with_their_spaces() {
    let files = parse(MAPS);
    let names: Vec<_> = files.iter().map(|file| (file.path.to_str().unwrap(), file.stem())).collect();
    let expected = [
        ("/opt/libomptarget.so", "omptarget"),
        ("/opt/my programs/torch/lib/libtorch_cpu.so", "torch_cpu"),
        ("/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0", "gomp"),
    ];
    assert_eq!(names, expected);
    assert_eq!(find(&files, Path::new("/opt/libomptarget.so")).unwrap().id, ("fe:01".into(), 100));
    assert!(find(&files, Path::new("/opt/libomp.so")).is_none());
    assert_eq!(parse("nothing\n\n7f10-7f11 r--p 0 fe:01"), []);
    let this = std::env::current_exe().unwrap();
    assert!(find(&mapped(), &this).is_some());
}

#[test]
fn two_kinds_of_openmp_are_too_many_and_so_are_two_files() {
    let one = OpenMp::among(&parse(MAPS));
    assert_eq!(one.libraries, [Path::new("/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0")]);
    assert_eq!(one.warning, None);
    for second in ["libiomp5.so", "libomp.so.5", "libgomp-7c85b1e2.so.1", "libomp5.so"] {
        let two = with(&format!("fe:01 5000 /opt/intel/{second}"));
        let warning = two.warning.unwrap_or_else(|| panic!("{second} is not seen"));
        assert!(warning.starts_with("2 OpenMP runtimes in one process") && warning.contains(second), "{warning}");
        assert_eq!(two.libraries.len(), 2);
    }
    // One file by two names.
    let same = with("fe:01 4711 /proc/self/root/usr/lib/libgomp.so.1");
    assert_eq!((same.libraries.len(), same.warning), (2, None));
}
