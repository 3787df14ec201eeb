//! What XML 1.0 may hold, and how text is brought into it. JSON gets the same text, so that all formats agree.

use super::{Feed, Settings};
use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use url::Url;

/// References that XML knows without a declaration (section 4.6).
const ENTITIES: &[&str] = &["amp", "lt", "gt", "quot", "apos"];

/// Checks what the writers and readers of feeds let pass: that the document ends where its root does, that every prefix is
/// declared (Namespaces in XML, section 5), that no attribute stands twice and that no reference needs a DTD.
pub(super) fn well_formed(document: &str) -> Result<(), String> {
    let mut reader = NsReader::from_str(document);
    let mut depth = 0_usize;
    let mut roots = 0;
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(|error| error.to_string())?;
        if let ResolveResult::Unknown(prefix) = resolved {
            return Err(format!("the prefix {:?} is not declared", prefix));
        }
        match &event {
            Event::Start(element) | Event::Empty(element) => {
                roots += usize::from(depth == 0);
                depth += usize::from(matches!(event, Event::Start(_)));
                for attribute in element.attributes() {
                    let attribute = attribute.map_err(|error| error.to_string())?;
                    if let (ResolveResult::Unknown(prefix), _) = reader.resolver().resolve_attribute(attribute.key) {
                        return Err(format!("the prefix {:?} is not declared", prefix));
                    }
                }
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::GeneralRef(name) if !name.is_char_ref() && !ENTITIES.contains(&&**name) => {
                return Err(format!("the entity {:?} is not declared", &**name));
            }
            Event::Eof if depth == 0 && roots == 1 => return Ok(()),
            Event::Eof => return Err("it ends in the middle".to_owned()),
            _ => {}
        }
    }
}

/// Whether a feed may hold the character: what XML 1.0 section 2.2 allows, less what it discourages (DEL, C1 and
/// the noncharacters), since some readers drop a whole feed for one of those.
pub(super) fn is_allowed(c: char) -> bool {
    match c {
        '\t' | '\n' => true,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fdd0}'..='\u{fdef}' => false,
        _ => u32::from(c) & 0xfffe != 0xfffe,
    }
}

/// The text with line ends as LF and without what [`is_allowed`] forbids.
pub(super) fn text(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(|c| is_allowed(*c)).collect()
}

/// As [`text`], on one line: runs of ASCII white space become one space, none at the ends. A no-break space stays.
pub(super) fn line(of: &str) -> String {
    text(of).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Plain text as HTML, for places that readers take for HTML whatever they hold (RSS's `description`).
pub(super) fn as_html(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A URL of RFC 3986 characters alone. [`Url`] follows the browsers, which let `|`, `^` or a bare `%` stand.
pub(super) fn uri(url: &Url) -> String {
    let given = url.as_str();
    let authority_end = given.len() - url[url::Position::BeforePath..].len();
    let mut uri = given[..authority_end].to_owned();
    let rest = &given.as_bytes()[authority_end..];
    for (at, byte) in rest.iter().enumerate() {
        let escape = *byte == b'%' && rest.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if escape || byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

/// The document with the feed's stylesheet named behind its declaration, where that is written
/// (<https://www.w3.org/TR/xml-stylesheet/>); by a path, so that it also works on a copy of the site.
pub(super) fn with_stylesheet(document: String, feed: &Feed, self_url: &Url, settings: &Settings) -> String {
    let (Some(stylesheet), Some(end)) = (feed.stylesheet.as_ref().filter(|_| settings.page), document.find("?>\n"))
    else {
        return document;
    };
    let path = self_url.make_relative(stylesheet).unwrap_or_else(|| uri(stylesheet));
    let (declaration, rest) = document.split_at(end + 3);
    format!("{declaration}<?xml-stylesheet type=\"text/css\" href=\"{}\"?>\n{rest}", attribute(&path))
}

/// Plain text for an attribute between double quotes, in XML and in HTML.
pub(super) fn attribute(plain: &str) -> String {
    as_html(plain).replace('"', "&quot;")
}

/// The document with `&lt;` and `&amp;` as `&#x3C;` and `&#x26;`, as the RSS Best Practices Profile advises for titles:
/// readers that unescape twice then still show `Vec<T>`. To an XML parser both are the same wherever a reference is
/// recognised at all, so only CDATA sections must be left alone. Expects no comments and no processing instructions.
pub(super) fn hex_references(document: &str) -> String {
    const OPEN: &str = "<![CDATA[";
    const CLOSE: &str = "]]>";
    let mut out = String::with_capacity(document.len());
    let mut rest = document;
    while let Some((markup, after)) = rest.split_once(OPEN) {
        out += &hex(markup);
        out += OPEN;
        let (section, after) = after.split_once(CLOSE).unwrap_or((after, ""));
        out += section;
        out += CLOSE;
        rest = after;
    }
    out + &hex(rest)
}

fn hex(markup: &str) -> String {
    markup.replace("&lt;", "&#x3C;").replace("&amp;", "&#x26;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forbidden_characters_go_and_the_rest_stays() {
        assert_eq!(text("a\0\u{b}\u{1b}\u{7f}\u{85}\u{9f}\u{fdd0}\u{fffe}\u{ffff}\u{1ffff}b"), "ab");
        assert_eq!(text("\tשלום 👩‍👩‍👧 \u{a0}é\r\nx\ry\n"), "\tשלום 👩‍👩‍👧 \u{a0}é\nx\ny\n");
        assert_eq!(line(" a \r\n\tb\u{a0}? "), "a b\u{a0}?");
    }

    #[test]
    fn a_document_is_whole_and_its_prefixes_are_declared() {
        assert_eq!(well_formed("<?xml version=\"1.0\"?>\n<a xmlns:b=\"u\" b:c=\"&amp;\">&#x3C;<b:d/></a>\n"), Ok(()));
        for broken in [
            "",
            "<a>",
            "<a><b></a>",
            "<a/><a/>",
            "<b:a/>",
            "<a><b:c/></a>",
            "<a b:c=\"\"/>",
            "<a b=\"\" b=\"\"/>",
            "<a>&nbsp;</a>",
            "<a",
            "<a><![CDATA[ ]]",
        ] {
            assert!(well_formed(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn urls_hold_what_rfc_3986_allows() {
        for (given, expected) in [
            ("https://example.org/é b", "https://example.org/%C3%A9%20b"),
            ("https://example.org/a|b[1]^?q={x}|%", "https://example.org/a%7Cb%5B1%5D%5E?q=%7Bx%7D%7C%25"),
            ("https://[::1]:8080/100%/%41%zz", "https://[::1]:8080/100%25/%41%25zz"),
            ("https://bücher.example/?a=1&b=2#c", "https://xn--bcher-kva.example/?a=1&b=2#c"),
            ("mailto:ada@example.org", "mailto:ada@example.org"),
        ] {
            assert_eq!(uri(&Url::parse(given).unwrap()), expected);
        }
    }

    #[test]
    fn references_become_hexadecimal_outside_of_cdata_alone() {
        assert_eq!(
            hex_references("<t a=\"&amp;\">&lt;b&gt; &amp;lt;</t><![CDATA[&lt; ]]]]><![CDATA[> &amp;]]>&lt;"),
            "<t a=\"&#x26;\">&#x3C;b&gt; &#x26;lt;</t><![CDATA[&lt; ]]]]><![CDATA[> &amp;]]>&#x3C;"
        );
    }

    proptest! {
        #[test]
        fn a_uri_is_a_url_and_stays_as_it_is(path in any::<String>()) {
            let mut url = Url::parse("https://example.org/").unwrap();
            url.set_path(&path);
            url.set_query(Some(&path));
            let once = uri(&url);
            prop_assert!(once.is_ascii());
            prop_assert_eq!(uri(&Url::parse(&once).unwrap()), once);
        }
    }
}
