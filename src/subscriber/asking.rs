//! The `[subscribe]` table: how people ask for mail on the web.

use serde::Deserialize;
use url::Url;

/// The `[subscribe]` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether who confirms is greeted by a mail with the latest edition.
    pub welcome: bool,
    /// Where a form on another page leads once it is sent; without it, to a page of ours.
    pub thanks: Option<Url>,
    /// Origins whose pages may hold the form, beside that of `site.url`.
    pub origins: Vec<Url>,
    /// The topics that are offered: tags or categories.
    pub topics: Vec<String>,
    /// Whether it is kept from which network (a /24 or a /48) somebody asked.
    pub keep_network: bool,
}

impl Settings {
    /// What no type can hold.
    pub fn check(&self) -> Result<(), String> {
        for (key, url) in
            self.thanks.iter().map(|url| ("thanks", url)).chain(self.origins.iter().map(|url| ("origins", url)))
        {
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
                return Err(format!("subscribe.{key} holds {:?}; use an https:// address", url.as_str()));
            }
        }
        Ok(())
    }
}
