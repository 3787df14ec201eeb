//! What stands beside the feeds: a page for people that lists them, their style in a browser, a list for feed readers, and for
//! static hosts the headers to serve them with. Promises: what has not changed is not touched, and a `_headers` that is the
//! author's own never.

use crate::config::Config;
use crate::edition::compose;
use crate::feed::listed::{OPML, PAGE, STYLESHEET};
use crate::feed::{Listed, opml};
use crate::output;
use crate::post::Site;
use crate::template::context::{Feed, FeedFormat, FeedsPage};
use crate::template::{self, Templates};
use std::collections::BTreeSet;
use std::fmt::Write;
use url::Url;

/// More feeds than this nobody reads a list of.
const SHOWN: usize = 500;
/// Static hosts read no more rules than a hundred; beyond this many feeds they are told by name alone.
const RULES: usize = 90;
/// The first line of a `_headers` of ours.
const MARK: &str =
    "# Made by Postrider for its feeds, anew in every run. Without this line the file is yours and stays as it is.";
/// Readers may keep a feed for ten minutes; whether it changed they can ask at any time.
const CACHE: &str = "public, max-age=600";

/// Why it could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template of the author's own.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// A file.
    #[error(transparent)]
    Output(#[from] output::Error),
}

/// Writes what stands beside these feeds, of which the first is the site's own.
pub fn write(config: &Config, site: &Site, templates: &Templates, feeds: &[Listed]) -> Result<(), Error> {
    if !config.feeds.page || feeds.iter().all(|feed| feed.files.is_empty()) {
        return Ok(());
    }
    let mut context = context(site, feeds);
    let form = config.web.public_url.as_ref().filter(|_| config.mail.is_some());
    context.subscribe = form.map(|_| format!("{}subscribe", config.web.address()));
    let folder = config.path_of(&config.feeds.dir);
    let list = opml::write(&site.title, feeds);
    for (name, text) in [
        (format!("{PAGE}index.html"), templates.render("feeds/index.html.j2", &context)?),
        (STYLESHEET.to_owned(), templates.render("feeds/feed.css.j2", &context)?),
        (OPML.to_owned(), list),
    ] {
        // The renderer drops the last line end.
        let text = format!("{}\n", text.trim_end());
        output::replace(&folder.join(name), text.as_bytes())?;
    }
    let headers = folder.join("_headers");
    if output::read(&headers)?.is_none_or(|old| old.starts_with(MARK.as_bytes())) {
        output::replace(&headers, self::headers(site, feeds, config.feeds.hub.as_ref()).as_bytes())?;
    }
    Ok(())
}

fn context(site: &Site, feeds: &[Listed]) -> FeedsPage {
    let shown = |feed: &Listed| Feed {
        title: feed.title.clone(),
        description: feed.description.clone(),
        url: feed.home.to_string(),
        formats: feed
            .files
            .iter()
            .map(|file| FeedFormat {
                name: file.format.to_string(),
                url: file.address(),
                media_type: file.format.media_type().to_owned(),
            })
            .collect(),
    };
    FeedsPage {
        site: compose::site(site),
        feeds: feeds.iter().take(SHOWN).map(shown).collect(),
        more: feeds.len().saturating_sub(SHOWN),
        page: below(site, PAGE).to_string(),
        opml: OPML.trim_start_matches(PAGE).to_owned(),
        autodiscovery: feeds.first().map(Listed::autodiscovery).unwrap_or_default(),
        subscribe: None,
    }
}

fn below(site: &Site, path: &str) -> Url {
    site.url.join(path).unwrap_or_else(|_| site.url.clone())
}

/// Rules in the form that Netlify and Cloudflare Pages read.
fn headers(site: &Site, feeds: &[Listed], hub: Option<&Url>) -> String {
    let mut out = format!("{MARK}\n");
    let mut rule = |path: &str, media_type: &str, link: Option<String>| {
        let _ = write!(out, "\n{path}\n  Content-Type: {media_type}; charset=utf-8\n  Cache-Control: {CACHE}\n");
        // A reader in a browser fetches it from another origin.
        let _ = writeln!(out, "  Access-Control-Allow-Origin: *");
        if let Some(link) = link {
            let _ = writeln!(out, "  Link: {link}");
        }
    };
    let files: Vec<_> = feeds.iter().flat_map(|feed| &feed.files).collect();
    if files.len() <= RULES {
        for file in &files {
            let link = |hub: &Url| format!("<{hub}>; rel=\"hub\", <{}>; rel=\"self\"", file.address());
            rule(file.url.path(), file.format.media_type(), hub.map(link));
        }
    } else {
        let formats: BTreeSet<_> = files.iter().map(|file| file.format).collect();
        for format in formats {
            for path in [format.file_name().to_owned(), format!("*/{}", format.file_name())] {
                rule(&format!("{}{path}", site.url.path()), format.media_type(), None);
            }
        }
    }
    rule(below(site, OPML).path(), "text/x-opml", None);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn site() -> Site {
        Site {
            title: "يوميات <الحقل>".to_owned(),
            url: "https://a.example/blog/".parse().expect("a URL"),
            description: Some("One & \"two\"".to_owned()),
            language: "ar".to_owned(),
            timezone: chrono_tz::Tz::UTC,
            author: None,
        }
    }

    fn config(folder: &Path, feeds: &str) -> Config {
        Config::parse(&format!("[feeds]\n{feeds}"), &folder.join("config.toml"), |_| None).expect("a configuration")
    }

    fn written(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join("public").join(name)).expect("a file").replace("&#x2f;", "/")
    }

    #[test]
    fn the_page_the_list_and_the_headers_name_every_feed() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "hub = 'https://hub.example/'");
        let feeds = [
            Listed::of_site(&site(), &config.feeds),
            Listed::new("C++ & co", None, site().url, "tag/c%2B%2B", &site(), &config.feeds),
        ];
        write(&config, &site(), &Templates::embedded(), &feeds).expect("written");
        let (page, list) = (written(folder.path(), "feeds/index.html"), written(folder.path(), "feeds/feeds.opml"));
        for url in ["https://a.example/blog/atom.xml", "https://a.example/blog/tag/c%2B%2B/atom.xml"] {
            assert!(page.contains(&format!("readonly value=\"{url}\"")), "{page}");
            assert!(list.contains(&format!("xmlUrl=\"{url}\"")), "{list}");
        }
        assert!(
            !page.contains("<script") && page.contains("lang=\"ar\" dir=\"rtl\">يوميات &lt;الحقل&gt;</a>"),
            "{page}"
        );
        insta::assert_snapshot!(written(folder.path(), "_headers").replace(MARK, ""));

        let before = fs::metadata(folder.path().join("public/feeds/index.html")).and_then(|file| file.modified());
        write(&config, &site(), &Templates::embedded(), &feeds).expect("written");
        let after = fs::metadata(folder.path().join("public/feeds/index.html")).and_then(|file| file.modified());
        assert_eq!(before.expect("a time"), after.expect("a time"));
    }

    #[test]
    fn headers_of_ones_own_stay_and_nothing_is_written_where_none_is_wanted() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "page = false");
        let feeds = [Listed::of_site(&site(), &config.feeds)];
        write(&config, &site(), &Templates::embedded(), &feeds).expect("nothing to do");
        assert!(!folder.path().join("public").exists());
        let config = self::config(folder.path(), "");
        fs::create_dir(folder.path().join("public")).expect("a folder");
        fs::write(folder.path().join("public/_headers"), "/*\n  X-A: b\n").expect("writable");
        write(&config, &site(), &Templates::embedded(), &feeds).expect("written");
        assert_eq!(written(folder.path(), "_headers"), "/*\n  X-A: b\n");
    }

    #[test]
    fn thousands_of_feeds_have_few_rules_and_a_page_of_bounded_length() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "");
        let tag = |n: u32| Listed::new("T", None, site().url, &format!("tag/{n}"), &site(), &config.feeds);
        let feeds: Vec<_> = (0..2000).map(tag).collect();
        write(&config, &site(), &Templates::embedded(), &feeds).expect("written");
        let headers = written(folder.path(), "_headers");
        assert!(headers.contains("\n/blog/*/rss.xml\n") && headers.lines().count() < 60, "{headers}");
        assert!(written(folder.path(), "feeds/index.html").contains("And 1500 more"));
        assert_eq!(written(folder.path(), "feeds/feeds.opml").matches("<outline").count(), 2000);
    }
}
