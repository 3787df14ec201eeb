//! `[store]`: where it is, and whether there must be one.

use crate::clock::Span;
use crate::subscriber::one_or_many;
use serde::Deserialize;
use std::fmt;

/// `[store]`
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// `sqlite:FILE` or `postgres://…`. Not used with `remote`.
    pub url: String,
    /// Whether a missing store is an error rather than a first run (P6); see [`Store::must_exist`].
    pub must_exist: Option<bool>,
    /// For how long it is known by address who got which edition; without it for ever.
    pub keep: Option<Span>,
    /// What keeps it, where this machine does not.
    pub remote: Option<Remote>,
    /// The branch of `remote`.
    pub branch: String,
    /// Seals what is in the branch: one age key, or a list of which the first seals and all open.
    #[serde(deserialize_with = "one_or_many")]
    pub key: Vec<String>,
}

/// What keeps a store for machines that do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Remote {
    /// A branch of the repository that holds the configuration.
    Git,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            url: "sqlite:postrider.db".to_owned(),
            must_exist: None,
            keep: None,
            remote: None,
            branch: "postrider-state".to_owned(),
            key: Vec::new(),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Store { url, must_exist, keep, remote, branch, .. } = self;
        let mut shown = f.debug_struct("Store");
        shown.field("url", url).field("must_exist", must_exist).field("keep", keep);
        shown.field("remote", remote).field("branch", branch).field("key", &"…").finish()
    }
}

impl Store {
    /// A shorter memory would not know what a bounce is about.
    const SHORTEST_KEEP: Span = Span::hours(90 * 24);

    /// Whether a missing store is an error. A branch is shared by machines of which none knows whether it is the first: there it is,
    /// unless the configuration says otherwise.
    pub fn must_exist(&self) -> bool {
        self.must_exist.unwrap_or(self.remote.is_some())
    }

    /// Relations between the settings.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.keep.is_some_and(|keep| keep < Self::SHORTEST_KEEP) {
            return Err(
                "store.keep is shorter than 90 days, in which bounces and complaints still come; use 90d or more"
                    .to_owned(),
            );
        }
        let Store { remote, key, url, .. } = self;
        match remote {
            None if !key.is_empty() => {
                Err("store.key seals a store in a branch, and there is no store.remote; add remote = \"git\"".to_owned())
            }
            Some(Remote::Git) if key.is_empty() => Err(
                "store.remote keeps the store where others can read it, and there is no store.key to seal it\n  help: `postrider store key` makes one; key = \"${POSTRIDER_STATE_KEY}\" takes it from the environment"
                    .to_owned(),
            ),
            Some(Remote::Git) if *url != Store::default().url => {
                Err("store.url and store.remote name two places for one store\n  help: leave url out".to_owned())
            }
            Some(Remote::Git) if !is_branch(&self.branch) => {
                Err(format!("store.branch {:?} cannot name a branch; use letters, digits, - and /", self.branch))
            }
            _ => Ok(()),
        }
    }
}

/// Narrower than git's own rules (git-check-ref-format), so that none of its options or patterns can hide in it.
fn is_branch(name: &str) -> bool {
    let good = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    name.split('/').all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Store, String> {
        let store: Store = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        store.check().map(|()| store)
    }

    #[test]
    fn a_branch_must_exist_and_a_file_need_not() {
        assert!(!checked("").unwrap().must_exist());
        assert!(checked("must_exist = true").unwrap().must_exist());
        assert!(checked("remote = 'git'\nkey = 'k'").unwrap().must_exist());
        assert!(!checked("remote = 'git'\nkey = ['k', 'old']\nmust_exist = false").unwrap().must_exist());
    }

    #[test]
    fn what_does_not_belong_together_is_an_error() {
        for (text, says) in [
            ("key = 'k'", "store.key seals a store in a branch, and there is no store.remote"),
            ("remote = 'git'", "there is no store.key to seal it"),
            ("remote = 'git'\nkey = 'k'\nurl = 'postgres://db'", "store.url and store.remote name two places"),
            ("remote = 'git'\nkey = 'k'\nbranch = '--force'", "store.branch \"--force\" cannot name a branch"),
            ("remote = 'git'\nkey = 'k'\nbranch = 'a//b'", "store.branch \"a//b\" cannot name a branch"),
            ("remote = 'hg'", "unknown variant `hg`"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(checked("remote = 'git'\nkey = 'k'\nbranch = 'state/of_blog-2'").is_ok());
    }

    #[test]
    fn a_key_is_not_shown() {
        assert!(!format!("{:?}", checked("remote = 'git'\nkey = 'hunter2'").unwrap()).contains("hunter2"));
    }
}
