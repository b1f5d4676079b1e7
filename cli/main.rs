//! `nse` on the command line: for those who want to try, and for scripts.
//!
//! A host like any other: it links libnse.so and knows nothing of it but nse.h (sys.rs, which a test holds against the header).
//! api.rs makes values of handles, and each command has a file.

#![allow(non_camel_case_types)]

mod api;
mod args;
mod exit;
mod inputs;
mod machine;
mod measure;
mod progress;
mod results;
mod run;
mod sys;
mod train;

use args::{Cli, Command, Common, SpaceCommand};
use clap::Parser;
use exit::{Outcome, FAILED};
use progress::Watch;
use serde_json::Value;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// How a command talks.
pub struct Session {
    common: Common,
    asked: Arc<AtomicBool>,
}

impl Session {
    fn watch(&self) -> Watch {
        Watch::new(self.asked.clone(), self.common.quiet)
    }

    /// Progress, on stderr.
    fn say(&self, watch: &Watch, line: &str) {
        if !self.common.quiet {
            watch.say(line);
        }
    }

    /// The result for people, on stdout.
    fn print(&self, result: impl FnOnce()) {
        if !self.common.json {
            result();
        }
    }

    /// The result for programs, on stdout.
    fn document(&self, result: &Value) {
        if self.common.json && !result.is_null() {
            println!("{result}");
        }
    }
}

fn main() -> ExitCode {
    let Cli { command, common } = Cli::parse();
    keep_memory();
    let asked = match progress::interrupts() {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("nse: signals: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let session = Session { common, asked };
    match run(&command, &session) {
        Ok(result) => {
            session.document(&result);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            if !failure.message.is_empty() {
                eprintln!("nse: {failure}");
                session.document(&failure.to_json());
            }
            ExitCode::from(failure.code)
        }
    }
}

fn run(command: &Command, session: &Session) -> Outcome<Value> {
    api::check_abi()?;
    match command {
        Command::Search(args) => run::search(args, session),
        Command::Resume(args) => run::resume(args, session),
        Command::Show(args) => results::show(args, session),
        Command::Report(args) => results::report(args, session),
        Command::Train(args) => train::train(args, session),
        Command::Export(args) => train::export(args, session),
        Command::Measure(args) => measure::measure(args, session),
        Command::Doctor(args) => machine::doctor(args, session),
        Command::Space(SpaceCommand::List) => machine::list(session),
        Command::Space(SpaceCommand::Describe(args)) => machine::describe(args, session),
        Command::Space(SpaceCommand::Json(args)) => machine::json(args, session),
        Command::Version => machine::version(session),
    }
}

/// Our process, our choice: freed memory is kept, so that not every step fetches its pages anew (docs/embedding.md).
fn keep_memory() {
    // SAFETY: these only set parameters of malloc.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
}
