//! What is to come, to be looked at: the next editions as their readers get them, the feeds, the plan, the findings.
//!
//! A [`Preview`] is all that there is to show, and [`pages`] makes the same pages of it for the browser and for files. Nothing but
//! pictures is read then.

pub mod look;
pub mod pages;
mod view;

use crate::check::Finding;
use crate::post::PostId;
use crate::publish::Files;
use crate::report::{Not, Run};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Gmail shows no more of a mail's HTML than this, in octets, and cuts off the footer with the link to unsubscribe.
pub const GMAIL_LIMIT: usize = 102 * 1024;

/// All that there is to show.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The site's title.
    pub title: String,
    /// BCP 47.
    pub language: String,
    /// Its address.
    pub url: String,
    /// The moment that all of it is said for, to the minute, in the site's zone.
    pub at: String,
    /// The digests, in the order of the configuration.
    pub digests: Vec<Digest>,
    /// The feeds that were made.
    pub feeds: Vec<Feed>,
    /// What `plan` says, or why it cannot.
    pub plan: Result<Run, String>,
    /// What `check` says of posts and templates.
    pub findings: Vec<Finding>,
    /// How many posts were too many to be checked each time.
    pub unchecked: Option<usize>,
    /// Pictures that lie in the site's own folder.
    pub pictures: Pictures,
}

/// A digest and its next mails.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    /// Its name.
    pub name: String,
    /// When it goes out, in words.
    pub when: String,
    /// Its mails; none where no post belongs into it, or where they cannot be made.
    pub mails: Vec<Mail>,
    /// Why they cannot be made.
    pub trouble: Option<String>,
}

/// One mail: an edition as some of its readers get it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Mail {
    /// The edition's id.
    pub edition: String,
    /// What tells it from the others of its edition: posts, topics, language; empty for the whole edition.
    pub variant: String,
    /// Why it holds the posts it holds.
    pub note: String,
    /// How many would get it now.
    pub readers: i64,
    /// How many would get none of the edition, and why.
    pub not: Not,
    /// One line.
    pub subject: String,
    /// What mail programs show after the subject.
    pub preheader: String,
    /// What it holds.
    pub posts: Vec<Held>,
    /// The HTML part.
    #[serde(skip)]
    pub html: String,
    /// The text part.
    #[serde(skip)]
    pub text: String,
    /// The whole message, not signed.
    #[serde(skip)]
    pub message: String,
    /// What `check` says of it.
    pub findings: Vec<Finding>,
}

/// A post in a mail.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// Its identity.
    pub id: PostId,
    /// Its title.
    pub title: String,
    /// Its file.
    pub path: String,
}

/// A feed, as it would be written.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// Its title.
    pub title: String,
    /// In the order of the feed.
    pub entries: Vec<Entry>,
    /// In each format its file, relative to the configuration, and what it would hold.
    pub files: Files,
}

/// An entry as a feed reader shows it.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// One line.
    pub title: String,
    /// Its address.
    pub url: String,
    /// The day, in words.
    pub date: String,
    /// BCP 47, where it is another language than the feed's.
    pub language: Option<String>,
    /// Plain text.
    pub summary: String,
    /// The whole of it, if the feed has that.
    pub html: Option<String>,
}

/// Pictures in the site's folder: by what their URL says, without query and fragment.
#[derive(Clone, Debug, Default)]
pub struct Pictures(BTreeMap<String, Picture>);

/// A picture in the site's folder.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its path below `pictures/`, not encoded.
    pub path: String,
    /// Where it lies.
    pub file: PathBuf,
}

/// What is shown as a picture, by the ending of its file.
const MEDIA: [(&str, &str); 9] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("svg", "image/svg+xml"),
    ("bmp", "image/bmp"),
    ("ico", "image/vnd.microsoft.icon"),
];

/// What a file is by its ending; `None` for what is no picture.
pub fn media_type(path: &str) -> Option<&'static str> {
    let ending = path.rsplit_once('.')?.1.to_ascii_lowercase();
    MEDIA.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind)
}

impl Pictures {
    /// Adds the picture behind an address, which lies in `file`. What is no picture by its name is left out.
    pub fn add(&mut self, address: &str, file: PathBuf) {
        let Ok(url) = url::Url::parse(address) else { return };
        let path = percent_encoding::percent_decode_str(url.path().trim_start_matches('/')).decode_utf8_lossy();
        // Files of a preview go down only, and are those of pictures.
        let plain =
            path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')) && !path.contains(['\\', '\0']);
        let is_picture = |path: &str| media_type(path).is_some();
        if plain && is_picture(&path) && file.to_str().is_some_and(is_picture) {
            self.0.insert(key(address).to_owned(), Picture { path: path.into_owned(), file });
        }
    }

    /// Whether it is known.
    pub fn has(&self, address: &str) -> bool {
        self.0.contains_key(key(address))
    }

    /// Where an address leads below the folder of all pages, as a relative URL.
    pub fn link(&self, address: &str) -> Option<String> {
        let picture = self.0.get(key(address))?;
        let encoded = percent_encoding::utf8_percent_encode(&picture.path, PATH);
        Some(format!("pictures/{encoded}"))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Picture> {
        self.0.values()
    }

    /// The file of one, by its path below `pictures/`.
    pub fn file(&self, path: &str) -> Option<&Picture> {
        self.all().find(|picture| picture.path == path)
    }
}

/// All but what a path holds plainly.
const PATH: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn key(address: &str) -> &str {
    &address[..address.find(['?', '#']).unwrap_or(address.len())]
}

impl Preview {
    /// Everything that can be looked at, with the digest's name: its mails in their order.
    pub fn mails(&self) -> impl Iterator<Item = (&Digest, usize, &Mail)> {
        self.digests.iter().flat_map(|digest| digest.mails.iter().enumerate().map(move |(at, mail)| (digest, at, mail)))
    }
}

impl Mail {
    /// The header fields, unfolded.
    pub fn headers(&self) -> Vec<(String, String)> {
        let head = self.message.split("\r\n\r\n").next().unwrap_or_default();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let fields = unfolded.split("\r\n").filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_found_by_their_address_and_nothing_else_is() {
        let mut pictures = Pictures::default();
        for (address, file) in [
            ("https://example.org/a/b%20c.png?v=2", "/site/a/b c.png"),
            ("https://example.org/config.toml", "/site/config.toml"),
            ("https://example.org/.git/x.png", "/site/.git/x.png"),
            ("https://example.org/x.png", "/site/secret.toml"),
            ("https://example.org/a%2f..%2f..%2fetc/x.png", "/etc/x.png"),
        ] {
            pictures.add(address, PathBuf::from(file));
        }
        let found: Vec<&str> = pictures.all().map(|picture| picture.path.as_str()).collect();
        assert_eq!(found, ["a/b c.png"]);
        assert_eq!(pictures.link("https://example.org/a/b%20c.png").as_deref(), Some("pictures/a/b%20c.png"));
        assert!(pictures.file("a/b c.png").is_some() && pictures.file("../config.toml").is_none());
    }
}
