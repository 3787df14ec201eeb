//! Where a mail's fault comes from: the line of the configuration, of a post or of a template that made it what it is.

use super::letter::Letter;
use super::{Made, Origin, Source};
use crate::template::EMBEDDED;
use toml::de::{DeTable, DeValue};

/// What a finding is about.
pub(super) enum At<'s> {
    /// A header field, and the key of the configuration that is behind it: `digest.subject`, `mail.from`.
    Field(&'s str, &'s str),
    /// What an author wrote, in any of these spellings; as the mail has it.
    Written(Vec<String>, String),
    /// What stands in a template, by its parts with nothing but blanks between them; as the mail has it.
    Template(Vec<String>, String),
    /// A line of the message, if it came as a file.
    Line(u32),
    /// The mail as a whole.
    Whole,
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::check) struct Place {
    pub(in crate::check) path: String,
    pub(in crate::check) line: Option<u32>,
    pub(in crate::check) column: Option<u32>,
    pub(in crate::check) shown: Option<String>,
}

/// The place of something; `None` where it comes from a template of ours, which was judged before.
pub(super) fn of(at: At<'_>, origin: &Origin<'_>, letter: Option<&Letter<'_>>) -> Option<Place> {
    match origin {
        Origin::File(path) => Some(in_mail(at, path, letter)),
        Origin::Digest(made) => in_sources(at, made),
    }
}

fn in_mail(at: At<'_>, path: &str, letter: Option<&Letter<'_>>) -> Place {
    let place = Place { path: path.to_owned(), ..Place::default() };
    match at {
        At::Field(name, _) => match letter.and_then(|letter| letter.field(name)) {
            Some(field) => Place { line: Some(field.line), shown: Some(field.shown), ..place },
            None => place,
        },
        At::Written(_, shown) | At::Template(_, shown) => Place { shown: Some(shown), ..place },
        At::Line(line) => Place { line: Some(line), ..place },
        At::Whole => place,
    }
}

fn in_sources(at: At<'_>, made: &Made<'_>) -> Option<Place> {
    let whole = || in_config(made.config, made.digest, "digest.name");
    let found = match at {
        At::Field(_, key) => {
            let own = format!("/{}.txt.j2", key.strip_prefix("digest.").unwrap_or(key));
            let template = made.templates.iter().find(|(name, _)| name.ends_with(&own));
            let said = in_config(made.config, made.digest, key);
            match template.filter(|_| said.line.is_none()) {
                Some((name, text)) => at_byte(&format!("templates/{name}"), text, 0),
                None if said.line.is_some() => said,
                None => whole(),
            }
        }
        At::Written(spellings, _) => in_posts(made, &spellings)
            .or_else(|| spellings.iter().find_map(|text| in_templates(made, std::slice::from_ref(text))))
            .or_else(|| {
                spellings.iter().find_map(|text| {
                    stands(&made.config.text, std::slice::from_ref(text)).map(|at| in_text(made.config, at))
                })
            })
            .unwrap_or_else(whole),
        At::Template(parts, _) => match in_templates(made, &parts) {
            Some(place) => place,
            None if EMBEDDED.iter().any(|(_, text)| stands(text, &parts).is_some()) => return None,
            None => whole(),
        },
        At::Line(_) | At::Whole => whole(),
    };
    Some(found)
}

fn in_posts(made: &Made<'_>, spellings: &[String]) -> Option<Place> {
    spellings
        .iter()
        .filter(|text| text.len() > 1)
        .find_map(|text| made.posts.iter().find_map(|post| post.text.find(text.as_str()).map(|at| in_text(post, at))))
}

fn in_templates(made: &Made<'_>, parts: &[String]) -> Option<Place> {
    let of_mails = made
        .templates
        .iter()
        .filter(|(name, _)| !["web/", "feeds/", "strings/"].iter().any(|other| name.starts_with(other)));
    let mut found = of_mails.filter_map(|(name, text)| Some((name, text, stands(text, parts)?)));
    found.next().map(|(name, text, at)| at_byte(&format!("templates/{name}"), text, at))
}

/// Where these stand, one after another with nothing but blanks between them; letters of either case.
fn stands(text: &str, parts: &[String]) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    let first = parts.first()?.to_ascii_lowercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let whole = |at: usize| !first.starts_with(is_name) || !text[..at].ends_with(is_name);
    let follow = |at: usize| {
        let mut rest = &text[at + first.len()..];
        parts[1..].iter().all(|part| match rest.trim_start().strip_prefix(part.to_ascii_lowercase().as_str()) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        })
    };
    text.match_indices(&first).map(|(at, _)| at).find(|at| whole(*at) && follow(*at))
}

fn in_text(source: &Source, at: usize) -> Place {
    at_byte(&source.path, &source.text, at)
}

fn at_byte(path: &str, text: &str, at: usize) -> Place {
    let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let number = |count: usize| u32::try_from(count).ok();
    Place {
        path: path.to_owned(),
        line: number(text[..at].matches('\n').count() + 1),
        column: number(text[begin..at].chars().count() + 1),
        shown: text[begin..].lines().next().map(str::to_owned),
    }
}

/// The line of a key: `mail.from`, or `digest.subject` in the table of the digest; of the table, where the key is not in it.
pub(in crate::check) fn in_config(config: &Source, digest: &str, key: &str) -> Place {
    let file = Place { path: config.path.clone(), ..Place::default() };
    let Ok(root) = DeTable::parse(&config.text) else { return file };
    let root = root.get_ref();
    let (table, key) = key.split_once('.').unwrap_or(("", key));
    let Some((header, found)) = root.iter().find(|(name, _)| name.get_ref() == table) else { return file };
    let is_digest = |table: &&DeTable<'_>| {
        table.iter().any(|(name, value)| name.get_ref() == "name" && value.get_ref().as_str() == Some(digest))
    };
    let table = match found.get_ref() {
        DeValue::Table(table) => Some(table),
        DeValue::Array(tables) => tables.iter().filter_map(|table| table.get_ref().as_table()).find(is_digest),
        _ => None,
    };
    let place =
        table.and_then(|table| table.iter().find(|(name, _)| name.get_ref() == key)).map(|(name, _)| name.span());
    let in_own_table = matches!(found.get_ref(), DeValue::Table(_)).then(|| header.span());
    match place.or(in_own_table) {
        Some(span) => Place { column: None, ..at_byte(&file.path, &config.text, span.start) },
        None => file,
    }
}
