//! HTML that is safe to hand on: made only here, so that nothing unclean can reach a feed or a mail.

/// Sanitised HTML with every URL absolute. Its constructor is private to this folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanHtml(String);

impl CleanHtml {
    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
