//! Bounces for people alone: who is meant and what is said of them. A recipient stands where its line begins, or behind the words that
//! introduce it; what follows up to the next recipient is said of it.

use super::meaning::{Action, Reported, plain};
use super::parts::{Parts, addresses};
use super::tables::{ABSENT, DAEMON_NAMES, DAEMONS, DELAYED, FULL, NOWHERE, OPENINGS, SUBJECTS};

/// Recipients that one bounce names at most.
const MOST: usize = 200;

/// What a bounce says of its recipients; nothing where the mail is none. A bounce that names nobody has one recipient without an
/// address.
pub(super) fn recipients(parts: &Parts) -> Vec<Reported> {
    if !is_bounce(parts) {
        return Vec::new();
    }
    let sentences = plain(&parts.text);
    let delayed = DELAYED.iter().any(|words| sentences.contains(words));
    let given_up = ["permanent", "given up", "giving up", "gave up"].iter().any(|words| sentences.contains(words));
    let action = (delayed && !given_up).then_some(Action::Delayed);
    let failed: Vec<&str> =
        parts.field("x-failed-recipients").map(|value| addresses(value).collect()).unwrap_or_default();
    let mut found = named(parts, &failed);
    for address in failed {
        if !found.iter().any(|(named, _)| named.eq_ignore_ascii_case(address)) {
            found.push((address.to_owned(), String::new()));
        }
    }
    found.truncate(MOST);
    if found.is_empty() {
        found.push((String::new(), String::new()));
    }
    let alone = found.len() == 1;
    let reported = |(address, said): (String, String)| {
        let poor = said.split_whitespace().count() < 2;
        let said = if alone && (poor || !tells(&said)) { format!("{said} {}", parts.text) } else { said };
        Reported {
            address: Some(address).filter(|address| !address.is_empty()),
            action,
            said: said.split_whitespace().collect::<Vec<_>>().join(" "),
            ..Reported::default()
        }
    };
    found.into_iter().map(reported).collect()
}

/// Whether a sentence says why.
fn tells(said: &str) -> bool {
    let words = plain(said);
    let code = said.split_whitespace().any(|word| {
        let digits = word.trim_start_matches(['<', '(', '\'']);
        digits.len() >= 3 && digits.starts_with(['4', '5']) && digits.bytes().take(3).all(|b| b.is_ascii_digit())
    });
    code || ABSENT.iter().chain(NOWHERE).chain(FULL).any(|phrase| words.contains(phrase))
}

/// Two signs of five: who writes, to whom answers would go, the subject, what the text says, and a reason beside a mail that is returned.
/// Or the field that only bounces have.
fn is_bounce(parts: &Parts) -> bool {
    if parts.field("x-failed-recipients").is_some() {
        return true;
    }
    let subject = parts.subject.to_lowercase();
    let from = parts.field("from").unwrap_or_default().to_lowercase();
    let local = parts.from.as_deref().unwrap_or(&from).split('@').next().unwrap_or_default().to_lowercase();
    let local = local.trim_matches(['<', ' ', '"']);
    let path = parts.field("return-path").unwrap_or("?").trim_matches(['<', '>', ' ']).to_lowercase();
    let text = plain(&parts.text);
    let signs = [
        DAEMONS.contains(&local) || DAEMON_NAMES.iter().any(|name| from.contains(name)),
        path.is_empty() || path.starts_with("mailer-daemon"),
        SUBJECTS.iter().any(|words| subject.contains(words))
            && !["re:", "fw:", "fwd:"].iter().any(|p| subject.starts_with(p)),
        OPENINGS.iter().any(|words| text.contains(words)),
        parts.returned.is_some() && tells(&parts.text),
    ];
    // A person may quote a bounce, and a machine may write for other reasons.
    let [daemon, _, subject_says, text_says, returns] = signs;
    let replied = parts.field("auto-submitted").is_some_and(|how| how.to_lowercase().contains("auto-replied"));
    // Who is away, or has left, says so of themselves, and some in these very words.
    let of_themselves = replied && !daemon && !subject_says;
    signs.iter().filter(|sign| **sign).count() >= 2 && (subject_says || text_says || returns) && !of_themselves
}

/// Each recipient and what is said of it, in order.
fn named(parts: &Parts, failed: &[&str]) -> Vec<(String, String)> {
    let us: Vec<String> =
        parts.field("to").map(|to| addresses(to).map(str::to_lowercase).collect()).unwrap_or_default();
    let from = parts.from.clone().unwrap_or_default().to_lowercase();
    let mut found: Vec<(String, String)> = Vec::new();
    let mut current: Option<usize> = None;
    for line in parts.text.lines() {
        let named = head(line).filter(|(address, _)| {
            let lower = address.to_lowercase();
            let ours = us.contains(&lower) && !failed.iter().any(|f| f.eq_ignore_ascii_case(address));
            lower != from && !ours && !DAEMONS.contains(&lower.split('@').next().unwrap_or_default())
        });
        if let Some((address, rest)) = named {
            let known = found.iter().position(|(known, _)| known.eq_ignore_ascii_case(address));
            let at = known.unwrap_or_else(|| {
                found.push((address.to_owned(), String::new()));
                found.len() - 1
            });
            push(&mut found[at].1, rest);
            current = Some(at);
        } else if let Some(at) = current {
            push(&mut found[at].1, line);
        }
        if found.len() > MOST {
            break;
        }
    }
    found
}

fn push(said: &mut String, line: &str) {
    // Enough for every reply, and no more than that of a text of any length.
    if said.len() < 4000 && !line.trim().is_empty() {
        said.push_str(line.trim());
        said.push(' ');
    }
}

/// The recipient that a line is headed by, and the rest of the line.
fn head(line: &str) -> Option<(&str, &str)> {
    let trimmed = line.trim_start_matches(|c: char| c.is_whitespace() || "*-•>".contains(c));
    let lower = trimmed.to_lowercase();
    const LABELS: &[&str] = &[
        "recipient address:",
        "final recipient:",
        "failed recipient:",
        "recipients:",
        "recipient:",
        "address:",
        "rcpt to:",
        "rcpt:",
        "to:",
        "recipient ",
        "user ",
        "unknown user: ",
        "unknown user ",
        "invalid final delivery userid: ",
        "mailto:",
    ];
    let labelled = LABELS
        .iter()
        .find(|label| lower.starts_with(*label))
        .map_or(trimmed, |label| trimmed.get(label.len()..).unwrap_or_default().trim_start());
    if let Some(found) = leading(labelled) {
        return Some(found);
    }
    // Sendmail's transcript: `550 5.1.1 <ada@example.net>... User unknown`. The code is said of that recipient.
    if let Some((address, _)) = after_code(trimmed).and_then(leading) {
        return Some((address, trimmed));
    }
    // `There was an error delivering your mail to <…>.`
    let introduced = OPENINGS.iter().chain(&["delivery failed"]).any(|words| lower.contains(words));
    let address = introduced.then(|| addresses(trimmed).last()).flatten()?;
    let end = address.as_ptr() as usize - trimmed.as_ptr() as usize + address.len();
    Some((address, &trimmed[end..]))
}

/// What follows a reply code and a status.
fn after_code(text: &str) -> Option<&str> {
    let (code, rest) = text.split_once(' ')?;
    let is_code = code.len() == 3 && code.starts_with(['4', '5']) && code.bytes().all(|b| b.is_ascii_digit());
    let rest = is_code.then(|| rest.trim_start())?;
    let status = |word: &str| word.starts_with(['4', '5']) && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    Some(rest.split_once(' ').filter(|(word, _)| status(word)).map_or(rest, |(_, rest)| rest.trim_start()))
}

/// The address that a text begins with, where what follows ends it.
fn leading(text: &str) -> Option<(&str, &str)> {
    let open = text.trim_start_matches(['<', '"', '\'', '(']);
    let first = open.split_whitespace().next()?;
    let address = addresses(first).next().filter(|address| first.starts_with(*address))?;
    let rest = &open[address.len()..];
    let ends = rest.is_empty() || rest.starts_with(['>', ':', ' ', '\t', '.', ',', ';', '(', ')', '<', '"', '\'']);
    ends.then(|| (address, rest.trim_start_matches(['>', ':', ' ', ';', ',', '"'])))
}
