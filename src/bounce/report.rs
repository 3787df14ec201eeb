//! The fields of a delivery status notification (RFC 3464), as leniently as they are written: also where they stand in the middle of
//! a text, in an odd order, or under a wrong type.

use super::meaning::{Action, Reported};
use super::parts::{Parts, addresses};
use crate::reply::Status;

/// Recipients that one report names at most.
const MOST: usize = 1000;

/// What the fields say of each recipient; nothing where there are none.
pub(super) fn recipients(parts: &Parts) -> Vec<Reported> {
    let mut found: Vec<Reported> = parts.reports.iter().flat_map(|report| read(report)).collect();
    if found.is_empty() {
        found = read(&parts.text);
    }
    found.truncate(MOST);
    for reported in &mut found {
        // Servers say more to people, and some say the reason to nobody else.
        let about = reported.address.as_deref().and_then(|address| paragraph(&parts.text, address));
        let all = || (reported.said.len() < 12 && found_one(parts)).then(|| parts.text.clone());
        reported.aside = about.or_else(all).unwrap_or_default();
    }
    found
}

fn found_one(parts: &Parts) -> bool {
    parts.text.len() < 4000
}

/// The lines from the one that names `address` to the next empty one.
fn paragraph(text: &str, address: &str) -> Option<String> {
    let lower = address.to_lowercase();
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.to_lowercase().contains(&lower))?;
    let end = lines[at..].iter().position(|line| line.trim().is_empty()).map_or(lines.len(), |length| at + length);
    let said = lines[at..end].join(" ");
    (said.trim().len() > address.len() + 12).then_some(said)
}

/// Groups begin with an empty line, or where a field comes that the group has already.
fn read(text: &str) -> Vec<Reported> {
    let mut groups = Vec::new();
    let mut group = Group::default();
    for line in unfolded(text) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim();
        match name.as_str() {
            "final-recipient" => {
                if group.last.is_some() {
                    groups.push(std::mem::take(&mut group));
                }
                group.last = typed(value);
            }
            "original-recipient" => {
                if group.first.is_some() {
                    groups.push(std::mem::take(&mut group));
                }
                group.first = typed(value);
            }
            "action" => {
                if group.action.is_some() {
                    groups.push(std::mem::take(&mut group));
                }
                group.action = Action::read(value);
            }
            "status" => group.status = group.status.or(status(value)),
            "diagnostic-code" if group.said.is_empty() => {
                group.said = value
                    .split_once(';')
                    .filter(|(kind, _)| kind.len() < 24)
                    .map_or(value, |(_, said)| said)
                    .trim()
                    .to_owned();
            }
            _ => {}
        }
    }
    groups.push(group);
    groups.truncate(MOST);
    groups.into_iter().filter_map(Group::end).collect()
}

#[derive(Default)]
struct Group {
    first: Option<String>,
    last: Option<String>,
    action: Option<Action>,
    status: Option<Status>,
    said: String,
}

impl Group {
    /// A word such as `Status:` in a sentence is no report.
    fn end(self) -> Option<Reported> {
        let Group { first, last, action, status, said } = self;
        let complete = (first.is_some() || last.is_some()) && (action.is_some() || status.is_some());
        complete.then(|| Reported { address: last.or(first), action, field: status, said, ..Reported::default() })
    }
}

/// `rfc822; ada@example.net`, with or without the type and angle brackets.
fn typed(value: &str) -> Option<String> {
    let value = value.split_once(';').map_or(value, |(_, address)| address).trim();
    let value = value.trim_matches(['<', '>']);
    let found = addresses(value).next().unwrap_or(value);
    (!found.is_empty()).then(|| found.to_owned())
}

/// The first word: `4.2.2 (Over quota)`.
fn status(value: &str) -> Option<Status> {
    value.split_whitespace().next()?.trim_matches(['(', ')', ';', '.', '#']).parse().ok()
}

fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) && !last.is_empty() && !line.trim().is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.trim_end().to_owned()),
        }
    }
    lines
}
