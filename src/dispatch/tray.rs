//! A few rows between the one who claims them and those who send them.

use crate::store::ledger::Claimed;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Rows that are claimed and not begun.
pub(super) struct Tray {
    inside: Mutex<Inside>,
    changed: Condvar,
    /// With fewer rows it wants more.
    low: usize,
}

struct Inside {
    rows: VecDeque<Claimed>,
    /// No more rows will come.
    closed: bool,
    /// Sessions that take from it.
    takers: usize,
}

impl Tray {
    pub(super) fn new(takers: usize, low: usize) -> Self {
        let inside = Inside { rows: VecDeque::new(), closed: false, takers };
        Tray { inside: Mutex::new(inside), changed: Condvar::new(), low }
    }

    /// Waits until it wants rows, or `most` has passed: then false. None: nobody takes any more.
    pub(super) fn wants(&self, most: Duration) -> Option<bool> {
        let inside = self.lock();
        let full = |inside: &mut Inside| inside.rows.len() > self.low && inside.takers > 0;
        let (inside, _) =
            self.changed.wait_timeout_while(inside, most, full).unwrap_or_else(|poisoned| poisoned.into_inner());
        (inside.takers > 0).then_some(inside.rows.len() <= self.low)
    }

    pub(super) fn lay(&self, rows: Vec<Claimed>) {
        self.lock().rows.extend(rows);
        self.changed.notify_all();
    }

    /// A row that another session could not send.
    pub(super) fn lay_back(&self, row: Claimed) {
        self.lock().rows.push_front(row);
        self.changed.notify_all();
    }

    /// A row that is at hand.
    pub(super) fn at_hand(&self) -> Option<Claimed> {
        let mut inside = self.lock();
        let row = inside.rows.pop_front();
        if inside.rows.len() == self.low {
            self.changed.notify_all();
        }
        row
    }

    /// Waits for a row; none where no more will come, or `most` has passed.
    pub(super) fn next(&self, most: Duration) -> Next {
        let empty = |inside: &mut Inside| inside.rows.is_empty() && !inside.closed;
        let inside = self.lock();
        let (mut inside, _) =
            self.changed.wait_timeout_while(inside, most, empty).unwrap_or_else(|poisoned| poisoned.into_inner());
        match inside.rows.pop_front() {
            Some(row) => {
                if inside.rows.len() == self.low {
                    self.changed.notify_all();
                }
                Next::Row(Box::new(row))
            }
            None if inside.closed => Next::Closed,
            None => Next::Nothing,
        }
    }

    /// No more rows will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// A session takes no more.
    pub(super) fn leave(&self) {
        self.lock().takers -= 1;
        self.changed.notify_all();
    }

    /// What is left on it.
    pub(super) fn clear(self) -> VecDeque<Claimed> {
        self.inside.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).rows
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What [`Tray::next`] found.
pub(super) enum Next {
    Row(Box<Claimed>),
    Nothing,
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::ledger::Text;
    use chrono::DateTime;
    use std::thread;

    /// Nobody waits so long: where something comes, it is heard of at once.
    const LONG: Duration = Duration::from_secs(86_400);
    const MOMENT: Duration = Duration::from_millis(20);

    fn row(id: &str) -> Claimed {
        Claimed {
            id: id.to_owned(),
            subscriber: "s1".to_owned(),
            occasion: "weekly/1".to_owned(),
            text: Text::Variant("v1".to_owned()),
            address: "ada@example.net".parse().expect("an address"),
            hash: "h".to_owned(),
            name: None,
            date: DateTime::UNIX_EPOCH,
        }
    }

    fn rows(ids: &[&str]) -> Vec<Claimed> {
        ids.iter().map(|id| row(id)).collect()
    }

    fn next(tray: &Tray, most: Duration) -> String {
        match tray.next(most) {
            Next::Row(row) => row.id,
            Next::Nothing => "nothing".to_owned(),
            Next::Closed => "closed".to_owned(),
        }
    }

    /// What came of it after no less than [`MOMENT`].
    fn waited<T>(wait: impl FnOnce(Duration) -> T) -> T {
        let watch = Clock::system().stopwatch();
        let result = wait(MOMENT);
        assert!(watch.elapsed() >= MOMENT);
        result
    }

    #[test]
    fn it_wants_rows_while_few_are_left_and_somebody_takes_them() {
        let tray = Tray::new(2, 1);
        assert_eq!(tray.wants(LONG), Some(true));
        tray.lay(rows(&["a"]));
        assert_eq!(tray.wants(LONG), Some(true));
        tray.lay(rows(&["b"]));
        assert_eq!(waited(|most| tray.wants(most)), Some(false));
        tray.leave();
        assert_eq!(waited(|most| tray.wants(most)), Some(false));
        tray.leave();
        assert_eq!(tray.wants(LONG), None);
        assert_eq!(tray.clear().len(), 2);
    }

    #[test]
    fn what_is_given_back_is_the_next_to_go() {
        let tray = Tray::new(1, 1);
        tray.lay(rows(&["a", "b", "c"]));
        let first = tray.at_hand().expect("there are three");
        assert_eq!(first.id, "a");
        tray.lay_back(first);
        assert_eq!([next(&tray, LONG), next(&tray, LONG)], ["a", "b"]);
        assert_eq!(tray.at_hand().map(|row| row.id).as_deref(), Some("c"));
        assert!(tray.at_hand().is_none());
    }

    #[test]
    fn it_is_closed_only_when_it_is_empty() {
        let tray = Tray::new(1, 1);
        assert_eq!(waited(|most| next(&tray, most)), "nothing");
        tray.lay(rows(&["a"]));
        tray.close();
        assert_eq!([next(&tray, LONG), next(&tray, LONG)], ["a", "closed"]);
    }

    /// Whether the one who claims has begun to wait or is about to: it hears of it.
    #[test]
    fn who_takes_the_last_row_but_a_few_says_so() {
        let takes: [fn(&Tray); 2] = [|tray| drop(tray.at_hand()), |tray| drop(tray.next(LONG))];
        for take in takes.repeat(20) {
            let tray = Tray::new(1, 1);
            tray.lay(rows(&["a", "b"]));
            thread::scope(|scope| {
                let claims = scope.spawn(|| tray.wants(LONG));
                (0..1_000).for_each(|_| thread::yield_now());
                take(&tray);
                assert_eq!(claims.join().expect("no panic"), Some(true));
            });
        }
    }
}
