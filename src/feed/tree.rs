//! The XML of a feed, another's too, as a tree in which every element says where it stands. Promises: it goes on after a
//! fault wherever a reader could, tells every fault with its place, and neither nests without end nor fetches anything.

use super::xml;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// Deeper than any feed, and shallow enough for every walk over it.
const DEEPEST: usize = 200;
/// A document with more faults than this is no feed.
const MOST_FAULTS: usize = 50;
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
/// Atom 1.0 (RFC 4287).
pub const ATOM: &str = "http://www.w3.org/2005/Atom";
/// What an RSS 1.0 feed is written in.
pub const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
/// What those mean who forget to say so; readers take it so, too.
const USUAL: [(&str, &str); 5] = [
    ("content", "http://purl.org/rss/1.0/modules/content/"),
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("atom", ATOM),
    ("media", "http://search.yahoo.com/mrss/"),
    ("rdf", RDF),
];

/// A document.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Its outermost element.
    pub root: Option<Element>,
    /// What is wrong with it as XML, in the order in which it stands there.
    pub faults: Vec<Fault>,
    /// Whether it ends before its outermost element does.
    pub cut_off: bool,
}

/// Something that is not well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The byte where it stands.
    pub at: usize,
    /// What it is, as a sentence without a final full stop.
    pub what: String,
    /// What to do.
    pub help: &'static str,
}

/// An element.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// Its namespace; empty for none.
    pub namespace: Arc<str>,
    /// Its name without a prefix.
    pub name: String,
    /// Its attributes in their order, without declarations of namespaces.
    pub attributes: Vec<Attribute>,
    /// What is in it.
    pub nodes: Vec<Node>,
    /// The byte where its tag begins.
    pub at: usize,
}

/// An attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its namespace; empty for none.
    pub namespace: Arc<str>,
    /// Its name without a prefix.
    pub name: String,
    /// Its value, references resolved.
    pub value: String,
}

/// A piece of an element.
#[derive(Clone, Debug)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, references resolved.
    Text(String),
    /// A CDATA section, and the byte where its text begins.
    Section(String, usize),
}

impl Element {
    /// Whether it has this name.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && &*self.namespace == namespace
    }

    /// The elements in it.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            _ => None,
        })
    }

    /// The elements of this name in it.
    pub fn all<'a>(&'a self, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements().filter(move |element| element.is(namespace, name))
    }

    /// The first element of this name in it.
    pub fn first(&self, namespace: &str, name: &str) -> Option<&Element> {
        self.elements().find(|element| element.is(namespace, name))
    }

    /// The text of the first element of this name, if it is not blank.
    pub fn said(&self, namespace: &str, name: &str) -> Option<String> {
        self.first(namespace, name).map(Element::text).filter(|text| !text.is_empty())
    }

    /// All text in it, without white space at its ends.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.gather(&mut text);
        text.trim().to_owned()
    }

    fn gather(&self, text: &mut String) {
        for node in &self.nodes {
            match node {
                Node::Element(element) => element.gather(text),
                Node::Text(piece) | Node::Section(piece, _) => text.push_str(piece),
            }
        }
    }

    /// The value of an attribute that has no namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut own = self.attributes.iter().filter(|attribute| attribute.namespace.is_empty());
        own.find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
    }

    /// `xml:lang`, `xml:base`.
    pub fn xml(&self, name: &str) -> Option<&str> {
        let mut of_xml = self.attributes.iter().filter(|attribute| &*attribute.namespace == XML);
        of_xml.find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
    }

    /// What is in it as markup, for content that is XHTML.
    pub fn markup(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        for node in &self.nodes {
            match node {
                Node::Text(text) | Node::Section(text, _) => out.push_str(&xml::as_html(text)),
                Node::Element(element) => {
                    out.push('<');
                    out.push_str(&element.name);
                    for Attribute { name, value, .. } in &element.attributes {
                        out.push_str(&format!(" {name}=\"{}\"", xml::as_html(value).replace('"', "&quot;")));
                    }
                    out.push('>');
                    element.write(out);
                    if !element.nodes.is_empty() {
                        out.push_str(&format!("</{}>", element.name));
                    }
                }
            }
        }
    }
}

/// Reads a document, whose text is without a byte order mark.
pub fn parse(source: &str) -> Tree {
    let mut reader = Reader::from_str(source);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    config.check_comments = true;
    let mut builder = Builder { source, ..Builder::default() };
    builder.characters();
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        if builder.tree.faults.len() > MOST_FAULTS {
            break;
        }
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => {
                if !builder.take(event, at) {
                    break;
                }
            }
            Err(error) => {
                let at = usize::try_from(reader.error_position()).unwrap_or(at);
                builder.fault(
                    at,
                    format!("This is no XML: {error}"),
                    "mend it here; what stands behind it is lost to readers",
                );
                break;
            }
        }
    }
    builder.finish()
}

#[derive(Default)]
struct Builder<'a> {
    source: &'a str,
    tree: Tree,
    /// Open elements with their names as written.
    open: Vec<(Element, String)>,
    /// What prefixes mean, with the depth at which it was said.
    scope: Vec<(usize, String, Arc<str>)>,
    /// Names that the document type declares.
    entities: HashSet<String>,
    closed: bool,
}

impl Builder<'_> {
    fn fault(&mut self, at: usize, what: String, help: &'static str) {
        self.tree.faults.push(Fault { at, what, help });
    }

    /// Characters that XML cannot hold (section 2.2) and those that it discourages; not more than ten.
    fn characters(&mut self) {
        let found: Vec<(usize, char)> =
            self.source.char_indices().filter(|(_, c)| *c != '\r' && !xml::is_allowed(*c)).take(10).collect();
        for (at, c) in found {
            let what =
                format!("U+{:04X} is no character that a feed may hold: many readers refuse all of it", u32::from(c));
            self.fault(at, what, "take it out; it is often pasted from a terminal or a PDF");
        }
    }

    /// Whether to go on.
    fn take(&mut self, event: Event<'_>, at: usize) -> bool {
        match event {
            Event::Start(tag) => {
                if self.open.len() >= DEEPEST {
                    self.fault(
                        at,
                        format!("Elements are nested more than {DEEPEST} deep"),
                        "this is no feed; look where it comes from",
                    );
                    return false;
                }
                let element = self.element(&tag, at);
                self.open.push((element, tag.name().as_ref().to_owned()));
            }
            Event::Empty(tag) => {
                let element = self.element(&tag, at);
                self.scope.retain(|(depth, ..)| *depth <= self.open.len());
                self.put(element);
            }
            Event::End(tag) => self.end(tag.name().as_ref(), at),
            Event::Text(text) => self.text(&text.into_inner(), at),
            Event::GeneralRef(reference) => {
                let resolved = self.resolve(&reference, at);
                self.push(Node::Text(resolved.into_owned()));
            }
            Event::CData(section) => {
                let text = section.into_inner().replace("\r\n", "\n");
                self.push(Node::Section(text, at + "<![CDATA[".len()));
            }
            Event::DocType(kind) => {
                let kind = kind.into_inner();
                let declared = kind.split("<!ENTITY").skip(1).filter_map(|rest| rest.split_whitespace().next());
                self.entities.extend(declared.map(str::to_owned));
            }
            Event::Decl(_) if at > 0 => self.fault(
                at,
                "The XML declaration is not the first thing in the file: parsers refuse it".to_owned(),
                "take out what stands before `<?xml`, blanks and empty lines too",
            ),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => {}
        }
        true
    }

    fn element(&mut self, tag: &BytesStart<'_>, at: usize) -> Element {
        let depth = self.open.len() + 1;
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            match attribute {
                Ok(attribute) => {
                    let key = attribute.key.as_ref().to_owned();
                    if attribute.value.contains('<') {
                        self.fault(at, format!("`{key}` holds a `<`"), "write it as `&lt;`");
                    }
                    let value = self.unescape(&attribute.value, at);
                    match key.strip_prefix("xmlns") {
                        Some("") => self.scope.push((depth, String::new(), value.into())),
                        Some(prefix) if prefix.starts_with(':') => {
                            self.scope.push((depth, prefix[1..].to_owned(), value.into()));
                        }
                        _ => attributes.push((key, value)),
                    }
                }
                Err(error) => self.fault(
                    at,
                    format!("The tag `{}` has attributes that are no XML: {error}", tag.name().as_ref()),
                    "give each attribute once, with a value in quotes",
                ),
            }
        }
        let (namespace, name) = self.name(tag.name().as_ref(), at, true);
        let attributes = attributes.into_iter().map(|(key, value)| {
            let (namespace, name) = self.name(&key, at, false);
            Attribute { namespace, name, value }
        });
        let attributes = attributes.collect();
        Element { namespace, name, attributes, nodes: Vec::new(), at }
    }

    /// The namespace and the local part of a name. Attributes without a prefix have no namespace.
    fn name(&mut self, written: &str, at: usize, of_element: bool) -> (Arc<str>, String) {
        let (prefix, local) = written.split_once(':').unwrap_or(("", written));
        if prefix.is_empty() && !of_element {
            return (Arc::from(""), local.to_owned());
        }
        let said = self.scope.iter().rev().find(|(_, said, _)| said == prefix).map(|(.., namespace)| namespace.clone());
        let namespace = said.unwrap_or_else(|| match prefix {
            "" => Arc::from(""),
            "xml" => Arc::from(XML),
            "xmlns" => Arc::from(XMLNS),
            _ => {
                self.fault(
                    at,
                    format!("The prefix `{prefix}` of `{written}` is not declared: parsers refuse the feed"),
                    "declare it on the outermost element: xmlns:PREFIX=\"…\"",
                );
                let usual = USUAL.iter().find(|(usual, _)| *usual == prefix);
                Arc::from(usual.map_or(prefix, |(_, namespace)| namespace))
            }
        });
        (namespace, local.to_owned())
    }

    fn end(&mut self, name: &str, at: usize) {
        let line = |source: &str, at: usize| source[..at.min(source.len())].matches('\n').count() + 1;
        match self.open.iter().rposition(|(_, open)| open == name) {
            None => self.fault(at, format!("`</{name}>` closes nothing"), "take it out, or open it before"),
            Some(position) => {
                while self.open.len() > position {
                    let Some((element, open)) = self.open.pop() else { break };
                    if self.open.len() > position {
                        let line = line(self.source, element.at);
                        let what = format!("`</{name}>` comes before `<{open}>` of line {line} is closed");
                        self.fault(at, what, "close elements in the order that nests");
                    }
                    let depth = self.open.len();
                    self.scope.retain(|(said, ..)| *said <= depth);
                    self.put(element);
                }
            }
        }
    }

    fn text(&mut self, text: &str, at: usize) {
        if let Some(ahead) = text.find('&') {
            let help = "write it as `&amp;`, in addresses too";
            self.fault(at + ahead, "A lone `&`: in XML it begins a reference".to_owned(), help);
        }
        if let Some(ahead) = text.find("]]>") {
            let help = "write it as `]]&gt;`; within a CDATA section, split it: `]]]]><![CDATA[>`";
            self.fault(
                at + ahead,
                "`]]>` stands outside of a CDATA section: one before it ended too early".to_owned(),
                help,
            );
        }
        if self.open.is_empty() && !text.trim().is_empty() {
            let ahead = text.len() - text.trim_start().len();
            let help = "take it out; a message of a program may have come into the file";
            self.fault(at + ahead, "Text stands outside of the outermost element".to_owned(), help);
        }
        self.push(Node::Text(text.replace("\r\n", "\n")));
    }

    fn push(&mut self, node: Node) {
        if let Some((parent, _)) = self.open.last_mut() {
            parent.nodes.push(node);
        }
    }

    fn put(&mut self, element: Element) {
        match self.open.last_mut() {
            Some((parent, _)) => parent.nodes.push(Node::Element(element)),
            None if self.closed => {
                let help = "a feed is one element: put it in there";
                self.fault(element.at, format!("`<{}>` stands behind the outermost element", element.name), help);
            }
            None => {
                self.closed = true;
                self.tree.root = Some(element);
            }
        }
    }

    /// What a reference stands for; itself where it stands for nothing.
    fn resolve(&mut self, name: &str, at: usize) -> Cow<'static, str> {
        let number = name.strip_prefix('#').map(|number| match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        });
        match (number, name) {
            (Some(code), _) => match code.and_then(char::from_u32) {
                Some(c) if c == '\r' || xml::is_allowed(c) => c.to_string().into(),
                _ => {
                    let what = format!("`&{name};` is no character that XML may hold: parsers refuse the feed");
                    self.fault(at, what, "take it out");
                    "".into()
                }
            },
            (None, "lt") => "<".into(),
            (None, "gt") => ">".into(),
            (None, "amp") => "&".into(),
            (None, "quot") => "\"".into(),
            (None, "apos") => "'".into(),
            (None, name) => {
                if !self.entities.contains(name) {
                    let what = format!("`&{name};` is known to HTML, not to XML: parsers refuse the feed");
                    self.fault(at, what, "write the character itself, or its number, such as `&#160;`");
                }
                format!("&{name};").into()
            }
        }
    }

    fn unescape(&mut self, raw: &str, at: usize) -> String {
        let mut out = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((before, behind)) = rest.split_once('&') {
            out.push_str(before);
            let name = behind.split_once(';').filter(|(name, _)| {
                !name.is_empty() && name.len() < 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
            });
            match name {
                Some((name, behind)) => {
                    out.push_str(&self.resolve(name, at));
                    rest = behind;
                }
                None => {
                    let help = "write it as `&amp;`, in addresses too";
                    self.fault(at, "A lone `&` in an attribute: in XML it begins a reference".to_owned(), help);
                    out.push('&');
                    rest = behind;
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn finish(mut self) -> Tree {
        let broken = !self.tree.faults.is_empty();
        if let Some((element, open)) = self.open.last()
            && !(broken && self.tree.faults.len() > MOST_FAULTS)
        {
            let (at, open) = (element.at, open.clone());
            self.fault(at, format!("`<{open}>` is never closed"), "close it; the file may have been cut off");
        }
        self.tree.cut_off = !self.open.is_empty();
        while let Some((element, _)) = self.open.pop() {
            self.put(element);
        }
        self.tree.faults.sort_by_key(|fault| fault.at);
        self.tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(source: &str) -> Vec<(usize, String)> {
        parse(source).faults.into_iter().map(|fault| (fault.at, fault.what)).collect()
    }

    #[test]
    fn names_text_and_places() {
        let source = "<?xml version='1.0'?>\n<a:feed xmlns:a='urn:a' xmlns='urn:b' xml:lang='en' n='1 &amp; 2'>\n \
                      <t>x &lt; <![CDATA[<b>&]]>&#x21;</t><a:e xmlns:a='urn:c'/><a:e/></a:feed>";
        let tree = parse(source);
        assert_eq!(tree.faults, []);
        let root = tree.root.unwrap();
        assert!(root.is("urn:a", "feed"));
        assert_eq!((root.xml("lang"), root.attribute("n")), (Some("en"), Some("1 & 2")));
        assert_eq!(root.said("urn:b", "t").unwrap(), "x < <b>&!");
        assert!(root.first("urn:c", "e").is_some() && root.first("urn:a", "e").is_some());
        assert_eq!(&source[root.first("urn:b", "t").unwrap().at..][..3], "<t>");
    }

    #[test]
    fn it_goes_on_after_faults() {
        for (source, at, what) in [
            ("<a><b></a>", 6, "`</a>` comes before `<b>` of line 1 is closed"),
            ("<a></b></a>", 3, "`</b>` closes nothing"),
            ("<a>x & y</a>", 5, "A lone `&`: in XML it begins a reference"),
            ("<a>&nbsp;</a>", 3, "`&nbsp;` is known to HTML, not to XML: parsers refuse the feed"),
            ("<a><x:b/></a>", 3, "The prefix `x` of `x:b` is not declared: parsers refuse the feed"),
            ("<a>]]></a>", 3, "`]]>` stands outside of a CDATA section: one before it ended too early"),
            ("<a/>x", 4, "Text stands outside of the outermost element"),
            ("<a/><b/>", 4, "`<b>` stands behind the outermost element"),
            ("<a>\u{8}</a>", 3, "U+0008 is no character that a feed may hold: many readers refuse all of it"),
            ("<a>&#8;</a>", 3, "`&#8;` is no character that XML may hold: parsers refuse the feed"),
            ("<a>", 0, "`<a>` is never closed"),
        ] {
            assert_eq!(faults(source), [(at, what.to_owned())], "{source}");
            assert!(parse(source).root.is_some(), "{source}");
        }
        assert!(faults(" <?xml version='1.0'?><a/>")[0].1.starts_with("The XML declaration"));
        assert_eq!(faults("<!DOCTYPE a [<!ENTITY nbsp '&#160;'>]><a>&nbsp;</a>"), []);
        assert!(faults(&"<a>".repeat(100_000)).len() <= 2);
    }
}
