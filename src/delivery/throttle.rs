//! How a rebuke for the pace is taken: half the pace at once, then back step by step while none comes.
//!
//! Unlike the rates of the settings it is kept in memory alone: a new run learns it anew, at the price of one rebuke.

use super::Rate;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::VecDeque;

/// Over how long the pace is measured that a rebuke halves.
const MEASURED: TimeDelta = TimeDelta::seconds(4);
/// For how long nothing begins after a rebuke, and rebukes are taken for echoes of it: what was under way hears it, too.
const PAUSE: TimeDelta = TimeDelta::seconds(2);
/// How long without a rebuke until the pace rises by a quarter.
const STEP: TimeDelta = TimeDelta::seconds(20);
/// How long without a rebuke until it is forgotten, whatever was sent meanwhile.
const FORGOTTEN: TimeDelta = TimeDelta::hours(1);
const SECOND: i64 = 1_000;
/// The slowest pace: one message in that many milliseconds.
const SLOWEST: i64 = 64 * SECOND;

/// The pace of all connections together. Without a rebuke it holds nobody up.
///
/// The moments may come from a clock that steps: one that lies ahead of the clock counts as now.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    /// When messages were begun, oldest first, as far back as it is needed.
    begun: VecDeque<DateTime<Utc>>,
    limit: Option<Limit>,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    rate: Rate,
    /// The pace of the first rebuke. Beyond it the limit is lifted.
    free: i64,
    /// The last rebuke, echoes included: a server that still complains is not at peace.
    rebuked: DateTime<Utc>,
    /// The last rebuke that counted.
    halved: DateTime<Utc>,
    /// When the limit last changed, either way.
    changed: DateTime<Utc>,
    /// Whether a message has tried the limit since.
    tried: bool,
}

impl Throttle {
    /// One that holds nobody up.
    pub fn new() -> Self {
        Self::default()
    }

    /// A message was begun.
    pub fn taken(&mut self, now: DateTime<Utc>) {
        self.go_to(now);
        self.begun.push_back(now);
        if let Some(limit) = &mut self.limit {
            limit.tried = true;
        }
    }

    /// The server said that it was too much. Says whether that counts: within two seconds it is the echo of a rebuke that did.
    pub fn rebuked(&mut self, now: DateTime<Utc>) -> bool {
        self.go_to(now);
        if let Some(limit) = &mut self.limit {
            limit.rebuked = now;
            if now - limit.halved < PAUSE {
                return false;
            }
        }
        let (rate, free) = match self.limit {
            Some(limit) => (limit.rate, limit.free),
            None => (Rate { messages: self.measured(now), window: SECOND }, self.measured(now)),
        };
        let rate = halved(rate);
        self.limit = Some(Limit { rate, free, rebuked: now, halved: now, changed: now, tried: false });
        true
    }

    /// How long until the next message may begin; zero where it may now. Nothing but a rebuke or a message makes it longer.
    pub fn wait(&mut self, now: DateTime<Utc>) -> TimeDelta {
        self.go_to(now);
        let Some(limit) = self.limit else { return TimeDelta::zero() };
        let pause = PAUSE - (now - limit.halved);
        let window = TimeDelta::milliseconds(limit.rate.window);
        // The last place in the window is held by the message that began so many messages ago.
        let holder =
            (self.begun.len() as i64 - limit.rate.messages).try_into().ok().and_then(|n: usize| self.begun.get(n));
        let full = holder.map_or(TimeDelta::zero(), |began| *began + window - now);
        pause.max(full).max(TimeDelta::zero())
    }

    /// The limit in force.
    pub fn limit(&self) -> Option<Rate> {
        self.limit.map(|limit| limit.rate)
    }

    /// Takes in the time that has passed.
    fn go_to(&mut self, now: DateTime<Utc>) {
        for began in self.begun.iter_mut().rev().take_while(|began| **began > now) {
            *began = now;
        }
        if let Some(limit) = &mut self.limit {
            for moment in [&mut limit.rebuked, &mut limit.halved, &mut limit.changed] {
                *moment = now.min(*moment);
            }
        }
        self.limit = self.limit.and_then(|limit| limit.recovered(now));
        let window = self.limit.map_or(0, |limit| limit.rate.window);
        // A rebuke may double the window.
        let kept = MEASURED.max(TimeDelta::milliseconds(2 * window));
        while self.begun.front().is_some_and(|began| *began <= now - kept) {
            self.begun.pop_front();
        }
    }

    /// Messages a second over the last seconds, at least one.
    fn measured(&self, now: DateTime<Utc>) -> i64 {
        let recent = || self.begun.iter().filter(|began| **began > now - MEASURED);
        let span = recent().next().map_or(0, |first| (now - *first).num_milliseconds()).max(SECOND);
        (recent().count() as i64 * SECOND / span).max(1)
    }
}

impl Limit {
    /// The limit as it is at `now`: a step further, or none.
    fn recovered(self, now: DateTime<Utc>) -> Option<Self> {
        if now - self.rebuked >= FORGOTTEN {
            return None;
        }
        if !self.tried || now - self.rebuked < STEP || now - self.changed < STEP {
            return Some(self);
        }
        let rate = raised(self.rate);
        (rate.messages <= self.free).then_some(Limit { rate, changed: now, tried: false, ..self })
    }
}

fn halved(rate: Rate) -> Rate {
    match rate.messages {
        ..=1 => Rate { messages: 1, window: (rate.window * 2).min(SLOWEST) },
        more => Rate { messages: more / 2, ..rate },
    }
}

fn raised(rate: Rate) -> Rate {
    match rate.window > SECOND {
        true => Rate { window: rate.window / 2, ..rate },
        false => Rate { messages: rate.messages + (rate.messages / 4).max(1), ..rate },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(millis)
    }

    fn rate(text: &str) -> Option<Rate> {
        Some(text.parse().unwrap())
    }

    fn one_in(seconds: i64) -> Option<Rate> {
        Some(Rate { messages: 1, window: seconds * 1000 })
    }

    /// After that many messages, evenly spread, within the `millis` before zero.
    fn running(messages: i64, millis: i64) -> Throttle {
        let mut throttle = Throttle::new();
        (0..messages).for_each(|n| throttle.taken(at(n * millis / messages - millis)));
        throttle
    }

    #[test]
    fn without_a_rebuke_nobody_waits() {
        let mut throttle = running(100_000, 4_000);
        assert_eq!((throttle.wait(at(0)), throttle.limit()), (TimeDelta::zero(), None));
    }

    #[test]
    fn a_rebuke_halves_the_pace_that_was_measured() {
        for (messages, millis, limit) in [
            (400, 4_000, rate("50/s")),
            // What was begun before the last four seconds says nothing.
            (1000, 10_000, rate("50/s")),
            (30, 2_000, rate("7/s")),
            // All at once is a second's worth.
            (40, 40, rate("20/s")),
            (3, 1_000, rate("1/s")),
            (1, 1_000, one_in(2)),
            (0, 1, one_in(2)),
        ] {
            let mut throttle = running(messages, millis);
            assert!(throttle.rebuked(at(0)));
            assert_eq!(throttle.limit(), limit, "{messages} in {millis}");
        }
    }

    #[test]
    fn what_was_under_way_hears_the_same_rebuke() {
        let mut throttle = running(400, 4_000);
        assert!(throttle.rebuked(at(0)));
        assert!(!throttle.rebuked(at(0)) && !throttle.rebuked(at(1_999)));
        assert_eq!(throttle.limit(), rate("50/s"));
        assert!(throttle.rebuked(at(2_000)));
        assert_eq!(throttle.limit(), rate("25/s"));
        assert!(!throttle.rebuked(at(3_999)));
    }

    #[test]
    fn nothing_begins_for_two_seconds_and_then_as_many_as_the_limit_says() {
        let mut throttle = running(400, 4_000);
        throttle.rebuked(at(0));
        assert_eq!(throttle.wait(at(0)), TimeDelta::seconds(2));
        assert_eq!(throttle.wait(at(1_999)), TimeDelta::milliseconds(1));
        for _ in 0..50 {
            assert_eq!(throttle.wait(at(2_000)), TimeDelta::zero());
            throttle.taken(at(2_000));
        }
        assert_eq!(throttle.wait(at(2_000)), TimeDelta::seconds(1));
        assert_eq!(throttle.wait(at(2_999)), TimeDelta::milliseconds(1));
        assert_eq!(throttle.wait(at(3_000)), TimeDelta::zero());
    }

    #[test]
    fn it_goes_down_to_one_a_minute_and_no_further() {
        let mut throttle = running(16, 4_000);
        let limits = (0..12).map(|n| {
            throttle.rebuked(at(n * 2_000));
            throttle.limit().unwrap()
        });
        let seconds: Vec<_> = limits.map(|limit| (limit.messages, limit.window / 1000)).collect();
        let slow = [(1, 2), (1, 4), (1, 8), (1, 16), (1, 32), (1, 64), (1, 64), (1, 64), (1, 64), (1, 64)];
        assert_eq!(seconds, [&[(2, 1), (1, 1)], &slow[..]].concat());
        throttle.taken(at(24_000));
        assert_eq!(throttle.wait(at(24_000)), TimeDelta::seconds(64));
        assert_eq!(throttle.wait(at(41_999)), TimeDelta::milliseconds(46_001));
    }

    #[test]
    fn it_recovers_by_steps_that_were_tried() {
        let mut throttle = running(80, 4_000);
        throttle.rebuked(at(0));
        let step = |throttle: &mut Throttle, seconds: i64| {
            throttle.taken(at(seconds * 1000));
            throttle.wait(at(seconds * 1000));
            throttle.limit()
        };
        assert_eq!(step(&mut throttle, 19), rate("10/s"));
        // Tried at 19, so 20 raises it; tried then, but only a second ago.
        assert_eq!(step(&mut throttle, 20), rate("12/s"));
        assert_eq!(step(&mut throttle, 39), rate("12/s"));
        assert_eq!(step(&mut throttle, 40), rate("15/s"));
        throttle.wait(at(60_000));
        assert_eq!(throttle.limit(), rate("18/s"));
        // Nobody tried 18 a second.
        throttle.wait(at(200_000));
        assert_eq!(throttle.limit(), rate("18/s"));
        throttle.taken(at(200_000));
        assert_eq!(throttle.wait(at(200_000)), TimeDelta::zero());
        // 22 a second is more than it ever was.
        throttle.wait(at(220_000));
        assert_eq!(throttle.limit(), None);
    }

    #[test]
    fn an_echo_keeps_it_from_recovering() {
        let mut throttle = running(80, 4_000);
        throttle.rebuked(at(0));
        throttle.rebuked(at(1_500));
        throttle.taken(at(2_000));
        throttle.wait(at(21_499));
        assert_eq!(throttle.limit(), rate("10/s"));
        throttle.wait(at(21_500));
        assert_eq!(throttle.limit(), rate("12/s"));
    }

    #[test]
    fn the_slow_recover_to_one_a_second_and_to_what_they_were() {
        let mut throttle = running(4, 4_000);
        (0..4).for_each(|n| assert!(throttle.rebuked(at(n * 2_000))));
        assert_eq!(throttle.limit(), one_in(16));
        let mut limits = Vec::new();
        for n in 1..=5 {
            throttle.taken(at(n * 30_000));
            throttle.wait(at(n * 30_000 + 29_999));
            limits.push(throttle.limit());
        }
        assert_eq!(limits, [one_in(8), one_in(4), one_in(2), one_in(1), None]);
    }

    #[test]
    fn after_an_hour_it_is_forgotten() {
        let mut throttle = running(80, 4_000);
        throttle.rebuked(at(0));
        throttle.wait(at(3_599_999));
        assert_eq!(throttle.limit(), rate("10/s"));
        throttle.wait(at(3_600_000));
        assert_eq!(throttle.limit(), None);
    }

    #[test]
    fn a_clock_that_steps_back_holds_up_no_longer_than_the_pause() {
        let mut throttle = running(400, 4_000);
        throttle.rebuked(at(0));
        let before = at(-86_400_000);
        assert_eq!(throttle.wait(before), TimeDelta::seconds(2));
        assert!(!throttle.rebuked(before));
        assert_eq!(throttle.wait(before + TimeDelta::seconds(2)), TimeDelta::zero());
        throttle.taken(before + TimeDelta::seconds(2));
        throttle.wait(before + TimeDelta::seconds(20));
        assert_eq!(throttle.limit(), rate("62/s"));
    }

    #[derive(Clone, Debug)]
    enum Event {
        Passes(i64),
        Begins,
        Rebuked,
        Steps(i64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => (0..40_000_i64).prop_map(Event::Passes),
            4 => (0..300_i64).prop_map(Event::Passes),
            12 => Just(Event::Begins),
            1 => Just(Event::Rebuked),
            1 => (-7_200_000..7_200_000_i64).prop_map(Event::Steps),
        ]
    }

    proptest! {
        /// Whoever waits as long as told never has more messages in the window than the limit allows, and the wait ends by itself.
        #[test]
        fn no_window_holds_more_than_the_limit(events in prop::collection::vec(event(), 0..200)) {
            let mut throttle = running(200, 4_000);
            // The true time, which no step touches, and how far the clock is off.
            let (mut now, mut off) = (0, 0);
            let mut begun: Vec<i64> = Vec::new();
            for event in events {
                match event {
                    Event::Passes(millis) => now += millis,
                    Event::Rebuked => {
                        throttle.rebuked(at(now + off));
                    }
                    Event::Steps(millis) => {
                        // What the clock forgot or foresaw is its own matter; from here on it holds again.
                        off += millis;
                        begun.clear();
                    }
                    Event::Begins => {
                        let wait = throttle.wait(at(now + off)).num_milliseconds();
                        prop_assert!((0..=SLOWEST).contains(&wait));
                        if wait > 1 {
                            prop_assert!(throttle.wait(at(now + off + 1)).num_milliseconds() < wait);
                        }
                        now += wait;
                        prop_assert_eq!(throttle.wait(at(now + off)), TimeDelta::zero());
                        let limit = throttle.limit();
                        throttle.taken(at(now + off));
                        begun.push(now);
                        if let Some(Rate { messages, window }) = limit {
                            let within = begun.iter().filter(|began| **began > now - window).count() as i64;
                            prop_assert!(within <= messages, "{within} within {window} ms, where {messages} may be");
                        }
                    }
                }
            }
        }
    }
}
