//! The breaker: many refusals of one kind in a short time are our fault, not the readers', and stop the run.

use crate::reply::{Fault, Outcome, Refusal};
use std::collections::VecDeque;

/// Ten refusals in a row, or 20 of the last 100, of the same kind.
const IN_A_ROW: usize = 10;
const OF_WINDOW: usize = 20;
const WINDOW: usize = 100;
/// So many, if they are all there are.
const OF_ALL: usize = 3;
/// Lost connections, be it before a message or after all of it, with no message taken or refused between, after which the server is
/// called broken.
const LOST_IN_A_ROW: usize = 20;
/// The same where another relay is there to go on.
const LOST_AMONG_SEVERAL: usize = 8;
/// Rebukes for the pace with no message taken or refused between. More than of lost connections: several connections hear the
/// same rebuke at once, and the pace must have been halved a few times before that is called of no use.
const THROTTLED_IN_A_ROW: usize = 50;

/// Watches outcomes as they come, of all connections together.
#[derive(Debug)]
pub struct Breaker {
    recent: VecDeque<(String, Outcome)>,
    /// So many lost connections are too many.
    most_lost: usize,
    lost: usize,
    throttled: usize,
}

/// Why it tripped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tripped {
    /// Refusals of one kind; [`Breaker::hit`] names the deliveries.
    Refusals(Refusal),
    /// The server drops one connection after another.
    Connections,
    /// The server drops one connection after another, the last of them when it had all of a message.
    Doubt,
    /// The server takes nothing more, however slow the pace.
    Throttled,
}

impl Tripped {
    /// Whether another relay may do better. What is said of the addresses, or of the text, speaks of the list and of the edition.
    pub fn is_of_the_relay(self) -> bool {
        !matches!(self, Tripped::Refusals(Refusal::Hard | Refusal::Content))
    }

    /// What happened, with "the server" before it, and on a line of its own what to do.
    pub fn what_to_do(self) -> &'static str {
        match self {
            Tripped::Refusals(Refusal::Hard) => {
                "says of one address after another that it does not exist\n  help: if the server is right, the list is old: remove those addresses (`why ADDRESS` shows its words); if not, it is the wrong server"
            }
            Tripped::Refusals(Refusal::Sender) => {
                "refuses one message after another because it does not trust their sender\n  help: `why ADDRESS` shows its words; publish SPF and DMARC for the domain of mail.from, sign with DKIM, see that this account may send as mail.from and mail.bounces, then run again"
            }
            Tripped::Refusals(Refusal::Content) => {
                "takes one message after another for spam or worse\n  help: `why ADDRESS` shows its words; look at the edition's text and its links, or cancel it; then run again"
            }
            Tripped::Refusals(_) => {
                "refuses one message after another by its policy\n  help: `why ADDRESS` shows its words; look at SPF, DKIM, DMARC and the sending address, then run again"
            }
            Tripped::Connections => {
                "takes nothing: it drops one connection after another, makes no sense, or is busy before a recipient is named\n  help: `why ADDRESS` shows its words; the rest is queued; look at the server, then run again"
            }
            Tripped::Doubt => {
                "drops one connection after another once it has the message, and does not say whether it took it\n  help: `status` lists to whom; the rest is queued; look at the server, then run again"
            }
            Tripped::Throttled => {
                "takes no more for now, however slow the pace\n  help: the rest is queued; run again when its limit allows, and set delivery.rates to what it allows"
            }
        }
    }
}

impl Breaker {
    /// For one of so many relays.
    pub fn for_one_of(relays: usize) -> Self {
        let most_lost = if relays > 1 { LOST_AMONG_SEVERAL } else { LOST_IN_A_ROW };
        Breaker { recent: VecDeque::new(), most_lost, lost: 0, throttled: 0 }
    }

    /// Takes in one outcome; says so where it trips.
    pub fn watch(&mut self, delivery: &str, outcome: Outcome) -> Option<Tripped> {
        match outcome {
            Outcome::Deferred(Fault::Connection) | Outcome::Unknown => self.lost += 1,
            Outcome::Deferred(Fault::Throttled) => self.throttled += 1,
            // Only what is said of a message shows that the server is at work.
            _ => (self.lost, self.throttled) = (0, 0),
        }
        self.recent.push_back((delivery.to_owned(), outcome));
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        if self.lost >= self.most_lost {
            (self.lost, self.throttled) = (0, 0);
            return Some(if outcome == Outcome::Unknown { Tripped::Doubt } else { Tripped::Connections });
        }
        if self.throttled >= THROTTLED_IN_A_ROW {
            (self.lost, self.throttled) = (0, 0);
            return Some(Tripped::Throttled);
        }
        let Outcome::Refused(kind) = outcome else { return None };
        if !is_ours(kind) {
            return None;
        }
        let same = |(_, o): &&(String, Outcome)| *o == Outcome::Refused(kind);
        let in_a_row = self.recent.iter().rev().take_while(same).count();
        if in_a_row < IN_A_ROW && self.recent.iter().filter(same).count() < OF_WINDOW {
            return None;
        }
        Some(Tripped::Refusals(kind))
    }

    /// Asked at the end: whether all of a list that is too short to trip it were refused for one reason. Three that do not exist
    /// may be all of somebody's first list, and the server a wrong one.
    pub fn at_the_end(&self) -> Option<Tripped> {
        let mut refusals = self.recent.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Refused(kind) => Some(*kind),
            _ => None,
        });
        let first = refusals.next().filter(|kind| is_ours(*kind))?;
        let took_none = !self.recent.iter().any(|(_, outcome)| *outcome == Outcome::Accepted);
        let alike = refusals.try_fold(1, |count, kind| (kind == first).then_some(count + 1))?;
        (took_none && alike >= OF_ALL).then_some(Tripped::Refusals(first))
    }

    /// The deliveries that what tripped it hit of late. Asked when all connections have come home: what they had under way
    /// when it tripped is hit, too.
    pub fn hit(&self, tripped: Tripped) -> Vec<String> {
        let hits = match tripped {
            Tripped::Refusals(kind) => Outcome::Refused(kind),
            // What is in doubt stays so.
            Tripped::Connections | Tripped::Doubt => Outcome::Deferred(Fault::Connection),
            Tripped::Throttled => Outcome::Deferred(Fault::Throttled),
        };
        let same = self.recent.iter().filter(|(_, outcome)| *outcome == hits);
        same.map(|(delivery, _)| delivery.clone()).collect()
    }
}

/// Whether many refusals of this kind speak of us rather than of the readers. A mailbox is full for a reader's own reasons, and
/// what is not understood is held against nobody. A filter's verdict is on the one edition that all of them get.
fn is_ours(kind: Refusal) -> bool {
    match kind {
        Refusal::Hard | Refusal::Policy | Refusal::Content | Refusal::Sender => true,
        Refusal::Mailbox | Refusal::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARD: Outcome = Outcome::Refused(Refusal::Hard);
    const POLICY: Outcome = Outcome::Refused(Refusal::Policy);

    fn trips(outcomes: impl IntoIterator<Item = Outcome>) -> Option<usize> {
        let mut breaker = Breaker::for_one_of(1);
        outcomes.into_iter().enumerate().position(|(n, o)| breaker.watch(&n.to_string(), o).is_some())
    }

    #[test]
    fn ten_in_a_row_or_twenty_of_a_hundred_of_one_kind() {
        for kind in [Refusal::Hard, Refusal::Policy, Refusal::Content, Refusal::Sender] {
            let refused = Outcome::Refused(kind);
            assert_eq!(trips([refused; 10]), Some(9));
            // Every fifth; the twentieth falls 96 after the first.
            assert_eq!(trips([refused].into_iter().chain([Outcome::Accepted; 4]).cycle().take(500)), Some(95));
            // Nineteen, as many others as shall stand between, and one more.
            let at = |between| {
                let nineteen = [refused, Outcome::Accepted].repeat(19);
                trips(nineteen.into_iter().chain(vec![Outcome::Accepted; between]).chain([refused]))
            };
            assert_eq!(at(61), Some(99));
            assert_eq!(at(62), None);
        }
        assert_eq!(trips([HARD, POLICY].repeat(9)), None);
        assert_eq!(trips([HARD; 9].into_iter().chain([POLICY]).chain([HARD; 9])), None);
        assert_eq!(trips([HARD, Outcome::Accepted, Outcome::Accepted].repeat(30)), Some(57));
        assert_eq!(trips([HARD, Outcome::Accepted].into_iter().chain([Outcome::Accepted; 8]).cycle().take(500)), None);
    }

    #[test]
    fn a_short_list_that_is_refused_as_a_whole_trips_it_in_the_end() {
        let ends = |outcomes: &[Outcome]| {
            let mut breaker = Breaker::for_one_of(1);
            assert!(outcomes.iter().enumerate().all(|(n, o)| breaker.watch(&n.to_string(), *o).is_none()));
            breaker.at_the_end()
        };
        let greylisted = Outcome::Deferred(Fault::Greylisted);
        assert_eq!(ends(&[HARD; 3]), Some(Tripped::Refusals(Refusal::Hard)));
        assert_eq!(ends(&[POLICY, greylisted, POLICY, POLICY]), Some(Tripped::Refusals(Refusal::Policy)));
        let of_the_readers = Outcome::Refused(Refusal::Mailbox);
        for fine in [
            &[HARD; 2][..],
            &[HARD, HARD, HARD, Outcome::Accepted],
            &[HARD, HARD, HARD, POLICY],
            &[of_the_readers; 5],
            &[greylisted; 5],
            &[],
        ] {
            assert_eq!(ends(fine), None, "{fine:?}");
        }
    }

    #[test]
    fn what_is_nobodys_fault_or_the_readers_own_never_trips() {
        let never = [
            Outcome::Refused(Refusal::Mailbox),
            Outcome::Refused(Refusal::Other),
            Outcome::Deferred(Fault::Recipient),
            Outcome::Deferred(Fault::Greylisted),
            Outcome::Accepted,
        ];
        for outcome in never {
            assert_eq!(trips([outcome; 300]), None, "{outcome:?}");
        }
    }

    #[test]
    fn it_names_the_deliveries_that_were_hit() {
        let mut breaker = Breaker::for_one_of(1);
        breaker.watch("fine", Outcome::Accepted);
        let tripped = (0..10).find_map(|n| breaker.watch(&n.to_string(), POLICY));
        assert_eq!(tripped, Some(Tripped::Refusals(Refusal::Policy)));
        // Three more connections were in the middle of a message.
        breaker.watch("10", POLICY);
        breaker.watch("other", HARD);
        breaker.watch("11", POLICY);
        let hit = breaker.hit(Tripped::Refusals(Refusal::Policy));
        assert_eq!(hit, (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
        for (fault, tripped) in [(Fault::Connection, Tripped::Connections), (Fault::Throttled, Tripped::Throttled)] {
            let mut breaker = Breaker::for_one_of(1);
            breaker.watch("fine", Outcome::Accepted);
            let mut many = (0..100).map(|n| (n, breaker.watch(&n.to_string(), Outcome::Deferred(fault))));
            let last = many.find(|(_, said)| *said == Some(tripped)).map(|(n, _)| n).unwrap();
            assert_eq!(breaker.hit(tripped), (0..=last).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_server_that_drops_every_connection_is_called_broken() {
        let lost = Outcome::Deferred(Fault::Connection);
        assert_eq!(trips([lost; 20]), Some(19));
        assert_eq!(trips([lost; 19].into_iter().chain([Outcome::Accepted]).chain([lost; 19])), None);
        let mut breaker = Breaker::for_one_of(1);
        let tripped: Vec<_> = (0..60).filter(|_| breaker.watch("x", lost) == Some(Tripped::Connections)).collect();
        assert_eq!(tripped, [19, 39, 59]);
        let mut breaker = Breaker::for_one_of(2);
        assert_eq!((0..60).find(|_| breaker.watch("x", lost).is_some()), Some(7));
    }

    /// Else a whole list would be in doubt, and at a resend have it twice.
    #[test]
    fn nor_is_one_left_alone_that_never_says_whether_it_took_a_message() {
        let (lost, doubt) = (Outcome::Deferred(Fault::Connection), Outcome::Unknown);
        assert_eq!(trips([doubt; 20]), Some(19));
        assert_eq!(trips([doubt; 19].into_iter().chain([Outcome::Accepted]).chain([doubt; 19])), None);
        let mut breaker = Breaker::for_one_of(1);
        let mut tripped = [doubt, lost].into_iter().cycle().enumerate();
        let tripped = tripped.find_map(|(n, outcome)| breaker.watch(&n.to_string(), outcome)).unwrap();
        assert_eq!(tripped, Tripped::Connections);
        // What is in doubt is not queued again as if nothing had been sent.
        assert_eq!(
            breaker.hit(Tripped::Doubt),
            (0..20).filter(|n| n % 2 == 1).map(|n| n.to_string()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_server_that_takes_nothing_at_any_pace_is_left_alone() {
        let throttled = Outcome::Deferred(Fault::Throttled);
        let mut breaker = Breaker::for_one_of(1);
        let tripped: Vec<_> = (0..120).filter(|_| breaker.watch("x", throttled) == Some(Tripped::Throttled)).collect();
        assert_eq!(tripped, [49, 99]);
        assert_eq!(trips([throttled; 49].into_iter().chain([Outcome::Accepted]).chain([throttled; 49])), None);
        // One says no more than the other that a message may go.
        let lost = Outcome::Deferred(Fault::Connection);
        assert_eq!(trips([throttled; 49].into_iter().chain([lost, throttled])), Some(50));
        assert_eq!(trips([lost; 19].into_iter().chain([throttled, lost])), Some(20));
    }

    #[test]
    fn another_relay_makes_no_list_better_and_no_text() {
        let of_us = [Refusal::Hard, Refusal::Content].map(Tripped::Refusals);
        assert!(!of_us.into_iter().any(Tripped::is_of_the_relay));
        let of_it = [Refusal::Policy, Refusal::Sender].map(Tripped::Refusals);
        assert!(
            of_it
                .into_iter()
                .chain([Tripped::Connections, Tripped::Doubt, Tripped::Throttled])
                .all(Tripped::is_of_the_relay)
        );
    }

    #[test]
    fn whatever_trips_says_what_to_do() {
        let kinds = [Refusal::Hard, Refusal::Policy, Refusal::Content, Refusal::Sender].map(Tripped::Refusals);
        let mut said: Vec<_> =
            kinds.into_iter().chain([Tripped::Connections, Tripped::Doubt, Tripped::Throttled]).collect();
        for tripped in &said {
            let (what, help) = tripped.what_to_do().split_once("\n  help: ").unwrap();
            assert!(
                !what.is_empty() && help.contains("run again") || *tripped == Tripped::Refusals(Refusal::Hard),
                "{tripped:?}"
            );
        }
        said.sort_by_key(|tripped| tripped.what_to_do());
        said.dedup_by_key(|tripped| tripped.what_to_do());
        assert_eq!(said.len(), 7);
        let sender = Tripped::Refusals(Refusal::Sender).what_to_do();
        assert!(
            ["SPF", "DKIM", "DMARC", "mail.from", "mail.bounces"].iter().all(|word| sender.contains(word)),
            "{sender}"
        );
    }
}
