//! What few posts say of themselves. Who says none of it has no room for it: of a hundred thousand posts, it is megabytes.

use chrono::{DateTime, FixedOffset};
use std::ops::{Deref, DerefMut};

/// All that most posts leave out.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The front matter's own date of change, if it has one.
    pub updated: Option<DateTime<FixedOffset>>,
    /// BCP 47, where it differs from the site's or the post says it.
    pub language: Option<String>,
    /// `guid` or `id` in the front matter: the author's own permanent id.
    pub guid: Option<String>,
    /// What it shares with its translations alone, where the generator has such a thing.
    pub work: Option<String>,
    /// The path of the post that it translates: feeds and digests hold that one.
    pub translates: Option<String>,
}

static NOTHING: Said = Said { updated: None, language: None, guid: None, work: None, translates: None };

/// What a post says of it: read it like a [`Said`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rare(Option<Box<Said>>);

impl From<Said> for Rare {
    fn from(said: Said) -> Self {
        Rare((said != NOTHING).then(|| Box::new(said)))
    }
}

impl Rare {
    /// It says its language alone.
    #[cfg(test)]
    pub(crate) fn in_language(language: &str) -> Self {
        Said { language: Some(language.to_owned()), ..NOTHING.clone() }.into()
    }
}

impl Deref for Rare {
    type Target = Said;
    fn deref(&self) -> &Said {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Rare {
    fn deref_mut(&mut self) -> &mut Said {
        self.0.get_or_insert_with(|| Box::new(NOTHING.clone()))
    }
}
