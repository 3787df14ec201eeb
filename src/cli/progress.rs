//! A bar on a terminal for what takes over a second; nothing anywhere else.

use super::arguments::Global;
use super::say;
use crate::dispatch::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs `work` while a thread draws what `progress` counts, out of `total`.
pub(super) fn during<T>(global: &Global, progress: &Progress, total: i64, work: impl FnOnce() -> T) -> T {
    if !say::on_terminal(global) || total < 2 {
        return work();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| draw(progress, total, &done));
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })
}

/// What draws how many rows are done, out of how many.
pub(super) fn bar(global: &Global) -> impl Fn(u64, u64) {
    let target = if say::on_terminal(global) { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent}%  {eta} left") {
        bar.set_style(style);
    }
    let bar = Cleared(bar);
    move |done, all| {
        if bar.0.elapsed() > Duration::from_secs(1) {
            bar.0.set_length(all);
            bar.0.set_position(done);
        }
    }
}

/// Leaves nothing on the terminal.
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn draw(progress: &Progress, total: i64, done: &AtomicBool) {
    let tick = Duration::from_millis(100);
    // Nothing flickers for what is over in a second.
    for _ in 0..10 {
        std::thread::sleep(tick);
        if done.load(Ordering::Relaxed) {
            return;
        }
    }
    let bar = ProgressBar::with_draw_target(Some(total.unsigned_abs()), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {eta} left  {msg}") {
        bar.set_style(style);
    }
    while !done.load(Ordering::Relaxed) {
        let read = |counter: &std::sync::atomic::AtomicI64| counter.load(Ordering::Relaxed);
        let (deferred, refused, unknown) = (read(&progress.deferred), read(&progress.refused), read(&progress.unknown));
        bar.set_position((read(&progress.accepted) + deferred + refused + unknown).unsigned_abs());
        bar.set_message(format!("{deferred} deferred, {refused} refused"));
        std::thread::sleep(tick);
    }
    bar.finish_and_clear();
}
