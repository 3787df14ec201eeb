//! The HTML of a mail as a reader's program takes it: its elements in order with what they inherit, its styles, and the words that are
//! seen.

use super::css::{self, Said};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use std::cell::RefCell;
use std::collections::HashSet;

/// Deeper elements are taken for content of the one above, as browsers do.
const DEEPEST: usize = 512;

/// What a mail shows.
#[derive(Default)]
pub(super) struct Page {
    /// Its elements, in order.
    pub(super) elements: Vec<Element>,
    /// What its style sheets say.
    pub(super) sheets: Vec<Said>,
    /// How many octets the largest of them has.
    pub(super) largest_sheet: usize,
    /// The words that are seen, white space collapsed.
    pub(super) seen: String,
    /// What stands hidden before the words that are seen.
    pub(super) preheader: String,
    /// What is seen in each stretch of text, and how.
    pub(super) stretches: Vec<Stretch>,
    /// What links within the mail can lead to.
    pub(super) targets: HashSet<String>,
}

/// A start tag.
pub(super) struct Element {
    /// In lower case.
    pub(super) name: String,
    /// Names in lower case, values decoded.
    pub(super) attributes: Vec<(String, String)>,
    /// Whether it is not seen.
    pub(super) hidden: bool,
    /// The words in it, for links.
    pub(super) words: String,
}

/// Text and how it looks, as far as styles in the elements say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stretch {
    /// The text.
    pub(super) text: String,
    /// How it looks.
    pub(super) look: Look,
}

/// What text inherits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look {
    /// As the style writes it.
    pub(super) colour: Option<String>,
    /// As the style writes it.
    pub(super) ground: Option<String>,
    /// As the style writes it.
    pub(super) size: Option<String>,
    /// Whether it is bold.
    pub(super) bold: bool,
}

impl Element {
    /// The value of an attribute, trimmed.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// The tag as it may stand in the source.
    pub(super) fn shown(&self) -> String {
        let attributes = self.attributes.iter().filter(|(key, _)| key != "style" && key != "class");
        let attributes: String = attributes.map(|(key, value)| format!(" {key}=\"{value}\"")).collect();
        format!("<{}{attributes}>", self.name)
    }
}

/// An element that is open.
struct Open {
    name: String,
    /// Its place among the elements.
    at: usize,
    hidden: bool,
    look: Look,
}

#[derive(Default)]
struct Reading {
    page: Page,
    open: Vec<Open>,
    /// Since the last tag.
    text: String,
}

struct Sink(RefCell<Reading>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut reading = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => reading.start(&tag),
            Token::TagToken(tag) => {
                reading.end(&tag.name);
                TokenSinkResult::Continue
            }
            Token::CharacterTokens(text) => {
                reading.text.push_str(&text);
                TokenSinkResult::Continue
            }
            _ => TokenSinkResult::Continue,
        }
    }
}

/// Reads a mail's HTML.
pub(super) fn read(html: &str) -> Page {
    let tokenizer = Tokenizer::new(Sink(RefCell::default()), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let mut reading = tokenizer.sink.0.into_inner();
    reading.flush();
    let mut page = reading.page;
    for text in [&mut page.seen, &mut page.preheader] {
        *text = collapsed(text);
    }
    page
}

/// White space collapsed, without what fills a preheader up.
fn collapsed(text: &str) -> String {
    let filler = |c: char| matches!(c, '\u{200b}'..='\u{200d}' | '\u{34f}' | '\u{ad}' | '\u{feff}' | '\u{2007}');
    let text: String = text.chars().filter(|c| !filler(*c)).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Reading {
    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name = tag.name.to_string();
        self.flush();
        self.gap(&name);
        let attribute = |a: &html5ever::Attribute| (a.name.local.to_string(), a.value.to_string());
        let attributes: Vec<(String, String)> = tag.attrs.iter().map(attribute).collect();
        let (mut look, mut hidden) =
            self.open.last().map_or_else(|| (Look::default(), false), |open| (open.look.clone(), open.hidden));
        hidden |= matches!(&*name, "head" | "title" | "style" | "script" | "template");
        if name == "a" {
            // Programs give links a colour of their own, where the mail gives none.
            look.colour = None;
        }
        for (key, value) in &attributes {
            match &**key {
                "bgcolor" => look.ground = Some(value.trim().to_ascii_lowercase()),
                "style" => hidden |= look.read(value),
                _ => {}
            }
        }
        look.bold |= matches!(&*name, "b" | "strong" | "th" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
            && !tag_says_weight(&attributes);
        // What an anchor is called, or any element.
        let targets = attributes.iter().filter(|(key, _)| key == "id" || (key == "name" && name == "a"));
        self.page.targets.extend(targets.map(|(_, value)| value.clone()));
        let at = self.page.elements.len();
        self.page.elements.push(Element { name: name.clone(), attributes, hidden, words: String::new() });
        if !is_void(&name) && !tag.self_closing && self.open.len() < DEEPEST {
            self.open.push(Open { name: name.clone(), at, hidden, look });
        }
        match &*name {
            "style" => TokenSinkResult::RawData(RawKind::Rawtext),
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            _ => TokenSinkResult::Continue,
        }
    }

    fn end(&mut self, name: &str) {
        self.flush();
        self.gap(name);
        if let Some(at) = self.open.iter().rposition(|open| open.name == name) {
            self.open.truncate(at);
        }
    }

    /// Words on both sides of an element that is no part of a sentence are two.
    fn gap(&mut self, name: &str) {
        let inline = "a abbr b bdi bdo code del em font i ins kbd mark q s small span strong sub sup u wbr";
        if !self.page.seen.ends_with(' ') && !inline.split(' ').any(|known| known == name) {
            self.page.seen.push(' ');
        }
    }

    /// Takes up the text since the last tag: the tokenizer hands it over in pieces.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let page = &mut self.page;
        let Some(open) = self.open.last() else {
            page.seen.push_str(&text);
            return;
        };
        if open.name == "style" {
            page.sheets.extend(css::sheet(&text));
            page.largest_sheet = page.largest_sheet.max(text.len());
            return;
        }
        if let Some(link) = self.open.iter().rev().find(|open| open.name == "a") {
            page.elements[link.at].words.push_str(&text);
        }
        let in_head = self.open.iter().any(|open| matches!(&*open.name, "head" | "title" | "script"));
        if open.hidden {
            if !in_head && page.seen.trim().is_empty() {
                page.preheader.push_str(&text);
            }
            return;
        }
        page.seen.push_str(&text);
        if !text.trim().is_empty() {
            page.stretches.push(Stretch { text: collapsed(&text), look: open.look.clone() });
        }
    }
}

fn tag_says_weight(attributes: &[(String, String)]) -> bool {
    attributes.iter().any(|(key, value)| key == "style" && value.contains("font-weight"))
}

impl Look {
    /// Takes up what a `style` says, and whether it hides.
    fn read(&mut self, style: &str) -> bool {
        let mut hidden = false;
        for said in css::declarations(style) {
            let Said::Declaration(property, value) = said else { continue };
            let value = value.trim_end_matches("!important").trim().to_owned();
            match &*property {
                "color" => self.colour = Some(value),
                "background-color" | "background" => self.ground = Some(value),
                "font-size" => self.size = Some(value),
                "font-weight" => self.bold = matches!(&*value, "bold" | "bolder" | "600" | "700" | "800" | "900"),
                "display" => hidden |= value == "none",
                _ => {}
            }
        }
        hidden
    }
}

/// Elements without an end tag.
fn is_void(name: &str) -> bool {
    let all = "area base br col embed hr img input link meta param source track wbr";
    all.split(' ').any(|void| void == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_told_from_what_is_not() {
        let page = read(
            "<!doctype html><head><title>T</title><style>p{\ncolor:\nred}</style></head><body>\
             <div style='display: none'>First &amp; &zwnj;&nbsp;hidden</div>\
             <p style='COLOR:#111;background-color:#eee'>Seen <a id=x href='#y'>a <b>li&#110;k</b>s</a><br>on<script>no</script>",
        );
        assert_eq!((&*page.preheader, &*page.seen), ("First & hidden", "Seen a links on"));
        let link = page.elements.iter().find(|element| element.name == "a").expect("a link");
        assert_eq!(
            (&*link.words, link.get("href"), &*link.shown()),
            ("a links", Some("#y"), "<a id=\"x\" href=\"#y\">")
        );
        assert!(page.targets.contains("x"));
        assert_eq!(page.sheets, css::sheet("p{color:red}"));
        let looks: Vec<_> = page.stretches.iter().map(|s| (&*s.text, s.look.colour.as_deref(), s.look.bold)).collect();
        assert_eq!(
            looks,
            [
                ("Seen", Some("#111"), false),
                ("a", None, false),
                ("link", None, true),
                ("s", None, false),
                ("on", Some("#111"), false)
            ]
        );
    }
}
