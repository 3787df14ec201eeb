//! Which of the pictures of a post can stand for it, as a reader's list of posts shows one beside each title.

use super::markup::{self, Tag, Token};
use url::Url;

/// A side of fewer pixels is that of an icon, a badge, an emoji or a tracking pixel.
const LARGE_ENOUGH: u32 = 64;

/// Hosts of pictures that say how something is, not what a post is about.
const BADGES: &[&str] = &[
    "shields.io",
    "badge.fury.io",
    "badgen.net",
    "travis-ci.org",
    "travis-ci.com",
    "circleci.com",
    "codecov.io",
    "coveralls.io",
    "deepscan.io",
    "gravatar.com",
    "feedburner.com",
    "doubleclick.net",
    "google-analytics.com",
    "statcounter.com",
];

/// In a class or in the path of a picture that is a sign in a line of text.
const SIGNS: &[&str] =
    &["emoji", "smiley", "smilies", "avatar", "badge", "icon", "pixel", "spacer", "tracking", "favicon"];

/// A picture of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Where it is; absolute.
    pub url: Url,
    /// What it shows, in words; may be empty.
    pub alt: String,
}

/// The first picture of clean markup that is large enough and no mere sign; `measure` knows the sizes of files.
pub(super) fn first(html: &str, measure: &dyn Fn(&str) -> Option<(u32, u32)>) -> Option<Picture> {
    if !html.contains("<img") && !html.contains(" poster=") {
        return None;
    }
    let mut tags = markup::tokens(html).filter_map(|token| match token {
        Token::Start(tag) => Some(tag),
        _ => None,
    });
    tags.find_map(|tag| {
        let source = match tag.name {
            "img" => tag.attribute("src")?,
            "video" => tag.attribute("poster")?,
            _ => return None,
        };
        let url = Url::parse(&source).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        if is_sign(&tag, &url) {
            return None;
        }
        let sides = [stated(&tag, "width"), stated(&tag, "height")];
        let known = sides.iter().any(Option::is_some) && tag.name == "img";
        let small = match measure(&source).filter(|_| !known) {
            Some((width, height)) => width.min(height) < LARGE_ENOUGH,
            None => known && sides.into_iter().flatten().any(|side| side < LARGE_ENOUGH),
        };
        (!small).then(|| Picture { url, alt: tag.attribute("alt").unwrap_or_default() })
    })
}

/// `640` and `640px`, not `50%`.
fn stated(tag: &Tag<'_>, side: &str) -> Option<u32> {
    tag.attribute(side)?.trim().trim_end_matches("px").parse().ok()
}

fn is_sign(tag: &Tag<'_>, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_of = |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    // Few readers show vector graphics, which are mostly diagrams and badges.
    let path = url.path().to_ascii_lowercase();
    if BADGES.iter().any(|known| is_of(known)) || path.ends_with(".svg") {
        return true;
    }
    let class = tag.attribute("class").unwrap_or_default().to_ascii_lowercase();
    let mut words = class.split_ascii_whitespace().flat_map(|name| name.split(['-', '_']));
    // Whole words: `silicon-valley.jpg` is a picture.
    words.any(|word| SIGNS.contains(&word))
        || path
            .split(['/', '-', '_', '.'])
            .any(|word| SIGNS.contains(&word.trim_end_matches('s')) || SIGNS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(html: &str) -> Option<String> {
        let measure =
            |url: &str| url.contains("tiny").then_some((20, 400)).or(url.contains("big").then_some((800, 600)));
        first(html, &measure).map(|picture| picture.url.into())
    }

    #[test]
    fn the_first_real_picture_stands_for_a_post() {
        let real = "<img src=\"https://a.example/silicon-valley.jpg\" alt=\"Hills\">";
        for sign in [
            "<img src=\"https://img.shields.io/badge/a.png\">",
            "<img src=\"https://github.com/a/b/workflows/ci/badge.svg\">",
            "<img src=\"https://a.example/p.gif\" width=\"1\" height=\"1\">",
            "<img src=\"https://a.example/p.gif\" height=\"16px\">",
            "<img class=\"wp-smiley\" src=\"https://a.example/p.png\">",
            "<img src=\"https://github.githubassets.com/images/icons/emoji/unicode/1f600.png\">",
            "<img src=\"https://a.example/tiny.png\">",
            "<img src=\"https://secure.gravatar.com/p\">",
            "<img src=\"data:image/gif;base64,AAAA\">",
            "<img alt=\"none\"><p>Words</p>",
        ] {
            assert_eq!(
                chosen(&format!("{sign}{real}")).as_deref(),
                Some("https://a.example/silicon-valley.jpg"),
                "{sign}"
            );
        }
        assert_eq!(
            chosen("<img src=\"https://a.example/big.png\" width=\"50%\">").as_deref(),
            Some("https://a.example/big.png")
        );
        assert_eq!(
            chosen("<video poster=\"https://a.example/p.jpg\" width=\"40\"></video>").as_deref(),
            Some("https://a.example/p.jpg"),
            "a poster is as large as it is"
        );
        assert_eq!(chosen("<p>No picture</p>"), None);
    }
}
