//! What goes wrong in a post's Liquid, as it comes up.

/// What went wrong in a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The line in the file.
    pub line: u32,
    /// What is wrong, as a sentence without a final full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// Troubles as they come up, how deep in includes they do, and whether the reader was sent to the post itself.
#[derive(Default)]
pub(super) struct Ledger {
    /// Each with how often it came up.
    troubles: Vec<(Trouble, u32)>,
    pub(super) depth: usize,
    pub(super) linked: bool,
    /// Where in the post the work is.
    pub(super) line: u32,
    /// Of [`super::MAX_COST`].
    pub(super) spent: usize,
}

impl Ledger {
    /// Each trouble once, and not more than somebody will read.
    pub(super) fn add(&mut self, mut trouble: Trouble) {
        if self.depth > 0 {
            // Of an include, the line that includes it.
            trouble.line = self.line;
        }
        let known = self.troubles.iter_mut().find(|(other, _)| other.message == trouble.message);
        if let Some((_, count)) = known {
            *count += 1;
        } else if self.troubles.len() < 20 {
            self.troubles.push((trouble, 1));
        }
    }

    /// What came up more than once says how often.
    pub(super) fn told(self) -> Vec<Trouble> {
        let told = |(trouble, count): (Trouble, u32)| match count {
            1 => trouble,
            _ => Trouble { message: format!("{} ({count} times)", trouble.message), ..trouble },
        };
        self.troubles.into_iter().map(told).collect()
    }
}
