//! The two bodies of a mail: how large they are, whether they say the same, and what a reader sees first.

use super::Judge;
use super::place::At;
use crate::check::Severity;

/// Gmail cuts a message's HTML off there, and with it the link for leaving.
const CLIPPED: usize = 102 * 1024;
/// What we keep below.
const LARGE: usize = 80 * 1024;
/// Of the whole message.
const WHOLE: usize = 1_000_000;
/// Gmail drops a `<style>` beyond it (caniemail.com, html-style).
const STYLE: usize = 16 * 1024;
/// RFC 5322 section 2.1.1.
const LONGEST_LINE: usize = 998;
/// A line of text that nobody wraps for the reader.
const LONGEST_TEXT: usize = 400;
/// Shorter, and mail programs fill it up with whatever comes next; longer than the other, and they cut it off.
const PREHEADER: std::ops::RangeInclusive<usize> = 40..=150;

pub(super) fn judge(judge: &mut Judge<'_>) {
    size(judge);
    lines(judge);
    match judge.letter.html.is_some() {
        true => {
            preheader(judge);
            runs(judge);
            text(judge);
            language(judge);
        }
        false if judge.letter.text.as_deref().is_none_or(|text| text.trim().is_empty()) => {
            judge.find(Severity::Error, At::Whole, "The mail says nothing".to_owned(), "write something into it");
        }
        false => {}
    }
    address(judge);
}

fn size(judge: &mut Judge<'_>) {
    let html = judge.letter.html.as_deref().unwrap_or_default().len();
    let help = "show less of each post (`content = \"summary\"`), or fewer posts (`max_posts`)";
    if html > CLIPPED {
        let message =
            format!("The HTML has {} KB: Gmail cuts it off at 102, and with it the link for leaving", html / 1024);
        judge.find_explained(Severity::Error, At::Whole, message, help);
    } else if html > LARGE {
        let message = format!("The HTML has {} KB, and Gmail cuts it off at 102", html / 1024);
        judge.find_explained(Severity::Warning, At::Whole, message, help);
    }
    let whole = judge.letter.bytes.len();
    if whole > WHOLE {
        let message = format!("The message has {} KB, which every reader's program loads whole", whole / 1000);
        judge.find(Severity::Warning, At::Whole, message, "lay pictures and files on the site, and link to them");
    }
    let style = judge.page.largest_sheet;
    if style > STYLE {
        let message =
            format!("A <style> has {} KB: Gmail takes one that has more than 16 as a whole away", style / 1024);
        judge.find(
            Severity::Warning,
            At::Template(vec!["<style".to_owned()], "<style>".to_owned()),
            message,
            "keep no more in it than what cannot stand in the elements",
        );
    }
}

fn lines(judge: &mut Judge<'_>) {
    let (longest, number) = judge.letter.longest_line();
    if longest > LONGEST_LINE {
        let message = format!(
            "The line has {longest} octets, and 998 are allowed (RFC 5322): servers break it or refuse the mail"
        );
        judge.find(Severity::Error, At::Line(number), message, "encode the part as quoted-printable");
    }
    let text = judge.letter.text.as_deref().unwrap_or_default();
    let long = text.lines().find(|line| line.chars().count() > LONGEST_TEXT && line.contains(' '));
    if let Some(line) = long.map(|line| line.chars().take(60).collect::<String>()) {
        let message =
            format!("A line of the text part has more than {LONGEST_TEXT} characters: some programs do not wrap it");
        judge.find(
            Severity::Note,
            At::Template(vec![line.clone()], line),
            message,
            "wrap it; in a template: {{ post.summary|wrap }}",
        );
    }
}

/// What stands after the subject in the list of mails.
fn preheader(judge: &mut Judge<'_>) {
    let subject = judge.letter.says("Subject").unwrap_or_default();
    let said = &judge.page.preheader;
    let length = said.chars().count();
    let at = || At::Template(vec!["{{ edition.preheader }}".to_owned()], said.chars().take(60).collect());
    let begins: String = judge.page.seen.chars().take(40).collect();
    let (message, help) = match length {
        0 => (
            format!("Nothing is said for the list of mails, which shows how the mail begins: `{begins}…`"),
            "write <div style=\"display: none\">{{ edition.preheader }}</div> at the beginning of the <body>",
        ),
        _ if *said == subject => {
            ("What is said for the list of mails is the subject once more".to_owned(), "say what else is in the mail")
        }
        length if length < *PREHEADER.start() => (
            format!(
                "What is said for the list of mails has {length} characters: programs fill it up with how the mail begins, `{begins}…`"
            ),
            "say more; 40 to 130 characters are well",
        ),
        length if length > *PREHEADER.end() => (
            format!("What is said for the list of mails has {length} characters, of which none shows more than 130"),
            "say less; 40 to 130 characters are well",
        ),
        _ => return,
    };
    // Where nothing is said there is no line of it.
    let at = if length == 0 { At::Whole } else { at() };
    judge.find(Severity::Note, at, message, help);
}

/// Nothing in a mail runs.
fn runs(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    for element in &judge.page.elements {
        let name = &*element.name;
        if matches!(name, "script" | "iframe" | "embed" | "applet" | "frame" | "frameset") {
            found.push((
                vec![format!("<{name}")],
                element.shown(),
                format!("The mail holds <{name}>, which mail programs take out and filters take for an attack"),
            ));
        }
        let is_handler = |key: &str| key.starts_with("on") && key.len() > 3;
        if let Some((key, _)) = element.attributes.iter().find(|(key, _)| is_handler(key)) {
            found.push((
                vec![key.clone(), "=".to_owned()],
                element.shown(),
                format!("<{name}> has a script in `{key}`, which mail programs take out"),
            ));
        }
    }
    for (parts, shown, message) in found {
        judge.find(
            Severity::Warning,
            At::Template(parts, shown),
            message,
            "take it out; a link to a page can do the same",
        );
    }
}

/// The text part says as much as the HTML: filters compare them, and some people read nothing else.
fn text(judge: &mut Judge<'_>) {
    let seen = judge.page.seen.chars().count();
    let text = judge.letter.text.as_deref().map(str::trim);
    let length = text.unwrap_or_default().chars().count();
    let help = "say in the text part what the HTML says";
    match text {
        None => {
            let message =
                "The mail has no text part: some people read nothing else, and filters count it against a mail"
                    .to_owned();
            judge.find(Severity::Warning, At::Whole, message, "send it as multipart/alternative, the text first");
        }
        Some("") => judge.find(Severity::Warning, At::Whole, "The text part is empty".to_owned(), help),
        Some(_) if length * 5 < seen.min(4000) * 2 => {
            let message = format!(
                "The text part has {length} characters where the HTML shows {seen}: filters count it against a mail"
            );
            judge.find(Severity::Warning, At::Whole, message, help);
        }
        Some(_) => {}
    }
}

fn language(judge: &mut Judge<'_>) {
    let says = judge.page.elements.iter().any(|element| element.get("lang").is_some_and(|lang| !lang.is_empty()));
    if !says {
        let message = "The HTML does not say in which language it is: screen readers guess how to speak it".to_owned();
        judge.find(
            Severity::Note,
            At::Template(vec!["<html".to_owned()], "<html>".to_owned()),
            message,
            "write <html lang=\"{{ language }}\" dir=\"{{ dir }}\">",
        );
    }
}

/// The sender's postal address, which only of our own mails is known.
fn address(judge: &mut Judge<'_>) {
    let Some(made) = judge.made() else { return };
    let at = || At::Field("", "mail.postal_address");
    let address = made.settings.postal_address.as_deref().map(str::trim).filter(|address| !address.is_empty());
    let Some(first) = address.and_then(|address| address.lines().next()).map(words) else {
        let message = "The mail names no postal address, which laws ask of mails that advertise something (CAN-SPAM in the USA, and others)".to_owned();
        judge.find_explained(
            Severity::Warning,
            at(),
            message,
            "set `postal_address` in [mail]; a post-office box will do",
        );
        return;
    };
    let first = first.trim_end_matches(',').to_owned();
    let parts = [
        ("HTML", judge.letter.html.as_ref().map(|_| judge.page.seen.clone())),
        ("text part", judge.letter.text.as_deref().map(words)),
    ];
    for (part, said) in parts {
        if said.is_some_and(|said| !said.contains(&first)) {
            let message = format!(
                "The {part} does not show the postal address, which laws ask of mails that advertise something"
            );
            judge.find_explained(Severity::Warning, at(), message, "show it at the foot: {{ postal_address }}");
        }
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
