//! What mail clients can show of a post: no players, no folding, no pictures over plain http. Promises markup in which
//! every element is closed, from a list of elements that Outlook, Gmail and Apple Mail all know.

use super::markup::{self, Tag, Token};
use super::{CleanHtml, embeds, wide};
use std::borrow::Cow;
use std::fmt::Write;

/// The width of a mail's column for text and pictures, in pixels.
pub const COLUMN: u64 = 520;

/// Clean HTML, narrowed for mail. Its constructor is private to this file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailHtml(String);

impl MailHtml {
    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands for an element in a mail.
enum Shape {
    /// This element, with these of its attributes.
    Element(&'static str, &'static [&'static str]),
    /// Its content alone.
    Content,
    /// Nothing, its content neither.
    Nothing,
}

/// An element that was begun.
struct Open {
    /// What stands for its end.
    end: &'static str,
    /// Where its start tag begins, and where that ends.
    from: usize,
    inside: usize,
}

impl Open {
    /// Writes the end, and what its content makes of it: a link without words says where it leads, a heading of nothing is a cell
    /// like others, and a table that is wider than a phone says so.
    fn close(self, out: &mut String) {
        match self.end {
            "</a>" if wide::is_empty(&out[self.inside..]) => {
                let Some(Token::Start(tag)) = markup::tokens(&out[self.from..]).next() else { return };
                let Some(target) = tag.attribute("href") else { return out.truncate(self.from) };
                out.push_str(&markup::escape(last_part(&target)));
            }
            "</th>" if wide::is_empty(&out[self.inside..]) => {
                out.replace_range(self.from..self.inside, "<td>");
                return out.push_str("</td>");
            }
            "</table>" if wide::is_wide(&out[self.inside..]) => {
                out.insert_str(self.from + "<table".len(), " class=\"wide\"");
            }
            _ => {}
        }
        out.push_str(self.end);
    }
}

/// Narrows `html` to what mail clients show.
pub fn narrow(html: &CleanHtml) -> MailHtml {
    let mut out = String::with_capacity(html.as_str().len());
    let mut open: Vec<Open> = Vec::new();
    let mut skipped = 0_usize;
    // Rows of the table so far: the headings of the first speak for columns.
    let mut rows = 0_usize;
    let html = with_stills(html.as_str());
    for token in markup::tokens(&html) {
        match token {
            Token::Text(text) if skipped == 0 => out.push_str(text),
            Token::Text(_) => {}
            Token::Start(tag) => {
                let nothing = matches!(shape(tag.name), Shape::Nothing);
                if markup::is_void(tag.name) {
                    if skipped == 0 {
                        void(&tag, &mut out);
                    }
                } else if skipped > 0 || nothing {
                    skipped += 1;
                } else {
                    match tag.name {
                        "table" => rows = 0,
                        "tr" => rows += 1,
                        _ => {}
                    }
                    let from = out.len();
                    let end = start(&tag, rows, &mut out);
                    open.push(Open { end, from, inside: out.len() });
                }
            }
            Token::End(name) if markup::is_void(name) => {}
            Token::End(_) if skipped > 0 => skipped -= 1,
            Token::End(_) => open.pop().into_iter().for_each(|open| open.close(&mut out)),
        }
    }
    while let Some(unclosed) = open.pop() {
        unclosed.close(&mut out);
    }
    MailHtml(out)
}

/// Writes what stands for a start tag in that row of a table; returns what stands for its end.
fn start(tag: &Tag<'_>, row: usize, out: &mut String) -> &'static str {
    match tag.name {
        "summary" => {
            out.push_str("<p><strong>");
            return "</strong></p>";
        }
        "audio" | "video" => {
            out.push_str("<p>");
            let source = tag.attribute("src");
            match tag.attribute("poster").filter(|poster| poster.starts_with("https:")) {
                Some(poster) => still(source.as_deref(), &poster, &play(tag.attribute("title")), out),
                None => source.iter().for_each(|target| media(target, out)),
            }
            return "</p>";
        }
        "figure" => {
            out.push_str("<div class=\"figure\">");
            return "</div>";
        }
        "figcaption" => {
            out.push_str("<div class=\"caption\">");
            return "</div>";
        }
        _ => {}
    }
    let Shape::Element(name, attributes) = shape(tag.name) else { return "" };
    element(name, attributes, tag, out);
    if name == "th" && tag.attribute("scope").is_none() {
        out.truncate(out.len() - 1);
        out.push_str(if row <= 1 { " scope=\"col\">" } else { " scope=\"row\">" });
    }
    END_TAGS.iter().find(|end| &end[2..end.len() - 1] == name).copied().unwrap_or_default()
}

fn void(tag: &Tag<'_>, out: &mut String) {
    match tag.name {
        "br" | "hr" => {
            let _ = write!(out, "<{}>", tag.name);
        }
        "source" => {
            // Those of a picture have no `src`; the picture's own image stands for them.
            if let Some(target) = tag.attribute("src") {
                media(&target, out);
            }
        }
        "img" => match tag.attribute("src") {
            Some(source) if source.starts_with("https:") => {
                out.push_str("<img");
                let size = fitted(tag);
                for name in ["src", "alt", "title", "width", "height"] {
                    let value = match (name, size) {
                        ("width", Some((width, _))) => Some(width.to_string()),
                        ("height", Some((_, height))) => Some(height.to_string()),
                        _ => tag.attribute(name),
                    };
                    let value = if name == "alt" { value.or(Some(String::new())) } else { value };
                    let measure = matches!(name, "width" | "height");
                    if let Some(value) = value.filter(|value| !measure || value.bytes().all(|b| b.is_ascii_digit())) {
                        let _ = write!(out, " {name}=\"{}\"", markup::escape(&value));
                    }
                }
                out.push('>');
            }
            // Mail clients warn of pictures over plain http, or do not load them.
            Some(source) => {
                let alt = tag.attribute("alt").filter(|alt| !alt.trim().is_empty());
                let _ = write!(out, "{}", markup::escape(&alt.unwrap_or_else(|| last_part(&source).to_owned())));
            }
            None => {}
        },
        _ => {}
    }
}

fn element(name: &str, attributes: &[&str], tag: &Tag<'_>, out: &mut String) {
    let _ = write!(out, "<{name}");
    for (key, value) in tag.attributes() {
        if attributes.contains(&key) || matches!(key, "dir" | "lang") {
            let _ = write!(out, " {key}=\"{value}\"");
        }
    }
    out.push('>');
}

/// A wide picture's size in the column, where both of its sides are known: Outlook knows no `max-width`.
fn fitted(tag: &Tag<'_>) -> Option<(u64, u64)> {
    let side = |name: &str| tag.attribute(name)?.parse::<u64>().ok().filter(|side| (1..=100_000).contains(side));
    let (width, height) = (side("width")?, side("height")?);
    (width > COLUMN).then(|| (COLUMN, (height * COLUMN).div_ceil(width)))
}

/// A picture of a film that links to the film.
fn still(target: Option<&str>, picture: &str, said: &str, out: &mut String) {
    let picture = format!("<img src=\"{}\" alt=\"{}\">", markup::escape(picture), markup::escape(said));
    let _ = match target {
        Some(target) => write!(out, "<a href=\"{}\">{picture}</a> ", markup::escape(target)),
        None => write!(out, "{picture} "),
    };
}

/// What stands for a film's picture where pictures are not shown.
fn play(title: Option<String>) -> String {
    match title.filter(|title| !title.trim().is_empty()) {
        Some(title) => format!("▶ {}", title.trim()),
        None => "▶".to_owned(),
    }
}

/// Paragraphs that hold nothing but a link to a film on YouTube show its picture above the link: such are players that were
/// made links, and addresses that stand for a film.
fn with_stills(html: &str) -> Cow<'_, str> {
    if !html.contains("://www.youtube.com/watch?v=") {
        return html.into();
    }
    let mut out = String::with_capacity(html.len() + 200);
    let mut rest = html;
    while let Some(at) = rest.find("<p><a href=\"https://www.youtube.com/watch?v=") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = from.find("</a></p>").filter(|end| !from[3..*end].contains("</a>") && !from[..*end].contains("<img"));
        let link = &from["<p>".len()..];
        let opened = &link[..link.find('>').map_or(0, |end| end + 1)];
        let id: String = from["<p><a href=\"https://www.youtube.com/watch?v=".len()..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .collect();
        if let Some(picture) = end.and_then(|_| embeds::still_of(&id)) {
            let _ = write!(out, "<p>{opened}<img src=\"{picture}\" alt=\"▶\" width=\"480\" height=\"360\"></a></p>");
        }
        out.push_str("<p>");
        rest = &from["<p>".len()..];
    }
    out.push_str(rest);
    out.into()
}

fn media(target: &str, out: &mut String) {
    let _ = write!(out, "<a href=\"{}\">{}</a> ", markup::escape(target), markup::escape(last_part(target)));
}

/// The file's name in a URL.
fn last_part(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.trim_end_matches('/').rsplit('/').next().filter(|part| !part.is_empty()).unwrap_or(url)
}

const END_TAGS: &[&str] = &[
    "</p>",
    "</h2>",
    "</h3>",
    "</h4>",
    "</h5>",
    "</h6>",
    "</a>",
    "</strong>",
    "</em>",
    "</u>",
    "</s>",
    "</code>",
    "</pre>",
    "</blockquote>",
    "</ul>",
    "</ol>",
    "</li>",
    "</dl>",
    "</dt>",
    "</dd>",
    "</table>",
    "</thead>",
    "</tbody>",
    "</tfoot>",
    "</tr>",
    "</th>",
    "</td>",
    "</caption>",
    "</sub>",
    "</sup>",
    "</small>",
    "</span>",
    "</div>",
];

fn shape(name: &str) -> Shape {
    use Shape::{Content, Element, Nothing};
    match name {
        "p" => Element("p", &["align"]),
        // The mail's own title is the only h1.
        "h1" | "h2" => Element("h2", &[]),
        "h3" => Element("h3", &[]),
        "h4" => Element("h4", &[]),
        "h5" => Element("h5", &[]),
        "h6" => Element("h6", &[]),
        "a" => Element("a", &["href", "title"]),
        "strong" | "b" => Element("strong", &[]),
        "em" | "i" | "cite" | "dfn" | "var" => Element("em", &[]),
        "u" | "ins" => Element("u", &[]),
        "s" | "del" | "strike" => Element("s", &[]),
        "code" | "kbd" | "samp" | "tt" => Element("code", &[]),
        "pre" => Element("pre", &[]),
        "blockquote" => Element("blockquote", &[]),
        "ul" => Element("ul", &[]),
        "ol" => Element("ol", &["start", "type"]),
        "li" => Element("li", &["value"]),
        "dl" => Element("dl", &[]),
        "dt" => Element("dt", &[]),
        "dd" => Element("dd", &[]),
        "table" => Element("table", &["align"]),
        "thead" => Element("thead", &[]),
        "tbody" => Element("tbody", &[]),
        "tfoot" => Element("tfoot", &[]),
        "tr" => Element("tr", &[]),
        "th" => Element("th", &["colspan", "rowspan", "align", "scope"]),
        "td" => Element("td", &["colspan", "rowspan", "align"]),
        "caption" => Element("caption", &[]),
        "sub" => Element("sub", &[]),
        "sup" => Element("sup", &[]),
        "small" => Element("small", &[]),
        "span" | "abbr" | "bdi" | "bdo" | "mark" | "q" | "time" => Element("span", &["title"]),
        "div" | "details" | "section" | "article" | "aside" | "header" | "footer" | "main" | "nav" | "center"
        | "address" => Element("div", &["align"]),
        "annotation" | "rp" | "track" | "colgroup" => Nothing,
        _ => Content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(html: &str) -> String {
        let clean = crate::html::clean(html, &"https://a.example/p".parse().expect("a URL"));
        narrow(&clean).0
    }

    #[test]
    fn what_mail_clients_know_stays() {
        for kept in [
            "<p>a <strong>b</strong> <em>c</em> <code>d</code></p>",
            "<ol start=\"3\"><li>a</li></ol>",
            "<table><tbody><tr><th colspan=\"2\" scope=\"col\">a</th><td align=\"right\">b</td></tr></tbody></table>",
            "<blockquote><p dir=\"rtl\">a</p></blockquote>",
            "<pre><code>a &lt; b\n</code></pre>",
            "<img src=\"https://a.example/i.png\" alt=\"A\" width=\"10\" height=\"20\">",
        ] {
            assert_eq!(mail(kept), kept);
        }
    }

    #[test]
    fn what_they_do_not_know_is_flattened() {
        for (html, expected) in [
            ("<h1 id=x class=y>a</h1>", "<h2>a</h2>"),
            ("<details><summary>More</summary>inside</details>", "<div><p><strong>More</strong></p>inside</div>"),
            (
                "<video poster=p.png><source src=v.mp4>No video</video>",
                "<p><img src=\"https://a.example/p.png\" alt=\"▶\"> <a href=\"https://a.example/v.mp4\">v.mp4</a> No video</p>",
            ),
            ("<audio src=/a.mp3></audio>", "<p><a href=\"https://a.example/a.mp3\">a.mp3</a> </p>"),
            (
                "<picture><source srcset=a.webp><img src=a.png></picture>",
                "<img src=\"https://a.example/a.png\" alt=\"\">",
            ),
            (
                "<figure><img src=a.png alt=A width=50%><figcaption>c</figcaption></figure>",
                "<div class=\"figure\"><img src=\"https://a.example/a.png\" alt=\"A\"><div class=\"caption\">c</div></div>",
            ),
            (
                "<video poster=p.jpg title=Weir src=v.mp4></video>",
                "<p><a href=\"https://a.example/v.mp4\"><img src=\"https://a.example/p.jpg\" alt=\"▶ Weir\"></a> </p>",
            ),
            (
                "<img src=a.png alt=A width=1041 height=600>",
                "<img src=\"https://a.example/a.png\" alt=\"A\" width=\"520\" height=\"300\">",
            ),
            (
                "<p><a href=https://www.youtube.com/watch?v=abcdefghijk>A film</a></p>",
                "<p><a href=\"https://www.youtube.com/watch?v=abcdefghijk\"><img src=\"https://i.ytimg.com/vi/abcdefghijk/hqdefault.jpg\" alt=\"▶\" width=\"480\" height=\"360\"></a></p><p><a href=\"https://www.youtube.com/watch?v=abcdefghijk\">A film</a></p>",
            ),
            (
                "<p>See <a href=https://www.youtube.com/watch?v=abcdefghijk>a film</a></p>",
                "<p>See <a href=\"https://www.youtube.com/watch?v=abcdefghijk\">a film</a></p>",
            ),
            ("<a href=/map/><picture></picture></a><a id=x></a>", "<a href=\"https://a.example/map/\">map</a>"),
            (
                "<table><tr><th> </th><th>demonstration</th><th>explanation</th><th>visualisation</th></tr></table>",
                "<table class=\"wide\"><tbody><tr><td> </td><th scope=\"col\">demonstration</th><th scope=\"col\">explanation</th><th scope=\"col\">visualisation</th></tr></tbody></table>",
            ),
            ("<img src=http://b.example/i.png alt=Words>", "Words"),
            ("<img src=http://b.example/i.png?x=1>", "i.png"),
            ("<math><semantics><mi>x</mi><annotation>\\x</annotation></semantics></math>", "x"),
            ("<font color=red>a<b>b</b></font>", "a<strong>b</strong>"),
        ] {
            assert_eq!(mail(html), expected, "{html}");
        }
    }
}
