//! A document as some program shows it: light or dark, with pictures or without, with `<style>` or without; and so that
//! nothing in it can act. Promises: what it is looked at for stays as it is.

use crate::html::escape;

/// How a mail is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether the reader's system is dark.
    pub scheme: Scheme,
    /// Whether pictures are loaded.
    pub pictures: Pictures,
    /// Whether the program keeps `<style>`.
    pub style: Style,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// Whether pictures are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// They are.
    On,
    /// As many programs begin.
    Off,
}

/// Whether the program keeps `<style>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// It does.
    Kept,
    /// As Gmail does for accounts of others.
    Dropped,
}

impl Look {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Look> {
        let schemes = [Scheme::Light, Scheme::Dark].into_iter();
        schemes.flat_map(|scheme| {
            [Pictures::On, Pictures::Off].into_iter().flat_map(move |pictures| {
                [Style::Kept, Style::Dropped].into_iter().map(move |style| Look { scheme, pictures, style })
            })
        })
    }

    /// The name of its file: `light`, `dark-no-pictures-no-style`.
    pub fn name(self) -> String {
        let scheme = match self.scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let pictures = if self.pictures == Pictures::Off { "-no-pictures" } else { "" };
        let style = if self.style == Style::Dropped { "-no-style" } else { "" };
        format!("{scheme}{pictures}{style}")
    }
}

/// What a document may do: show pictures and its own styles. No script, form, frame, font or request of any other kind.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The HTML so looked at. `picture` says where the picture of an address lies, if it is not to be loaded from there.
pub fn at(html: &str, look: Look, picture: &dyn Fn(&str) -> Option<String>) -> String {
    let scheme = if look.scheme == Scheme::Dark { "dark" } else { "light" };
    // `file:` for those who open it from a folder.
    let images = if look.pictures == Pictures::On { "; img-src 'self' file: https: data:" } else { "" };
    let head = format!(
        "<meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}{images}\">\
         <meta name=\"referrer\" content=\"no-referrer\"><base target=\"_blank\"><style>:root{{color-scheme:{scheme}}}</style>"
    );
    let mut out = String::with_capacity(html.len() + head.len());
    let mut rest = html;
    let mut headed = false;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").map_or(rest.len(), |end| end + 7);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let end = end_of_tag(rest);
        let (tag, after) = rest.split_at(end);
        let name: String = tag[1..].chars().take_while(char::is_ascii_alphanumeric).collect();
        rest = after;
        match &*name.to_ascii_lowercase() {
            "style" => {
                let end = find_ignoring_case(rest, "</style").map_or(rest.len(), |at| at + end_of_tag(&rest[at..]));
                if look.style == Style::Kept {
                    out.push_str(tag);
                    out.push_str(&with_scheme(&rest[..end], scheme));
                }
                rest = &rest[end..];
            }
            "head" if !headed => {
                out.push_str(tag);
                out.push_str(&head);
                headed = true;
            }
            "img" => out.push_str(&image(tag, look.pictures, picture)),
            // One scheme alone is on offer here.
            "meta" if tag.contains("color-scheme") => {}
            _ => out.push_str(tag),
        }
    }
    out.push_str(rest);
    if headed { out } else { format!("{head}{out}") }
}

/// The words of an HTML body as the list of mails shows them after the subject: the first that a program comes upon.
pub fn first_words(html: &str, most: usize) -> String {
    let body = find_ignoring_case(html, "<body").map_or(html, |at| &html[at + end_of_tag(&html[at..])..]);
    let mut words = String::new();
    let mut rest = body;
    while words.chars().count() <= most && !rest.is_empty() {
        let at = rest.find('<').unwrap_or(rest.len());
        words.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match rest.strip_prefix("<!--") {
            Some(comment) => comment.find("-->").map_or(rest.len(), |end| end + 7),
            None => end_of_tag(rest),
        };
        words.push(' ');
        rest = &rest[end..];
    }
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    let plain = entities.iter().fold(words, |text, (entity, plain)| text.replace(entity, plain));
    crate::template::text::shorten(&plain.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

/// The markup, with its pictures from where `picture` says that they lie.
pub fn with_pictures(markup: &str, picture: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(markup.len());
    let mut rest = markup;
    while let Some(at) = rest.find("<img") {
        out.push_str(&rest[..at]);
        let (tag, after) = rest[at..].split_at(end_of_tag(&rest[at..]));
        out.push_str(&image(tag, Pictures::On, picture));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The addresses of the pictures in markup, as written there.
pub fn pictures(markup: &str) -> impl Iterator<Item = String> {
    let tags = markup.match_indices("<img").map(|(at, _)| &markup[at..at + end_of_tag(&markup[at..])]);
    tags.filter_map(|tag| Some(attribute(tag, "src")?.1.replace("&amp;", "&")))
}

fn image(tag: &str, pictures: Pictures, picture: &dyn Fn(&str) -> Option<String>) -> String {
    let Some((before, source, after)) = attribute(tag, "src") else { return tag.to_owned() };
    let instead = match pictures {
        // Its words stand in its place.
        Pictures::Off => String::new(),
        Pictures::On => match picture(&source.replace("&amp;", "&")) {
            Some(link) => format!(" src=\"{}\"", escape(&link)),
            None => return tag.to_owned(),
        },
    };
    format!("{before}{instead}{after}")
}

/// What stands before an attribute with a quoted value, that value, and what stands after it.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<(&'t str, &'t str, &'t str)> {
    let opening = format!(" {name}=\"");
    let at = tag.find(&opening)?;
    let value = &tag[at + opening.len()..];
    let end = value.find('"')?;
    Some((&tag[..at], &value[..end], &value[end + 1..]))
}

/// Styles in which questions about the reader's scheme are answered.
fn with_scheme(css: &str, scheme: &str) -> String {
    const ASKED: &str = "(prefers-color-scheme";
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(at) = rest.find(ASKED) {
        out.push_str(&rest[..at]);
        let question = &rest[at..];
        let end = question.find(')').map_or(question.len(), |end| end + 1);
        let wanted = question[ASKED.len()..end].trim_start_matches([':', ' ']).trim_end_matches([')', ' ']);
        out.push_str(if wanted == scheme { "(min-width: 0px)" } else { "(max-width: 0px)" });
        rest = &question[end..];
    }
    out.push_str(rest);
    out
}

/// Behind the `>` of the tag that the text begins with, past quoted values.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    let end = text.bytes().position(|byte| match quote {
        Some(open) if byte == open => {
            quote = None;
            false
        }
        Some(_) => false,
        None if matches!(byte, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        None => byte == b'>',
    });
    end.map_or(text.len(), |end| end + 1)
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "<!doctype html><html><head><meta name=\"color-scheme\" content=\"light dark\"><style>a{}</style>\
        <style>@media (prefers-color-scheme: dark) { p{} } @media screen and (prefers-color-scheme:light) { b{} }</style></head>\
        <body class='a>b'><div>Hidden &amp; first</div><!-- > <style> --><img src=\"https://example.org/a.png?b&amp;c\" alt=\"A > heron\">\
        <p>Then</p></body></html>";

    fn look(name: &str) -> String {
        let look = Look::all().find(|look| look.name() == name).unwrap();
        at(MAIL, look, &|address| Some(format!("pictures/{}", address.len())))
    }

    #[test]
    fn every_look() {
        let looks: Vec<String> =
            Look::all().map(|look| format!("{}\n{}", look.name(), self::look(&look.name()))).collect();
        insta::assert_snapshot!(looks.join("\n\n"));
    }

    #[test]
    fn broken_markup_ends() {
        let look = Look { scheme: Scheme::Dark, pictures: Pictures::Off, style: Style::Dropped };
        for markup in ["", "<", "<a", "<img src=\"x", "<!--", "<style>", "<style", "a<b c='>'", "<head", "</style>é<é>"]
        {
            at(markup, look, &|_| None);
            first_words(markup, 10);
        }
    }

    #[test]
    fn the_inbox_shows_what_comes_first() {
        assert_eq!(first_words(MAIL, 100), "Hidden & first Then");
        assert_eq!(first_words(MAIL, 8), "Hidden…");
    }
}
