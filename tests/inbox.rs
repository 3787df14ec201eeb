//! Bounces, complaints and wishes to leave, by mail: what `inbox` does with them, in every kind of mailbox.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site};
use postrider::message::{self, envelope_from};
use postrider::random::Random;
use postrider::store::{Mode, Place, Store};
use postrider::token::{Keyring, Purpose};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, Write};
use std::process::Stdio;

const ADA: &str = "ada@example.net";
const BOB: &str = "bob@example.com";

/// A site whose edition went to Ada and Bob, by an outbox.
fn sent() -> Site {
    let site = Site::new(Plan::to_outbox(), &[ADA.to_owned(), BOB.to_owned()]);
    configure(&site, "");
    let run = site.json(NOON, &["run"]);
    assert_eq!(run["editions"][0]["accepted"], 2, "{run}");
    site
}

fn configure(site: &Site, more: &str) {
    site.write_config();
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    let config = config.replace("[delivery]", "bounces = \"bounces@news.example.org\"\n[delivery]");
    site.write("config.toml", &format!("{config}\n{more}"));
}

/// What the store knows of an address: its id and that of its delivery.
struct Reader {
    subscriber: String,
    delivery: String,
    keyring: Keyring,
}

fn reader(site: &Site, address: &str) -> Reader {
    let store = Store::open(&Place::File(site.path("postrider.db")), Mode::MustExist).unwrap();
    let random = Random::seeded(1);
    let found = store.find_subscriber(&address.parse().unwrap(), &random).unwrap().expect("a reader");
    let delivery = store.newest_delivery(&found.id).unwrap().expect("a delivery").id;
    let keyring = store.keyring(std::slice::from_ref(&site.plan.secret), &random).unwrap();
    Reader { subscriber: found.id, delivery, keyring }
}

impl Reader {
    /// Where a bounce of the delivery comes back to.
    fn envelope(&self) -> String {
        let settings: message::Settings =
            toml::from_str("from = 'news@example.org'\nbounces = 'bounces@news.example.org'").unwrap();
        let mac = self.keyring.mac(Purpose::Bounce, &self.delivery);
        envelope_from(&settings, &self.delivery, &mac).unwrap().as_str().to_owned()
    }

    fn token(&self) -> String {
        self.keyring.sign(Purpose::Unsubscribe, &self.subscriber)
    }
}

/// A bounce as Postfix writes it.
fn bounce(to: &str, recipient: &str, status: &str, said: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\nTo: {to}\n\
         Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n\
         --b\nContent-Type: text/plain\n\nI'm sorry to have to inform you that your message could not be delivered.\n\n<{recipient}>: {said}\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; {recipient}\n\
         Action: failed\nStatus: {status}\nDiagnostic-Code: smtp; {said}\n\n--b--\n"
    )
}

fn maildir(site: &Site, mails: &[(&str, String)]) {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(site.path("Mail").join(part)).unwrap();
    }
    for (name, mail) in mails {
        site.write(&format!("Mail/{name}"), mail);
    }
}

fn rows(document: &Value) -> Vec<[String; 5]> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let rows = document["messages"].as_array().expect("messages").iter();
    rows.map(|row| ["file", "kind", "address", "verdict", "action"].map(|key| text(row, key))).collect()
}

fn status(site: &Site, address: &str) -> String {
    site.json(NOON, &["why", address])["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_hard_bounce_with_our_tag_suppresses_its_reader_and_nobody_else_and_only_once() {
    let site = sent();
    configure(&site, "[inbox]\nsource = \"maildir:Mail\"\n");
    let ada = reader(&site, ADA);
    let said = "550 5.1.1 <ada@example.net>: user unknown";
    maildir(
        &site,
        &[
            ("new/1.eml", bounce(&ada.envelope().to_uppercase(), ADA, "5.1.1", said)),
            ("cur/2.eml:2,", bounce("bounces@news.example.org", BOB, "5.1.1", said)),
            // The tag of one delivery with the MAC of another.
            (
                "cur/3.eml:2,S",
                bounce(&ada.envelope().replace(&ada.delivery, &reader(&site, BOB).delivery), BOB, "5.1.1", said),
            ),
            (
                "cur/4.eml:2,S",
                "From: eve@example.net\nTo: news@example.org\nSubject: Hello\n\nA question.\n".to_owned(),
            ),
        ],
    );
    let expected = [
        ["new/1.eml", "bounce", ADA, "hard", "suppressed"],
        ["cur/2.eml:2,", "bounce", BOB, "hard", "none"],
        ["cur/3.eml:2,S", "bounce", BOB, "hard", "none"],
        ["cur/4.eml:2,S", "other", "eve@example.net", "none", "none"],
    ];
    let before = site.tree();
    assert_eq!(rows(&site.json(NOON, &["inbox", "--dry-run"])), expected);
    let mails = |tree: std::collections::BTreeMap<std::path::PathBuf, Option<Vec<u8>>>| {
        tree.into_keys().filter(|path| path.to_string_lossy().contains("Mail")).collect::<Vec<_>>()
    };
    assert_eq!(mails(site.tree()), mails(before));
    assert_eq!(status(&site, ADA), "active");

    assert_eq!(rows(&site.json(NOON, &["inbox"])), expected);
    assert_eq!(status(&site, ADA), "suppressed (bounce)");
    assert_eq!(status(&site, BOB), "active");
    let names = |folder: &str| {
        let mut names: Vec<String> =
            fs::read_dir(site.path(folder)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names("Mail/.Postrider.Done/cur"), ["1.eml:2,S", "2.eml:2,S", "3.eml:2,S"]);
    assert_eq!(names("Mail/.Postrider.Unread/cur"), ["4.eml:2,S"]);
    assert!(names("Mail/cur").is_empty() && names("Mail/new").is_empty());
    assert_eq!(site.json(NOON, &["status"])["unread"], 1);
    let story = site.json(NOON, &["why", ADA]);
    let came_back =
        story["events"].as_array().unwrap().iter().find(|event| event["kind"] == "bounce").expect("in the story");
    assert_eq!(came_back["edition"], EDITION);
    assert_eq!(came_back["text"], format!("hard: {said}"));

    // Stopped after the record and before the move: the mail is still there, and has no second effect.
    fs::rename(site.path("Mail/.Postrider.Done/cur/1.eml:2,S"), site.path("Mail/new/1.eml")).unwrap();
    assert_eq!(rows(&site.json(NOON, &["inbox"])), Vec::<[String; 5]>::new());
    assert!(site.path("Mail/.Postrider.Done/cur/1.eml:2,S").exists());
}

#[test]
fn a_run_reads_the_inbox_first() {
    let site = sent();
    configure(&site, "[inbox]\nsource = \"maildir:Mail\"\nhandled = \"delete\"\n");
    let ada = reader(&site, ADA);
    maildir(&site, &[("new/1.eml", bounce(&ada.envelope(), ADA, "5.1.1", "550 5.1.1 no such user"))]);
    site.write("posts/2026-11-24-late.md", "---\ntitle: Late\n---\nx\n");
    let run = site.json("2026-11-30T12:00:00Z", &["run"]);
    let edition =
        run["editions"].as_array().unwrap().iter().find(|e| e["id"] == "weekly/2026-11-30").expect("the next edition");
    assert_eq!(edition["recipients"], 1, "{run}");
    assert!(!site.path("Mail/new/1.eml").exists() && !site.path("Mail/.Postrider.Done").exists());

    // A mailbox that is not there keeps nobody's mail back.
    fs::remove_dir_all(site.path("Mail")).unwrap();
    let ran = site.at("2026-11-30T12:00:00Z", &["run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("public/rss.xml"), "{ran:?}");
    assert!(ran.err.contains("the inbox could not be read to its end"), "{ran:?}");
}

#[test]
fn people_leave_by_a_tag_or_a_subject_and_machines_do_not() {
    let site = sent();
    let (ada, bob) = (reader(&site, ADA), reader(&site, BOB));
    let mail = |to: &str, subject: &str, more: &str| {
        format!("From: whoever@example.net\nTo: {to}\nSubject: {subject}\n{more}\nx\n")
    };
    for (part, mail) in [
        (
            "1",
            mail(
                &format!("bounces+{}@news.example.org", ada.token()),
                "Automatic reply: hello",
                "Auto-Submitted: auto-replied\n",
            ),
        ),
        ("2", mail("bounces@news.example.org", "unsubscribe 234567abcdefghijklmnop", "")),
        ("3", mail("bounces@news.example.org", "unsubscribe", "")),
        ("4", mail("bounces+subscribe@news.example.org", "please", "")),
    ] {
        site.write(&format!("{part}.eml"), &mail);
    }
    let read = |name: &str| rows(&site.json(NOON, &["inbox", name]));
    assert_eq!(read("1.eml"), [["1.eml", "auto", "whoever@example.net", "none", "none"]]);
    // Without a token that is ours, one is sent to the name that stands there, and once a day.
    assert_eq!(read("2.eml"), [["2.eml", "unsubscribe", "whoever@example.net", "none", "answered"]]);
    assert_eq!(read("3.eml"), [["3.eml", "unsubscribe", "whoever@example.net", "none", "none"]]);
    assert_eq!(read("4.eml"), [["4.eml", "subscribe", "whoever@example.net", "none", "answered"]]);
    assert_eq!((status(&site, ADA), status(&site, BOB)), ("active".into(), "active".into()));

    site.write("5.eml", &mail(&format!("bounces+{}@news.example.org", ada.token().to_uppercase()), "", ""));
    site.write("6.eml", &mail("bounces@news.example.org", &format!("Re: Unsubscribe {}", bob.token()), ""));
    assert_eq!(read("5.eml"), [["5.eml", "unsubscribe", ADA, "none", "unsubscribed"]]);
    assert_eq!(read("6.eml"), [["6.eml", "unsubscribe", BOB, "none", "unsubscribed"]]);
    assert_eq!((status(&site, ADA), status(&site, BOB)), ("unsubscribed".into(), "unsubscribed".into()));
}

#[test]
fn a_complaint_names_its_mail_and_suppresses_at_once() {
    let site = sent();
    let (ada, bob) = (reader(&site, ADA), reader(&site, BOB));
    let complaint = |kind: &str, header: &str| {
        format!(
            "From: fbl@provider.example\nTo: abuse@example.org\nSubject: FW: notes\nMIME-Version: 1.0\n\
             Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nAn abuse report.\n\n\
             --b\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nUser-Agent: x/1\nVersion: 1\n\n\
             --b\nContent-Type: message/rfc822\n\nFrom: news@example.org\nSubject: notes\n{header}\nx\n\n--b--\n"
        )
    };
    site.write("1.eml", &complaint("not-spam", &format!("Message-ID: <{}@example.org>\n", ada.delivery)));
    // Whoever was answered by this reader knows the Message-ID.
    site.write("2.eml", &complaint("abuse", &format!("Message-ID: <{}@example.org>\n", ada.delivery)));
    site.write(
        "3.eml",
        &complaint("abuse", &format!("List-Unsubscribe: <mailto:b+{}@news.example.org>\n", bob.token())),
    );
    site.write("4.eml", &complaint("abuse", "Message-ID: <made.up@example.org>\n"));
    let read = |name: &str| rows(&site.json(NOON, &["inbox", name]));
    assert_eq!(read("1.eml")[0][1], "other");
    assert_eq!(read("4.eml"), [["4.eml", "complaint", "-", "none", "none"]]);
    assert_eq!((status(&site, ADA), status(&site, BOB)), ("active".into(), "active".into()));
    assert_eq!(read("2.eml"), [["2.eml", "complaint", "-", "none", "none"]]);
    assert_eq!(read("3.eml"), [["3.eml", "complaint", BOB, "none", "suppressed"]]);
    assert_eq!((status(&site, ADA), status(&site, BOB)), ("active".into(), "suppressed (complaint)".into()));
}

#[test]
fn an_mbox_is_left_as_it_is_and_a_mail_may_come_on_standard_input() {
    let site = sent();
    let (ada, bob) = (reader(&site, ADA), reader(&site, BOB));
    let said = "550 5.1.1 user unknown";
    let mbox = format!(
        "From MAILER-DAEMON Mon Nov 23 12:00:00 2026\n{}\nFrom eve Mon Nov 23 12:00:00 2026\nFrom: eve@example.net\nSubject: Hi\n\nx\n",
        bounce(&ada.envelope(), ADA, "5.1.1", said)
    );
    site.write("mbox", &mbox);
    let found = rows(&site.json(NOON, &["inbox", "mbox:mbox"]));
    assert_eq!(found.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["bounce", "other"]);
    assert_eq!(status(&site, ADA), "suppressed (bounce)");
    assert!(rows(&site.json(NOON, &["inbox", "mbox"])).is_empty(), "known by its bytes");
    assert_eq!(fs::read_to_string(site.path("mbox")).unwrap(), mbox);
    assert!(!site.path("mbox.lock").exists());
    site.write("mbox.lock", "");
    let ran = site.go(&["inbox", "mbox:mbox"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("another program is at it\n  help: "), "{ran:?}");

    let mut command = site.command(NOON, &["inbox", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bounce(&bob.envelope(), BOB, "5.1.1", said).as_bytes()).unwrap();
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(out, "-  bounce  bob@example.com  5.1.1  hard  suppressed\n1 row new: 1 suppressed\n");
}

#[test]
fn refusals_while_sending_count_with_what_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let full = "5.2.2@sink.test";
    let site = Site::new(Plan::to(&sink), &[full.to_owned(), "ok@sink.test".to_owned()]);
    let weeks = ["2026-11-02", "2026-11-09", "2026-11-16", "2026-11-17"];
    for (week, day) in weeks.iter().enumerate() {
        site.write(&format!("posts/{day}-more.md"), &format!("---\ntitle: Week {week}\n---\nx\n"));
        configure(&site, "[bounces]\nlimit = 2\nover = \"13d\"\n");
        let ran = site.at(&format!("{day}T12:00:00Z"), &["run"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let told = ran.err.contains("5…@s….test has refused too many mails in a row and is suppressed");
        // The third of them has a letter sent that tries once more.
        assert_eq!(told, week == 3, "week {week}: {ran:?} {}", site.go(&["why", full]).out);
    }
    assert_eq!(status(&site, full), "suppressed (bounce)");
    assert_eq!(status(&site, "ok@sink.test"), "active");
}

/// Weekly editions, each of which comes back with a full mailbox.
#[test]
fn soft_bounces_in_a_row_suppress_and_a_mail_that_stays_ends_the_row() {
    let site = Site::new(Plan::to_outbox(), &[ADA.to_owned(), BOB.to_owned()]);
    configure(&site, "[bounces]\nlimit = 2\nover = \"13d\"\n");
    let weeks = ["2026-11-23", "2026-11-30", "2026-12-07", "2026-12-08"];
    let full = "552 5.2.2 mailbox full";
    for (week, day) in weeks.iter().enumerate() {
        let now = format!("{day}T12:00:00Z");
        site.write(&format!("posts/{day}-more.md"), &format!("---\ntitle: Week {week}\n---\nx\n"));
        site.json(&now, &["run"]);
        for (address, comes_back) in [(ADA, true), (BOB, week != 1)] {
            if !comes_back {
                continue;
            }
            let reader = reader(&site, address);
            site.write("b.eml", &bounce(&reader.envelope(), address, "5.2.2", &format!("{full} {week}")));
            // After three a letter tried once more, on the last day, and it came back, too.
            let action = if address == ADA && week == 3 { "suppressed" } else { "counted" };
            let found = rows(&site.json(&now, &["inbox", "b.eml"]));
            assert_eq!(found, [["b.eml", "bounce", address, "soft", action]], "{address} in week {week}");
        }
    }
    assert_eq!(status(&site, ADA), "suppressed (bounce)");
    assert_eq!(status(&site, BOB), "active");
    let story = site.go(&["why", ADA]).out;
    assert!(story.contains("3 mails in a row came back; probe/1 tries once more"), "{story}");
}

/// An IMAP server with one mailbox: it speaks as much of RFC 9051 as is asked of it. `can`: its capabilities.
fn imap_server(mails: Vec<String>, can: &'static str) -> (u16, std::thread::JoinHandle<Vec<String>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = std::io::BufReader::new(stream.try_clone().unwrap()).lines();
        let mut heard = Vec::new();
        stream.write_all(b"* OK ready\r\n").unwrap();
        while let Some(Ok(line)) = lines.next() {
            let (tag, command) = line.split_once(' ').unwrap();
            let words: Vec<&str> = command.split(' ').collect();
            let (untagged, done) = match words[..] {
                ["LOGIN", _, "\"hunter2\""] => (String::new(), "OK"),
                ["LOGIN", ..] => (String::new(), "NO sorry"),
                ["CAPABILITY"] => (format!("* CAPABILITY IMAP4rev1 {can}\r\n"), "OK"),
                ["SELECT", ..] => (format!("* {} EXISTS\r\n", mails.len()), "OK"),
                ["UID", "SEARCH", ..] => {
                    let uids: Vec<String> = (0..mails.len()).map(|n| (n + 7).to_string()).collect();
                    (format!("* SEARCH {}\r\n", uids.join(" ")), "OK")
                }
                ["UID", "FETCH", uid, ..] => {
                    let at = uid.parse::<usize>().unwrap() - 7;
                    let mail = mails[at].replace('\n', "\r\n");
                    (format!("* {} FETCH (UID {uid} BODY[]<0> {{{}}}\r\n{mail})\r\n", at + 1, mail.len()), "OK")
                }
                ["LOGOUT"] => ("* BYE\r\n".to_owned(), "OK"),
                _ => (String::new(), "OK"),
            };
            heard.push(command.to_owned());
            stream.write_all(format!("{untagged}{tag} {done}\r\n").as_bytes()).unwrap();
        }
        heard
    });
    (port, served)
}

#[test]
fn an_imap_mailbox_is_emptied_into_its_folders() {
    for (can, moves) in [
        ("MOVE UIDPLUS", &["UID MOVE 7 \"Postrider.Done\"", "UID MOVE 8 \"Postrider.Unread\""][..]),
        (
            "UIDPLUS",
            &[
                "UID COPY 7 \"Postrider.Done\"",
                "UID STORE 7 +FLAGS.SILENT (\\Deleted)",
                "UID EXPUNGE 7",
                "UID COPY 8 \"Postrider.Unread\"",
                "UID STORE 8 +FLAGS.SILENT (\\Deleted)",
                "UID EXPUNGE 8",
            ][..],
        ),
        ("IDLE", &["UID COPY 7 \"Postrider.Done\"", "UID STORE 7 +FLAGS.SILENT (\\Deleted)"][..]),
    ] {
        let site = sent();
        let ada = reader(&site, ADA);
        let mails = vec![
            bounce(&ada.envelope(), ADA, "5.1.1", "550 5.1.1 user unknown"),
            "From: eve@example.net\nSubject: Hi\n\nx\n".to_owned(),
        ];
        let (port, served) = imap_server(mails, can);
        configure(&site, &format!("[inbox]\nsource = \"imap://ada@127.0.0.1:{port}/INBOX\"\npassword = \"hunter2\"\n"));
        let found = rows(&site.json(NOON, &["inbox"]));
        assert_eq!(found[0], ["uid 7", "bounce", ADA, "hard", "suppressed"], "{can}");
        assert_eq!(found[1][1], "other");
        let heard = served.join().unwrap();
        let mut moved = heard.iter().filter(|line| moves.contains(&line.as_str()));
        assert_eq!(moved.by_ref().count(), moves.len(), "{can}: {heard:?}");
        assert!(!heard.iter().any(|line| line == "EXPUNGE"), "{heard:?}");
        assert_eq!(heard.last().map(String::as_str), Some("LOGOUT"));
    }
    let site = sent();
    let (port, served) = imap_server(Vec::new(), "");
    configure(&site, &format!("[inbox]\nsource = \"imap://ada@127.0.0.1:{port}/\"\npassword = \"sesame\"\n"));
    let ran = site.go(&["inbox"]);
    assert!(ran.err.contains("the login was refused") && !ran.err.contains("sesame") && ran.code == Some(1), "{ran:?}");
    served.join().unwrap();
}

#[test]
fn what_is_wrong_with_a_mailbox_is_told() {
    let site = sent();
    for (source, words) in [
        ("nowhere", "nowhere: No such file"),
        (
            "maildir:posts",
            "posts/new: No such file or directory (os error 2)\n  help: a Maildir has the folders cur, new and tmp",
        ),
        ("pop3://x", "help: write imaps://user@host/INBOX, maildir:DIR or mbox:FILE"),
        ("imap://ada@127.0.0.1:1/", "imap://127.0.0.1:1/INBOX: there is no password\n  help: set inbox.password"),
    ] {
        let ran = site.go(&["inbox", source]);
        assert_eq!(ran.code, Some(1), "{source}");
        assert!(ran.err.contains(words), "{source}: {}", ran.err);
    }
    let ran = site.go(&["inbox"]);
    assert!(ran.err.contains("there is no [inbox]\n  help: "), "{ran:?}");
}

#[test]
fn no_mail_takes_the_place_of_another_of_its_name() {
    let site = sent();
    for folder in ["md/new", "md/cur", "md/tmp", "md/.Postrider.Unread/cur"] {
        fs::create_dir_all(site.path(folder)).unwrap();
    }
    for (place, word) in [("new/1.x", "one"), ("cur/1.x:2,", "two"), (".Postrider.Unread/cur/1.x:2,S", "three")] {
        site.write(&format!("md/{place}"), &format!("From: eve@example.net\nSubject: Hi\n\n{word}\n"));
    }
    site.json(NOON, &["inbox", "maildir:md"]);
    let kept = fs::read_dir(site.path("md/.Postrider.Unread/cur")).unwrap();
    let mut words: Vec<String> = kept.map(|mail| fs::read_to_string(mail.unwrap().path()).unwrap()).collect();
    words.sort();
    let words: Vec<&str> = words.iter().map(|mail| mail.trim().rsplit('\n').next().unwrap()).collect();
    assert_eq!(words, ["one", "three", "two"]);
}

#[test]
fn what_nobody_understood_is_kept_for_the_owner_also_where_the_first_run_was_stopped() {
    let site = sent();
    for folder in ["md/new", "md/cur", "md/tmp"] {
        fs::create_dir_all(site.path(folder)).unwrap();
    }
    site.write("md/new/1.x", "From: eve@example.net\nTo: bounces@news.example.org\nSubject: a question\n\nplease\n");
    // It cannot be moved: taken in, and no more.
    site.write("md/.Postrider.Unread", "");
    assert_eq!(site.go(&["inbox", "maildir:md"]).code, Some(1));
    fs::remove_file(site.path("md/.Postrider.Unread")).unwrap();
    site.json(NOON, &["inbox", "maildir:md"]);
    assert_eq!(fs::read_dir(site.path("md/.Postrider.Unread/cur")).unwrap().count(), 1);
}

#[test]
fn nobody_else_on_the_machine_reads_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let site = sent();
    let mode = fs::metadata(site.path("postrider.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
