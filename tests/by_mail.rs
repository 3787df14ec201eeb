//! A whole newsletter from a mailbox, without a server: people subscribe, confirm, ask for help and leave by mail; and what those try
//! who write in others' names.

use crate::support::site::{NOON, Plan, Site};
use postrider::message::quoted;
use serde_json::Value;
use std::fs;

const NEW: &str = "new@example.net";
const NEWS: &str = "news@example.org";
/// Another day.
const LATER: &str = "2026-11-24T13:00:00Z";

/// A site with a mailbox and no server, which nobody reads yet.
fn newsletter(more: &str) -> Site {
    let site = Site::new(Plan::to_outbox(), &["first@example.com".to_owned()]);
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &format!("{config}\n[inbox]\nsource = \"maildir:Mail\"\naddress = \"{NEWS}\"\n{more}"));
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(site.path("Mail").join(part)).unwrap();
    }
    site.json(NOON, &["run"]);
    let _ = sent(&site);
    site
}

/// Puts a mail into the mailbox.
fn arrives(site: &Site, name: &str, from: &str, to: &str, more: &str) {
    site.write(&format!("Mail/new/{name}"), &format!("From: <{from}>\nTo: <{to}>\n{more}\n\n\n"));
}

/// What `run` sends: to whom, the subject, and the text as it is read. The outbox is emptied.
fn run(site: &Site, now: &str) -> Vec<(String, String, String)> {
    let ran = site.at(now, &["run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    sent(site)
}

fn sent(site: &Site) -> Vec<(String, String, String)> {
    let tree = site.tree().into_keys();
    let paths = tree.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    let mut mails: Vec<_> = paths
        .filter(|path| path.to_string_lossy().contains("outbox"))
        .map(|path| {
            let path = site.path(&path.to_string_lossy());
            let mail = String::from_utf8(fs::read(&path).unwrap()).unwrap();
            fs::remove_file(path).unwrap();
            let field = |name: &str| {
                let line = mail.lines().find(|line| line.starts_with(name)).unwrap_or_default();
                line[name.len().min(line.len())..].trim_matches([' ', '<', '>']).to_owned()
            };
            let text = mail.splitn(3, "\r\n\r\n").nth(2).unwrap();
            (field("To:"), field("Subject:"), quoted::decode(text.split("\r\n--=_").next().unwrap()).unwrap())
        })
        .collect();
    mails.sort();
    mails
}

/// The address and the subject of the first link to a mail.
fn mail_link(text: &str) -> (String, String) {
    let link = text.split_whitespace().find_map(|word| word.strip_prefix("mailto:")).expect("a link to a mail");
    let (to, subject) = link.split_once("?subject=").expect("a subject");
    (to.to_owned(), subject.to_owned())
}

fn status(site: &Site, address: &str) -> String {
    site.json(NOON, &["why", address])["status"].as_str().unwrap().to_owned()
}

fn taken(site: &Site, now: &str) -> Vec<(String, String)> {
    let document: Value = site.json(now, &["inbox"]);
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    document["messages"].as_array().unwrap().iter().map(|row| (text(row, "kind"), text(row, "action"))).collect()
}

#[test]
fn a_person_subscribes_confirms_reads_and_leaves_by_mail_alone() {
    let site = newsletter("[subscribe]\nwelcome = true\n");
    arrives(&site, "1.eml", NEW, NEWS, "Subject: subscribe");
    let mails = run(&site, NOON);
    assert_eq!((mails.len(), mails[0].0.as_str()), (1, NEW), "{mails:?}");
    assert_eq!((mails[0].1.as_str(), status(&site, NEW)), ("Please confirm: Field Notes", "pending".to_owned()));
    let (to, subject) = mail_link(&mails[0].2);
    assert!(to.starts_with("news+") && to.ends_with("@example.org") && subject == "confirm", "{to} {subject}");
    // An answer that a machine wrote confirms nothing, and neither does one to the plain address.
    arrives(&site, "2.eml", NEW, &to, "Subject: Re: Please confirm: Field Notes\nAuto-Submitted: auto-replied");
    arrives(&site, "3.eml", NEW, NEWS, "Subject: Re: Please confirm: Field Notes");
    assert_eq!((run(&site, NOON), status(&site, NEW)), (Vec::new(), "pending".to_owned()));
    // The mail that the link opens, whatever became of its subject.
    arrives(&site, "4.eml", NEW, &to.to_uppercase(), "Subject: ");
    let mails = run(&site, NOON);
    assert_eq!(status(&site, NEW), "active");
    assert_eq!((mails.len(), mails[0].1.as_str()), (1, "Welcome to Field Notes"));
    // The next edition is theirs, too, and its foot says how to leave.
    site.write("posts/2026-11-30-more.md", "---\ntitle: More\n---\nx\n");
    let mails = run(&site, "2026-11-30T12:00:00Z");
    let theirs = mails.iter().find(|mail| mail.0 == NEW).expect("the edition");
    let (to, subject) = mail_link(&theirs.2);
    arrives(&site, "5.eml", "alias@example.net", &to, &format!("Subject: {subject}"));
    assert_eq!(taken(&site, LATER), [("unsubscribe".to_owned(), "unsubscribed".to_owned())]);
    assert_eq!(status(&site, NEW), "unsubscribed");
    // What was confirmed once brings nobody back.
    let story = site.go(&["why", NEW]).out;
    assert!(story.contains("confirm/1: by mail") && story.contains("confirmed"), "{story}");
}

#[test]
fn who_asks_how_to_leave_is_told_and_nobody_leaves_by_a_name_alone() {
    let site = newsletter("");
    let reader = "first@example.com";
    arrives(&site, "1.eml", reader, NEWS, "Subject: unsubscribe");
    arrives(&site, "2.eml", "who@example.net", "news+unsubscribe@example.org", "Subject: away with it");
    arrives(&site, "3.eml", "help@example.net", NEWS, "Subject: Help!");
    let mails = run(&site, NOON);
    let to: Vec<_> = mails.iter().map(|mail| (mail.0.as_str(), mail.1.as_str())).collect();
    let help = "Mail from Field Notes";
    assert_eq!(
        to,
        [(reader, "Your subscription to Field Notes"), ("help@example.net", help), ("who@example.net", help)]
    );
    assert_eq!(status(&site, reader), "active");
    assert_eq!(mail_link(&mails[1].2), (NEWS.to_owned(), "subscribe".to_owned()));
    // Once a day, whatever they ask and however often.
    for name in ["4.eml", "5.eml"] {
        arrives(&site, name, reader, NEWS, &format!("Subject: help\nX-Number: {name}"));
        arrives(&site, &format!("who{name}"), "who@example.net", NEWS, &format!("Subject: help\nX-Number: {name}"));
    }
    assert!(run(&site, NOON).is_empty());
    let (to, subject) = mail_link(&mails[0].2);
    arrives(&site, "6.eml", reader, &to, &format!("Subject: {subject}"));
    assert!(run(&site, NOON).is_empty());
    assert_eq!(status(&site, reader), "unsubscribed");
    // Who has left is told that they have.
    arrives(&site, "7.eml", reader, NEWS, "Subject: unsubscribe\nX-Number: 7");
    assert_eq!(run(&site, LATER)[0].1, help);
    // Of who only asked nothing is kept.
    assert_eq!(
        (status(&site, "who@example.net"), status(&site, "help@example.net")),
        ("unknown".into(), "unknown".into())
    );
}

#[test]
fn nobody_answers_machines_strangers_names_or_whom_they_must_not_write_to() {
    let site = newsletter("");
    site.go(&["subscribers", "remove", "--suppress", "never@example.net"]);
    let asks = "Subject: subscribe";
    for (n, (from, more)) in [
        ("list@example.net", "List-Id: <x.example.net>"),
        ("away@example.net", "Auto-Submitted: auto-generated"),
        ("mailer-daemon@example.net", ""),
        ("bulk@example.net", "Precedence: bulk"),
        ("never@example.net", ""),
        ("nobody", ""),
        (NEWS, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let more = if more.is_empty() { asks.to_owned() } else { format!("{more}\n{asks}") };
        arrives(&site, &format!("{n}.eml"), from, NEWS, &more);
    }
    assert_eq!(run(&site, NOON), []);
    // A token for another purpose, or for another person, confirms nothing.
    arrives(&site, "a.eml", NEW, NEWS, asks);
    arrives(&site, "b.eml", "other@example.net", NEWS, asks);
    let mails = run(&site, NOON);
    let (mine, others) = (mail_link(&mails[0].2).0, mail_link(&mails[1].2).0);
    let leave = mine.replace("news+", "news+x");
    let swapped = format!("{}{}", &mine[..mine.find('@').unwrap() - 16], &others[others.find('@').unwrap() - 16..]);
    for (n, to) in [leave, swapped].into_iter().enumerate() {
        arrives(&site, &format!("c{n}.eml"), NEW, &to, "Subject: confirm");
    }
    run(&site, NOON);
    assert_eq!((status(&site, NEW), status(&site, "other@example.net")), ("pending".into(), "pending".into()));
    // Whoever has the token has the mailbox; and a token that came too late asks anew.
    arrives(&site, "d.eml", "someone@example.net", &mine, "Subject: confirm");
    run(&site, NOON);
    assert_eq!(status(&site, NEW), "active");
    arrives(&site, "e.eml", "other@example.net", &others, "Subject: confirm");
    let again = run(&site, "2026-11-27T12:00:01Z");
    assert_eq!(again[0].1, "Please confirm: Field Notes", "{again:?}");
    assert_eq!(status(&site, "other@example.net"), "pending");
}

#[test]
fn a_flood_in_others_names_is_left_to_read() {
    let site = newsletter("");
    for n in 0..303 {
        arrives(&site, &format!("{n:03}.eml"), &format!("victim{n}@example.net"), NEWS, "Subject: subscribe");
    }
    let actions = taken(&site, NOON);
    let answered = actions.iter().filter(|row| row.1 == "answered").count();
    assert_eq!((answered, actions.len()), (300, 303));
    let unread = fs::read_dir(site.path("Mail/.Postrider.Unread/cur")).unwrap().count();
    assert_eq!(unread, 3);
    assert_eq!(site.json(NOON, &["status"])["unread"], 3);
    // An hour later there is room for others.
    arrives(&site, "late.eml", NEW, NEWS, "Subject: subscribe");
    assert_eq!(taken(&site, LATER), [("subscribe".to_owned(), "answered".to_owned())]);
}

#[test]
fn without_a_sender_everything_is_left_to_read() {
    let site = newsletter("");
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    let (before, rest) = config.split_once("[mail]").unwrap();
    let (_, digest) = rest.split_once("[subscribers]").unwrap();
    site.write("config.toml", &format!("{before}[subscribers]{digest}"));
    arrives(&site, "1.eml", NEW, NEWS, "Subject: subscribe");
    assert_eq!(taken(&site, NOON), [("subscribe".to_owned(), "none".to_owned())]);
    assert_eq!(fs::read_dir(site.path("Mail/.Postrider.Unread/cur")).unwrap().count(), 1);
}
