//! The HTML in a feed: what readers take out, cannot follow, or show wrong.

use super::{Lint, values};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use std::cell::RefCell;
use url::Url;

/// Attributes that hold one address.
const ADDRESSES: [&str; 10] =
    ["href", "src", "poster", "cite", "data", "longdesc", "action", "background", "formaction", "usemap"];

/// Whether relative addresses in a content have something that they can be relative to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// `xml:base` says it, to those who look.
    Said,
    /// Nothing does.
    None,
}

#[derive(Default)]
struct Seen {
    tags: Vec<Tag>,
    text: String,
}

struct Sink(RefCell<Seen>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut seen = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => seen.tags.push(tag),
            Token::CharacterTokens(text) if seen.text.len() < 4096 => seen.text.push_str(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Judges a content that stands in the source from `at` on.
pub(super) fn judge(lint: &mut Lint<'_>, at: usize, html: &str, base: Base) {
    let tokenizer = Tokenizer::new(Sink(RefCell::default()), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let Seen { tags, text } = tokenizer.sink.0.into_inner();
    let text = text.trim();
    if tags.is_empty()
        && ["<p>", "<p ", "<div", "<h1", "<h2", "<h3", "<a ", "<ul", "<img"].iter().any(|tag| text.starts_with(tag))
        && text.ends_with('>')
    {
        let help = "escape the markup once: either `&lt;p&gt;`, or `<p>` in a CDATA section, not both";
        lint.error(at, "The content is escaped twice: readers show the tags as text".to_owned(), help);
    }
    for tag in &tags {
        self::tag(lint, at, tag, base);
    }
}

fn tag(lint: &mut Lint<'_>, at: usize, tag: &Tag, base: Base) {
    let name = &*tag.name;
    let stands = |lint: &Lint<'_>| {
        let (raw, escaped) = (format!("<{name}"), format!("&lt;{name}"));
        let place = lint.place_of(at, &raw);
        if place == at { lint.source[at..].find(&escaped).map_or(at, |ahead| at + ahead) } else { place }
    };
    match name {
        "script" | "object" | "embed" | "applet" | "form" | "base" | "style" | "link" | "meta" | "frameset" => {
            let help = "take it out of the feed; a link to the page says it as well";
            lint.warning(stands(lint), format!("The content holds `<{name}>`, which readers take out or refuse"), help);
        }
        "iframe" => {
            let help = "write a link to what it shows, with a picture of it";
            lint.warning(
                stands(lint),
                "The content holds `<iframe>`: in most readers nothing is there".to_owned(),
                help,
            );
        }
        _ => {}
    }
    let attribute = |name: &str| tag.attrs.iter().find(|a| &*a.name.local == name).map(|a| &*a.value);
    if name == "img"
        && attribute("src")
            .is_none_or(|src| src.is_empty() || src.starts_with("data:image/gif") || src.starts_with("data:image/svg"))
        && attribute("data-src").or(attribute("data-srcset")).or(attribute("data-lazy-src")).is_some()
    {
        let help = "write the address into `src`";
        lint.warning(
            stands(lint),
            "A picture is loaded by a script, and readers run none: it is not there".to_owned(),
            help,
        );
    }
    for attribute in &tag.attrs {
        let (key, value) = (&*attribute.name.local, attribute.value.trim());
        if key.starts_with("on") && key.len() > 3 {
            let message = format!("`<{name}>` has a script in `{key}`, which readers take out");
            let place = lint.place_of(at, key);
            lint.warning(place, message, "take it out");
        }
        if ADDRESSES.contains(&key) {
            address(lint, at, key, value, base);
        } else if matches!(key, "srcset" | "imagesrcset") {
            let candidates = value.split(", ").filter_map(|candidate| candidate.split_whitespace().next());
            candidates.for_each(|candidate| address(lint, at, key, candidate.trim_end_matches(','), base));
        } else if key == "style" {
            let addresses = value.split("url(").skip(1).filter_map(|rest| rest.split_once(')'));
            addresses.for_each(|(inside, _)| address(lint, at, key, inside.trim_matches(['"', '\'', ' ']), base));
        }
    }
}

fn address(lint: &mut Lint<'_>, at: usize, key: &str, value: &str, base: Base) {
    let place = lint.place_of(at, value);
    match Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "javascript" | "vbscript") => {
            lint.warning(place, format!("`{key}` is a script, which readers take out"), "link to a page");
        }
        // Who links to their reader's own machine writes about servers; a picture from there is a mistake.
        Ok(url) if values::is_here(&url) && key != "href" => {
            let message = format!("`{key}` leads to your own machine, where no reader gets: {value}");
            lint.warning(place, message, "build the site for its public address: this is what a preview writes");
        }
        Ok(_) => {}
        Err(_) if value.is_empty() && key != "href" => {
            lint.warning(place, format!("`{key}` is empty"), "give it an address, or take it out");
        }
        Err(_) if base == Base::Said => {
            let message = format!("`{key}` is relative, and many readers do not look at `xml:base`: {value:?}");
            lint.note(place, message, "write every address whole to be sure, such as https://example.org/page");
        }
        Err(_) => {
            let message = format!("`{key}` is relative: in a reader it leads nowhere, or astray: {value:?}");
            lint.warning(
                place,
                message,
                "write every address whole, such as https://example.org/page; also those that begin with # or //",
            );
        }
    }
}
