//! Letters in the ledger: they go by the same rules as editions (P1, P2, P7), before them, and only to whom each kind may go.

use crate::support::database::{Base, every_store};
use crate::support::edition::*;
use chrono::{DateTime, TimeDelta, Utc};
use postrider::clock::Clock;
use postrider::delivery::{self, Uncertain};
use postrider::dispatch::{Dispatch, End, Progress, Relays};
use postrider::message::letter::Kind;
use postrider::message::{self, Signer};
use postrider::random::Random;
use postrider::reply::{Fault, Outcome, Refusal};
use postrider::store::consents::{Confirmed, Reaction, Request, Wishes};
use postrider::store::ledger::{Pending, Recovered};
use postrider::store::{Error, Mode, Store};
use postrider::subscriber::{Choices, Suppression};
use postrider::token::{Keyring, Purpose};
use postrider::transport::Transport;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

const NEW: &str = "new@example.org";

fn hours(hours: i64) -> DateTime<Utc> {
    monday() + TimeDelta::hours(hours)
}

fn request(email: &str) -> Request {
    Request {
        address: address(email),
        digests: Choices::default(),
        topics: Choices::parse("birds"),
        language: Some("de".to_owned()),
        source: "form".to_owned(),
        wording: "w".to_owned(),
        network: None,
    }
}

fn ask(store: &Store, email: &str, now: DateTime<Utc>) -> Reaction {
    store.request(&request(email), ("confirm?", "links"), &Random::system(), now).expect("it is written")
}

fn id(store: &Store, email: &str) -> String {
    store.find_subscriber(&address(email), &Random::seeded(1)).expect("it is read").expect("they are there").id
}

fn confirm(store: &Store, email: &str, number: i64, now: DateTime<Utc>) -> Confirmed {
    store.confirm(&id(store, email), number, Some("welcome"), &Random::system(), now).expect("it is written")
}

fn status(store: &Store, email: &str) -> String {
    let found = store.find_subscriber(&address(email), &Random::seeded(1)).expect("it is read");
    found.map_or("nobody".to_owned(), |found| found.row.status.to_string())
}

/// The state of the delivery of an occasion to anybody.
fn of(base: &Base, occasion: &str) -> String {
    base.look(&format!("SELECT COALESCE(MAX(state), 'none') FROM deliveries WHERE occasion = '{occasion}'"))
}

#[test]
fn a_stranger_is_asked_confirms_and_is_greeted() {
    every_store(|base| {
        let store = base.open();
        assert_eq!(ask(&store, NEW, hours(0)), Reaction::Wrote(Kind::Confirm));
        assert_eq!((status(&store, NEW), store.letters_waiting().unwrap()), ("pending".to_owned(), 1));
        // Again at most once a day, whatever the case.
        assert_eq!(ask(&store, "NEW@example.org", hours(23)), Reaction::TooSoon);
        assert_eq!((store.waiting().unwrap(), store.next_due().unwrap()), (1, Some(hours(0))));
        assert_eq!(confirm(&store, NEW, 1, hours(24)), Confirmed::Now);
        assert_eq!((status(&store, NEW), of(base, "welcome/1")), ("active".to_owned(), "queued".to_owned()));
        assert_eq!(of(base, "confirm/1"), "cancelled", "it was not sent yet, and asks for nothing any more");
        let row = store.find_subscriber(&address(NEW), &Random::seeded(1)).unwrap().unwrap().row;
        assert_eq!((row.topics.as_str(), row.language.as_deref()), (";birds;", Some("de")));
        // A second click changes nothing, even where they have left since.
        assert_eq!(confirm(&store, NEW, 1, hours(25)), Confirmed::Before);
        store.unsubscribe(&id(&store, NEW), "link", &Random::system(), hours(26)).unwrap();
        assert_eq!(confirm(&store, NEW, 1, hours(27)), Confirmed::Before);
        assert_eq!((status(&store, NEW), of(base, "welcome/1")), ("unsubscribed".to_owned(), "cancelled".to_owned()));
        // By a request of their own they come back.
        assert_eq!(ask(&store, NEW, hours(28)), Reaction::Wrote(Kind::Confirm));
        assert_eq!(
            (status(&store, NEW), confirm(&store, NEW, 3, hours(28))),
            ("unsubscribed".into(), Confirmed::Expired)
        );
        assert_eq!(confirm(&store, NEW, 2, hours(29)), Confirmed::Now);
        assert_eq!((status(&store, NEW), of(base, "welcome/2")), ("active".to_owned(), "queued".to_owned()));
        // Who is subscribed and asks gets the link to their preferences, once a day.
        assert_eq!(ask(&store, NEW, hours(30)), Reaction::Wrote(Kind::Links));
        assert_eq!(ask(&store, NEW, hours(31)), Reaction::TooSoon);
        assert_eq!(base.look("SELECT COUNT(*) FROM letters"), "3", "what they say is stored once");
    });
}

#[test]
fn a_request_expires_and_is_forgotten_unless_it_was_confirmed() {
    every_store(|base| {
        let store = base.open();
        ask(&store, NEW, hours(0));
        ask(&store, "kept@example.org", hours(1));
        ask(&store, "bounced@example.org", hours(0));
        store.suppress(&address("bounced@example.org"), Suppression::Complaint, &Random::system(), hours(1)).unwrap();
        assert_eq!(confirm(&store, "kept@example.org", 1, hours(72)), Confirmed::Now);
        assert_eq!(store.tidy_requests(hours(71)).unwrap(), 0);
        assert_eq!(confirm(&store, NEW, 1, hours(72)), Confirmed::Expired);
        // While its letter is under way nothing is forgotten.
        let one = ledger(&store, "one");
        ask(&store, "slow@example.org", hours(0));
        let row = claim(&one, 9, hours(1)).into_iter().find(|row| row.address == address("slow@example.org")).unwrap();
        let begun = one.begin(None, &row.id, hours(1)).and_then(Pending::wait).unwrap().unwrap();
        assert_eq!((store.tidy_requests(hours(73)).unwrap(), status(&store, NEW)), (1, "nobody".to_owned()));
        one.settle(ended(&row, begun, Outcome::Accepted, hours(73))).unwrap();
        // Nor does what came back for it keep anybody.
        let sql = "INSERT INTO bounces (delivery, mail, hash, at, kind, verdict, text, judged) VALUES ($1, 'm', $2, 0, 'bounce', 'soft', '', 1)";
        base.connection().execute(sql, &[row.id.as_str().into(), row.hash.as_str().into()]).unwrap();
        assert_eq!(store.tidy_requests(hours(73)).unwrap(), 1);
        assert_eq!(
            (status(&store, "kept@example.org"), status(&store, "bounced@example.org")),
            ("active".into(), "pending".into())
        );
        assert_eq!(base.look("SELECT COUNT(*) FROM attempts"), "0");
        // One who complained is asked once in thirty days, and remembered for that long.
        assert_eq!(ask(&store, "bounced@example.org", hours(24 * 29)), Reaction::TooSoon);
        assert_eq!(store.tidy_requests(hours(24 * 31)).unwrap(), 1);
        assert_eq!(ask(&store, "bounced@example.org", hours(24 * 31)), Reaction::Wrote(Kind::Confirm));
    });
}

#[test]
fn each_letter_goes_to_whom_it_may_go_to_the_last_moment() {
    every_store(|base| {
        let store = base.open();
        let random = Random::system();
        let begin = |now| {
            let one = ledger(&store, "one");
            let rows = claim(&one, 9, now);
            let row = rows.first().expect("a letter waits");
            let begun = one.begin(None, &row.id, now).and_then(Pending::wait).unwrap();
            begun.inspect(|begun| one.settle(ended(row, *begun, Outcome::Accepted, now)).unwrap()).is_some()
        };
        // A confirmation goes to those who are not subscribed, and to who bounced or complained, who come back by it.
        for (email, suppression, goes) in [
            ("a@example.org", None, true),
            ("b@example.org", Some(Suppression::Bounce), true),
            ("c@example.org", Some(Suppression::Complaint), true),
            ("d@example.org", Some(Suppression::Manual), false),
        ] {
            ask(&store, email, hours(0));
            // Behind the store's back: what is queued would be withdrawn.
            let reason = suppression.map(Suppression::as_str);
            if let Some(reason) = reason {
                base.change(&format!(
                    "INSERT INTO suppressions (hash, address, reason, at) SELECT hash, address, '{reason}', 0 FROM subscribers WHERE address = '{email}'"
                ));
            }
            assert_eq!(begin(hours(0)), goes, "{email}");
            let expected = if goes { Confirmed::Now } else { Confirmed::Expired };
            assert_eq!(confirm(&store, email, 1, hours(1)), expected, "{email}");
            if goes {
                assert_eq!(store.suppression(&address(email), &random).unwrap(), None, "{email}");
                assert!(begin(hours(1)), "{email}: the welcome");
            }
        }
        assert_eq!(ask(&store, "d@example.org", hours(99)), Reaction::Never);
        // A request that expired while its letter waited asks for nothing any more.
        ask(&store, "e@example.org", hours(0));
        assert!(!begin(hours(72)));
        // A welcome does not go to who has left or is suppressed.
        ask(&store, "f@example.org", hours(100));
        assert!(begin(hours(100)));
        confirm(&store, "f@example.org", 1, hours(101));
        base.change("UPDATE subscribers SET status = 'unsubscribed' WHERE address = 'f@example.org'");
        assert!(!begin(hours(101)));
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE state = 'cancelled'"), "3");
    });
}

#[test]
fn letters_go_first_and_count_in_no_edition() {
    every_store(|base| {
        let store = released(base, 3);
        ask(&store, NEW, hours(1));
        let one = ledger(&store, "one");
        let rows = claim(&one, 2, hours(2));
        assert!(rows.iter().any(|row| row.occasion == "confirm/1") && rows.len() == 2, "{rows:?}");
        assert_eq!(rows.iter().find(|row| row.occasion == "confirm/1").unwrap().date, hours(1));
        assert_eq!((counts(&store).recipients(), store.waiting().unwrap()), (3, 4));
        // What holds for editions does not hold them: an edition that is cancelled takes no letter with it.
        store.cancel("weekly/1").unwrap();
        assert_eq!(of(base, "confirm/1"), "queued");
        let story = store.story(&address(NEW), &Random::seeded(1)).unwrap();
        assert!(story.events.iter().any(|event| event.edition.as_deref() == Some("confirm/1")), "{story:?}");
        // One that nobody could send for three days is withdrawn.
        drop(one);
        let one = ledger(&store, "two");
        one.hold_rested(hours(1)).unwrap();
        assert_eq!(of(base, "confirm/1"), "queued");
        one.hold_rested(hours(2)).unwrap();
        assert_eq!(of(base, "confirm/1"), "cancelled");
    });
}

#[test]
fn a_letter_in_doubt_is_resent_once_refused_and_given_up_like_any_other() {
    every_store(|base| {
        let store = base.open();
        ask(&store, NEW, hours(0));
        let one = ledger(&store, "one");
        let row = claim(&one, 9, hours(0)).remove(0);
        one.begin(None, &row.id, hours(0)).and_then(Pending::wait).unwrap().expect("it may go");
        drop(one);
        let two = ledger(&store, "two");
        let mut recovered = Recovered::default();
        while recovered.uncertain == 0 {
            recovered = two.recover(Uncertain::Resend, hours(1)).unwrap();
        }
        assert_eq!(store.uncertain().unwrap()[0].edition, "confirm/1");
        let again = claim(&two, 9, hours(1)).remove(0);
        assert_eq!((&again.id, again.date, &again.text), (&row.id, row.date, &row.text));
        let begun = two.begin(None, &again.id, hours(1)).and_then(Pending::wait).unwrap().unwrap();
        two.settle(ended(&again, begun, Outcome::Unknown, hours(1))).unwrap();
        assert_eq!((store.held().unwrap()[0].edition.as_str(), store.resent().unwrap().len()), ("confirm/1", 1));

        ask(&store, "gone@example.org", hours(0));
        let row = claim(&two, 9, hours(1)).remove(0);
        let begun = two.begin(None, &row.id, hours(1)).and_then(Pending::wait).unwrap().unwrap();
        two.settle(ended(&row, begun, Outcome::Refused(Refusal::Hard), hours(1))).unwrap();
        let reason = store.suppression(&address("gone@example.org"), &Random::seeded(1)).unwrap();
        assert_eq!(reason.as_deref(), Some("bounce"));
        assert_eq!(ask(&store, "gone@example.org", hours(48)), Reaction::TooSoon);

        ask(&store, "full@example.org", hours(0));
        for (hour, state) in [(1, "queued"), (20, "queued"), (73, "cancelled")] {
            let row = claim(&two, 9, hours(hour)).remove(0);
            if let Some(begun) = two.begin(None, &row.id, hours(hour)).and_then(Pending::wait).unwrap() {
                two.settle(ended(&row, begun, Outcome::Deferred(Fault::Recipient), hours(hour))).unwrap();
            }
            assert_eq!(base.look("SELECT state FROM deliveries WHERE address = 'full@example.org'"), state, "{hour}");
        }
    });
}

#[test]
fn an_address_is_changed_by_who_reads_the_new_one() {
    every_store(|base| {
        let store = base.open();
        let random = Random::system();
        people(&store, 2, &random);
        let (r0, r1) = (id(&store, "r0@example.org"), id(&store, "r1@example.org"));
        let change = |subscriber: &str, to: &str, now| {
            store.request_change(subscriber, &request(to), "change?", &random, now).unwrap()
        };
        // To one that another has, nothing is written.
        assert_eq!(change(&r0, "R1@example.org", hours(0)), Reaction::Never);
        ask(&store, NEW, hours(0));
        let pending = id(&store, NEW);
        assert_eq!(change(&r0, NEW, hours(23)), Reaction::TooSoon, "it has had its letter for today");
        assert_eq!(change(&r0, NEW, hours(25)), Reaction::Wrote(Kind::Change));
        assert_eq!(store.consent(&r0, Kind::Change, 1).unwrap().unwrap().address, address(NEW));
        assert_eq!(store.confirm_change(&r1, 1, &random, hours(26)).unwrap(), Confirmed::Expired);
        assert_eq!(store.confirm_change(&r0, 1, &random, hours(26)).unwrap(), Confirmed::Now);
        assert_eq!((id(&store, NEW), status(&store, "r0@example.org")), (r0.clone(), "nobody".to_owned()));
        assert_eq!(store.subscriber(&pending).unwrap().map(|s| s.id), None, "who never confirmed has no claim to it");
        assert_eq!(store.confirm_change(&r0, 1, &random, hours(27)).unwrap(), Confirmed::Before);
        // Two who want the same: the first has it.
        for subscriber in [&r0, &r1] {
            let reaction = change(subscriber, "third@example.org", hours(30));
            assert_eq!(reaction == Reaction::TooSoon, subscriber == &r1, "{reaction:?}");
        }
        assert_eq!(store.confirm_change(&r0, 2, &random, hours(31)).unwrap(), Confirmed::Now);
        assert_eq!(change(&r1, "third@example.org", hours(60)), Reaction::Never);
        // The list that is a file has the old address for as long as nobody mends it: it is not a new person.
        let listed = || ["r5@example.org", "r6@example.org"].map(|email| Ok(row(email))).into_iter();
        store.sync_subscribers(listed(), false, &random, hours(61)).unwrap();
        let r5 = id(&store, "r5@example.org");
        assert_eq!(change(&r5, "fifth@example.org", hours(62)), Reaction::Wrote(Kind::Change));
        assert_eq!(store.confirm_change(&r5, 1, &random, hours(63)).unwrap(), Confirmed::Now);
        assert_eq!(store.sync_subscribers(listed(), false, &random, hours(64)).unwrap().new, 0);
        let both = || (status(&store, "fifth@example.org"), status(&store, "r5@example.org"));
        assert_eq!(both(), ("active".into(), "unsubscribed".into()));
        store.sync_subscribers([Ok(row("r6@example.org"))].into_iter(), false, &random, hours(65)).unwrap();
        assert_eq!(both().0, "active", "nor is the new one the file's to take away");
        // And back again.
        assert_eq!(change(&r5, "r5@example.org", hours(66)), Reaction::Wrote(Kind::Change));
        assert_eq!(store.confirm_change(&r5, 2, &random, hours(67)).unwrap(), Confirmed::Now);
        assert_eq!((id(&store, "r5@example.org"), both()), (r5, ("nobody".into(), "active".into())));
    });
}

#[test]
fn a_pause_ends_on_its_day_and_a_file_does_not_undo_what_a_person_chose() {
    every_store(|base| {
        let store = base.open();
        let random = Random::system();
        let listed = || [Ok(row("r0@example.org"))].into_iter();
        store.sync_subscribers(listed(), false, &random, hours(0)).unwrap();
        let r0 = id(&store, "r0@example.org");
        let wishes = |paused_until| Wishes {
            digests: Choices::parse("weekly"),
            topics: Choices::parse("birds"),
            language: None,
            paused_until,
        };
        assert!(store.set_wishes(&r0, &wishes(Some(hours(48))), &random, hours(1)).unwrap());
        assert_eq!(
            (status(&store, "r0@example.org"), store.paused_until(&r0).unwrap()),
            ("paused".into(), Some(hours(48)))
        );
        store.sync_subscribers(listed(), false, &random, hours(2)).unwrap();
        let now = store.subscriber(&r0).unwrap().unwrap().row;
        assert_eq!((now.status.as_str(), now.topics.as_str()), ("paused", ";birds;"));
        store.tidy_requests(hours(47)).unwrap();
        assert_eq!(status(&store, "r0@example.org"), "paused");
        store.tidy_requests(hours(48)).unwrap();
        assert_eq!(status(&store, "r0@example.org"), "active");
        store.unsubscribe(&r0, "link", &random, hours(49)).unwrap();
        assert!(!store.set_wishes(&r0, &wishes(None), &random, hours(50)).unwrap(), "who left wants nothing");
        assert_eq!(status(&store, "r0@example.org"), "unsubscribed");
    });
}

#[test]
fn one_letter_of_a_number_is_a_constraint_and_a_delivery_is_one_or_the_other() {
    every_store(|base| {
        let store = base.open();
        ask(&store, NEW, hours(0));
        let copy = |id: &str, occasion: &str, edition: &str| {
            format!(
                "INSERT INTO deliveries (id, subscriber, occasion, edition, letter, address, hash, state, due, attempts, resends, queued) \
                 SELECT '{id}', subscriber, '{occasion}', {edition}, letter, address, hash, 'queued', 0, 0, 0, 0 FROM deliveries"
            )
        };
        assert!(matches!(base.connection().execute(&copy("o", "confirm/1", "NULL"), &[]), Err(Error::Conflict(_))));
        assert!(base.connection().execute(&copy("o", "confirm/2", "'weekly/1'"), &[]).is_err());
    });
}

/// An older store with deliveries of every state: nothing of it is lost, and it goes on.
#[test]
fn an_older_store_keeps_its_deliveries_and_their_tries() {
    every_store(|base| {
        base.of_version(
            9,
            "INSERT INTO meta (key, value) VALUES ('salt', 'salt'); \
             INSERT INTO digests VALUES ('weekly', 0, 0, 0); \
             INSERT INTO editions (id, number, digest, slot, subject, state, frozen, released) VALUES ('weekly/1', 1, 'weekly', 1, 'S', 'open', 1, 7); \
             INSERT INTO variants VALUES ('v', 'weekly/1', '', 'S', '', '', 'm'); \
             INSERT INTO subscribers VALUES ('s', 'a@example.org', 'h', NULL, NULL, '', '', 'active', 'cli', 1, 1, 'file', 0); \
             INSERT INTO subscribers VALUES ('t', 'b@example.org', 'i', NULL, NULL, '', '', 'active', 'cli', 1, 1, 'file', 0); \
             INSERT INTO deliveries (id, subscriber, occasion, edition, variant, address, hash, state, due, attempts, resends, queued, lane, first_at) \
             VALUES ('s.1', 's', 'weekly/1', 'weekly/1', 'v', 'a@example.org', 'h', 'queued', 5, 1, 0, 3, 'lane', 4), \
                    ('t.1', 't', 'weekly/1', 'weekly/1', 'v', 'b@example.org', 'i', 'accepted', 5, 1, 0, 3, '', 4); \
             INSERT INTO attempts (delivery, number, began, outcome) VALUES ('s.1', 1, 4, 'deferred'), ('t.1', 1, 4, 'accepted');",
        );
        let store = Store::open(&base.place, Mode::MustExist).unwrap();
        let c = counts(&store);
        assert_eq!((c.deferred, c.accepted), (1, 1));
        assert_eq!(base.look("SELECT lane || first_at || queued FROM deliveries WHERE id = 's.1'"), "lane43");
        assert_eq!(base.look("SELECT COUNT(*) FROM attempts a JOIN deliveries d ON d.id = a.delivery"), "2");
        let orphan = "INSERT INTO attempts (delivery, number, began) VALUES ('nobody', 1, 1)";
        assert!(base.connection().execute(orphan, &[]).is_err(), "attempts still lead to deliveries");
        let orphan = "UPDATE deliveries SET edition = 'nothing' WHERE id = 's.1'";
        assert!(base.connection().execute(orphan, &[]).is_err());
        assert!(store.cancel("weekly/1").is_ok());
    });
}

#[test]
fn the_bytes_are_the_same_at_a_resend_and_their_links_are_signed_for_their_purpose() {
    every_store(|base| {
        let store = base.open();
        let random = Random::system();
        let keyring = store.keyring(&[], &random).unwrap();
        let texts = (letter(Kind::Confirm), letter(Kind::Links));
        store.request(&request(NEW), (&texts.0, &texts.1), &random, hours(0)).unwrap();
        let sent = |now: DateTime<Utc>, keyring: &Keyring| {
            let (transport, memory) = Transport::memory();
            let settings: message::Settings = toml::from_str("from = 'Field Notes <news@example.org>'").unwrap();
            let dispatched = Dispatch {
                store: &store,
                relays: &Relays::sole(transport.clone(), 4),
                remote: None,
                settings: &delivery::Settings::default(),
                mail: &settings,
                keyring,
                signer: &Signer::none(),
                clock: Clock::starting_at(now),
                random: &random,
                stop: &AtomicBool::new(false),
                progress: &Progress::default(),
                wait: TimeDelta::zero(),
            };
            assert_eq!(dispatched.run().unwrap().end, End::Drained);
            let taken = memory.taken();
            assert_eq!(taken.len(), 1);
            let bytes = String::from_utf8(taken[0].message.bytes.clone()).unwrap();
            (taken[0].edition.clone(), bytes.replace("=\r\n", ""))
        };
        let (occasion, first) = sent(hours(1), &keyring);
        assert_eq!(occasion, "confirm/1");
        assert!(first.contains("To: <new@example.org>\r\n") && !first.contains("List-Unsubscribe"), "{first}");
        assert!(first.contains("Date: Mon, 23 Nov 2026 09:00:00 +0000"), "{first}");
        base.change("UPDATE deliveries SET state = 'uncertain', due = 0");
        assert_eq!(sent(hours(2), &keyring).1, first);

        let token = |bytes: &str, path: &str| {
            let rest = &bytes[bytes.find(path).unwrap_or_else(|| panic!("{bytes}")) + path.len()..];
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next().unwrap().to_owned()
        };
        let confirm = token(&first, "/confirm/");
        let hash = store.hash_of_subscriber(&id(&store, NEW)).unwrap();
        let check = |purpose, token: &str| keyring.verify_bound(purpose, token, |_| Ok::<_, ()>(hash.clone())).unwrap();
        assert_eq!(check(Purpose::Confirm, &confirm), Some(format!("{}.1", id(&store, NEW))));
        for other in [Purpose::Change, Purpose::Preferences, Purpose::Unsubscribe, Purpose::Form] {
            assert_eq!(check(other, &confirm), None);
            assert_eq!(keyring.verify(other, &confirm), None);
        }
        store.confirm(&id(&store, NEW), 1, Some(&letter(Kind::Welcome)), &random, hours(3)).unwrap();
        let (occasion, welcome) = sent(hours(3), &keyring);
        assert!(occasion == "welcome/1" && welcome.contains("List-Unsubscribe-Post"), "{welcome}");
        let leave = token(&welcome, "/unsubscribe/");
        assert_eq!(keyring.verify(Purpose::Unsubscribe, &leave), Some(id(&store, NEW)));
        assert!(check(Purpose::Preferences, &token(&welcome, "/welcome/")).is_some());
    });
}

// ---- histories

/// What may happen to one address in any order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    Confirm(i64),
    Leave,
    Suppress(Suppression),
    Wait(i64),
    Try(Outcome),
    Crash,
    Tidy,
}

fn step() -> impl Strategy<Value = Step> {
    let reasons = vec![Suppression::Bounce, Suppression::Complaint, Suppression::Manual];
    let outcomes = vec![Outcome::Accepted, Outcome::Unknown, Outcome::Deferred(Fault::Recipient)];
    prop_oneof![
        5 => Just(Step::Ask),
        5 => (1..4_i64).prop_map(Step::Confirm),
        2 => Just(Step::Leave),
        1 => prop::sample::select(reasons).prop_map(Step::Suppress),
        5 => prop::sample::select(vec![1, 12, 25, 73, 24 * 31]).prop_map(Step::Wait),
        8 => prop::sample::select(outcomes).prop_map(Step::Try),
        2 => Just(Step::Crash),
        1 => Just(Step::Tidy),
    ]
}

/// What is promised of one person, kept by hand.
#[derive(Default)]
struct Person {
    /// When each request was made, and whether it was confirmed; of this life: who is forgotten begins anew.
    requests: Vec<(DateTime<Utc>, bool)>,
    subscribed: bool,
    suppressed: Option<Suppression>,
}

impl Person {
    fn is_open(&self, number: i64, now: DateTime<Utc>) -> bool {
        let request = usize::try_from(number - 1).ok().and_then(|at| self.requests.get(at));
        request.is_some_and(|(asked, confirmed)| !confirmed && now - *asked < TimeDelta::hours(72))
    }

    /// Whether a letter may leave now.
    fn may_get(&self, occasion: &str, now: DateTime<Utc>) -> bool {
        match Kind::of(occasion).expect("a letter") {
            (Kind::Confirm, number) => self.is_open(number, now) && self.suppressed != Some(Suppression::Manual),
            _ => self.subscribed && self.suppressed.is_none(),
        }
    }
}

fn history(base: &Base, steps: &[Step]) {
    let store = base.open();
    let random = Random::seeded(5);
    let (mut person, mut now) = (Person::default(), monday());
    let mut worker = Some(ledger(&store, "w0"));
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    let mut accepted: BTreeSet<String> = BTreeSet::new();
    for (at, step) in steps.iter().enumerate() {
        let known = store.find_subscriber(&address(NEW), &random).unwrap().map(|found| found.id);
        match (*step, &known) {
            (Step::Ask, _) => {
                let before = person.requests.iter().any(|(asked, confirmed)| {
                    let pause = if person.suppressed.is_some() { 24 * 30 } else { 24 };
                    !confirmed && now - *asked < TimeDelta::hours(pause)
                });
                let reaction = ask(&store, NEW, now);
                match reaction {
                    Reaction::Wrote(Kind::Confirm) => {
                        assert!(!before && person.suppressed != Some(Suppression::Manual));
                        assert!(!person.subscribed || person.suppressed.is_some());
                        person.requests.push((now, false));
                    }
                    Reaction::Wrote(kind) => {
                        assert!(kind == Kind::Links && person.subscribed && person.suppressed.is_none())
                    }
                    Reaction::TooSoon => assert!(before || person.subscribed),
                    Reaction::Never => assert_eq!(person.suppressed, Some(Suppression::Manual)),
                }
            }
            (Step::Confirm(number), Some(id)) => {
                let may = person.is_open(number, now) && person.suppressed != Some(Suppression::Manual);
                let confirmed = store.confirm(id, number, Some("welcome"), &random, now).unwrap();
                assert_eq!(confirmed == Confirmed::Now, may, "{confirmed:?}");
                if may {
                    person.requests[number as usize - 1].1 = true;
                    (person.subscribed, person.suppressed) = (true, None);
                }
            }
            (Step::Leave, Some(id)) => {
                store.unsubscribe(id, "link", &random, now).unwrap();
                person.subscribed = false;
            }
            (Step::Suppress(reason), _) => {
                store.suppress(&address(NEW), reason, &random, now).unwrap();
                // A person's wish and the author's go before a bounce, and nothing before them.
                if matches!(person.suppressed, None | Some(Suppression::Bounce)) {
                    person.suppressed = Some(reason);
                }
            }
            (Step::Wait(hours), _) => now += TimeDelta::hours(hours),
            (Step::Tidy, _) => {
                store.tidy_requests(now).unwrap();
                if store.find_subscriber(&address(NEW), &random).unwrap().is_none() {
                    assert!(
                        !person.subscribed
                            && person
                                .requests
                                .iter()
                                .all(|(asked, confirmed)| { !confirmed && now - *asked >= TimeDelta::hours(72) })
                    );
                    person.requests.clear();
                    taken.clear();
                }
            }
            (Step::Try(outcome), _) => {
                let one = worker.as_ref().expect("it lives");
                one.recover(Uncertain::Resend, now).unwrap();
                for row in claim(one, 9, now) {
                    match one.begin(None, &row.id, now).and_then(Pending::wait).unwrap() {
                        Some(begun) => {
                            assert!(person.may_get(&row.occasion, now), "{} at {at}", row.occasion);
                            assert!(!accepted.contains(&row.id), "{} again", row.occasion);
                            if outcome == Outcome::Accepted {
                                accepted.insert(row.id.clone());
                            }
                            one.settle(ended(&row, begun, outcome, now)).unwrap();
                            // In doubt it may have been taken.
                            if !matches!(outcome, Outcome::Deferred(_)) {
                                *taken.entry(row.id).or_default() += 1;
                            }
                        }
                        None => assert!(!person.may_get(&row.occasion, now), "{} at {at}", row.occasion),
                    }
                }
            }
            (Step::Crash, _) => {
                // One letter at most is under way over one connection.
                let one = worker.take().expect("it lives");
                if let Some(row) = claim(&one, 1, now).first()
                    && one.begin(None, &row.id, now).and_then(Pending::wait).unwrap().is_some()
                {
                    assert!(person.may_get(&row.occasion, now), "{} at {at}", row.occasion);
                    *taken.entry(row.id.clone()).or_default() += 1;
                }
                drop(one);
                worker = Some(ledger(&store, &format!("w{}", at + 1)));
            }
            (Step::Confirm(_) | Step::Leave, None) => {}
        }
        // Nobody gets a letter twice, but for one in doubt.
        for (delivery, copies) in &taken {
            let crashes = steps[..=at].iter().filter(|step| matches!(step, Step::Crash)).count() as u32;
            assert!(*copies <= 2 + crashes, "{delivery}: {copies}");
        }
        let twice = base.look("SELECT COUNT(*) FROM (SELECT subscriber, occasion FROM deliveries GROUP BY subscriber, occasion HAVING COUNT(*) > 1) AS x");
        assert_eq!(twice, "0");
    }
}

#[test]
fn whatever_happens_letters_go_to_whom_they_may_and_once() {
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&prop::collection::vec(step(), 5..50), |steps| {
            history(&Base::in_folder(tempfile::tempdir().unwrap()), &steps);
            Ok(())
        })
        .unwrap();
}
