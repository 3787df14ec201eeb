//! What the owner sees of deliveries and can do about them: status while a run is under way, retry, cancel, the mail to the
//! author, and the daemons; and that nothing of it shows a reader's address or the password to whoever did not ask.

use crate::support::database::every_store;
use crate::support::edition::{address, claim, ended, ledger, monday, released};
use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Ran, Site, end, everyone_once, hears, readers, signal, until_taken};
use chrono::TimeDelta;
use postrider::random::Random;
use postrider::reply::{Fault, Outcome, Refusal};
use postrider::report::Counts;
use postrider::store::editions::{Beyond, Changed, Retry};
use postrider::store::ledger::Pending;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use tempfile::TempDir;

/// A site with these readers, and the sink that all of it goes to.
fn site(people: &[String]) -> (Site, Sink, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    (Site::new(Plan::to(&sink), people), sink, folder)
}

fn strings(people: &[&str]) -> Vec<String> {
    people.iter().map(|&person| person.to_owned()).collect()
}

/// A line more in its configuration, before another.
fn configure(site: &Site, line: &str, before: &str) {
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    assert!(config.contains(before), "{config}");
    site.write("config.toml", &config.replacen(before, &format!("{line}\n{before}"), 1));
}

/// Readers whose server takes its time.
fn slow(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("slowdata-20+{n}@sink.test")).collect()
}

#[test]
fn status_is_live_while_a_run_is_under_way() {
    let (site, sink, _folder) = site(&slow(200));
    let mut run = site.start(NOON, &["run"]);
    assert!(until_taken(&sink, 20, &mut run));
    let edition = site.json("2026-11-23T12:00:10Z", &["status"])["editions"][0].clone();
    signal(&run, "TERM");
    let ran = end(run);
    let number = |key: &str| edition[key].as_i64().unwrap_or_else(|| panic!("{key}: {edition}"));
    assert_eq!((&edition["state"], number("recipients")), (&json!("open"), 200), "{ran:?}");
    assert!(number("accepted") > 0 && number("queued") > 0, "{edition}");
    assert_eq!(number("accepted") + number("queued"), 200, "{edition}");
    assert!(edition["rate"].as_f64().unwrap() > 0.0 && number("left") > 0, "{edition}");
}

#[test]
fn both_databases_tell_how_fast_it_goes_and_whether_there_is_work() {
    every_store(|base| {
        let store = released(base, 12);
        let later = |seconds| monday() + TimeDelta::seconds(seconds);
        assert!(store.has_work(monday()).unwrap() && !store.has_work(later(-1)).unwrap());
        assert_eq!((store.paces(monday()).unwrap(), store.under_way().unwrap()), (Vec::new(), false));
        let one = ledger(&store, "one");
        let rows = claim(&one, 12, monday());
        for (n, row) in rows[..11].iter().enumerate() {
            let begun = one.begin(None, &row.id, later(n as i64)).and_then(Pending::wait).unwrap().unwrap();
            one.settle(ended(row, begun, Outcome::Accepted, later(n as i64 + 1))).unwrap();
        }
        let rate = |seconds| store.paces(later(seconds)).unwrap().first().map(|pace| (pace.edition.clone(), pace.rate));
        assert_eq!(rate(10), Some(("weekly/1".to_owned(), 1.0)));
        assert_eq!(rate(20), Some(("weekly/1".to_owned(), 0.5)));
        assert_eq!(rate(65), Some(("weekly/1".to_owned(), 4.0 / 59.0)), "of the last minute alone");
        assert_eq!(rate(69), None, "one try is no pace");
        assert_eq!((store.waiting().unwrap(), store.next_due().unwrap()), (1, Some(monday())));
        one.begin(None, &rows[11].id, later(11)).and_then(Pending::wait).unwrap().unwrap();
        assert_eq!((store.waiting().unwrap(), store.next_due().unwrap(), store.under_way().unwrap()), (1, None, true));
        assert!(!store.has_work(later(12)).unwrap(), "it is in good hands");
        let who = address(rows[0].address.as_str());
        let events = store.story(&who, &Random::seeded(1)).unwrap().events;
        let accepted = events.iter().find(|event| event.kind == "accepted").unwrap();
        assert_eq!((accepted.duration, accepted.transport.is_some()), (Some(1000), true));
    });
}

#[test]
fn both_databases_know_whether_anybody_got_an_edition() {
    every_store(|base| {
        let store = released(base, 4);
        let one = ledger(&store, "one");
        let rows = claim(&one, 4, monday());
        let all: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        assert!(store.none_was_taken(&all).unwrap());
        let begun = one.begin(None, &rows[0].id, monday()).and_then(Pending::wait).unwrap().unwrap();
        one.settle(ended(&rows[0], begun, Outcome::Accepted, monday())).unwrap();
        assert!(!store.none_was_taken(&all[1..]).unwrap());
        base.change("UPDATE deliveries SET state = 'refused'");
        assert!(store.none_was_taken(&all).unwrap());
        base.change("INSERT INTO letters (id, message) VALUES ('welcome', '')");
        base.change(&format!(
            "UPDATE deliveries SET edition = NULL, variant = NULL, letter = 'welcome' WHERE id = '{}'",
            all[3]
        ));
        assert!(!store.none_was_taken(&all).unwrap(), "a letter to one person says nothing of a list");
    });
}

/// Each way of counting, from the first delivery to the last: while most wait, and while most are accepted.
#[test]
fn both_databases_count_an_edition_alike_at_each_step_of_it() {
    every_store(|base| {
        let store = released(base, 16);
        let one = ledger(&store, "one");
        let counts = || store.editions(1).unwrap()[0].counts;
        let mut expected = Counts { queued: 16, ..Counts::default() };
        for (n, row) in claim(&one, 16, monday()).iter().enumerate() {
            let begun = one.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().unwrap();
            assert_eq!(counts(), expected, "under way, {n}");
            let (outcome, place) = match n {
                3 => (Outcome::Refused(Refusal::Other), &mut expected.refused),
                4 | 12 => (Outcome::Deferred(Fault::Recipient), &mut expected.deferred),
                5 => (Outcome::Unknown, &mut expected.uncertain),
                _ => (Outcome::Accepted, &mut expected.accepted),
            };
            *place += 1;
            expected.queued -= 1;
            one.settle(ended(row, begun, outcome, monday())).unwrap();
            assert_eq!(counts(), expected, "settled, {n}");
        }
        assert_eq!(expected.recipients(), 16);
        base.change("UPDATE editions SET recipients = NULL");
        assert_eq!(counts(), expected, "as a store of old has it, where nobody noted how many there are");
    });
}

#[test]
fn both_databases_retry_by_code_and_leave_alone_whom_nothing_may_reach() {
    every_store(|base| {
        let store = released(base, 4);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        let outcomes = [
            Outcome::Refused(Refusal::Policy),
            Outcome::Refused(Refusal::Hard),
            Outcome::Refused(Refusal::Policy),
            Outcome::Deferred(Fault::Recipient),
        ];
        for (row, outcome) in rows.iter().zip(outcomes) {
            let begun = one.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().unwrap();
            one.settle(ended(row, begun, outcome, monday())).unwrap();
        }
        for (row, status) in rows.iter().zip(["5.7.1", "5.1.1", "5.70.1", "4.2.2"]) {
            base.change(&format!("UPDATE attempts SET status = '{status}', code = 550 WHERE delivery = '{}'", row.id));
        }
        base.change(&format!("UPDATE subscribers SET status = 'unsubscribed' WHERE id = '{}'", rows[2].subscriber));
        let beyond = |code| store.beyond_retry("weekly/1", Retry::Refused(code)).unwrap();
        assert_eq!(beyond(None), Beyond { suppressed: 1, left: 1 });
        assert_eq!(beyond(Some("550")), Beyond { suppressed: 1, left: 1 });
        assert_eq!(beyond(Some("5.7")), Beyond::default(), "5.70 is another class");
        assert_eq!(store.beyond_retry("weekly/1", Retry::Outbox).unwrap(), Beyond::default());
        let retry = |code| store.retry("weekly/1", Retry::Refused(code), monday()).unwrap();
        assert_eq!(retry(Some("5.1.1")), Changed::Done(0));
        assert_eq!(retry(Some("5.7")), Changed::Done(1));
        assert_eq!(retry(None), Changed::Done(0));
        let later = monday() + TimeDelta::days(4);
        assert_eq!(one.hold_rested(later).unwrap(), ["weekly/1"]);
        assert_eq!(store.held_editions().unwrap(), ["weekly/1"]);
        base.change(&format!("UPDATE deliveries SET state = 'held' WHERE id = '{}'", rows[0].id));
        assert_eq!(store.editions_with_held().unwrap(), [("weekly/1".to_owned(), 1)]);
        assert_eq!(store.held().unwrap().len(), 1);
    });
}

/// Starts `status --watch`, and waits for the first line that it prints.
fn watch(site: &Site, now: &str) -> (Child, String) {
    let mut child = site.start(now, &["status", "--watch"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    child.stdout = Some(out.into_inner());
    (child, first)
}

#[test]
fn status_watches_until_nothing_is_open() {
    let (site, sink, _folder) = site(&slow(400));
    let mut run = site.start(NOON, &["run"]);
    assert!(until_taken(&sink, 1, &mut run));
    let watched = Ran::from(site.command(NOON, &["status", "--watch"]).output().unwrap());
    assert_eq!(end(run).code, Some(0));
    assert_eq!((watched.code, watched.err.as_str()), (Some(0), ""), "{watched:?}");
    let blocks: Vec<&str> = watched.out.split("\n\n").collect();
    assert!(blocks.len() > 1, "{watched:?}");
    for (n, block) in blocks.iter().enumerate() {
        let state = if n + 1 == blocks.len() { "done" } else { "open" };
        assert!(block.starts_with(&format!("{EDITION}  {state}  ")), "{block}");
    }
    assert!(blocks.last().unwrap().contains("400 recipients: 400 accepted\n"), "{watched:?}");
}

#[test]
fn watching_ends_well_when_it_is_told_to() {
    let (site, _sink, _folder) = site(&strings(&["450-1@sink.test"]));
    site.json(NOON, &["run"]);
    let (child, first) = watch(&site, NOON);
    assert_eq!(first, format!("{EDITION}  open  \"Field Notes: First snow\"\n"));
    signal(&child, "INT");
    let ran = end(child);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");

    let wrong = site.go(&["status", "--watch", "--json"]);
    let sentence = "error: --watch shows what changes, and --json prints one document\n  help: leave one of them out; a script asks `status --json` again\n";
    assert_eq!((wrong.code, wrong.out.as_str(), wrong.err.as_str()), (Some(2), "", sentence));
}

#[test]
fn retry_takes_those_with_the_code_and_says_who_gets_nothing() {
    let people =
        strings(&["550@sink.test", "5.7.1@sink.test", "5.7.26@sink.test", "5.1.1@sink.test", "5.2.2@sink.test"]);
    let (site, _sink, _folder) = site(&people);
    assert_eq!(site.json(NOON, &["run"])["editions"][0]["refused"], 5);
    let retry = |code: &str| {
        let ran = site.go(&["retry", EDITION, "--failed-with", code]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        ran.out
    };
    let suppressed = "  1 is suppressed and gets nothing; `postrider subscribers list` names all but erased ones\n";
    assert_eq!(retry("5.1.1"), format!("{EDITION}: nothing that was refused with 5.1.1 can be sent\n{suppressed}"));
    assert_eq!(retry("421"), format!("{EDITION}: nothing that was refused with 421 can be sent\n"));
    assert_eq!(retry("5.7"), format!("{EDITION}: queued again for 2 readers; `postrider run` sends it\n"));
    assert_eq!(
        retry("550"),
        format!("{EDITION}: queued again for 2 readers; `postrider run` sends it\n{suppressed}"),
        "the others of that code wait already"
    );
    let again = site.json("2026-11-23T12:01:00Z", &["run"])["editions"][0].clone();
    assert_eq!(
        (&again["refused"], &again["cancelled"]),
        (&json!(5), &json!(0)),
        "nobody was promised in vain: {again}"
    );

    site.write_readers(&people[1..]);
    site.json("2026-11-23T12:02:00Z", &["run"]);
    assert_eq!(
        site.json("2026-11-23T12:03:00Z", &["retry", EDITION]),
        json!({"edition": EDITION, "deliveries": 3, "suppressed": 1, "unsubscribed": 1})
    );
    for wrong in ["5.x", "250", "hard", "5.7.1.1"] {
        let ran = site.go(&["retry", EDITION, "--failed-with", wrong]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        let sentence = format!(
            "{wrong:?} is no code of a refusal; write one as `why` shows it: 550, 5.7.1, or 5.7 for all that begin so"
        );
        assert!(ran.err.contains(&sentence), "{ran:?}");
    }
}

/// A first list may be short, and the server a wrong one.
#[test]
fn a_short_list_that_is_refused_as_a_whole_costs_nobody_their_place() {
    let people: Vec<String> = (0..4).map(|n| format!("5.1.1+{n}@sink.test")).collect();
    let (site, sink, _folder) = site(&people);
    let ran = site.at(NOON, &["run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = "says of one address after another that it does not exist";
    assert!(ran.err.contains(said) && ran.err.contains("4 refused deliveries are queued again"), "{ran:?}");
    let edition = site.json(NOON, &["status"])["editions"][0].clone();
    assert_eq!((&edition["state"], &edition["deferred"], &edition["refused"]), (&json!("open"), &json!(4), &json!(0)));
    assert!(!site.go(&["subscribers", "list"]).out.contains("suppressed"));
    assert_eq!(sink.taken(), 0);
}

#[test]
fn who_is_suppressed_for_bounces_may_be_let_in_again() {
    // The server takes one, so it is right about the others.
    let people = strings(&["5.1.1+a@sink.test", "5.1.1+b@sink.test", "5.1.1+c@sink.test", "fine@sink.test"]);
    let (site, _sink, _folder) = site(&people);
    assert_eq!(site.json(NOON, &["run"])["editions"][0]["refused"], 3);
    let refused = site.go(&["subscribers", "add", &people[0]]);
    let way_out = format!("if it works after all, `postrider subscribers add {} --again`", people[0]);
    assert!(refused.code == Some(1) && refused.err.contains(&way_out), "{refused:?}");
    let again = site.go(&["subscribers", "add", &people[0], "--again"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(site.go(&["why", &people[0]]).out.contains("suppressed (bounce) no more"));
    let retried = site.json(NOON, &["retry", EDITION]);
    assert_eq!((&retried["deliveries"], &retried["suppressed"]), (&json!(1), &json!(2)));
}

#[test]
fn what_is_held_in_doubt_goes_once_more_when_a_person_says_so() {
    let people = strings(&["dropafter@sink.test", "dropafter+left@sink.test", "fine@sink.test"]);
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let site = Site::new(Plan { uncertain: "hold", ..Plan::to(&sink) }, &people);
    assert_eq!(site.json(NOON, &["run"])["editions"][0]["held"], 2);
    site.write_readers(&[people[0].clone(), people[2].clone()]);
    let said = site.at(NOON, &["status"]).out;
    assert!(said.contains(&format!("`postrider retry {EDITION} --held` sends it once more\n")), "{said}");
    site.json("2026-11-23T12:01:00Z", &["run"]);
    assert_eq!(sink.taken(), 3, "nothing of it goes by itself");
    let retry = |expected: &str| {
        let ran = site.at("2026-11-23T12:02:00Z", &["retry", EDITION, "--held"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        assert_eq!(ran.out, format!("{EDITION}: {expected}\n  1 has left since and gets nothing\n"));
    };
    retry("queued again for 1 reader, and comes twice to whom it has reached; `postrider run` sends it");
    retry("nothing that is held can be sent");
    assert_eq!(site.json("2026-11-23T12:03:00Z", &["status"])["editions"][0]["uncertain"], 1);
    let again = site.json("2026-11-23T12:03:00Z", &["run"])["editions"][0].clone();
    assert_eq!((&again["state"], &again["held"], &again["accepted"]), (&json!("done"), &json!(2), &json!(1)));
    let taken = sink.accepted();
    let copies: Vec<_> =
        taken.iter().filter(|mail| mail.rcpt == people[0]).map(|mail| (&mail.message_id, &mail.sha256)).collect();
    assert!(copies.len() == 2 && copies[0] == copies[1] && taken.len() == 4, "{taken:?}");
    assert_eq!(site.listed("resent"), [people[0].clone()].into(), "who may have it twice is listed");
    let both = site.at(NOON, &["retry", EDITION, "--held", "--outbox"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn what_was_given_up_is_tried_again() {
    let (site, sink, _folder) = site(&strings(&["450-3@sink.test"]));
    for time in ["12:00", "13:10", "14:20"] {
        site.json(&format!("2026-11-23T{time}:00Z"), &["run"]);
    }
    let told = |events: &serde_json::Value, kind: &str| {
        events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).count()
    };
    assert_eq!(told(&site.json(NOON, &["why", "450-3@sink.test"]), "expired"), 1);
    let late = "2026-11-23T15:00:00Z";
    assert_eq!(site.json(late, &["retry", EDITION, "--failed-with", "4.2"])["deliveries"], 1);
    assert_eq!(site.json(late, &["run"])["editions"][0]["accepted"], 1);
    assert_eq!(sink.taken(), 1);
}

#[test]
fn cancel_withdraws_what_is_not_sent_and_the_run_under_way_ends_well() {
    let (site, sink, _folder) = site(&[slow(200), strings(&["550@sink.test"])].concat());
    let mut run = site.start(NOON, &["run", "--json"]);
    assert!(until_taken(&sink, 20, &mut run));
    let withdrawn = site.json("2026-11-23T12:00:10Z", &["cancel", EDITION])["deliveries"].as_i64().unwrap();
    let ran = end(run);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    let run: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let edition = &run["editions"][0];
    let number = |key: &str| edition[key].as_i64().unwrap();
    assert_eq!((&edition["state"], number("queued"), number("deferred")), (&json!("cancelled"), 0, 0), "{edition}");
    assert!(withdrawn > 0 && number("cancelled") >= withdrawn, "{edition}");
    assert_eq!(number("accepted") as usize, sink.taken(), "{edition}");
    assert_eq!(number("accepted") + number("refused") + number("cancelled"), 201, "{edition}");

    let ran = site.go(&["retry", EDITION]);
    let sentence = format!(
        "error: the edition {EDITION} was cancelled, and what was withdrawn is not sent again, refused ones included\n  help: their next edition reaches those readers; `postrider why ADDRESS` shows what became of one\n"
    );
    assert_eq!((ran.code, ran.err), (Some(1), sentence));
}

/// The mails to the author in the site's outbox, without their order.
fn reports(site: &Site) -> Vec<String> {
    let folder = fs::read_dir(site.path("outbox/report"));
    let files = folder.into_iter().flatten().map(|file| fs::read(file.unwrap().path()).unwrap());
    files.map(|bytes| String::from_utf8(bytes).unwrap().replace("=\r\n", "").replace("\r\n", "\n")).collect()
}

#[test]
fn the_author_is_told_once_then_daily_and_when_it_is_well_again() {
    let (mut site, _sink, _folder) = site(&readers(2));
    site.plan.transport = "outbox:outbox".to_owned();
    site.write_config();
    configure(&site, "report_to = \"Ada <ada@example.org>\"", "transport =");
    site.json(NOON, &["run"]);
    assert_eq!(reports(&site).len(), 0, "all is well");
    fs::remove_file(site.path("subscribers.csv")).unwrap();
    let mut seen = 0;
    for (time, count) in [("23T13", 1), ("23T14", 1), ("24T12", 1), ("24T14", 2), ("24T15", 2)] {
        let ran = site.at(&format!("2026-11-{time}:00:00Z"), &["run"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let told = reports(&site);
        assert_eq!(told.len(), count, "{time}");
        if count > seen {
            let mail = told.iter().find(|mail| mail.contains("The run failed:")).unwrap();
            assert!(
                mail.contains("\nTo: Ada <ada@example.org>\n") && mail.contains("\nAuto-Submitted: auto-generated\n")
            );
            assert!(mail.contains("subscribers.csv") && !mail.contains("@sink.test"), "{mail}");
        }
        seen = count;
    }
    site.write_readers(&readers(2));
    for (time, count) in [("24T16", 3), ("24T17", 3)] {
        site.json(&format!("2026-11-{time}:00:00Z"), &["run"]);
        assert_eq!(reports(&site).len(), count, "{time}");
    }
    assert_eq!(reports(&site).iter().filter(|mail| mail.contains("Subject: postrider: all is well again")).count(), 1);
}

#[test]
fn an_author_who_cannot_be_told_changes_no_exit_code() {
    let (site, sink, _folder) = site(&strings(&["450-1@sink.test"]));
    configure(&site, "report_to = \"5.1.1@sink.test\"", "transport =");
    site.json(NOON, &["run"]);
    // Nobody ran it for longer than give_up_after: the edition is held.
    let ran = site.at("2026-11-23T18:00:00Z", &["run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("mail.report_to could not be told: the server did not take it: 550 5.1.1"), "{ran:?}");
    let config = fs::read_to_string(site.path("config.toml")).unwrap().replace("\"5.1.1@", "\"ada@");
    site.write("config.toml", &config);
    for time in ["19", "20"] {
        assert_eq!(site.at(&format!("2026-11-23T{time}:00:00Z"), &["run"]).code, Some(0));
    }
    let told: Vec<String> = sink.accepted().into_iter().map(|mail| mail.rcpt).collect();
    assert_eq!(told, ["ada@sink.test"], "told by the next run, once");
}

#[test]
fn work_delivers_what_another_process_releases_until_it_is_told_to_stop() {
    for command in ["work", "serve"] {
        let people = readers(5);
        let (site, sink, _folder) = site(&people);
        configure(&site, "approve = true", "late =");
        assert_eq!(site.json(NOON, &["run"])["editions"][0]["state"], "waiting");
        let mut daemon = site.start(NOON, &[command]);
        let words =
            if command == "work" { "delivering to smtp://127.0.0.1:" } else { "listening on http://127.0.0.1:" };
        hears(&mut daemon, words);
        assert_eq!(sink.taken(), 0);
        assert_eq!(site.go(&["approve", EDITION]).code, Some(0));
        assert!(until_taken(&sink, 5, &mut daemon), "{command} ended");
        signal(&daemon, "TERM");
        let ran = end(daemon);
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
        everyone_once(&sink, &people);
        assert_eq!(
            site.json("2026-11-23T12:01:00Z", &["run"])["editions"],
            json!([]),
            "{command} finished the edition"
        );
    }
}

#[test]
fn work_wants_a_store_and_a_way_out() {
    let (mut site, _sink, _folder) = site(&readers(1));
    let ran = site.go(&["work"]);
    assert_eq!((ran.code, ran.err.contains("there is no store yet")), (Some(1), true), "{ran:?}");
    site.json(NOON, &["run"]);
    site.plan.transport = "smtp://ada@mail.example.net:587".to_owned();
    site.write_config();
    let ran = site.go(&["work"]);
    assert_eq!((ran.code, ran.err.contains("mail.password is not set")), (Some(1), true), "{ran:?}");
}

#[test]
fn no_output_shows_a_readers_address_or_the_password_to_whoever_did_not_ask() {
    let locals = [
        "ok",
        "450-1",
        "grey",
        "451data",
        "4.2.2",
        "421rcpt",
        "421data",
        "garbage",
        "550",
        "5.1.1",
        "multiline",
        "5.2.2",
        "552size",
        "5.7.1",
        "dropdata",
        "dropafter",
        "echo",
        "echo450",
    ];
    let people: Vec<String> = locals.iter().map(|local| format!("{local}+Zoe.Reader@sink.test")).collect();
    let password = "correct-horse-battery";
    let login = |password: &str, how: &str| Some(("ada".to_owned(), password.to_owned(), how.to_owned()));
    let mut said = Vec::new();
    for (right, how) in
        [(password, "PLAIN LOGIN"), (password, "LOGIN"), ("another", "PLAIN LOGIN"), ("another", "LOGIN")]
    {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings { login: login(right, how), ..Settings::in_folder(folder.path()) });
        let transport = format!("smtp://ada@127.0.0.1:{}", sink.port());
        let plan = Plan { transport, password: Some(password.to_owned()), ..Plan::to(&sink) };
        let site = Site::new(plan, &people);
        configure(&site, "report_to = \"ada@example.org\"", "transport =");
        let mut speak = |mut command: Command| {
            let ran = Ran::from(command.env("RUST_LOG", "trace").output().unwrap());
            said.push(format!("{}{}", ran.out, ran.err));
        };
        for time in ["12:00", "13:10", "14:20", "15:30"] {
            speak(site.command(&format!("2026-11-23T{time}:00Z"), &["run", "-vv"]));
        }
        for arguments in
            [&["plan", "-vv"][..], &["run", "--json", "-vv"], &["retry", EDITION, "-vv"], &["cancel", EDITION]]
        {
            speak(site.command("2026-11-23T15:40:00Z", arguments));
        }
        fs::remove_file(site.path("subscribers.csv")).unwrap();
        speak(site.command("2026-11-23T15:50:00Z", &["run", "-vv"]));
        if right == password {
            assert!(sink.taken() > 1, "{said:?}");
        }
    }
    let said = said.join("\n").to_lowercase();
    // The words that came with it are there, so the refusals were spoken of.
    assert!(said.contains("recipient address rejected") && said.contains("subscribers.csv"), "{said}");
    let encoded = [format!("\0ada\0{password}"), password.to_owned()]
        .map(|secret| data_encoding::BASE64.encode(secret.as_bytes()).to_lowercase());
    for secret in [password, "zoe.reader", "@sink.test", encoded[0].as_str(), encoded[1].as_str()] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
