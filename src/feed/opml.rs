//! All feeds in one document that feed readers import: OPML 2.0 (<http://opml.org/spec2.opml>).

use super::{Format, Listed, xml};
use std::fmt::Write;

/// The document. Of each feed it names one format, preferably Atom: who imports it wants no post twice.
pub fn write(title: &str, feeds: &[Listed]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<opml version=\"2.0\">\n");
    let _ = writeln!(out, "  <head>\n    <title>{}</title>\n  </head>\n  <body>", xml::as_html(&xml::line(title)));
    for feed in feeds {
        let first = [Format::Atom, Format::Rss].into_iter();
        let file = first.flat_map(|format| feed.files.iter().find(move |file| file.format == format)).next();
        let Some(file) = file.or(feed.files.first()) else { continue };
        let title = xml::attribute(&feed.title);
        // The only type of a subscription, whatever the format.
        let _ = write!(out, "    <outline type=\"rss\" text=\"{title}\" title=\"{title}\"");
        if let Some(description) = &feed.description {
            let _ = write!(out, " description=\"{}\"", xml::attribute(&xml::line(description)));
        }
        let (url, home) = (xml::attribute(&file.address()), xml::attribute(&xml::uri(&feed.home)));
        let _ = writeln!(out, " xmlUrl=\"{url}\" htmlUrl=\"{home}\"/>");
    }
    out + "  </body>\n</opml>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Settings;
    use crate::post::Site;

    #[test]
    fn every_feed_stands_in_it_once_and_whatever_it_is_called_it_is_xml() {
        let site = Site {
            title: "Tea & <\"x\">\u{1}".to_owned(),
            url: "https://a.example/b/".parse().expect("a URL"),
            description: Some("One\ntwo".to_owned()),
            language: "en".to_owned(),
            timezone: chrono_tz::Tz::UTC,
            author: None,
        };
        let json = Settings { formats: vec![Format::Json], ..Settings::default() };
        let tag = Listed::new("日本", None, site.url.clone(), "tag/日本", &site, &json);
        let written = write(&site.title, &[Listed::of_site(&site, &Settings::default()), tag]);
        assert_eq!(xml::well_formed(&written), Ok(()));
        assert_eq!(
            written.lines().filter(|line| line.contains("<outline")).collect::<Vec<_>>(),
            [
                "    <outline type=\"rss\" text=\"Tea &amp; &lt;&quot;x&quot;&gt;\" title=\"Tea &amp; &lt;&quot;x&quot;&gt;\" description=\"One two\" xmlUrl=\"https://a.example/b/atom.xml\" htmlUrl=\"https://a.example/b/\"/>",
                "    <outline type=\"rss\" text=\"日本\" title=\"日本\" xmlUrl=\"https://a.example/b/tag/%E6%97%A5%E6%9C%AC/feed.json\" htmlUrl=\"https://a.example/b/\"/>",
            ]
        );
    }
}
