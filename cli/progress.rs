//! What a person sees while it works, on stderr, and how Ctrl-C reaches the work.

use crate::sys::*;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// Set by the first SIGINT or SIGTERM; the second ends the program at once.
pub fn interrupts() -> std::io::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, asked.clone())?;
        signal_hook::flag::register(signal, asked.clone())?;
    }
    Ok(asked)
}

/// Hears the events of one piece of work.
pub struct Watch {
    bar: ProgressBar,
    asked: Arc<AtomicBool>,
    /// The supernet's accuracy at the last step of training.
    pub accuracy: Cell<f64>,
}

impl Watch {
    pub fn new(asked: Arc<AtomicBool>, quiet: bool) -> Self {
        let bar =
            ProgressBar::with_draw_target(None, if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
        let style = ProgressStyle::with_template("{prefix} [{bar:24}] {pos}/{len}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Watch { bar, asked, accuracy: Cell::new(f64::NAN) }
    }

    /// For a struct of the library. `self` must outlive what it is given to.
    pub fn events(&self) -> nse_events {
        nse_events {
            struct_size: size_of::<nse_events>() as u32,
            flags: 0,
            on_event: Some(heard),
            user: (&raw const *self).cast_mut().cast(),
            user_free: None,
        }
    }

    pub fn interrupted(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// A line above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub fn done(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, event: &nse_event) {
        let round = if event.rounds > 1 { format!("round {}/{} ", event.round, event.rounds) } else { String::new() };
        let (what, numbers) = match event.kind {
            NSE_EVENT_TRAIN => {
                self.accuracy.set(event.accuracy);
                (
                    "training",
                    format!(
                        "loss {:.3}  accuracy {:.1}%  {:.0} images/s",
                        event.loss,
                        100.0 * event.accuracy,
                        event.images_per_second
                    ),
                )
            }
            NSE_EVENT_SCORE => ("scoring", format!("best {:.1}%", 100.0 * event.accuracy)),
            NSE_EVENT_MEASURE => ("measuring", String::new()),
            _ => return,
        };
        let left =
            if event.seconds_left.is_finite() { format!("  {} left", duration(event.seconds_left)) } else { String::new() };
        self.bar.set_prefix(format!("{round}{what}"));
        self.bar.set_length(event.steps);
        self.bar.set_position(event.step);
        self.bar.set_message(numbers + &left);
    }
}

/// Called by the library on the thread that waits for the work.
unsafe extern "C" fn heard(user: *mut c_void, event: *const nse_event) -> i32 {
    // SAFETY: `user` is the Watch of `events`, which outlives the work, and the event lives through the call.
    let (watch, event) = unsafe { (&*user.cast::<Watch>(), &*event) };
    watch.show(event);
    i32::from(event.kind != NSE_EVENT_FINISH && watch.interrupted())
}

pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
