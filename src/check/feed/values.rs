//! Addresses, languages, ids, people and titles, as all formats have them.

use super::Lint;
use crate::address::EmailAddress;
use crate::feed::tree::{Element, Node};
use crate::post::identity::is_absolute_iri;
use url::Url;

/// An address that must be whole: with a scheme, and with nothing in it that breaks a link.
pub(super) fn absolute(lint: &mut Lint<'_>, at: usize, what: &str, text: &str) -> bool {
    let help = "write it whole, such as https://example.org/page";
    match Url::parse(text) {
        _ if text.is_empty() => lint.error(at, format!("`{what}` is empty"), help),
        Err(_) => lint.error(at, format!("`{what}` is not a whole address: {text:?}"), help),
        Ok(_) if !is_absolute_iri(text) => {
            let help = "percent-encode it: a blank is %20";
            lint.error(at, format!("`{what}` holds characters that no address may hold: {text:?}"), help);
        }
        Ok(url) if is_here(&url) => {
            let message = format!("`{what}` leads to your own machine, where no reader gets: {text}");
            lint.warning(at, message, "build the site for its public address: this is what a preview writes");
        }
        Ok(_) => return true,
    }
    false
}

/// Whether it leads nowhere but to the machine that asks.
pub(super) fn is_here(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0")) || url.scheme() == "file"
}

/// The feed's own address: that it is there, and is the one at which it was found.
pub(super) fn itself(lint: &mut Lint<'_>, at: usize, found: Option<(&str, usize)>, how: &str) {
    match found {
        None => {
            let message =
                "The feed does not say where it lies: a copy of it cannot be followed to its source".to_owned();
            lint.warning(at, message, how);
        }
        Some((itself, at)) => {
            if absolute(lint, at, "self", itself)
                && let Some(served) = lint.served.filter(|served| *served != itself)
            {
                let message = format!("The feed says that it lies at {itself}, but was found at {served}");
                let help = "write the address at which it is served, or redirect the other one";
                lint.warning(at, message, help);
            }
        }
    }
}

/// A language tag by the grammar of RFC 5646, section 2.1.
pub(super) fn language(lint: &mut Lint<'_>, at: usize, what: &str, text: &str) {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let letters = |part: &str, least: usize, most: usize| {
        (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic())
    };
    let rest = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let well = (letters(first, 2, 8) || matches!(first, "x" | "i")) && parts.all(rest);
    if !well {
        let help = "write a tag of RFC 5646, with hyphens: en, en-us, zh-Hant";
        lint.warning(at, format!("`{what}` is {text:?}, which is no language"), help);
    }
}

/// `mail@example.org (Name)`, as RSS wants people.
pub(super) fn mailbox(lint: &mut Lint<'_>, at: usize, what: &str, text: &str) {
    let address = text.split_once(" (").filter(|(_, name)| name.ends_with(')')).map_or(text, |(address, _)| address);
    if EmailAddress::parse(address).is_err() {
        let help = "write mail@example.org (Name); for a name without a mail address there is <dc:creator>";
        lint.error(at, format!("`{what}` is {text:?}; RSS wants an e-mail address there"), help);
    }
}

/// A title that readers show as text: what looks like markup in it is shown with its brackets, or is gone.
pub(super) fn title(lint: &mut Lint<'_>, element: &Element, help: &str) {
    let text = element.text();
    // A section is meant as it stands, and the RSS Best Practices Profile has `&#x3C;` for a bracket that is one.
    let meant = lint.raw(element).contains("&#x3C;");
    let plain = element.nodes.iter().all(|node| matches!(node, Node::Text(_)));
    if let Some(found) = markup_in(&text).filter(|_| !(meant && plain)) {
        let message =
            format!("The title holds markup, {found}, and titles are plain text: some readers show it as it stands");
        lint.warning(element.at, message, help);
    }
}

/// Markup in a text that is markup as a whole; one that speaks of a tag is none.
pub(super) fn markup_of(text: &str) -> Option<String> {
    let whole = text.trim();
    let whole = whole.starts_with('<') && whole.ends_with('>') || whole.contains("</p>") || whole.contains("<br");
    markup_in(text).filter(|_| whole)
}

/// A pair of tags, a line break, a picture or a reference, as it stands there.
pub(super) fn markup_in(text: &str) -> Option<String> {
    for (at, _) in text.match_indices('<') {
        let rest = &text[at + 1..];
        let Some(end) = rest.find('>') else { break };
        let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        let known = [
            "a", "b", "i", "u", "em", "strong", "code", "span", "sub", "sup", "small", "del", "mark", "p", "kbd", "tt",
        ];
        let lower = name.to_ascii_lowercase();
        let pair = known.contains(&lower.as_str()) && rest[end..].to_ascii_lowercase().contains(&format!("</{lower}>"));
        if pair || (matches!(lower.as_str(), "br" | "img" | "wbr") && !rest[..end].contains('<')) {
            return Some(format!("`<{}>`", &rest[..end]));
        }
    }
    let names = [
        "amp", "lt", "gt", "quot", "apos", "nbsp", "ndash", "mdash", "hellip", "rsquo", "lsquo", "rdquo", "ldquo",
        "eacute", "uuml",
    ];
    for (at, _) in text.match_indices('&') {
        let name = text[at + 1..].split_once(';').map(|(name, _)| name).unwrap_or_default();
        let number = name.strip_prefix('#').is_some_and(|n| {
            let digits = n.trim_start_matches(['x', 'X']);
            !digits.is_empty() && digits.len() < 7 && digits.bytes().all(|b| b.is_ascii_hexdigit())
        });
        if number || names.contains(&name) {
            return Some(format!("`&{name};`"));
        }
    }
    None
}

/// What stands in a list of what must be there once.
pub(super) fn once<'a>(lint: &mut Lint<'_>, parent: &'a Element, namespace: &str, name: &str) -> Option<&'a Element> {
    let mut all = parent.elements().filter(|element| element.is(namespace, name));
    let first = all.next();
    if let Some(second) = all.next() {
        let help = "keep one of them";
        lint.error(
            second.at,
            format!("`<{name}>` stands twice in `<{}>`: readers take one or the other", parent.name),
            help,
        );
    }
    first
}
