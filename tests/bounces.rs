//! Bounces of real servers, which others collected and labelled: how many are understood. The folder is named by `POSTRIDER_BOUNCES`
//! (`labels.tsv` and the mails of which it speaks); the rules were found on the half whose names have an even hash, the other half
//! was only counted. Without it the mails of `tests/corpus/inbox` alone are read.

use postrider::bounce::{self, Kind, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A row of labels: what a mail says of one recipient.
struct Label {
    status: String,
    reason: String,
    hard: bool,
}

/// How the mails of one half were understood.
#[derive(Default)]
struct Half {
    mails: usize,
    recipients: usize,
    /// Hard by their label, and how many of them we call so.
    hard: (usize, usize),
    /// Others by their label, by what we call them.
    others: BTreeMap<&'static str, usize>,
    /// Of the others, those that we call hard, by why they are not in the label.
    taken_for_hard: BTreeMap<String, usize>,
    /// Complaints, absences and mails that are no bounce: how many, and how many we know for what they are.
    complaints: (usize, usize),
    absences: (usize, usize),
    no_bounces: (usize, usize),
    /// Hard by their label and called otherwise, by label and by what we call them.
    missed: BTreeMap<String, usize>,
}

/// Labels that say of an address that exists no more, or was never there, something milder: it takes no mail from anybody, or the server
/// said "user unknown" after the mail's body, from which the labels infer a filter.
const NEVER: [&str; 2] = ["filtered", "suspend"];

#[test]
fn the_bounces_of_others_are_understood() {
    let Some(folder) = std::env::var_os("POSTRIDER_BOUNCES") else { return };
    let folder = Path::new(&folder);
    let labels = labels(&fs::read_to_string(folder.join("labels.tsv")).expect("labels"));
    let mut halves = [Half::default(), Half::default()];
    let mut missed = Vec::new();
    let mut names: Vec<_> =
        fs::read_dir(folder).expect("the folder").map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names.iter().filter(|name| name.ends_with(".eml")) {
        let odd = usize::from(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes()).as_ref()[31] & 1);
        let bytes = fs::read(folder.join(name)).unwrap();
        let labels = labels.get(name).map(Vec::as_slice).unwrap_or_default();
        let wrong = halves[odd].count(labels, &bytes);
        // Of the half that is only counted nothing is told.
        if odd == 0 {
            missed.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
        }
    }
    let table = table(&halves);
    let unlike = format!("{table}\n{}\n{:?}\n{:?}", missed.join("\n"), halves[0].missed, halves[1].missed);
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/bounces.md")).expect("docs/bounces.md");
    assert!(docs.contains(&table), "docs/bounces.md has another table:\n{unlike}");
    let both = (halves[0].hard.0 + halves[1].hard.0, halves[0].hard.1 + halves[1].hard.1);
    assert!(halves[0].hard.0 == halves[0].hard.1 && both.1 * 100 >= both.0 * 90, "{both:?} of the hard ones");
    let wrong: usize = halves
        .iter()
        .flat_map(|half| &half.taken_for_hard)
        .filter(|(why, _)| !NEVER.contains(&why.as_str()))
        .map(|(_, n)| n)
        .sum();
    assert!(wrong <= 1, "{wrong} taken for hard");
}

fn labels(text: &str) -> BTreeMap<String, Vec<Label>> {
    let mut labels: BTreeMap<String, Vec<Label>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [name, status, _, reason, hard] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let label = Label { status: status.to_owned(), reason: reason.to_owned(), hard: hard == "true" };
        labels.entry(name.to_owned()).or_default().push(label);
    }
    labels
}

impl Half {
    fn count(&mut self, labels: &[Label], bytes: &[u8]) -> Vec<String> {
        let mail = bounce::read(bytes);
        let mut wrong = Vec::new();
        self.mails += 1;
        let known = |kind: &Kind| mail.kind == *kind;
        let mut tell = |counts: &mut (usize, usize), good: bool, what: &str| {
            counts.0 += 1;
            counts.1 += usize::from(good);
            if !good {
                wrong.push(format!("{what}, but {:?} {:?}", mail.kind, mail.recipients));
            }
        };
        match labels.first().map(|label| label.reason.as_str()) {
            None => {
                return tell_one(wrong, &mut self.no_bounces, !known(&Kind::Bounce) && !known(&Kind::Complaint), &mail);
            }
            Some("feedback") => tell(&mut self.complaints, known(&Kind::Complaint), "complaint"),
            Some("vacation") => tell(&mut self.absences, known(&Kind::Automatic), "vacation"),
            Some("delivered") => tell(&mut self.no_bounces, !known(&Kind::Bounce), "delivered"),
            Some(_) => {
                self.recipients += labels.len();
                for (at, label) in labels.iter().enumerate() {
                    let got = mail.recipients.get(at).map_or(Verdict::None, |recipient| recipient.verdict);
                    let what =
                        format!("{} {} {}", label.status, label.reason, if label.hard { "hard" } else { "not hard" });
                    if label.hard && got != Verdict::Hard {
                        let kind = if mail.kind == Kind::Bounce {
                            got.as_str().to_owned()
                        } else {
                            format!("{:?}", mail.kind)
                        };
                        *self.missed.entry(format!("{} as {kind}", label.reason)).or_default() += 1;
                    }
                    if label.hard {
                        tell(&mut self.hard, got == Verdict::Hard, &what);
                        continue;
                    }
                    *self.others.entry(got.as_str()).or_default() += 1;
                    if got == Verdict::Hard {
                        *self.taken_for_hard.entry(label.reason.clone()).or_default() += 1;
                    }
                    if got == Verdict::Hard || got == Verdict::None {
                        tell(&mut (0, 0), false, &what);
                    }
                }
                if mail.recipients.len() != labels.len() {
                    wrong.push(format!("{} recipients, but {:?}", labels.len(), mail.recipients));
                }
            }
        }
        wrong
    }
}

fn tell_one(mut wrong: Vec<String>, counts: &mut (usize, usize), good: bool, mail: &bounce::Mail) -> Vec<String> {
    counts.0 += 1;
    counts.1 += usize::from(good);
    if !good {
        wrong.push(format!("no bounce, but {:?}", mail.kind));
    }
    wrong
}

fn table(halves: &[Half; 2]) -> String {
    let mut table = "| | rules found on these | only counted |\n|---|---|---|\n".to_owned();
    let mut row = |what: &str, of: &dyn Fn(&Half) -> String| {
        let _ = writeln!(table, "| {what} | {} | {} |", of(&halves[0]), of(&halves[1]));
    };
    let share = |(all, good): (usize, usize)| format!("{good} of {all}");
    row("mails", &|half| half.mails.to_string());
    row("recipients that a bounce names", &|half| half.recipients.to_string());
    row("hard ones, called hard", &|half| share(half.hard));
    row("others, called hard: label `filtered` or `suspend`", &|half| {
        half.taken_for_hard
            .iter()
            .filter(|(why, _)| NEVER.contains(&why.as_str()))
            .map(|(_, n)| n)
            .sum::<usize>()
            .to_string()
    });
    row("others, called hard: any other label", &|half| {
        half.taken_for_hard
            .iter()
            .filter(|(why, _)| !NEVER.contains(&why.as_str()))
            .map(|(_, n)| n)
            .sum::<usize>()
            .to_string()
    });
    row("others, called soft, policy, sender, delayed", &|half| {
        let of = |verdict| half.others.get(verdict).copied().unwrap_or_default();
        format!("{}, {}, {}, {}", of("soft"), of("policy"), of("sender"), of("delayed"))
    });
    row("others, not seen", &|half| half.others.get("none").copied().unwrap_or_default().to_string());
    row("complaints", &|half| share(half.complaints));
    row("out of office", &|half| share(half.absences));
    row("delivered, or no bounce at all", &|half| share(half.no_bounces));
    table
}

/// What each mail of the corpus is: kind, and of each recipient the address, the status and the verdict.
fn told(bytes: &[u8]) -> String {
    let mail = bounce::read(bytes);
    let mut told = format!("{:?}{}\n", mail.kind, if mail.automatic { ", by a machine" } else { "" });
    for recipient in &mail.recipients {
        let address = recipient.address.as_ref().map_or("-", |address| address.as_str());
        let status = recipient.status.map_or("-".to_owned(), |status| status.to_string());
        let _ = writeln!(told, "{address} {status} {}", recipient.verdict.as_str());
    }
    told
}

#[test]
fn each_mail_of_the_corpus_is_what_is_written_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/inbox/mails");
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(&folder);
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    names.sort();
    assert!(names.len() > 25);
    for path in names {
        let bytes = fs::read(&path).unwrap();
        let crlf = String::from_utf8(bytes.clone()).unwrap().replace('\n', "\r\n");
        let (told, over_the_wire) = (told(&bytes), told(crlf.as_bytes()));
        assert_eq!(told, over_the_wire, "{}", path.display());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(name, told));
    }
}

/// How long this thread has run: another one that keeps the processor busy makes it no longer.
fn on_the_processor() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(told.split(' ').next().expect("nanoseconds").parse().expect("a number"))
}

#[test]
fn what_is_nested_without_end_takes_no_time() {
    let deep = "Content-Type: message/rfc822\n\n".repeat(20_000);
    let wide: String =
        (0..20_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
    let recipients: String =
        (0..20_000).map(|n| format!("Final-Recipient: rfc822; a{n}@example.net\nAction: failed\n\n")).collect();
    let heads: String = (0..20_000).map(|n| format!("<a{n}@example.net>: user unknown\n\n")).collect();
    for (what, body) in [
        ("deep", deep),
        ("wide", wide),
        ("fields", format!("\n{recipients}")),
        ("heads", format!("\nfailed permanently\n{heads}")),
    ] {
        let begun = on_the_processor();
        let mail = bounce::read(format!("From: MAILER-DAEMON@x.example\nSubject: failure notice\n{body}").as_bytes());
        let took = on_the_processor() - begun;
        assert!(took < Duration::from_secs(10), "{what}: {took:?}");
        assert!(mail.recipients.len() <= 1000, "{what}: {}", mail.recipients.len());
    }
}
