//! Several ways out: who goes first, who takes over, what each may take, and what is remembered of it.

use crate::support::database::every_store;
use crate::support::edition::{address, ledger, monday, released};
use crate::support::sink::{Farewell, Settings, Sink};
use crate::support::site::{NOON, Plan, Site, copies, everyone_once, readers};
use chrono::{DateTime, TimeDelta, Utc};
use postrider::delivery::relay::{self, Terms};
use postrider::delivery::{self, Limits};
use postrider::store::ledger::{Claim, Ledger, Pending, Way};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

/// A server, and its folder.
struct Server {
    sink: Sink,
    _folder: TempDir,
}

fn server(change: impl FnOnce(&mut Settings)) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::in_folder(folder.path());
    change(&mut settings);
    Server { sink: Sink::here(settings), _folder: folder }
}

/// A server that takes all.
fn sound() -> Server {
    server(|_| ())
}

/// `[[relay]]` with that name, to a server at that port.
fn table(name: &str, port: u16, lines: &str) -> String {
    format!("[[relay]]\nname = \"{name}\"\ntransport = \"smtp://127.0.0.1:{port}\"\n{lines}\n\n")
}

/// A site whose mails leave by these relays.
fn site(people: &[String], relays: &[String]) -> Site {
    let site = Site::new(Plan { connections: 2, uncertain: "resend", ..Plan::to_outbox() }, people);
    configure(&site, relays);
    site
}

fn configure(site: &Site, relays: &[String]) {
    site.write_config();
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    let config = config.replacen("transport = \"outbox:outbox\"\n", "", 1);
    site.write("config.toml", &config.replacen("[[digest]]", &format!("{}[[digest]]", relays.concat()), 1));
}

/// Bound, so that nobody else moves in, and not listening.
fn nobody() -> (socket2::Socket, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

/// How many messages each relay took, by what `run` says.
fn took(run: &serde_json::Value) -> BTreeMap<&str, i64> {
    let relays = run["relays"].as_array().expect("relays").iter();
    relays.map(|relay| (relay["name"].as_str().unwrap(), relay["accepted"].as_i64().unwrap())).collect()
}

// ---- who takes over

#[test]
fn the_first_relay_takes_all_while_it_can() {
    let (first, second, people) = (sound(), sound(), readers(40));
    let tables = [table("second", second.sink.port(), "priority = 10"), table("first", first.sink.port(), "")];
    let site = site(&people, &tables);
    let run = site.json(NOON, &["run"]);
    everyone_once(&first.sink, &people);
    assert_eq!(second.sink.connections(), 0);
    assert_eq!(took(&run), BTreeMap::from([("first", 40), ("second", 0)]));
    assert!(run["relays"][0].get("failed").is_none() && run["relays"][0]["name"] == "first", "{run}");
}

/// Unreachable, with the wrong password, and one that wants a login at MAIL and gets none.
#[test]
fn another_takes_over_from_one_that_lets_nobody_in() {
    let locked = server(|settings| settings.login = Some(("ada".into(), "right".into(), "PLAIN".into())));
    let (_socket, closed) = nobody();
    let port = locked.sink.port();
    let wrong =
        format!("[[relay]]\nname = \"first\"\ntransport = \"smtp://ada@127.0.0.1:{port}\"\npassword = \"wrong\"\n\n");
    for (first, why) in [
        (table("first", closed, ""), "nothing is lost"),
        (wrong, "check the user in relay.transport and relay.password"),
        (table("first", port, ""), "name the user in relay.transport"),
    ] {
        let (second, people) = (sound(), readers(30));
        let site = site(&people, &[first, table("second", second.sink.port(), "priority = 10")]);
        let ran = site.go(&["run"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        everyone_once(&second.sink, &people);
        assert!(ran.err.contains("the relay first: ") && ran.err.contains(why), "{ran:?}");
        assert!(ran.err.contains("it is tried again in 1 min"), "{ran:?}");
        assert!(ran.out.contains("relays: first took 0, then out of service; second took 30"), "{ran:?}");
    }
}

#[test]
fn where_nobody_takes_mail_the_run_fails_and_says_why_of_each() {
    let ((_one, first), (_two, second)) = (nobody(), nobody());
    let site = site(&readers(3), &[table("first", first, ""), table("second", second, "priority = 10")]);
    let ran = site.go(&["run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let error = ran.err.split("error: ").nth(1).expect("an error");
    assert!(error.starts_with("no relay takes mail now\nthe relay first: ") && error.contains("the relay second: "));
    assert_eq!(site.deliveries("queued"), 3);
}

#[test]
fn one_that_is_busy_whoever_comes_goes_out_of_service() {
    let busy = server(|settings| settings.farewell = Some((0, Farewell::Says421)));
    let (second, people) = (sound(), readers(60));
    let site =
        site(&people, &[table("first", busy.sink.port(), ""), table("second", second.sink.port(), "priority = 10")]);
    let run = site.json(NOON, &["run"]);
    assert!(run["relays"][0]["failed"].as_str().unwrap().starts_with("the relay first takes nothing"), "{run}");
    // What it put off need not wait for it.
    everyone_once(&second.sink, &people);
}

/// Else the whole list would come to be in doubt, one after another.
#[test]
fn one_that_never_says_whether_it_took_a_message_goes_out_of_service() {
    let mute = server(|settings| settings.mute = true);
    let (second, people) = (sound(), readers(200));
    let tables = [table("first", mute.sink.port(), ""), table("second", second.sink.port(), "priority = 10")];
    let site = site(&people, &tables);
    let run = site.json(NOON, &["run"]);
    assert!(run["relays"][0]["failed"].as_str().unwrap().contains("once it has the message"), "{run}");
    let first = mute.sink.taken();
    // Eight, and what the other connection had in hand.
    assert!((8..=10).contains(&first), "{first}");
    assert_eq!((copies(&second.sink.accepted()).len(), site.listed("uncertain").len()), (200 - first, first));
}

#[test]
fn what_one_refused_for_its_policy_goes_by_another_at_once() {
    let refusals = ["550 5.7.1 you are not welcome here", "550 5.7.26 unauthenticated mail"];
    // The shorter list is too short for ten refusals in a row.
    for (refusal, count) in refusals.into_iter().flat_map(|refusal| [(refusal, 40), (refusal, 5)]) {
        let strict = server(|settings| settings.refusal = Some(refusal.to_owned()));
        let (second, people) = (sound(), readers(count));
        let tables = [table("first", strict.sink.port(), ""), table("second", second.sink.port(), "priority = 10")];
        let site = site(&people, &tables);
        let ran = site.go(&["run"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.err.contains("refused deliveries are queued again"), "{ran:?}");
        everyone_once(&second.sink, &people);
    }
}

/// That the addresses do not exist is said of the list: a second opinion costs the second relay's good name.
#[test]
fn what_speaks_of_the_list_stops_all_relays() {
    let knows_nobody = server(|settings| settings.refusal = Some("550 5.1.1 no such user".to_owned()));
    let second = sound();
    let tables = [table("first", knows_nobody.sink.port(), ""), table("second", second.sink.port(), "priority = 10")];
    let site = site(&readers(40), &tables);
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, second.sink.taken()), (Some(1), 0), "{ran:?}");
    assert!(ran.err.contains("the relay first says of one address after another that it does not exist"), "{ran:?}");
    assert_eq!(site.deliveries("queued"), 40);
}

/// P2: same bytes, Message-ID and Date, whoever carries it.
#[test]
fn a_delivery_in_doubt_is_the_same_mail_by_another_relay() {
    let (first, second) = (sound(), sound());
    let people = vec!["dropafter@sink.test".to_owned()];
    let tables = [table("first", first.sink.port(), ""), table("second", second.sink.port(), "priority = 10")];
    let site = site(&people, &tables);
    let run = site.json(NOON, &["run"]);
    assert_eq!((first.sink.taken(), &run["editions"][0]["uncertain"]), (1, &1.into()), "{run}");
    let (_socket, closed) = nobody();
    configure(&site, &[table("first", closed, ""), tables[1].clone()]);
    site.json("2026-11-23T12:10:00Z", &["run"]);
    let key = |server: &Server| {
        let taken = server.sink.accepted();
        (taken.len(), taken[0].message_id.clone(), taken[0].sha256.clone())
    };
    assert_eq!(key(&first), key(&second));
    let why = site.json(NOON, &["why", &people[0]]);
    let events = why["events"].as_array().unwrap().iter();
    let relays: Vec<_> = events.filter_map(|event| event["relay"].as_str()).collect();
    assert_eq!(relays, ["first", "second"]);
}

#[test]
fn why_names_the_relay_of_each_try() {
    let (second, people) = (sound(), vec!["450-1@sink.test".to_owned()]);
    let site = site(&people, &[table("main", second.sink.port(), "")]);
    site.json(NOON, &["run"]);
    site.json("2026-11-23T12:10:00Z", &["run"]);
    let ran = site.at("2026-11-23T12:11:00Z", &["why", &people[0]]);
    assert_eq!(ran.out.matches("relay main").count(), 2, "{ran:?}");
    // With one way out alone there is no relay to name.
    let alone = Site::new(Plan::to(&second.sink), &readers(1));
    assert!(alone.json(NOON, &["run"]).get("relays").is_none());
    assert!(!alone.go(&["why", "ok-0@sink.test"]).out.contains("relay"));
}

// ---- who takes how much

#[test]
fn relays_of_one_priority_share_by_their_weights() {
    let (big, small, people) = (sound(), sound(), readers(400));
    let tables = [table("big", big.sink.port(), "weight = 3"), table("small", small.sink.port(), "")];
    let run = site(&people, &tables).json(NOON, &["run"]);
    let counts = took(&run);
    assert_eq!((big.sink.taken() as i64, small.sink.taken() as i64), (counts["big"], counts["small"]));
    assert_eq!(counts["big"] + counts["small"], 400);
    // But for a batch, and what the other takes in the meantime.
    assert!((counts["big"] - 300).abs() <= 16, "{counts:?}");
    assert_eq!([&big, &small].iter().flat_map(|server| copies(&server.sink.accepted())).count(), 400);
}

#[test]
fn where_one_has_reached_its_rate_the_next_goes_on() {
    let (first, second, people) = (sound(), sound(), readers(12));
    let tables = [
        table("first", first.sink.port(), "rates = [\"5/h\"]"),
        table("second", second.sink.port(), "priority = 10\nrates = [\"3/d\"]"),
    ];
    let site = site(&people, &tables);
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, first.sink.taken(), second.sink.taken()), (Some(0), 5, 3), "{ran:?}");
    assert!(ran.err.contains("no more may go for 60 minutes (delivery.rates, relay.rates"), "{ran:?}");
    // It is remembered, and the first one has room first.
    site.json("2026-11-23T12:30:00Z", &["run"]);
    assert_eq!((first.sink.taken(), second.sink.taken()), (5, 3));
    site.json("2026-11-23T13:05:00Z", &["run"]);
    assert_eq!((first.sink.taken(), second.sink.taken()), (9, 3));
}

#[test]
fn the_rates_of_delivery_hold_for_all_relays_together() {
    let (first, second, people) = (sound(), sound(), readers(12));
    let site = site(&people, &[table("first", first.sink.port(), ""), table("second", second.sink.port(), "")]);
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &config.replacen("[delivery]\n", "[delivery]\nrates = [\"7/d\"]\n", 1));
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, first.sink.taken() + second.sink.taken()), (Some(0), 7), "{ran:?}");
}

#[test]
fn a_relay_has_limits_of_its_own_for_a_domain() {
    let (first, second) = (sound(), sound());
    let people: Vec<String> = [readers(9), (0..9).map(|n| format!("ok-{n}@other.test")).collect()].concat();
    let tables = [
        table("first", first.sink.port(), "domains = { \"other.test\" = \"2/d\" }"),
        table("second", second.sink.port(), "priority = 10"),
    ];
    site(&people, &tables).json(NOON, &["run"]);
    let others =
        |server: &Server| server.sink.accepted().iter().filter(|taken| taken.rcpt.ends_with("@other.test")).count();
    assert_eq!((first.sink.taken(), others(&first)), (11, 2));
    assert_eq!((second.sink.taken(), others(&second)), (7, 7));
}

// ---- what the ledger counts

fn terms(name: &str, lines: &str) -> Terms {
    let settings: relay::Settings =
        toml::from_str(&format!("name = \"{name}\"\ntransport = \"smtp://localhost\"\n{lines}")).unwrap();
    settings.terms(1)
}

fn limits(relays: &[&Terms]) -> Arc<Limits> {
    Arc::new(delivery::Settings::default().limits(relays.iter().map(|terms| (*terms).clone()).collect()))
}

fn by(ledger: &Ledger, name: &str) -> Ledger {
    ledger.by(Way { relay: Some(name.to_owned()), transport: "smtp://localhost:25".to_owned() })
}

/// How many it gets, and begins with; or how long it is to wait.
fn begun(ledger: &Ledger, limits: &Arc<Limits>, now: DateTime<Utc>) -> Result<usize, TimeDelta> {
    match ledger.claim(100, limits, now).unwrap() {
        Claim::Rows(rows) => {
            for row in &rows {
                ledger.begin(None, &row.id, now).and_then(Pending::wait).unwrap().expect("it may be sent");
            }
            Ok(rows.len())
        }
        Claim::Wait(millis) => Err(TimeDelta::milliseconds(millis)),
        Claim::Nothing(next) => panic!("nothing until {next:?}"),
    }
}

#[test]
fn a_month_is_any_thirty_one_days() {
    every_store(|base| {
        let store = released(base, 9);
        let one = ledger(&store, "one");
        let (a, month) = (by(&one, "a"), limits(&[&terms("a", "rates = [\"3/month\"]")]));
        assert_eq!(begun(&a, &month, monday()), Ok(3));
        assert_eq!(begun(&a, &month, monday() + TimeDelta::days(30)), Err(TimeDelta::days(1)));
        assert_eq!(begun(&a, &month, monday() + TimeDelta::days(31)), Ok(3));
    });
}

#[test]
fn a_relay_that_is_new_takes_more_from_step_to_step() {
    every_store(|base| {
        let store = released(base, 30);
        let one = ledger(&store, "one");
        let lines = "warm_up = { since = \"2026-11-23\", first_day = 2, doubles_every = \"2d\" }";
        let (new, warm) = (by(&one, "new"), limits(&[&terms("new", lines)]));
        let at = |hours| monday() + TimeDelta::hours(hours);
        assert_eq!(begun(&new, &warm, at(0)), Ok(2));
        assert_eq!(begun(&new, &warm, at(1)), Err(TimeDelta::hours(23)));
        assert_eq!(begun(&new, &warm, at(38)), Ok(2));
        // At midnight it may take twice as many: it waits no longer than that.
        assert_eq!(begun(&new, &warm, at(38)), Err(TimeDelta::hours(1)));
        assert_eq!(begun(&new, &warm, at(39)), Ok(2));
        assert_eq!(begun(&new, &warm, at(39)), Err(TimeDelta::hours(23)));
        assert_eq!(begun(&new, &warm, at(24 * 9)), Ok(24));
    });
}

#[test]
fn what_is_promised_to_a_relay_counts_for_it_and_for_no_other() {
    every_store(|base| {
        let store = released(base, 9);
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        let both = limits(&[&terms("a", "rates = [\"3/h\"]"), &terms("b", "rates = [\"4/h\"]")]);
        let Claim::Rows(promised) = by(&one, "a").claim(2, &both, monday()).unwrap() else { panic!("two may go") };
        assert_eq!(promised.len(), 2);
        // Another process, and the same relay.
        assert_eq!(begun(&by(&two, "a"), &both, monday()), Ok(1));
        assert!(begun(&by(&two, "a"), &both, monday()).is_err());
        assert_eq!(begun(&by(&two, "b"), &both, monday()), Ok(4));
        // Handed back, they are nobody's.
        one.release(promised.into_iter().map(|row| row.id).collect()).unwrap();
        assert_eq!(begun(&by(&two, "a"), &both, monday()), Ok(2));
        assert_eq!(base.look("SELECT COUNT(*) FROM attempts WHERE relay = 'a'"), "3");
    });
}

#[test]
fn a_lane_of_one_relay_is_a_lane_for_all() {
    every_store(|base| {
        let store = released(base, 4);
        let one = ledger(&store, "one");
        let both = limits(&[&terms("a", "domains = { \"example.org\" = \"1/h\" }"), &terms("b", "")]);
        assert_eq!(both.lane(&address("r0@example.org")), "example.org");
        let a = by(&one, "a");
        // The rows move to their lane first, and none of them is lost.
        let mut got = 0;
        while let Ok(n) = begun(&a, &both, monday()) {
            got += n;
        }
        assert_eq!(got, 1);
        assert_eq!(begun(&by(&one, "b"), &both, monday()), Ok(3));
        assert_eq!(base.look("SELECT COUNT(*) FROM attempts WHERE relay = 'b' AND lane = 'example.org'"), "3");
    });
}
