//! Documents of feeds: what each follows from, and how it gets onto the disk.

use super::{Error, Files, Mode, Publisher};
use crate::feed::{self, Feed, Format, History, Scope, Settings, scope};
use crate::output::{self, Change as Written};
use crate::post::identity::{Assigned, Known};
use crate::post::{Post, kept};
use crate::report::{self, Difference};
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Part of every digest: another one, and all that is remembered is written anew.
const FORM: u32 = 2;

/// The same entries in every format, in one folder.
pub(super) struct Document<'a> {
    /// The feed that it is of.
    pub(super) scope: &'a Scope,
    /// Below the folder of all feeds.
    pub(super) folder: String,
    pub(super) history: History,
    /// In the order in which they are written, by their places in the blog.
    pub(super) posts: Vec<usize>,
    /// Of what it follows from, where that is remembered.
    pub(super) digest: Option<String>,
    /// Its place in what is told.
    pub(super) place: usize,
}

/// What became of a document.
pub(super) struct Outcome {
    pub(super) told: Vec<report::Feed>,
    /// What tells its files from others, where they were written.
    pub(super) marks: String,
    /// Where it is to be shown.
    pub(super) shown: Files,
}

impl Document<'_> {
    fn file(&self, format: Format) -> String {
        scope::below(&self.folder, format.file_name())
    }
}

impl Publisher<'_> {
    /// The digest of all that a document follows from, less what is the same for all posts of a site in all its time.
    pub(super) fn digest(&self, document: &Document<'_>, identities: &[Assigned]) -> String {
        let Document { scope, folder, history, posts, .. } = document;
        let mut context = Context::new(&SHA256);
        let Settings { authority, hub, page, podcast, .. } = &self.config.feeds;
        let site = (self.site, authority, hub, page, podcast);
        context.update(format!("{FORM}{site:?}").as_bytes());
        let feed = (&scope.title, &scope.home, &scope.language, scope.content, folder, history);
        context.update(format!("{feed:?}").as_bytes());
        // A page of an archive stays as it is; what changes anyway is to be as good as it can.
        if !matches!(history, History::Page { closed: true, .. }) {
            context.update(env!("CARGO_PKG_VERSION").as_bytes());
            context.update(&self.blog.circumstances.to_be_bytes());
        }
        for post in posts {
            let Known { id, post, language, atom_updated, .. } = &*identities[*post].known;
            let Post { link, title, fingerprint, .. } = &**post;
            let (facts, updated) = (kept::write(post), atom_updated.timestamp().to_be_bytes());
            for part in [&id.0, link.as_str(), title, language, &fingerprint.to_string(), &facts] {
                // With lengths: a word that moves from one part to the next is a change.
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
            context.update(&updated);
        }
        data_encoding::HEXLOWER.encode(&context.finish().as_ref()[..16])
    }

    fn path(&self, file: &str) -> PathBuf {
        self.config.path_of(&self.config.feeds.dir.join(file))
    }

    /// Whether its files are those that were written: none is missing, and none was put back from before.
    pub(super) fn is_there(&self, document: &Document<'_>, files: &str) -> bool {
        let paths = self.config.feeds.formats.iter().map(|format| self.path(&document.file(*format)));
        output::are_marked(&paths.collect::<Vec<_>>(), files)
    }

    /// What is told of a document that need not be written.
    pub(super) fn unchanged(&self, document: &Document<'_>, mode: Mode) -> Vec<report::Feed> {
        let told = |format: &Format| report::Feed {
            path: self.config.feeds.dir.join(document.file(*format)).display().to_string(),
            entries: document.posts.len(),
            changed: false,
            difference: (mode != Mode::Publish).then(Difference::default),
        };
        self.config.feeds.formats.iter().map(told).collect()
    }

    /// Writes a document in all formats. Each is read again before it replaces the old one (P5).
    pub(super) fn write(&self, document: &Document<'_>, feed: &Feed, mode: Mode) -> Result<Outcome, Error> {
        let (mut told, mut marks, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for format in &self.config.feeds.formats {
            let (report, bytes) = self.write_as(document, feed, *format, mode)?;
            match mode {
                Mode::Publish => marks.push(output::mark(&self.path(&document.file(*format)), &bytes)),
                Mode::Rehearse => {}
                Mode::Show => shown.push((*format, report.path.clone(), bytes)),
            }
            told.push(report);
        }
        Ok(Outcome { told, marks: marks.join(" "), shown })
    }

    fn write_as(
        &self,
        document: &Document<'_>,
        feed: &Feed,
        format: Format,
        mode: Mode,
    ) -> Result<(report::Feed, Vec<u8>), Error> {
        let file = document.file(format);
        let path = self.path(&file);
        let shown = self.config.feeds.dir.join(&file).display().to_string();
        let malformed = |why| Error::Malformed { path: shown.clone(), why };
        let url = self.site.url.join(&file).unwrap_or_else(|_| self.site.url.clone());
        let settings = Settings { content: document.scope.content, ..self.config.feeds.clone() };
        let bytes = feed::write(feed, format, &url, &settings).map_err(malformed)?;
        feed::reread(&bytes, format, feed).map_err(malformed)?;
        let (changed, difference) = match mode {
            Mode::Publish => (output::replace(&path, &bytes)? == Written::Written, None),
            Mode::Rehearse | Mode::Show => {
                let before = output::read(&path)?.unwrap_or_default();
                (before != bytes, Some(difference(&before, &bytes, format)))
            }
        };
        Ok((report::Feed { path: shown, entries: feed.entries.len(), changed, difference }, bytes))
    }
}

/// What a reader of the feed would see change. A feed that cannot be read had nothing.
fn difference(before: &[u8], after: &[u8], format: Format) -> Difference {
    let entries = |bytes: &[u8]| -> BTreeMap<String, String> {
        feed::entries_in(bytes, format).unwrap_or_default().into_iter().collect()
    };
    let (before, after) = (entries(before), entries(after));
    Difference {
        new: after.keys().filter(|id| !before.contains_key(*id)).cloned().collect(),
        updated: after
            .iter()
            .filter(|(id, text)| before.get(*id).is_some_and(|old| old != *text))
            .map(|(id, _)| id.clone())
            .collect(),
        gone: before.keys().filter(|id| !after.contains_key(*id)).cloned().collect(),
    }
}
