//! What is wrong with a mail, ours or another's: what mail programs cut off, cannot show, or take for spam. Promises: looks at the
//! bytes that a reader gets and at what they were made from, at nothing else; every finding says what to do.
//!
//! The rules are those of mail (RFC 5322, RFC 2369, RFC 8058), of the big providers, and what caniemail.com measured of mail
//! programs.

mod body;
mod clients;
mod contrast;
mod css;
mod head;
mod letter;
mod links;
mod page;
mod pictures;
pub(super) mod place;
mod providers;

use super::{Excerpt, Finding, Severity};
use crate::message;
use clients::Feature;
use letter::Letter;
use page::Page;
use place::{At, Place};
use std::collections::{BTreeMap, HashMap};
use url::Url;

/// More findings that call for the same are counted, not listed.
const MOST_ALIKE: usize = 3;
/// Where our documentation says more of it.
const DOCS: &str = "docs/mails.md#what-check-says-of-a-mail";

/// A finished mail.
#[derive(Clone, Copy)]
pub struct Mail<'a> {
    /// The whole message, as a reader gets it; signed or not.
    pub bytes: &'a [u8],
    /// Where it comes from.
    pub origin: Origin<'a>,
}

/// Where a mail comes from: findings name their place by it.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    /// A file of that name; what made it is not known.
    File(&'a str),
    /// Composed here.
    Digest(Made<'a>),
}

/// What a mail of ours was made from.
#[derive(Clone, Copy)]
pub struct Made<'a> {
    /// The configuration, relative to its own folder.
    pub config: &'a Source,
    /// Its `[mail]` table.
    pub settings: &'a message::Settings,
    /// The ways by which it leaves: `smtp://…`
    pub transports: &'a [&'a str],
    /// The name of the `[[digest]]`.
    pub digest: &'a str,
    /// The files of the posts in it.
    pub posts: &'a [Source],
    /// The templates that are not the built-in ones: name below `templates/` and source, as [`Templates::with_overrides`] takes
    /// them.
    ///
    /// [`Templates::with_overrides`]: crate::template::Templates::with_overrides
    pub templates: &'a BTreeMap<String, String>,
    /// How many octets the picture at an address has, where that is known.
    pub weight: &'a dyn Fn(&Url) -> Option<u64>,
}

/// A file that people wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Relative to the configuration's folder.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Whether an argument names a mail, and no post.
pub fn is_mail(argument: &str) -> bool {
    argument.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("eml"))
}

/// What is wrong with a mail, by file and line.
pub fn findings(mail: &Mail<'_>) -> Vec<Finding> {
    let Some(letter) = Letter::read(mail.bytes) else {
        let place = place::of(At::Whole, &mail.origin, None).unwrap_or_default();
        let message = "This is no mail: it has no header".to_owned();
        return vec![finding(place, Severity::Error, message, "save it from a mail program as a file (.eml)")];
    };
    let page = page::read(letter.html.as_deref().unwrap_or_default());
    let mut judge = Judge { mail, letter, page, found: Vec::new() };
    head::judge(&mut judge);
    body::judge(&mut judge);
    links::judge(&mut judge);
    pictures::judge(&mut judge);
    contrast::judge(&mut judge);
    for met in clients::met(&judge.page) {
        judge.find_feature(met.feature, At::Template(met.parts, met.shown));
    }
    judge.finish()
}

/// That a digest's mail cannot be composed, as an error says it; a run would stop there, too.
pub fn uncomposed(config: &Source, digest: &str, why: &str) -> Finding {
    let (what, help) = why.split_once("\n  help: ").unwrap_or((why, "correct it; a run would stop there"));
    let of_subject = place::in_config(config, digest, "digest.subject");
    let place = match what.contains("(subject of the digest") && of_subject.line.is_some() {
        true => of_subject,
        false => place::in_config(config, digest, "digest.name"),
    };
    let what = what.replace("\n  | ", ": ");
    finding(place, Severity::Error, format!("The mail cannot be composed: {what}"), help)
}

pub(super) fn finding(place: Place, severity: Severity, message: String, help: &str) -> Finding {
    let Place { path, line, column, shown } = place;
    let shown = shown.map(|line| Excerpt::around(&line, column));
    Finding { column, shown, ..Finding::new(&path, line, severity, message, help) }
}

/// Gathers findings about one mail.
struct Judge<'a> {
    mail: &'a Mail<'a>,
    letter: Letter<'a>,
    page: Page,
    found: Vec<Finding>,
}

impl Judge<'_> {
    fn find(&mut self, severity: Severity, at: At<'_>, message: String, help: &str) {
        if let Some(place) = place::of(at, &self.mail.origin, Some(&self.letter)) {
            self.found.push(finding(place, severity, message, help));
        }
    }

    /// The same, where our documentation says more.
    fn find_explained(&mut self, severity: Severity, at: At<'_>, message: String, help: &str) {
        if let Some(place) = place::of(at, &self.mail.origin, Some(&self.letter)) {
            self.found.push(Finding { url: Some(DOCS.to_owned()), ..finding(place, severity, message, help) });
        }
    }

    fn find_feature(&mut self, feature: &Feature, at: At<'_>) {
        if let Some(place) = place::of(at, &self.mail.origin, Some(&self.letter)) {
            let found = finding(place, feature.severity(), feature.message(), feature.help());
            self.found.push(Finding { url: Some(feature.url()), ..found });
        }
    }

    /// What is known of how it was made, if it is one of ours.
    fn made(&self) -> Option<Made<'_>> {
        match self.mail.origin {
            Origin::Digest(made) => Some(made),
            Origin::File(_) => None,
        }
    }

    /// The findings in order; of many alike the first.
    fn finish(mut self) -> Vec<Finding> {
        self.found.sort();
        self.found.dedup();
        let mut alike: HashMap<(String, Option<String>), usize> = HashMap::new();
        let mut found: Vec<Finding> = Vec::new();
        for finding in self.found {
            let seen = alike.entry((finding.help.clone(), finding.url.clone())).or_default();
            *seen += 1;
            if *seen <= MOST_ALIKE {
                found.push(finding);
            }
        }
        for ((help, url), seen) in alike.into_iter().filter(|(_, seen)| *seen > MOST_ALIKE) {
            if let Some(last) = found.iter_mut().rfind(|finding| finding.help == help && finding.url == url) {
                last.message.push_str(&format!(" (and {} more places like this)", seen - MOST_ALIKE));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "From: a@example.org\nContent-Type: text/html; charset=utf-8\n\n";

    #[test]
    fn a_mail_that_is_deep_or_broken_is_judged_in_no_time() {
        for piece in [
            "<div>",
            "<a href=x>y",
            "</p>",
            "<p style='a:b(",
            "<div hidden>x",
            "<style>a{",
            "<img src=x>",
            "<b style=color:#777>z",
        ] {
            let bytes = format!("{HEADER}{}", piece.repeat(20_000));
            assert!(!findings(&Mail { bytes: bytes.as_bytes(), origin: Origin::File("a.eml") }).is_empty(), "{piece}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn whatever_a_mail_holds_it_is_judged(bytes in any::<Vec<u8>>(), html in "([<>/=\"'&;:{}#@.a-zé ]|<a href=\"|<img |style=\"|<style>){0,80}") {
            findings(&Mail { bytes: &bytes, origin: Origin::File("a.eml") });
            let bytes = format!("{HEADER}{html}");
            findings(&Mail { bytes: bytes.as_bytes(), origin: Origin::File("a.eml") });
        }
    }
}
