//! Reads files of the blog as posts: all of them once, and those that are rendered once more, so that no body is kept in memory.

use super::walk::{Facts, PostFile};
use crate::post::dialect::{self, Context, Document, File, Found};
use crate::post::front_matter::Yaml;
use crate::post::generator::Generator;
use crate::post::settings::Settings;
use crate::post::{Problem, Site, Stamp};
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use std::borrow::Cow;
use std::io::Read;
use url::Url;

/// A longer file is no post; a novel has two.
const MAX_BYTES: u64 = 16 << 20;
/// Part of every stamp: with another one, every file is read anew.
const FORM: u32 = 2;
/// A file that was changed so shortly before it is read may be changed once more without a new time.
const TICK: TimeDelta = TimeDelta::seconds(2);

/// The files that are taken for posts, and all that reading them follows from.
pub(super) struct Reader {
    pub(super) site: Site,
    pub(super) generator: Generator,
    /// Where posts are served; ends in `/`.
    pub(super) base: Url,
    /// `[posts]`.
    pub(super) settings: Settings,
    /// People by key.
    pub(super) people: Yaml,
    pub(super) now: DateTime<Utc>,
    /// The folders of posts, as paths of posts begin.
    pub(super) dirs: Vec<String>,
    /// By path.
    pub(super) files: Vec<PostFile>,
}

/// What came of a file: its post, or why it has none; and what is wrong with it.
#[derive(Default)]
pub(super) struct Outcome<'b> {
    pub(super) found: Option<Found<'b>>,
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    fn context(&self) -> Context<'_> {
        let Reader { site, generator, base, people, .. } = self;
        Context { site, generator, base, permalink: self.settings.permalink.as_deref(), people, now: self.now }
    }

    /// The file of a post.
    pub(super) fn file(&self, path: &str) -> Option<&PostFile> {
        self.files.binary_search_by(|file| file.path().cmp(path)).ok().map(|at| &self.files[at])
    }

    /// Reads a file; `buffer` is room for it.
    pub(super) fn read<'b>(&self, file: &'b PostFile, facts: Option<Facts>, buffer: &'b mut Vec<u8>) -> Outcome<'b> {
        let mut problems = Vec::new();
        let found = self.read_into(file, facts, buffer, &mut problems);
        match found {
            Ok(found) => Outcome { found: Some(found), problems },
            Err(problem) => {
                problems.push(problem);
                Outcome { found: None, problems }
            }
        }
    }

    /// Reads a published post's file once more, to render it.
    ///
    /// # Errors
    /// A sentence where it is no post any more: somebody changed it meanwhile.
    pub(super) fn document(&self, path: &str) -> Result<Document<'static>, Problem> {
        let gone = || Problem {
            path: path.to_owned(),
            line: None,
            column: None,
            message: "The file changed while the blog was read, and is no post any more".to_owned(),
            help: "run again".to_owned(),
        };
        let file = self.file(path).ok_or_else(gone)?;
        match self.read_into(file, Facts::of(&file.place), &mut Vec::new(), &mut Vec::new())? {
            Found::Post(document) => {
                let Document { post, summary, image, body, front, body_line, flavour, templating, lasting } = *document;
                let body = Cow::Owned(body.into_owned());
                Ok(Document { post, summary, image, body, front, body_line, flavour, templating, lasting })
            }
            Found::Hidden(_) => Err(gone()),
        }
    }

    fn read_into<'b>(
        &self,
        file: &'b PostFile,
        facts: Option<Facts>,
        buffer: &'b mut Vec<u8>,
        problems: &mut Vec<Problem>,
    ) -> Result<Found<'b>, Problem> {
        let problem = |line, message: String, help: &str| Problem {
            path: file.path().to_owned(),
            line,
            column: None,
            message,
            help: help.to_owned(),
        };
        let bytes = contents(file, facts, buffer)
            .map_err(|error| problem(None, format!("The file cannot be read: {error}"), "check its permissions"))?;
        if bytes.len() as u64 > MAX_BYTES {
            let message = format!("The file is longer than {} MiB, which no post is", MAX_BYTES >> 20);
            return Err(problem(None, message, "split it, or move it out of the posts' folder"));
        }
        let text = str::from_utf8(bytes).map_err(|error| {
            let good = &bytes[..error.valid_up_to()];
            let line = u32::try_from(good.iter().filter(|b| **b == b'\n').count() + 1).ok();
            problem(line, "The file is not UTF-8".into(), "save it as UTF-8, for example with `iconv -t utf-8`")
        })?;
        let source =
            File { path: file.path(), site_path: file.site_path(), dialect: file.dialect, draft: file.draft, text };
        let mut found = dialect::read(&source, &self.context(), problems);
        if let Ok(Found::Post(document)) = &mut found {
            document.post.source = leading(digest(&SHA256, bytes).as_ref());
        }
        found
    }

    /// What all files are read by, so that a stamp holds only as long as it.
    pub(super) fn circumstances(&self) -> u64 {
        let Reader { site, generator, base, settings, people, .. } = self;
        let Generator { rules, folder, permalink, future, baseurl, author, sources, defaults, all, .. } = generator;
        // Settings and folder: where a file lies in the site, and whose it is, follows from them.
        let told = (FORM, env!("CARGO_PKG_VERSION"), site, base, settings, folder, people);
        let by = (rules, permalink, future, baseurl, author, sources, defaults, all);
        let digest = digest(&SHA256, format!("{told:?}{by:?}").as_bytes());
        leading(digest.as_ref())
    }

    /// The stamp of a file (see `Post::stamp`); `None` where its times tell nothing.
    pub(super) fn stamp(&self, facts: Facts, circumstances: u64) -> Option<Stamp> {
        let Facts { length, inode, modified, changed } = facts;
        let settled = facts.newest() < self.now - TICK;
        settled.then_some(Stamp { circumstances, inode, length, modified, changed })
    }
}

/// The first eight octets of a digest.
fn leading(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |sum, octet| sum << 8 | u64::from(*octet))
}

/// What a file holds, up to one octet more than a post may.
fn contents<'b>(file: &PostFile, facts: Option<Facts>, buffer: &'b mut Vec<u8>) -> std::io::Result<&'b [u8]> {
    // A pipe that took the file's place would be waited for.
    let expected = facts.ok_or_else(|| std::io::Error::other("it is no file any more"))?.length;
    let expected = expected.min(MAX_BYTES + 1);
    let mut source = std::fs::File::open(&file.place)?.take(MAX_BYTES + 1);
    let mut filled = 0;
    loop {
        let wanted = usize::try_from(expected).unwrap_or(0).max(filled) + 1024;
        if buffer.len() < wanted {
            buffer.resize(wanted.max(buffer.len() * 2), 0);
        }
        let read = source.read(&mut buffer[filled..])?;
        filled += read;
        // Of a file, less than there is room for is all there was.
        if read == 0 || filled < buffer.len() && filled as u64 >= expected {
            return Ok(&buffer[..filled]);
        }
    }
}
