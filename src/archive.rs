//! The archive: a page on the site for each edition that was released, a page that lists them, and a feed. Promises: what has
//! not changed is neither read from the store nor touched, and there is no page of an edition that nobody was to get; a list of the author's own stays.

use crate::config::Config;
use crate::edition::{compose, page};
use crate::feed::{self, Entry, Feed, Format, Listed, Settings};
use crate::html;
use crate::output;
use crate::post::{PostId, Site};
use crate::store::feeds::Written;
use crate::store::pages;
use crate::store::{self, Store};
use crate::template::context::{EditionsOf, EditionsPage, ListedEdition, Year};
use crate::template::text::direction;
use crate::template::{self, Templates};
use aws_lc_rs::digest::{SHA256, digest};
use chrono::Datelike;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// So many editions are listed: years of a daily digest, and what a template can hold.
const SHOWN: usize = 5000;
/// The last line of a list of ours.
const MARK: &str = "<!-- Made by Postrider, anew in every run. Without this line the folder's list and feed are yours and stay as they are. -->";
/// Part of what the feed is remembered by: another one, and it is written anew.
const FORM: u32 = 1;

/// Why the archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A template of the author's own.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// The feed came out wrong; the old one stays.
    #[error("{path} was not replaced: {why}\n  help: the feed on disk is the one from before; please report this")]
    Malformed {
        /// Which.
        path: String,
        /// Why.
        why: feed::Error,
    },
    /// A file.
    #[error(transparent)]
    Output(#[from] output::Error),
}

/// What the archive is made of.
pub struct Archive<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The site.
    pub site: &'a Site,
    /// The templates.
    pub templates: &'a Templates,
    /// The store.
    pub store: &'a Store,
}

impl Archive<'_> {
    /// Writes what is missing or has changed; the feed of editions, where there is one.
    pub fn write(&self) -> Result<Option<Listed>, Error> {
        let unwanted: HashSet<&str> =
            self.config.digests.iter().filter(|digest| !digest.archive).map(|digest| digest.name.as_str()).collect();
        let mut pages = self.store.pages()?;
        pages.retain(|page| !unwanted.contains(page.digest.as_str()));
        let (withdrawn, pages): (Vec<_>, Vec<_>) = pages.into_iter().partition(|page| page.withdrawn);
        for page in &withdrawn {
            output::remove(&self.path(&page::file(&page.edition)))?;
        }
        let index = self.path(&format!("{}/index.html", page::FOLDER));
        let there = output::read(&index)?;
        if pages.is_empty() && there.is_none() {
            return Ok(None);
        }
        for page in &pages {
            let file = self.path(&page::file(&page.edition));
            if !is_as_long(&file, page.length) {
                output::replace(&file, self.store.page_html(&page.edition)?.as_bytes())?;
            }
        }
        // The site may have a part of that name itself.
        if there.is_some_and(|list| !list.trim_ascii_end().ends_with(MARK.as_bytes())) {
            return Ok(None);
        }
        let listed = self.listed();
        let html = self.templates.render("editions/index.html.j2", &self.context(&pages, &listed))?;
        output::replace(&index, format!("{}\n{MARK}\n", html.trim_end()).as_bytes())?;
        self.write_feed(&pages, &listed)?;
        Ok(Some(listed))
    }

    fn listed(&self) -> Listed {
        let home = page::index(&self.site.url);
        Listed::new(&self.title(), None, home, page::FOLDER, self.site, &self.config.feeds)
    }

    fn title(&self) -> String {
        let said = self.templates.words().phrase(&self.site.language, "all_editions", &[]).unwrap_or_default();
        format!("{} – {said}", self.site.title)
    }

    fn context(&self, pages: &[pages::Listed], listed: &Listed) -> EditionsPage {
        let mut digests: Vec<EditionsOf> = Vec::new();
        for page in pages.iter().take(SHOWN) {
            let at = digests.iter().position(|digest| digest.name == page.digest).unwrap_or_else(|| {
                digests.push(EditionsOf { name: page.digest.clone(), years: Vec::new() });
                digests.len() - 1
            });
            let years = &mut digests[at].years;
            let year = page.date.year().to_string();
            if years.last().is_none_or(|last| last.year != year) {
                years.push(Year { year, editions: Vec::new() });
            }
            years.last_mut().expect("just put there").editions.push(self.shown(page));
        }
        let language = &self.site.language;
        EditionsPage {
            language: language.clone(),
            dir: direction(language).to_owned(),
            site: compose::site(self.site),
            digests,
            page: page::index(&self.site.url).to_string(),
            autodiscovery: listed.autodiscovery(),
            theme: self.config.theme.theme(&self.site.url),
        }
    }

    fn shown(&self, page: &pages::Listed) -> ListedEdition {
        ListedEdition {
            title: page.subject.clone(),
            url: page::link(&self.site.url, &page.edition),
            date: self.templates.words().date(&self.site.language, &page.date, None),
            summary: page.summary.clone(),
            language: page.language.clone(),
            dir: direction(&page.language).to_owned(),
        }
    }

    /// Writes the feed of the newest editions, unless it is there and was written from the same.
    fn write_feed(&self, pages: &[pages::Listed], listed: &Listed) -> Result<(), Error> {
        let Settings { authority, hub, page, formats, limit, .. } = &self.config.feeds;
        let newest = &pages[..pages.len().min(*limit)];
        let follows_from = (FORM, env!("CARGO_PKG_VERSION"), self.site, &listed.title, authority, hub, page, newest);
        let hash = digest(&SHA256, format!("{follows_from:?}").as_bytes());
        let digest = data_encoding::HEXLOWER.encode(hash.as_ref());
        let paths: Vec<PathBuf> = listed.files.iter().map(|file| self.config.path_of(&file.path)).collect();
        let written = self.store.written_feeds()?;
        let remembered = written.get(page::FOLDER).filter(|row| row.digest == digest);
        if remembered.is_some_and(|row| output::are_marked(&paths, &row.files)) {
            return Ok(());
        }
        let entries = newest.iter().map(|page| self.entry(page)).collect::<Result<Vec<_>, _>>()?;
        let home = page::index(&self.site.url);
        let feed = Feed { title: listed.title.clone(), home, description: None, ..Feed::new(self.site, entries) };
        let mut marks = Vec::new();
        for ((file, path), format) in listed.files.iter().zip(&paths).zip(formats) {
            let bytes = self.checked(&feed, *format, file)?;
            output::replace(path, &bytes)?;
            marks.push(output::mark(path, &bytes));
        }
        let written = Written { name: page::FOLDER.to_owned(), digest, files: marks.join(" ") };
        Ok(self.store.remember_feeds(&[(page::FOLDER, written)])?)
    }

    fn entry(&self, page: &pages::Listed) -> Result<Entry, Error> {
        let url = page::url(&self.site.url, &page.edition);
        let content = html::clean(&self.store.page_content(&page.edition)?, &url);
        let id = PostId(page.entry.clone());
        let released = page.released.with_timezone(page.date.offset());
        Ok(Entry::of_edition(id, &page.subject, url, released, &page.language, &page.summary, content))
    }

    /// The feed in a format, read again before it may replace the old one (P5).
    fn checked(&self, feed: &Feed, format: Format, file: &feed::listed::File) -> Result<Vec<u8>, Error> {
        let settings = Settings { content: feed::ContentKind::Full, ..self.config.feeds.clone() };
        let malformed = |why| Error::Malformed { path: file.path.display().to_string(), why };
        let bytes = feed::write(feed, format, &file.url, &settings).map_err(malformed)?;
        feed::reread(&bytes, format, feed).map_err(malformed)?;
        Ok(bytes)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.config.path_of(&self.config.feeds.dir.join(file))
    }
}

/// Whether a page is there as it was written: they are replaced whole, so its length tells.
fn is_as_long(file: &Path, length: u64) -> bool {
    file.metadata().is_ok_and(|there| there.is_file() && there.len() == length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_editions_as_are_listed_can_be_rendered() {
        let sample = EditionsPage::sample();
        let edition = sample.digests[0].years[0].editions[0].clone();
        let year = |n| Year { year: format!("{n}"), editions: vec![edition.clone(); 10] };
        let digests = vec![EditionsOf { name: "daily".to_owned(), years: (0..SHOWN / 10).map(year).collect() }];
        let page = EditionsPage { digests, ..sample };
        let html = Templates::embedded().render("editions/index.html.j2", &page).expect("it is not too much");
        assert_eq!(html.matches("class=\"title\"").count(), SHOWN);
    }
}
