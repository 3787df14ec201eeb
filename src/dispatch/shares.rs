//! Who of several relays takes the next rows: each a share by its weight.
//!
//! Fair queuing: what each has taken is divided by its weight, and nobody is further ahead of another by more than a few rows. One that
//! cannot take any for now, since its rate is reached or its connection is lost, holds nobody up, and has no more to catch up with when
//! it is back.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What the relays that work at the same time have taken.
pub(super) struct Shares {
    inside: Mutex<Vec<Share>>,
    changed: Condvar,
    /// By how much one may be ahead, divided by its weight.
    ahead: f64,
}

struct Share {
    weight: f64,
    /// Rows taken, divided by the weight.
    taken: f64,
    /// Whether it holds others up.
    counts: bool,
}

/// Sums of fractions are not exact.
const ALMOST: f64 = 1e-6;

impl Shares {
    /// For each relay its weight, and how many rows it likes to take at once.
    pub(super) fn new(relays: &[(u16, i64)]) -> Self {
        let weight = |weight: u16| f64::from(weight.max(1));
        // Whoever is behind can take one, at least.
        let one = relays.iter().map(|(w, _)| 1.0 / weight(*w)).fold(0.0, f64::max);
        let batch = relays.iter().map(|(w, batch)| *batch as f64 / weight(*w)).fold(f64::INFINITY, f64::min);
        let share = |(w, _): &(u16, i64)| Share { weight: weight(*w), taken: 0.0, counts: true };
        Shares {
            inside: Mutex::new(relays.iter().map(share).collect()),
            changed: Condvar::new(),
            ahead: batch.max(one),
        }
    }

    /// How many rows a relay may take now. Waits for its turn, `most` at the longest: then 0.
    pub(super) fn turn(&self, at: usize, most: Duration) -> i64 {
        let mut inside = self.lock();
        if !inside[at].counts {
            // While it stood by the others went on without it.
            inside[at].taken = inside[at].taken.max(behind(&inside, at).unwrap_or_default());
            inside[at].counts = true;
        }
        let none = |inside: &mut Vec<Share>| self.room(inside, at) < 1;
        let (inside, _) =
            self.changed.wait_timeout_while(inside, most, none).unwrap_or_else(|poisoned| poisoned.into_inner());
        self.room(&inside, at)
    }

    /// It has taken so many.
    pub(super) fn took(&self, at: usize, rows: usize) {
        let mut inside = self.lock();
        inside[at].taken += rows as f64 / inside[at].weight;
        self.changed.notify_all();
    }

    /// It takes none until its next turn, or ever again, and nobody is to wait for it.
    pub(super) fn stand_by(&self, at: usize) {
        self.lock()[at].counts = false;
        self.changed.notify_all();
    }

    fn room(&self, shares: &[Share], at: usize) -> i64 {
        let Some(behind) = behind(shares, at) else { return i64::MAX };
        ((behind + self.ahead - shares[at].taken) * shares[at].weight + ALMOST).floor() as i64
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Share>> {
        self.inside.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What that one of the others has taken, by its weight, who has taken least.
fn behind(shares: &[Share], at: usize) -> Option<f64> {
    let others = shares.iter().enumerate().filter(|(other, share)| *other != at && share.counts);
    others.map(|(_, share)| share.taken).reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    /// Each takes what it may, in turn, until so many rows are gone; what each has then.
    fn divided(relays: &[(u16, i64)], rows: i64) -> Vec<i64> {
        let shares = Shares::new(relays);
        let mut taken = vec![0; relays.len()];
        while taken.iter().sum::<i64>() < rows {
            let before = taken.clone();
            for (at, (_, batch)) in relays.iter().enumerate() {
                let left = rows - taken.iter().sum::<i64>();
                let take = shares.turn(at, NOW).min(*batch).min(left);
                shares.took(at, take as usize);
                taken[at] += take;
            }
            assert_ne!(before, taken, "nobody may go on");
        }
        taken
    }

    #[test]
    fn each_has_its_share_but_for_a_batch() {
        for (relays, rows, fair) in [
            (vec![(3, 32), (1, 32)], 400, vec![300, 100]),
            (vec![(1, 16), (1, 64)], 1_000, vec![500, 500]),
            (vec![(100, 16), (1, 16)], 1_010, vec![1_000, 10]),
            (vec![(7, 16), (3, 16), (1, 16)], 1_100, vec![700, 300, 100]),
            (vec![(1, 16)], 10, vec![10]),
        ] {
            let taken = divided(&relays, rows);
            let (weights, batch): (i64, i64) = (relays.iter().map(|(w, _)| i64::from(*w)).max().unwrap(), 64);
            for (taken, fair) in taken.iter().zip(&fair) {
                assert!((taken - fair).abs() <= batch.max(weights), "{relays:?}: {taken} for {fair}");
            }
        }
    }

    #[test]
    fn who_is_ahead_waits_for_the_others() {
        let shares = Shares::new(&[(3, 30), (1, 30)]);
        assert_eq!(shares.turn(0, NOW), 30);
        shares.took(0, 30);
        assert_eq!(shares.turn(0, NOW), 0);
        assert_eq!(shares.turn(1, NOW), 20);
        shares.took(1, 1);
        assert_eq!(shares.turn(0, NOW), 3);
    }

    #[test]
    fn who_stands_by_holds_nobody_up_and_has_nothing_to_catch_up_with() {
        let shares = Shares::new(&[(1, 10), (1, 10)]);
        shares.took(0, 10);
        assert_eq!(shares.turn(0, NOW), 0);
        shares.stand_by(1);
        assert_eq!(shares.turn(0, NOW), i64::MAX);
        shares.took(0, 990);
        assert_eq!(shares.turn(1, NOW), 10);
        shares.took(1, 10);
        assert_eq!([shares.turn(0, NOW), shares.turn(1, NOW)], [20, 0]);
    }

    #[test]
    fn a_turn_comes_when_another_has_taken_its_rows() {
        let shares = Shares::new(&[(1, 10), (1, 10)]);
        shares.took(0, 10);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| shares.turn(0, Duration::from_secs(86_400)));
            shares.took(1, 4);
            assert_eq!(waits.join().expect("no panic"), 4);
        });
    }
}
