//! What a run makes of its limits, of a server that asks for a slower pace, of a way out that is barred, and of what happens while
//! it stays.

use crate::matrix::{due, mail};
use crate::support::database::Base;
use crate::support::edition::{self, freeze, ledger, monday};
use crate::support::pipe::Pipe;
use crate::support::sink::{Farewell, Settings, Sink};
use crate::support::site::{NOON, Plan, Site, end, everyone_once, readers, signal};
use chrono::{DateTime, TimeDelta, Utc};
use postrider::clock::Clock;
use postrider::delivery::{self, Uncertain};
use postrider::dispatch::{Dispatch, Dispatched, End, Progress, Relays, Used};
use postrider::message;
use postrider::message::letter::Kind;
use postrider::random::Random;
use postrider::store::Store;
use postrider::store::consents::Request;
use postrider::store::editions::Decided;
use postrider::store::ledger::{Claim, Pending, Recovered};
use postrider::subscriber::Choices;
use postrider::transport::{Options, Timeouts, Transport};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

/// A site with so many readers, and these lines in its configuration before the digest.
fn site(people: &[String], lines: &str) -> (Site, Sink, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let site = Site::new(Plan { connections: 2, ..Plan::to(&sink) }, people);
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &config.replacen("[[digest]]", &format!("{lines}\n\n[[digest]]"), 1));
    (site, sink, folder)
}

#[test]
fn a_limit_that_was_taken_out_of_the_configuration_holds_nobody_up() {
    let people = readers(3);
    let (site, sink, _folder) = site(&people, "[delivery.domains]\n\"sink.test\" = \"1/d\"");
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, sink.taken()), (Some(0), 1), "{ran:?}");
    // A day from when that one began, which may be a little later than this is asked.
    let said = |minutes: u32| ran.err.contains(&format!("no more may go for {minutes} minutes"));
    assert!(said(1440) || said(1441), "{ran:?}");
    // The rest waits in a lane of its own.
    assert_eq!(site.json("2026-11-23T12:01:00Z", &["status"])["editions"][0]["queued"], 2);
    site.json("2026-11-23T12:01:00Z", &["run"]);
    assert_eq!(sink.taken(), 1);
    site.write_config();
    site.json("2026-11-23T12:02:00Z", &["run"]);
    everyone_once(&sink, &people);
}

#[test]
fn a_short_window_is_waited_for() {
    let people = readers(3);
    let (site, sink, _folder) = site(&people, "rates = [\"2/s\"]");
    let ran = site.go(&["run", "--quiet"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    everyone_once(&sink, &people);
}

#[test]
fn a_server_that_asks_for_a_slower_pace_is_heard() {
    let people = [readers(2), vec!["4.7.0@sink.test".to_owned()]].concat();
    let (site, sink, _folder) = site(&people, "");
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, sink.taken()), (Some(0), 2), "{ran:?}");
    assert!(ran.err.contains("the server asks for a slower pace"), "{ran:?}");
}

#[test]
fn a_try_that_our_own_side_cannot_make_counts_against_nobody() {
    let people = readers(2);
    let (mut site, _sink, _folder) = site(&people, "");
    site.plan.transport = "outbox:outbox".to_owned();
    site.write_config();
    // A file where the edition's folder is to be.
    fs::create_dir(site.path("outbox")).unwrap();
    site.write("outbox/weekly", "");
    let ran = site.go(&["run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let status = site.json("2026-11-23T12:01:00Z", &["status"]);
    let edition = &status["editions"][0];
    assert_eq!((&edition["queued"], &edition["deferred"], &edition["uncertain"]), (&2.into(), &0.into(), &0.into()));
    fs::remove_file(site.path("outbox/weekly")).unwrap();
    let edition = &site.json("2026-11-23T12:02:00Z", &["run"])["editions"][0];
    assert_eq!((&edition["state"], &edition["accepted"]), (&"done".into(), &2.into()), "{edition}");
}

#[test]
fn what_went_to_an_outbox_only_is_told_while_somebody_would_get_it() {
    let people = readers(3);
    let (mut site, _sink, _folder) = site(&people, "");
    let real = std::mem::replace(&mut site.plan.transport, "outbox:outbox".to_owned());
    site.write_config();
    site.json("2026-11-23T12:00:00Z", &["run"]);
    site.plan.transport = real;
    site.write_config();
    let hint =
        |count| format!("{count} went to an outbox only; `postrider retry weekly/2026-11-23 --outbox` sends them");
    let ran = site.go(&["run"]);
    assert!(ran.out.contains(&hint(3)), "{ran:?}");
    // One has left since, and one must not be mailed.
    site.go(&["subscribers", "remove", &people[0]]);
    site.go(&["subscribers", "remove", "--suppress", &people[1]]);
    let ran = site.go(&["run"]);
    assert!(ran.out.contains(&hint(1)), "{ran:?}");
}

#[test]
fn what_is_said_after_the_body_counts_for_the_breaker() {
    let people: Vec<String> = (0..30).map(|n| format!("421data+{n}@sink.test")).collect();
    let (site, sink, _folder) = site(&people, "");
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, sink.taken()), (Some(1), 0), "{ran:?}");
    assert!(ran.err.contains("error: the server takes nothing: it drops one connection after another"), "{ran:?}");
    // What the other connection had under way, too.
    let edition = &site.json("2026-11-23T12:00:30Z", &["status"])["editions"][0];
    assert!((20..=22).contains(&edition["deferred"].as_i64().unwrap()), "{edition}");
}

// ---- what happens while it stays

/// A store with an edition for these, released on that Monday.
fn released(readers: &[String]) -> (Base, Store) {
    let base = Base::in_folder(tempfile::tempdir().unwrap());
    let store = base.open();
    let rows: Vec<_> = readers.iter().map(|reader| edition::row(reader)).collect();
    store.import(&rows, "import", &Random::seeded(1), monday() - TimeDelta::days(1)).unwrap();
    assert_eq!(freeze(&store, &due(900)), Decided::Now(readers.len() as u64));
    (base, store)
}

/// When the delivery to a reader is due.
fn postpone(base: &Base, reader: &str, due: DateTime<Utc>) {
    base.change(&format!("UPDATE deliveries SET due = {} WHERE address = '{reader}'", due.timestamp_millis()));
}

fn way_to(port: u16, folder: &Path) -> Transport {
    let route = format!("smtp://127.0.0.1:{port}").parse().unwrap();
    let timeouts = Timeouts { dot: Duration::from_secs(30), ..Timeouts::default() };
    Transport::open(&route, Options { root: folder, password: None, helo: None, timeouts }).unwrap()
}

/// Runs from that Monday on and stays that long for what becomes due.
fn dispatch(store: &Store, transport: &Transport, uncertain: Uncertain, wait: TimeDelta) -> Dispatched {
    let random = Random::seeded(4);
    let settings = delivery::Settings { connections: 1, uncertain, ..delivery::Settings::default() };
    let dispatch = Dispatch {
        store,
        relays: &Relays::sole(transport.clone(), settings.connections),
        remote: None,
        settings: &settings,
        mail: &mail(),
        keyring: &store.keyring(&[], &random).unwrap(),
        signer: &message::Signer::none(),
        clock: Clock::starting_at(monday() + TimeDelta::seconds(1)),
        random: &random,
        stop: &AtomicBool::new(false),
        progress: &Progress::default(),
        wait,
    };
    dispatch.run().unwrap()
}

/// Runs, and does something when the first message was taken and its reply is not there yet.
fn meanwhile(store: &Store, uncertain: Uncertain, something: impl FnOnce()) -> (Dispatched, usize) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings { hold: Some("dot".into()), ..Settings::in_folder(folder.path()) });
    let transport = way_to(sink.port(), folder.path());
    let dispatched = thread::scope(|scope| {
        let run = scope.spawn(|| dispatch(store, &transport, uncertain, TimeDelta::hours(1)));
        while sink.reached("dot") == 0 {
            thread::yield_now();
        }
        something();
        sink.go();
        run.join().unwrap()
    });
    (dispatched, sink.taken())
}

#[test]
fn what_becomes_due_within_the_wait_is_sent_and_what_comes_later_is_left() {
    let people = readers(3);
    let (base, store) = released(&people);
    postpone(&base, &people[1], monday() + TimeDelta::seconds(2));
    postpone(&base, &people[2], monday() + TimeDelta::hours(2));
    let (transport, memory) = Transport::memory();
    let dispatched = dispatch(&store, &transport, Uncertain::Resend, TimeDelta::hours(1));
    assert_eq!((dispatched.end, memory.taken().len()), (End::Drained, 2));
    assert_eq!(edition::state(&base, &people[2]), "queued");
}

#[test]
fn the_doubts_that_the_dead_leave_behind_while_it_stays_are_counted_too() {
    for (uncertain, taken) in [(Uncertain::Resend, 5), (Uncertain::Hold, 2)] {
        let people = readers(5);
        let (base, store) = released(&people);
        postpone(&base, &people[0], monday() + TimeDelta::milliseconds(1));
        postpone(&base, &people[4], monday() + TimeDelta::seconds(2));
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        for (ledger, count) in [(&one, 2), (&two, 1)] {
            let claimed = ledger.claim(count, &Arc::default(), monday()).unwrap();
            let Claim::Rows(rows) = claimed else { panic!("{claimed:?}") };
            for row in &rows {
                ledger.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().unwrap();
            }
        }
        drop(one);
        let dispatched = meanwhile(&store, uncertain, || drop(two));
        let recovered = match uncertain {
            Uncertain::Resend => Recovered { uncertain: 3, held: 0 },
            Uncertain::Hold => Recovered { uncertain: 0, held: 3 },
        };
        let relays = vec![Used { accepted: taken as u64, ..Used::default() }];
        assert_eq!(dispatched, (Dispatched { recovered, held_editions: Vec::new(), relays, end: End::Drained }, taken));
    }
}

#[test]
fn what_is_due_late_because_the_clock_went_back_meanwhile_is_sent() {
    let people = readers(2);
    let (base, store) = released(&people);
    postpone(&base, &people[1], monday() + TimeDelta::hours(2));
    let (dispatched, taken) = meanwhile(&store, Uncertain::Resend, || {
        let tomorrow = (monday() + TimeDelta::days(1)).timestamp_millis();
        base.change(&format!("UPDATE deliveries SET queued = {tomorrow}, due = {tomorrow} WHERE state = 'queued'"));
    });
    assert_eq!((dispatched.end, taken), (End::Drained, 2));
    assert_eq!(base.look("SELECT COUNT(*) FROM attempts WHERE ended >= began"), "2");
}

#[test]
fn after_a_rebuke_the_others_wait_for_a_moment_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let people = [readers(2), vec!["4.7.0@sink.test".to_owned()]].concat();
    let (base, store) = released(&people);
    people[..2].iter().for_each(|reader| postpone(&base, reader, monday() + TimeDelta::milliseconds(1)));
    let dispatched = dispatch(&store, &way_to(sink.port(), folder.path()), Uncertain::Resend, TimeDelta::zero());
    assert_eq!((dispatched.end, sink.taken()), (End::Drained, 2));
    assert_eq!(edition::state(&base, &people[2]), "queued");
    assert!(pause(&base) >= 2_000);
}

/// How many milliseconds lie between the first try and the next.
fn pause(base: &Base) -> i64 {
    let next =
        "SELECT MIN(began) FROM attempts WHERE delivery <> (SELECT delivery FROM attempts ORDER BY began LIMIT 1)";
    base.look(&format!("SELECT ({next}) - (SELECT MIN(began) FROM attempts)")).parse().unwrap()
}

/// A connection that has served ends with a rebuke: nobody pays for it, and yet it is one.
#[test]
fn a_rebuke_that_ends_a_connection_is_heard() {
    let people = readers(2);
    let (base, store) = released(&people);
    let (listener, transport, _folder) = listening();
    let dispatched = thread::scope(|scope| {
        let run = scope.spawn(|| dispatch(&store, &transport, Uncertain::Hold, TimeDelta::zero()));
        for rebukes in [true, false] {
            let mut pipe = Pipe::new(listener.accept().unwrap().0);
            pipe.say(b"220 mx.example\r\n").unwrap();
            let envelope = [("EHLO", "250 mx.example"), ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go")];
            for (command, reply) in envelope {
                hear(&mut pipe, &[command]);
                pipe.say(format!("{reply}\r\n").as_bytes()).unwrap();
            }
            assert!(pipe.body(usize::MAX).unwrap().is_some());
            pipe.say(b"250 taken\r\n").unwrap();
            hear(&mut pipe, if rebukes { &["MAIL"] } else { &["QUIT"] });
            pipe.say(b"421 4.7.0 too fast\r\n").unwrap();
        }
        run.join().unwrap()
    });
    assert_eq!((dispatched.end, edition::counts(&store).accepted), (End::Drained, 2));
    assert!(pause(&base) >= 2_000);
}

/// One that ends for its age is no rebuke.
#[test]
fn a_connection_that_ends_without_a_rebuke_slows_nobody_down() {
    let people = [readers(3), vec!["5.1.1@sink.test".to_owned()]].concat();
    let folder = tempfile::tempdir().unwrap();
    let farewell = Some((1, Farewell::Says421));
    let sink = Sink::here(Settings { farewell, ..Settings::in_folder(folder.path()) });
    let site = Site::new(Plan { connections: 1, ..Plan::to(&sink) }, &people);
    let ran = site.go(&["run", "-v"]);
    assert_eq!((ran.code, sink.taken()), (Some(0), 3), "{ran:?}");
    assert!(!ran.err.contains("slower pace"), "{ran:?}");
    assert_eq!(ran.err.matches("not accepted").count(), 1, "{ran:?}");
}

/// More than the sessions have at hand. It tries three times, and pauses for one second and for three.
#[test]
fn where_nobody_has_a_connection_the_run_ends_and_says_why() {
    let people = readers(12);
    let (base, store) = released(&people);
    // Bound, so that nobody else moves in, and not listening.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let transport = way_to(socket.local_addr().unwrap().as_socket().unwrap().port(), folder.path());
    let watch = Clock::system().stopwatch();
    let dispatched = dispatch(&store, &transport, Uncertain::Hold, TimeDelta::zero());
    assert!(watch.elapsed() >= Duration::from_secs(4), "{:?}", watch.elapsed());
    assert!(matches!(&dispatched.end, End::Halted(why) if why.contains("nothing is lost")), "{dispatched:?}");
    assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE state = 'queued' AND worker IS NULL"), "12");
}

/// A server that the test plays, and the way to it.
fn listening() -> (TcpListener, Transport, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let transport = way_to(listener.local_addr().unwrap().port(), folder.path());
    (listener, transport, folder)
}

#[track_caller]
fn hear(pipe: &mut Pipe, commands: &[&str]) {
    for command in commands {
        let said = pipe.line().unwrap();
        assert!(said.as_ref().is_some_and(|said| said.starts_with(command)), "{command}: {said:?}");
    }
}

/// RFC 2920: a server that hears nothing behind the dot waits for ever, and so do we.
#[test]
fn the_next_envelope_leaves_behind_the_final_dot() {
    let people = readers(2);
    let (_base, store) = released(&people);
    let (listener, transport, _folder) = listening();
    thread::scope(|scope| {
        scope.spawn(|| dispatch(&store, &transport, Uncertain::Hold, TimeDelta::zero()));
        let mut pipe = Pipe::new(listener.accept().unwrap().0);
        let (envelope, wanted) = (["MAIL", "RCPT", "DATA"], "250 ok\r\n250 ok\r\n354 go\r\n");
        pipe.say(b"220 mx.example\r\n").unwrap();
        hear(&mut pipe, &["EHLO"]);
        pipe.say(b"250-mx.example\r\n250 PIPELINING\r\n").unwrap();
        hear(&mut pipe, &envelope);
        pipe.say(wanted.as_bytes()).unwrap();
        assert!(pipe.body(usize::MAX).unwrap().is_some());
        hear(&mut pipe, &envelope);
        pipe.say(format!("250 taken\r\n{wanted}").as_bytes()).unwrap();
        assert!(pipe.body(usize::MAX).unwrap().is_some());
        pipe.say(b"250 taken\r\n").unwrap();
        hear(&mut pipe, &["QUIT"]);
        pipe.say(b"221 bye\r\n").unwrap();
    });
    assert_eq!(edition::counts(&store).accepted, 2);
}

#[test]
fn a_run_says_what_it_does_with_the_doubts_it_finds() {
    for (uncertain, then) in [("resend", "what is in doubt is resent"), ("hold", "what is in doubt is held")] {
        let people = readers(1);
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings { hold: Some("dot".into()), ..Settings::in_folder(folder.path()) });
        let site = Site::new(Plan { uncertain, ..Plan::to(&sink) }, &people);
        let run = site.start(NOON, &["run"]);
        while sink.reached("dot") == 0 {
            thread::yield_now();
        }
        signal(&run, "KILL");
        let killed = end(run);
        assert!(!killed.err.contains("in doubt"), "{killed:?}");
        sink.go();
        let ran = site.go(&["run"]);
        assert!(ran.code == Some(0) && ran.err.contains(then), "{uncertain}: {ran:?}");
        let ran = site.go(&["run"]);
        assert!(!ran.err.contains("in doubt is"), "{ran:?}");
    }
}

/// Somebody types what does not exist into a form, again and again: that is no reason to stop for everybody else.
#[test]
fn refusals_of_addresses_that_strangers_typed_stop_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let base = Base::in_folder(tempfile::tempdir().unwrap());
    let store = base.open();
    let texts = (edition::letter(Kind::Confirm), edition::letter(Kind::Links));
    let typed: Vec<String> = (0..25).map(|n| format!("5.1.1+{n}@sink.test")).chain(readers(1)).collect();
    for address in &typed {
        let request = Request {
            address: address.parse().unwrap(),
            digests: Choices::default(),
            topics: Choices::default(),
            language: None,
            source: "form".to_owned(),
            wording: String::new(),
            network: None,
        };
        store.request(&request, (&texts.0, &texts.1), &Random::system(), monday()).unwrap();
    }
    let transport = way_to(sink.port(), folder.path());
    let dispatched = dispatch(&store, &transport, Uncertain::Resend, TimeDelta::zero());
    assert_eq!((dispatched.end, sink.taken()), (End::Drained, 1));
    assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE state = 'refused'"), "25");
    // And yet each is written to only once.
    assert_eq!(base.look("SELECT COUNT(*) FROM suppressions WHERE reason = 'bounce'"), "25");
}
