//! The allow-list. Everything a post may hold in a feed stands here; what is not named is dropped, what it contained stays
//! (scripts, styles and vector graphics go with their content). Every URL that is left is absolute.

use super::link::{self, Fault, Slip};
use super::{CleanHtml, embeds, images, markup};
use ammonia::Builder;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use url::Url;

/// Tags that may stay, beside those of MathML.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "article",
    "aside",
    "audio",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "main",
    "mark",
    "nav",
    "ol",
    "p",
    "picture",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "section",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "track",
    "tt",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
];

const MATH: &[&str] = &[
    "math",
    "mi",
    "mo",
    "mn",
    "ms",
    "mtext",
    "mrow",
    "mfrac",
    "msqrt",
    "mroot",
    "msub",
    "msup",
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mtable",
    "mtr",
    "mtd",
    "mspace",
    "mpadded",
    "mphantom",
    "mstyle",
    "semantics",
    "annotation",
];

/// Their content means nothing to a reader without them.
const DROPPED_WHOLE: &[&str] =
    &["script", "style", "noscript", "template", "select", "textarea", "button", "svg", "title"];

const EVERYWHERE: &[&str] = &["class", "id", "dir", "lang", "title"];

const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("a", &["href", "hreflang", "rel", "type"]),
    ("audio", &["src", "controls", "loop", "muted", "preload"]),
    ("blockquote", &["cite"]),
    ("col", &["span", "align"]),
    ("colgroup", &["span", "align"]),
    ("data", &["value"]),
    ("del", &["cite", "datetime"]),
    ("details", &["open"]),
    ("hr", &["align"]),
    ("img", &["src", "srcset", "sizes", "alt", "width", "height", "align", "longdesc", "loading"]),
    ("ins", &["cite", "datetime"]),
    ("li", &["value"]),
    ("math", &["display", "xmlns"]),
    ("mo", &["stretchy", "fence", "separator"]),
    ("annotation", &["encoding"]),
    ("ol", &["start", "reversed", "type"]),
    ("p", &["align"]),
    ("q", &["cite"]),
    ("source", &["src", "srcset", "sizes", "type", "media"]),
    ("table", &["align"]),
    ("td", &["colspan", "rowspan", "headers", "align"]),
    ("th", &["colspan", "rowspan", "headers", "align", "scope", "abbr"]),
    ("time", &["datetime"]),
    ("track", &["src", "kind", "label", "srclang"]),
    ("video", &["src", "poster", "controls", "loop", "muted", "preload", "width", "height"]),
];

/// Nobody nests so deep; the parser's work grows with depth times length.
const MAX_DEPTH: usize = 200;

/// Sanitises what a post's author wrote and makes every URL absolute against `base`, the post's own. A frame, an object
/// or an embedded player becomes a link to what it shows.
pub fn clean(html: &str, base: &Url) -> CleanHtml {
    clean_and_tell(html, base).0
}

/// As [`clean`], and says which URLs lead nowhere as they are written, each once.
pub fn clean_and_tell(html: &str, base: &Url) -> (CleanHtml, Vec<Slip>) {
    let slips = Arc::default();
    let html: Cow<'_, str> =
        if html.chars().any(is_forbidden) { Cow::Owned(without_forbidden(html)) } else { html.into() };
    let html = embeds::without_noscript(&flatten(&html)).into_owned();
    let html = if embeds::needs_repair(&html) {
        embeds::repair(&gatekeeper(&WITH_EMBEDS, base, &slips).clean(&html).to_string())
    } else {
        html
    };
    let cleaned = gatekeeper(&STRICT, base, &slips).clean(&html).to_string();
    // Once more: `&#8;` is a control character only after parsing.
    let cleaned = if cleaned.chars().any(is_forbidden) { without_forbidden(&cleaned) } else { cleaned };
    let cleaned = images::with_sources(cleaned);
    let mut slips = std::mem::take(&mut *lock(&slips));
    // An address that is its own text is what a reader shall type, on whatever machine.
    let is_typed = |slip: &Slip| cleaned.contains(&format!(">{}</a>", markup::escape(&slip.written)));
    slips.retain(|slip| slip.fault != Fault::OwnMachine || !is_typed(slip));
    (CleanHtml(cleaned), slips)
}

type Slips = Arc<Mutex<Vec<Slip>>>;

fn lock(slips: &Slips) -> MutexGuard<'_, Vec<Slip>> {
    slips.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a sanitiser lets through, made once: hashing it all again would cost as much as a short post.
struct Gate {
    tags: HashSet<&'static str>,
    attributes: HashMap<&'static str, HashSet<&'static str>>,
    schemes: HashSet<&'static str>,
}

/// For the last pass.
static STRICT: LazyLock<Gate> = LazyLock::new(|| Gate {
    tags: TAGS.iter().chain(MATH).copied().collect(),
    attributes: ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect(),
    // Those that `link` has to see; it lets none but its own pass.
    schemes: link::SCHEMES.iter().copied().chain(link::told_schemes()).collect(),
});

/// Frames and lazy images pass as well, for [`embeds::repair`] to see.
static WITH_EMBEDS: LazyLock<Gate> = LazyLock::new(|| {
    let (mut tags, mut attributes) = (STRICT.tags.clone(), STRICT.attributes.clone());
    tags.extend(["iframe", "object", "embed"]);
    attributes.insert("iframe", ["src", "data-src"].into());
    attributes.insert("embed", ["src"].into());
    attributes.insert("object", ["data"].into());
    for element in ["img", "source", "video", "audio"] {
        attributes.entry(element).or_default().extend(images::LAZY);
    }
    Gate { tags, attributes, schemes: STRICT.schemes.clone() }
});

fn gatekeeper(gate: &Gate, base: &Url, slips: &Slips) -> Builder<'static> {
    let (base, slips) = (base.clone(), Arc::clone(slips));
    let tell = move |slip: Slip| {
        let mut slips = lock(&slips);
        if !slips.contains(&slip) {
            slips.push(slip);
        }
    };
    let mut builder = Builder::empty();
    builder
        .tags(gate.tags.clone())
        .clean_content_tags(DROPPED_WHOLE.iter().copied().collect())
        .generic_attributes(EVERYWHERE.iter().copied().collect())
        .tag_attributes(gate.attributes.clone())
        .url_schemes(gate.schemes.clone())
        .url_relative(ammonia::UrlRelative::PassThrough)
        .link_rel(None)
        // What a script was to start shows nothing without them.
        .set_tag_attribute_value("audio", "controls", "")
        .set_tag_attribute_value("video", "controls", "")
        .strip_comments(true)
        .attribute_filter(move |_, name, value| match name {
            "href" | "src" | "poster" | "cite" | "longdesc" | "data" | "data-src" | "data-original"
            | "data-lazy-src" => link::resolve(value, &base, &tell).map(Cow::Owned),
            "srcset" | "data-srcset" | "data-lazy-srcset" => link::resolve_set(value, &base, &tell).map(Cow::Owned),
            _ => Some(Cow::Borrowed(value)),
        });
    builder
}

/// What XML 1.0 (section 2.2) cannot hold, and the C1 controls, which nobody means.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

fn without_forbidden(text: &str) -> String {
    text.chars().filter(|c| !is_forbidden(*c)).collect()
}

/// Drops start tags beyond [`MAX_DEPTH`], counted roughly: the parser that follows is quadratic in it.
fn flatten(html: &str) -> Cow<'_, str> {
    if html.bytes().filter(|b| *b == b'<').count() <= MAX_DEPTH {
        return Cow::Borrowed(html);
    }
    let mut depth = 0_usize;
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = html[at..].find('<') {
        let start = at + found;
        let rest = &html[start + 1..];
        at = start + 1;
        let closing = rest.starts_with('/');
        let name = rest.trim_start_matches('/');
        let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())];
        if name.is_empty() || name.len() > 16 {
            continue;
        }
        let name = name.to_ascii_lowercase();
        // These close each other, or never open.
        if markup::is_void(&name)
            || matches!(&*name, "p" | "li" | "dt" | "dd" | "td" | "th" | "tr" | "tbody" | "option")
        {
            continue;
        }
        if closing {
            depth = depth.saturating_sub(1);
            continue;
        }
        depth += 1;
        if depth > MAX_DEPTH {
            depth -= 1;
            out.push_str(&html[copied..start]);
            at = rest.find('>').map_or(html.len(), |end| start + 1 + end + 1);
            copied = at;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(html);
    }
    out.push_str(&html[copied..]);
    Cow::Owned(out)
}
