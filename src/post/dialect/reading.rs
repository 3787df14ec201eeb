//! A file while it is read: its front matter over what its place gives it, and how it is asked.

use super::{Context, Dialect, File};
use crate::post::date::{self, Naive};
use crate::post::front_matter::{self, Source, Yaml};
use crate::post::permalink::{self, Parts};
use crate::post::{Problem, text};
use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;

/// What a dialect says of a published post; the rest is the same in all of them.
pub(super) struct Facts {
    /// The source text of its title, if it has one.
    pub(super) title: Option<String>,
    /// In the zone in which the site shows it.
    pub(super) published: DateTime<FixedOffset>,
    /// The front matter's own date of change.
    pub(super) updated: Option<DateTime<FixedOffset>>,
    /// The slug as written.
    pub(super) slug: String,
    /// The path of its URL below the site, percent-encoded, which begins with `/`; or all of the URL.
    pub(super) path: String,
    pub(super) categories: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) language: Option<String>,
    /// What it shares with its translations alone, where the generator has such a thing.
    pub(super) work: Option<String>,
    /// What the author says of it.
    pub(super) summary: Option<String>,
}

pub(super) struct Reading<'a> {
    pub(super) file: &'a File<'a>,
    pub(super) context: &'a Context<'a>,
    pub(super) source: Source<'a>,
    /// Whether the post itself says where it is served, and not its place.
    pub(super) own_permalink: Option<String>,
    pub(super) front: Yaml,
    /// Whether it stays published once it is.
    pub(super) lasting: bool,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(file: &'a File<'a>, context: &'a Context<'a>, source: Source<'a>, own: Yaml) -> Self {
        let own = match file.dialect {
            // Their keys mean the same in any case.
            Dialect::Hugo | Dialect::Pelican => own.lower_case_keys(),
            _ => own,
        };
        let own_permalink = own.get("permalink").and_then(Yaml::text).map(str::to_owned);
        let front = with_defaults(own, context.generator.defaults_of(file.site_path));
        Reading { file, context, source, own_permalink, front, lasting: true, problems: Vec::new() }
    }

    /// Why it is published nowhere, for reasons that all generators share.
    pub(super) fn hidden(&self) -> Option<&'static str> {
        if self.says("published", false) {
            return Some("unpublished");
        }
        let draft = self.says("draft", true) || self.says("is_draft", true);
        (draft || self.text("status").is_some_and(|status| status.eq_ignore_ascii_case("draft"))).then_some("draft")
    }

    /// The text of a key.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.front.get(key).and_then(Yaml::text)
    }

    /// The text of the first of the keys that has one.
    pub(super) fn first(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| self.text(key)).map(str::to_owned)
    }

    /// Whether a key has this truth value.
    pub(super) fn says(&self, key: &str, value: bool) -> bool {
        self.front.get(key).and_then(Yaml::truth) == Some(value)
    }

    /// The file's name.
    pub(super) fn file_name(&self) -> &'a str {
        self.file.path.rsplit('/').next().unwrap_or(self.file.path)
    }

    /// The line of the file on which a key stands.
    pub(super) fn line_of(&self, key: &str) -> Option<u32> {
        front_matter::line_of(&self.source, key)
    }

    pub(super) fn problem(&mut self, line: Option<u32>, message: String, help: &str) {
        let path = self.file.path.to_owned();
        self.problems.push(Problem { path, line, column: None, message, help: help.to_owned() });
    }

    /// The date that a key says; one that cannot be read is told.
    pub(super) fn date(&mut self, key: &str, calendar: Calendar) -> Option<DateTime<FixedOffset>> {
        let said = self.text(key)?;
        let read = calendar.read(said);
        if read.is_none() {
            let message = format!("The date `{}` cannot be read", text::shorten(said, 40));
            self.problem(self.line_of(key), message, "write it like 2026-11-23 or 2026-11-23 09:00:00 +0100");
        }
        read
    }

    /// The date of the first of the keys that has a readable one.
    pub(super) fn first_date(&mut self, keys: &[&str], calendar: Calendar) -> Option<DateTime<FixedOffset>> {
        keys.iter().find_map(|key| self.date(key, calendar))
    }

    /// Whether a post's time has not come yet.
    pub(super) fn is_future(&self, published: DateTime<FixedOffset>) -> bool {
        published > self.context.now && !self.context.generator.future
    }

    /// The path of a permalink's template, by Jekyll's placeholders.
    pub(super) fn filled(
        &self,
        template: &str,
        date: DateTime<FixedOffset>,
        slug: &str,
        categories: &[String],
    ) -> String {
        permalink::path(template, &Parts { date, slug, categories })
    }

    /// `[posts] permalink`, filled.
    pub(super) fn configured(&self, date: DateTime<FixedOffset>, slug: &str, categories: &[String]) -> Option<String> {
        self.context.permalink.map(|template| self.filled(permalink::style(template), date, slug, categories))
    }
}

/// How a dialect understands a date.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    /// For dates without a zone.
    pub(super) zone: Tz,
    /// For full timestamps without a zone.
    pub(super) naive: Naive,
    /// Whether a date that says its zone is shown in it.
    pub(super) keeps_zone: bool,
}

impl Calendar {
    fn read(self, said: &str) -> Option<DateTime<FixedOffset>> {
        match self.keeps_zone {
            true => date::parse_keeping(said, self.zone, self.naive),
            false => date::parse(said, self.zone, self.naive),
        }
    }
}

/// The file's own front matter over what its place gives it.
fn with_defaults(own: Yaml, defaults: Vec<(&str, &Yaml)>) -> Yaml {
    let Yaml::Map(mut entries) = own else { return own };
    for (key, value) in defaults {
        if !entries.iter().any(|(known, _)| known == key) {
            entries.push((key.to_owned(), value.clone()));
        }
    }
    Yaml::Map(entries)
}
