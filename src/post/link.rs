//! A URL at rest.

use std::fmt;
use url::Url;

/// A URL as its text alone: parsed, it takes twice the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(Box<str>);

impl Link {
    /// The URL.
    pub fn url(&self) -> Url {
        Url::parse(&self.0).expect("what a URL was written as is one")
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Url> for Link {
    fn from(url: Url) -> Self {
        Link(String::from(url).into())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
