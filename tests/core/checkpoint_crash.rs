//! No failure loses the checkpoint before: places that cannot be written, a full disk, kills, readers and writers at the same time.

use crate::checkpoint_file::{assert_holds, bits, io_error, numbered, pipe, small, write_all, Folder};
use nse::checkpoint::file::{read, write};
use nse::search::Arrays;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{symlink, FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn a_checkpoint_is_replaced_whole() {
    let folder = Folder::new("replaced");
    for content in [numbered(5000), small(), numbered(7)] {
        // Left by a kill, longer than what is written now.
        fs::write(folder.partial(), vec![b'x'; 100_000]).unwrap();
        write_all(&folder.file(), &content);
        assert_holds(&folder.file(), &content);
        assert_eq!(folder.entries(), ["run.nse"]);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = Folder::new("places");
    let (head, body) = small();
    let kind = |path: &Path| io_error(write(path, &head, &body), path).kind();
    assert_eq!(kind(&folder.0.join("no/such/run.nse")), ErrorKind::NotFound);
    assert_eq!(kind(Path::new("")), ErrorKind::InvalidInput);
    assert_eq!(kind(&folder.0.join("..")), ErrorKind::InvalidInput);
    assert_eq!(kind(&folder.0.join("n".repeat(250))), ErrorKind::InvalidFilename);
    fs::create_dir(folder.file()).unwrap();
    assert_eq!(io_error(write(&folder.file(), &head, &body), &folder.file()).to_string(), "a folder, not a regular file");
    pipe(&folder.0.join("pipe"));
    assert_eq!(kind(&folder.0.join("pipe")), ErrorKind::InvalidInput);
    assert!(folder.0.join("pipe").metadata().unwrap().file_type().is_fifo());
    assert_eq!(kind(Path::new("/dev/null")), ErrorKind::InvalidInput);
    assert_eq!(folder.entries(), ["pipe", "run.nse"]);
}

#[test]
fn a_folder_without_write_permission_keeps_its_checkpoint() {
    let folder = Folder::new("permission");
    write_all(&folder.file(), &small());
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write everywhere.
    if File::create(folder.0.join("probe")).is_err() {
        let (head, body) = numbered(10);
        let error = io_error(write(&folder.file(), &head, &body), &folder.file());
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(folder.entries(), ["run.nse"]);
    }
    assert_holds(&folder.file(), &small());
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_symbolic_link_is_itself_replaced() {
    let folder = Folder::new("link");
    let target = folder.0.join("target");
    write_all(&target, &small());
    symlink("target", folder.file()).unwrap();
    assert_holds(&folder.file(), &small());
    write_all(&folder.file(), &numbered(10));
    assert!(folder.file().symlink_metadata().unwrap().is_file());
    assert_holds(&folder.file(), &numbered(10));
    assert_holds(&target, &small());
    // Nor is anything written through a link in the place of the partial file.
    symlink("target", folder.partial()).unwrap();
    let error = io_error(write(&folder.file(), "{}", &Arrays::new()), &folder.file());
    assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    assert_holds(&target, &small());
}

#[test]
fn a_reader_gets_one_of_two_whole_checkpoints() {
    let folder = Folder::new("reader");
    let contents = [numbered(20_000), numbered(9)];
    write_all(&folder.file(), &contents[0]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..200).for_each(|i| write_all(&folder.file(), &contents[i % 2]));
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            assert!(contents.contains(&read(&folder.file()).unwrap()));
        }
    });
    assert_eq!(folder.entries(), ["run.nse"]);
}

#[test]
fn two_writers_do_not_mix() {
    let folder = Folder::new("writers");
    let contents = [numbered(20_000), numbered(9)];
    write_all(&folder.file(), &contents[0]);
    std::thread::scope(|scope| {
        for (head, body) in &contents {
            scope.spawn(|| {
                for _ in 0..100 {
                    if let Err(error) = write(&folder.file(), head, body) {
                        assert!(error.to_string().ends_with("run.nse: another call or process is writing it"), "{error}");
                    }
                    assert!(contents.contains(&read(&folder.file()).unwrap()));
                }
            });
        }
    });
    assert_eq!(folder.entries(), ["run.nse"]);
}

// ---- In a process of its own ---------------------------------------------------------------------------------------------

const ROLE: &str = "NSE_TEST_CHECKPOINT_ROLE";
const FILE: &str = "NSE_TEST_CHECKPOINT_FILE";

/// Disk full, as the limit on the size of a file, and death.
#[test]
#[ignore = "other tests start it in a process of its own"]
fn child() {
    let (Ok(role), Some(file)) = (std::env::var(ROLE), std::env::var_os(FILE)) else { return };
    match role.as_str() {
        "full" => write_with_too_little_room(Path::new(&file)),
        _ => (0..100_000).for_each(|i| write_all(Path::new(&file), &numbered(30_000 + i % 2))),
    }
}

fn start(role: &str, folder: &Folder) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "checkpoint_crash::child", "--ignored"]).env(ROLE, role).env(FILE, folder.file());
    command
}

#[test]
fn a_full_disk_keeps_the_checkpoint_before() {
    let folder = Folder::new("full");
    write_all(&folder.file(), &small());
    let output = start("full", &folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_holds(&folder.file(), &numbered(20_000));
    assert_eq!(folder.entries(), ["run.nse"]);
}

/// Ends with the first size that is enough.
fn write_with_too_little_room(file: &Path) {
    let needed = {
        let trial = file.with_file_name("trial");
        write_all(&trial, &numbered(20_000));
        let length = fs::metadata(&trial).unwrap().len();
        fs::remove_file(&trial).unwrap();
        length
    };
    // SAFETY: this process does nothing else.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let (head, body) = numbered(20_000);
    let stepped = (0..needed).step_by(4099);
    for room in (0..300).chain(stepped).chain(needed - 100..needed) {
        let limit = libc::rlimit { rlim_cur: room, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the structure lives as long as the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        assert_eq!(io_error(write(file, &head, &body), file).raw_os_error(), Some(libc::EFBIG), "{room} bytes");
        assert_holds(file, &small());
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "{room} bytes");
    }
    let limit = libc::rlimit { rlim_cur: needed, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the structure lives as long as the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    write(file, &head, &body).unwrap();
}

#[test]
fn a_kill_leaves_a_whole_checkpoint_and_at_most_one_partial_file() {
    let folder = Folder::new("killed");
    let contents = [small(), numbered(30_000), numbered(30_001)];
    write_all(&folder.file(), &contents[0]);
    for i in 0..30 {
        let mut child = start("forever", &folder).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(3000 + 1370 * i));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = bits(&read(&folder.file()).unwrap());
        assert!(contents.iter().any(|content| bits(content) == found));
        let entries = folder.entries();
        assert!(entries == ["run.nse"] || entries == [".run.nse.partial", "run.nse"], "{entries:?}");
    }
    write_all(&folder.file(), &contents[0]);
    assert_eq!(folder.entries(), ["run.nse"]);
}
