//! How a command ends: what went wrong, and the number that a script sees.

use crate::sys::*;
use serde_json::Value;
use std::fmt;

/// As `nse help` and docs/cli.md list them.
pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
pub const REFUSED: u8 = 3;
pub const DATA: u8 = 4;
pub const MACHINE: u8 = 5;
pub const INTERRUPTED: u8 = 75;

pub const HELP: &str = "\
Exit codes:
  0   done
  1   the work failed (a loss that is no number, an error of libtorch, a bug)
  2   the command line was not understood
  3   a setting was refused: an option, a space, a budget that cannot be met; the message names it
  4   a file or data set is missing, damaged, of the wrong kind, or cannot be written
  5   the machine cannot do it: no such device, not enough memory, no (or another) libtorch
  75  interrupted (Ctrl-C, SIGTERM); what was done is saved, and the message says how to go on";

#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
    /// Name of the library's status, and its facts.
    pub status: Option<(String, Value)>,
}

pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), status: None }
    }

    pub fn of(status: nse_status, name: String, message: String, detail: Value) -> Self {
        let code = match status {
            NSE_ERR_CONFIG
            | NSE_ERR_INVALID_ARGUMENT
            | NSE_ERR_UNREACHABLE
            | NSE_ERR_TOO_FEW
            | NSE_ERR_MISSING_LATENCY
            | NSE_ERR_NOT_FOUND => REFUSED,
            NSE_ERR_IO | NSE_ERR_FORMAT => DATA,
            NSE_ERR_DEVICE | NSE_ERR_UNSUPPORTED | NSE_ERR_TORCH_MISMATCH | NSE_ERR_OUT_OF_MEMORY => MACHINE,
            NSE_ERR_CANCELLED => INTERRUPTED,
            _ => FAILED,
        };
        Failure { code, message, status: Some((name, detail)) }
    }

    /// A file of ours that cannot be read or written.
    pub fn file(path: &std::path::Path, error: std::io::Error) -> Self {
        Failure::new(DATA, format!("{}: {error}", path.display()))
    }

    pub fn is_cancelled(&self) -> bool {
        self.code == INTERRUPTED
    }

    pub fn to_json(&self) -> Value {
        let (status, detail) = self.status.clone().map_or((Value::Null, Value::Null), |(name, detail)| (name.into(), detail));
        serde_json::json!({ "error": { "message": self.message, "exit_code": self.code, "status": status, "detail": detail } })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
