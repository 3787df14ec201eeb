//! What is wrong with a feed, ours or another's: RSS, Atom or JSON Feed, from a file or an address. Promises: every finding
//! has its line and says what to do; a feed of ours has none.
//!
//! The rules are those of the formats (RSS 2.0 with the RSS Best Practices Profile, RFC 4287, JSON Feed 1.1), and what readers
//! are known to stumble over.

mod atom;
mod content;
mod dates;
mod json;
mod rss;
mod values;

use super::{Excerpt, Finding, Severity};
use crate::feed::foreign::{self, ATOM_03};
use crate::feed::tree::{self, ATOM, Element, RDF};
use chrono::{DateTime, FixedOffset, Utc};
use std::borrow::Cow;
use std::collections::HashMap;

/// More findings that call for the same are counted, not listed.
const MOST_ALIKE: usize = 10;

/// What a feed was found to be.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its kind, in words.
    pub kind: &'static str,
    /// How many entries it has.
    pub entries: usize,
    /// What is wrong with it, from the top.
    pub findings: Vec<Finding>,
}

/// Whether an argument names a feed, and no post.
pub fn is_feed(argument: &str) -> bool {
    let ending = argument.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let endings = ["xml", "rss", "atom", "rdf", "json", "jsonfeed"];
    crate::http::is_address(argument) || ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

/// Judges the feed that is called `name`; `served` is the address where it was found, if it was.
pub fn judge(name: &str, bytes: &[u8], served: Option<&str>, now: DateTime<Utc>) -> Judged {
    let (source, fault) = match foreign::decode(bytes) {
        Ok(source) => (source, None),
        Err(why) => (String::from_utf8_lossy(bytes), Some(why)),
    };
    let mut lint = Lint::new(name, &source, served, now);
    if let Some(why) = fault {
        let why = why.to_string();
        lint.error(0, what(&why), help(&why));
    }
    encoding(&mut lint, bytes);
    let begin = source.len() - source.trim_start().len();
    let (kind, entries) = match source[begin..].chars().next() {
        Some('{' | '[') => ("JSON Feed", json::judge(&mut lint)),
        Some('<') => xml(&mut lint),
        _ => no_feed(&mut lint, 0),
    };
    Judged { kind, entries, findings: lint.finish() }
}

fn what(said: &str) -> String {
    let first = said.split('\n').next().unwrap_or_default();
    let mut letters = first.chars();
    letters.next().map_or(String::new(), |c| c.to_uppercase().chain(letters).collect())
}

fn help(said: &str) -> &str {
    said.split_once("help: ").map_or("look where it comes from", |(_, help)| help)
}

fn no_feed(lint: &mut Lint<'_>, at: usize) -> (&'static str, usize) {
    let why = foreign::read(lint.source.as_bytes()).err().unwrap_or(foreign::Error::Unknown).to_string();
    lint.error(at, what(&why), help(&why));
    ("no feed", 0)
}

fn encoding(lint: &mut Lint<'_>, bytes: &[u8]) {
    let declared = foreign::declared_encoding(bytes).filter(|name| !name.eq_ignore_ascii_case("utf-8"));
    match (declared, std::str::from_utf8(bytes)) {
        (Some(name), _) if !name.eq_ignore_ascii_case("us-ascii") => {
            lint.note(0, format!("The encoding is {name}"), "UTF-8 is what every reader knows");
        }
        (None, Err(error)) if !bytes.starts_with(&[0xff, 0xfe]) && !bytes.starts_with(&[0xfe, 0xff]) => {
            // What is before it is the same in both.
            let message = "A byte is no UTF-8: parsers refuse the feed".to_owned();
            lint.error(error.valid_up_to(), message, "save it as UTF-8, or declare the encoding that it is in");
        }
        _ => {}
    }
}

fn xml(lint: &mut Lint<'_>) -> (&'static str, usize) {
    let tree = tree::parse(lint.source);
    for fault in &tree.faults {
        lint.error(fault.at, fault.what.clone(), fault.help);
    }
    let Some(root) = tree.root else { return no_feed(lint, 0) };
    match (&*root.namespace, root.name.as_str()) {
        (ATOM, "feed") => ("Atom 1.0", atom::judge(lint, &root)),
        (ATOM_03, "feed") => {
            let entries = root.all(ATOM_03, "entry").count();
            let help = "write Atom 1.0: its namespace is http://www.w3.org/2005/Atom";
            lint.error(root.at, "Atom 0.3 never became a standard, and readers give it up".to_owned(), help);
            ("Atom 0.3", entries)
        }
        (_, "rss") => rss::judge(lint, &root),
        (RDF, "RDF") => rss::judge_rdf(lint, &root),
        ("", "feed") => {
            let help = "write <feed xmlns=\"http://www.w3.org/2005/Atom\">";
            lint.error(root.at, "`<feed>` has no namespace, so it is not Atom".to_owned(), help);
            ("no feed", 0)
        }
        _ => no_feed(lint, root.at),
    }
}

/// Gathers findings about one source.
struct Lint<'a> {
    name: &'a str,
    source: &'a str,
    served: Option<&'a str>,
    now: DateTime<Utc>,
    /// Where each line begins.
    lines: Vec<usize>,
    found: Vec<(usize, Finding)>,
    /// Of the last place: where its line begins, its distance from there in octets, and in characters.
    counted: (usize, usize, usize),
}

impl<'a> Lint<'a> {
    fn new(name: &'a str, source: &'a str, served: Option<&'a str>, now: DateTime<Utc>) -> Self {
        let lines = std::iter::once(0).chain(memchr::memchr_iter(b'\n', source.as_bytes()).map(|at| at + 1)).collect();
        Lint { name, source, served, now, lines, found: Vec::new(), counted: (0, 0, 0) }
    }

    fn error(&mut self, at: usize, message: String, help: &str) {
        self.find(at, Severity::Error, message, help);
    }

    fn warning(&mut self, at: usize, message: String, help: &str) {
        self.find(at, Severity::Warning, message, help);
    }

    fn note(&mut self, at: usize, message: String, help: &str) {
        self.find(at, Severity::Note, message, help);
    }

    fn find(&mut self, at: usize, severity: Severity, message: String, help: &str) {
        let line = self.lines.partition_point(|begin| *begin <= at).max(1);
        let begin = self.lines[line - 1];
        let before = self.source.get(begin..at.min(self.source.len())).unwrap_or_default();
        let number = |n: usize| u32::try_from(n).ok();
        let mut finding = Finding::new(self.name, number(line), severity, message, help);
        finding.column = number(self.characters(begin, before) + 1);
        finding.shown = Some(Excerpt::of(&self.source[begin..], before.len())).filter(|shown| !shown.text.is_empty());
        self.found.push((at, finding));
    }

    /// How many characters stand before a place in the line that begins at `begin`: of a feed that is one line, from where the
    /// last one was counted.
    fn characters(&mut self, begin: usize, before: &str) -> usize {
        let (line, length, count) = self.counted;
        let (from, known) = if line == begin && length <= before.len() { (length, count) } else { (0, 0) };
        let count = known + before.get(from..).unwrap_or_default().chars().count();
        self.counted = (begin, before.len(), count);
        count
    }

    /// Where `text` stands from `at` on; `at` where it stands there in other letters.
    fn place_of(&self, at: usize, text: &str) -> usize {
        let escaped: Cow<'_, str> = text.replace('&', "&amp;").into();
        let rest = self.source.get(at..).unwrap_or_default();
        // Not beyond what an entry may reasonably hold: the same text in another entry is no place of this one.
        let mut end = rest.len().min(200_000);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let rest = &rest[..end];
        rest.find(text).or_else(|| rest.find(&*escaped)).map_or(at, |ahead| at + ahead)
    }

    /// The source of an element, from its tag on, for as long as it may matter.
    fn raw(&self, element: &Element) -> &'a str {
        let rest = &self.source[element.at..];
        &rest[..rest.find("</").unwrap_or(rest.len())]
    }

    /// The findings from the top; of many alike the first.
    fn finish(mut self) -> Vec<Finding> {
        self.found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        self.found.dedup_by(|a, b| a.1 == b.1);
        let mut alike: HashMap<String, usize> = HashMap::new();
        let mut found = Vec::new();
        for (_, finding) in self.found {
            let seen = alike.entry(finding.help.clone()).or_default();
            *seen += 1;
            if *seen <= MOST_ALIKE {
                found.push(finding);
            }
        }
        for (help, seen) in alike.into_iter().filter(|(_, seen)| *seen > MOST_ALIKE) {
            if let Some(last) = found.iter_mut().rfind(|finding| finding.help == help) {
                last.message.push_str(&format!(" (and {} more places like this)", seen - MOST_ALIKE));
            }
        }
        found
    }
}

/// What the entries of a feed have to be told from each other by.
#[derive(Default)]
struct Entries {
    ids: HashMap<String, usize>,
    last: Option<DateTime<FixedOffset>>,
    told_order: bool,
}

impl Entries {
    /// The line of an entry before that has this id.
    fn double(&mut self, lint: &Lint<'_>, id: &str, at: usize) -> Option<usize> {
        let line = lint.lines.partition_point(|begin| *begin <= at);
        match self.ids.get(id) {
            Some(before) => Some(*before),
            None => {
                self.ids.insert(id.to_owned(), line);
                None
            }
        }
    }

    /// Dates go down, and none lies ahead.
    fn published(&mut self, lint: &mut Lint<'_>, at: usize, date: DateTime<FixedOffset>) {
        if date > lint.now {
            let message =
                format!("The date {} lies in the future: readers hide the entry or keep it on top", date.to_rfc3339());
            lint.warning(at, message, "publish an entry when its time has come");
        }
        if self.last.is_some_and(|last| date > last) && !self.told_order {
            self.told_order = true;
            let message =
                "The entry is newer than the one before it: readers that show the first few miss it".to_owned();
            lint.warning(at, message, "write the newest entry first");
        }
        self.last = Some(date);
    }
}
