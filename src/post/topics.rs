//! What a post is about: tags, or categories.

use std::fmt;

/// Words in the order in which the author wrote them. Kept as one text: a blog of years has a hundred thousand of these.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Topics(Box<str>);

/// No word holds it: control characters are taken out of them.
const BETWEEN: char = '\u{1}';

impl Topics {
    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(BETWEEN).filter(|word| !word.is_empty())
    }

    /// The words, each as a text of its own.
    pub fn to_vec(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Topics {
    fn from_iter<I: IntoIterator<Item = S>>(words: I) -> Self {
        let mut text = String::new();
        for word in words {
            if !text.is_empty() {
                text.push(BETWEEN);
            }
            text.extend(word.as_ref().chars().filter(|c| !c.is_control()));
        }
        Topics(text.into())
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
