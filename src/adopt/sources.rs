//! The old feeds: files and addresses, and the older pages that they name.

use super::Error;
use crate::feed::Format;
use crate::feed::foreign::{self, Foreign, ForeignEntry};
use crate::http;
use std::collections::HashSet;
use url::Url;

/// More pages than the archive of any blog; a feed that goes on has a loop in it.
const MOST_PAGES: usize = 500;

/// An old feed with all its pages.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was typed.
    pub name: String,
    /// Its family.
    pub format: Option<Format>,
    /// Where it lies, or says that it does.
    pub address: Option<String>,
    /// Newest first, as it has them.
    pub entries: Vec<ForeignEntry>,
    /// How many pages were read.
    pub pages: usize,
    /// Where it goes on, where it was not followed.
    pub continues: Option<String>,
}

pub(super) fn read(name: &str) -> Result<Source, Error> {
    if !http::is_address(name) {
        let bytes =
            std::fs::read(name).map_err(|error| Error::Unreadable { name: name.to_owned(), why: error.to_string() })?;
        let Foreign { format, itself, older, entries, .. } = feed(name, &bytes)?;
        return Ok(Source { name: name.to_owned(), format, address: itself, entries, pages: 1, continues: older });
    }
    let mut at = name.to_owned();
    let mut seen = HashSet::from([at.clone()]);
    let mut source: Option<Source> = None;
    loop {
        let document = http::get(&at)?;
        let page = feed(&at, &document.bytes)?;
        let source = source.get_or_insert_with(|| Source {
            name: name.to_owned(),
            format: page.format,
            address: Some(name.to_owned()),
            entries: Vec::new(),
            pages: 0,
            continues: None,
        });
        source.entries.extend(page.entries);
        source.pages += 1;
        let next = page.older.and_then(|older| Url::parse(&document.url).ok()?.join(&older).ok()).map(String::from);
        match next {
            Some(next) if source.pages < MOST_PAGES && http::is_address(&next) && seen.insert(next.clone()) => {
                at = next
            }
            Some(next) if source.pages >= MOST_PAGES => {
                source.continues = Some(next);
                return Ok(source.clone());
            }
            _ => return Ok(source.clone()),
        }
    }
}

fn feed(name: &str, bytes: &[u8]) -> Result<Foreign, Error> {
    foreign::read(bytes).map_err(|why| Error::NoFeed { name: name.to_owned(), why })
}
