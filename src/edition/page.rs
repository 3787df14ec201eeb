//! Where an edition's page is on the site: its folder, its address, its id in the feed of editions.

use chrono::{DateTime, FixedOffset};
use url::Url;

/// The folder of the archive below the site, and below `feeds.dir`.
pub const FOLDER: &str = "editions";

/// The page that lists all editions.
pub fn index(site: &Url) -> Url {
    below(site, &format!("{FOLDER}/"))
}

/// The page of an edition, `weekly/2026-11-23`.
pub fn url(site: &Url, edition: &str) -> Url {
    below(site, &format!("{FOLDER}/{edition}/"))
}

/// Its file below `feeds.dir`.
pub fn file(edition: &str) -> String {
    format!("{FOLDER}/{edition}/index.html")
}

/// Its address as the page that lists all editions links to it, wherever that is served.
pub fn link(site: &Url, edition: &str) -> String {
    let (index, url) = (index(site), url(site, edition));
    url.as_str().strip_prefix(index.as_str()).unwrap_or(url.as_str()).to_owned()
}

/// Its id for feed readers, a `tag:` URI (RFC 4151) of the day of the edition. It is stored, so that it outlives a change of address.
pub fn id(authority: &str, date: &DateTime<FixedOffset>, site: &Url, edition: &str) -> String {
    format!("tag:{authority},{}:{FOLDER}/{}", date.format("%Y-%m-%d"), link(site, edition).trim_end_matches('/'))
}

fn below(site: &Url, path: &str) -> Url {
    site.join(path).unwrap_or_else(|_| site.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_place_in_every_script() {
        let site: Url = "https://example.org/blog/".parse().unwrap();
        let date = "2026-11-23T09:00:00-06:00".parse().unwrap();
        assert_eq!(url(&site, "weekly/2026-11-23").as_str(), "https://example.org/blog/editions/weekly/2026-11-23/");
        assert_eq!(file("each/2026-11-20-été"), "editions/each/2026-11-20-été/index.html");
        assert_eq!(link(&site, "each/2026-11-20-été"), "each/2026-11-20-%C3%A9t%C3%A9/");
        assert_eq!(
            id("example.org", &date, &site, "each/2026-11-20-été"),
            "tag:example.org,2026-11-23:editions/each/2026-11-20-%C3%A9t%C3%A9"
        );
    }
}
