//! The rules of delivery, pure: what a try leaves behind, when next, how fast, when to stop.

pub mod breaker;
pub mod limits;
pub mod pace;
pub mod relay;
pub mod retry;
pub mod route;
pub mod throttle;

use crate::clock::Span;
use crate::reply::{Outcome, Refusal};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::fmt;

pub use limits::Limits;
pub use pace::{Domains, Rate};
pub use throttle::Throttle;

/// The `[delivery]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How many connections to the server are open at once.
    pub connections: usize,
    /// Limits, all of which hold.
    pub rates: Vec<Rate>,
    /// Further limits for the recipients in single domains.
    pub domains: Domains,
    /// Counted from a delivery's first attempt.
    pub give_up_after: Span,
    /// What is done with a delivery whose reply never came.
    pub uncertain: Uncertain,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            connections: 4,
            rates: Vec::new(),
            domains: Domains::default(),
            give_up_after: Span::hours(72),
            uncertain: Uncertain::Resend,
        }
    }
}

impl Settings {
    /// How much may go over these relays.
    pub fn limits(&self, relays: Vec<relay::Terms>) -> Limits {
        Limits { rates: self.rates.clone(), domains: self.domains.clone(), relays }
    }
}

/// What is done with a delivery whose reply never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncertain {
    /// Sent again, once, with the same bytes; if that reply fails to come too, held.
    Resend,
    /// Held until a person decides.
    Hold,
}

/// The state of a delivery in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Waits for its time. With past attempts it is what people call deferred.
    Queued,
    /// The intent is committed: the body may be on its way.
    Sending,
    /// The server took it.
    Accepted,
    /// The server will never take it, or we gave up.
    Refused,
    /// It may have been taken; it waits to be sent once more.
    Uncertain,
    /// It may have been taken; a person decides.
    Held,
    /// Withdrawn before it was sent.
    Cancelled,
}

impl State {
    /// As the store writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Sending => "sending",
            State::Accepted => "accepted",
            State::Refused => "refused",
            State::Uncertain => "uncertain",
            State::Held => "held",
            State::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the ledger knows of a delivery when its try has ended.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// Tries so far, this one included.
    pub attempts: i64,
    /// When the first one began.
    pub first_at: DateTime<Utc>,
    /// How often it was sent again in doubt, this try included.
    pub resends: i64,
}

/// What a try leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The state from now on.
    pub state: State,
    /// When it is due again, where it is.
    pub due: Option<DateTime<Utc>>,
    /// Whether the address is suppressed for it.
    pub suppress: bool,
    /// Given up rather than refused.
    pub expired: bool,
}

/// Decides what a try leaves behind. `jitter` is a number from 0 to 1.
pub fn judge(outcome: Outcome, tried: Tried, settings: &Settings, now: DateTime<Utc>, jitter: f64) -> Verdict {
    let end = |state| Verdict { state, due: None, suppress: false, expired: false };
    match outcome {
        Outcome::Accepted => end(State::Accepted),
        Outcome::Refused(refusal) => Verdict { suppress: refusal == Refusal::Hard, ..end(State::Refused) },
        Outcome::Unknown => match settings.uncertain {
            Uncertain::Resend if tried.resends == 0 => {
                Verdict { due: Some(retry::after(tried.attempts, now, jitter)), ..end(State::Uncertain) }
            }
            _ => end(State::Held),
        },
        Outcome::Deferred(_) if retry::expired(tried.attempts, tried.first_at, now, settings.give_up_after) => {
            Verdict { expired: true, ..end(State::Refused) }
        }
        Outcome::Deferred(_) => Verdict { due: Some(retry::after(tried.attempts, now, jitter)), ..end(State::Queued) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Fault;
    use chrono::TimeDelta;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    /// After the `attempts`th try, a minute after the first.
    fn judged(outcome: Outcome, attempts: i64) -> Verdict {
        let tried = Tried { attempts, first_at: NOW - TimeDelta::minutes(1), resends: 0 };
        judge(outcome, tried, &Settings::default(), NOW, 0.5)
    }

    #[test]
    fn only_a_dead_address_is_suppressed() {
        let all = [Refusal::Mailbox, Refusal::Policy, Refusal::Content, Refusal::Sender, Refusal::Other];
        let refused = Verdict { state: State::Refused, due: None, suppress: false, expired: false };
        for refusal in all {
            assert_eq!(judged(Outcome::Refused(refusal), 1), refused, "{refusal:?}");
        }
        assert_eq!(judged(Outcome::Refused(Refusal::Hard), 1), Verdict { suppress: true, ..refused });
        assert_eq!(judged(Outcome::Accepted, 1), Verdict { state: State::Accepted, ..refused });
    }

    #[test]
    fn whatever_the_fault_a_deferral_waits_alike() {
        for fault in [Fault::Recipient, Fault::Greylisted, Fault::Throttled, Fault::Connection] {
            for (attempts, seconds) in [(1, 75), (2, 225), (3, 675)] {
                let due = Some(NOW + TimeDelta::seconds(seconds));
                let waits = Verdict { state: State::Queued, due, suppress: false, expired: false };
                assert_eq!(judged(Outcome::Deferred(fault), attempts), waits, "{fault:?}");
            }
        }
    }

    #[test]
    fn a_reply_that_never_came_is_resent_once_and_then_held() {
        let settings = Settings::default();
        let tried = |resends| Tried { attempts: 1 + resends, first_at: NOW, resends };
        let judged = |settings: &Settings, resends| judge(Outcome::Unknown, tried(resends), settings, NOW, 0.0);
        let resent = judged(&settings, 0);
        assert_eq!((resent.state, resent.due), (State::Uncertain, Some(NOW + TimeDelta::seconds(60))));
        assert_eq!((judged(&settings, 1).state, judged(&settings, 1).due), (State::Held, None));
        assert_eq!(judged(&Settings { uncertain: Uncertain::Hold, ..settings }, 0).state, State::Held);
    }

    #[test]
    fn giving_up_takes_the_time_and_three_attempts() {
        let settings = Settings::default();
        let late = NOW + TimeDelta::hours(73);
        for fault in [Fault::Recipient, Fault::Greylisted, Fault::Throttled, Fault::Connection] {
            let judged = |attempts, now| {
                let tried = Tried { attempts, first_at: NOW, resends: 0 };
                judge(Outcome::Deferred(fault), tried, &settings, now, 0.5)
            };
            assert_eq!(judged(2, late).state, State::Queued);
            assert_eq!(judged(9, NOW).state, State::Queued);
            let given_up = Verdict { state: State::Refused, due: None, suppress: false, expired: true };
            assert_eq!(judged(3, late), given_up, "{fault:?}");
        }
    }

    #[test]
    fn a_state_is_shown_as_the_store_writes_it() {
        assert_eq!([State::Queued, State::Held].map(|state| state.to_string()), ["queued", "held"]);
    }

    #[test]
    fn the_table_is_read_and_what_is_left_out_has_its_default() {
        let settings: Settings = toml::from_str(
            "connections = 2\nrates = [\"14/s\"]\nuncertain = \"hold\"\ngive_up_after = \"1d\"\n[domains]\n\"gmail.com\" = \"20/s\"",
        )
        .unwrap();
        assert_eq!((settings.connections, settings.rates.len(), settings.give_up_after), (2, 1, Span::hours(24)));
        assert_eq!((settings.uncertain, settings.domains.rates("gmail.com").len()), (Uncertain::Hold, 1));
        let limits = settings.limits(Vec::new());
        assert_eq!(limits, Limits { rates: settings.rates, domains: settings.domains, relays: Vec::new() });
        let settings: Settings = toml::from_str("").unwrap();
        assert_eq!((settings.connections, settings.rates.len(), settings.give_up_after), (4, 0, Span::hours(72)));
        assert_eq!((settings.uncertain, settings.domains.is_empty()), (Uncertain::Resend, true));
    }
}
