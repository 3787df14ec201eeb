//! Cuts a text into constructs of Liquid, each of which can be run alone: so an error costs one construct, and its line
//! is known. What the engine does not know is taken out here; what only names another page is filled in.

use super::rewrite::{each, include, known_filters_only, looked_up, output, right_to_left, tick};
use std::borrow::Cow;

/// Blocks inside each other; the parser behind recurses.
const MAX_DEPTH: usize = 32;
/// A tag or output longer than this is no Liquid that somebody meant, but a stray `{{`.
const MAX_TAG: usize = 8 * 1024;

/// Blocks that run.
const BLOCKS: &[&str] = &["if", "unless", "for", "case", "capture", "tablerow", "ifchanged"];
/// Tags that run.
const TAGS: &[&str] = &["assign", "cycle", "increment", "decrement", "break", "continue"];
/// Tags that stand inside a block.
const BRANCHES: &[&str] = &["else", "elsif", "when"];

/// The filter that looks a variable up.
pub(super) const GET: &str = "__get";
/// The tag that counts the rounds of loops.
pub(super) const TICK: &str = "__tick";
/// The filter that shows a value as Ruby does.
pub(super) const SHOW: &str = "__show";
/// The filter that gives what a loop goes through.
pub(super) const EACH: &str = "__each";
/// The same, of what its input names.
pub(super) const EACH_OF: &str = "__each_of";

/// Marks before the language of `{% highlight %}`, before its code, and after it: the Liquid inside runs first. No text
/// holds these characters, for the reader takes control characters out.
pub(super) const CODE: char = '\u{1}';
/// See [`CODE`].
pub(super) const CODE_BODY: char = '\u{2}';
/// See [`CODE`].
pub(super) const CODE_END: char = '\u{3}';

/// A part of a text, and what to do with it.
#[derive(Debug, PartialEq)]
pub(super) enum Step<'s> {
    /// Goes out as it is.
    Text(Cow<'s, str>),
    /// To be parsed and run; `shown` is how its author wrote its beginning.
    Run { source: String, line: u32, shown: String },
    /// A tag that nobody here knows. With `block`, it encloses text, which stays.
    Unknown { name: &'s str, line: u32, block: bool },
    /// A construct that breaks the rules of Liquid or names what is not there, and was left out.
    Broken { what: String, line: u32 },
}

/// A tag that stands for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// `{% post_url 2024-01-02-slug %}`
    Post,
    /// `{% link path %}`
    File,
    /// `{% gist user/id %}`
    Gist,
    /// `{% youtube id %}`
    YouTube,
    /// `{% vimeo id %}`
    Vimeo,
}

impl Reference {
    fn of(tag: &str) -> Option<Self> {
        Some(match tag {
            "post_url" => Reference::Post,
            "link" => Reference::File,
            "gist" => Reference::Gist,
            "youtube" | "youtubeEmbed" => Reference::YouTube,
            "vimeo" => Reference::Vimeo,
            _ => return None,
        })
    }
}

/// What the blog knows beyond the text.
pub(super) trait Knowledge {
    /// Whether a filter of this name runs.
    fn has_filter(&self, name: &str) -> bool;
    /// What stands in the place of a reference.
    fn resolve(&self, reference: Reference, argument: &str) -> Option<String>;
}

#[derive(Debug, PartialEq)]
enum Lexeme<'s> {
    Text(&'s str),
    Raw(&'s str),
    Output { inside: &'s str, line: u32 },
    Tag { name: &'s str, arguments: &'s str, line: u32 },
    Stray { line: u32 },
}

/// A lexeme as source for the engine.
enum Part<'s> {
    Text(Cow<'s, str>),
    Raw(&'s str),
    Run(String),
    Open(String),
    Branch(String),
    Close(String),
    Nothing,
}

/// The steps of a text that begins on `line`.
pub(super) fn steps<'s>(text: &'s str, line: u32, knowledge: &impl Knowledge) -> Vec<Step<'s>> {
    let lexemes = lex(text, line);
    let partners = partners(&lexemes);
    // Where each ends, in bytes of text.
    let ends = lexemes.iter().scan(0, |end, lexeme| {
        *end += lexeme.length();
        Some(*end)
    });
    let ends: Vec<usize> = ends.collect();
    let mut steps = Vec::new();
    // The block that is being gathered: its source, the lexeme that opens it, and the one that ends it.
    let mut gathered: Option<(String, usize, usize)> = None;
    for (index, lexeme) in lexemes.iter().enumerate() {
        let length = match lexeme {
            Lexeme::Tag { name: "for" | "tablerow", .. } => partners[index].map_or(0, |end| ends[end] - ends[index]),
            _ => 0,
        };
        let part = match translate(lexeme, index, partners[index], length, knowledge) {
            Ok(part) => part,
            Err(step) => {
                steps.push(step);
                continue;
            }
        };
        match (part, &mut gathered) {
            (Part::Nothing, _) => {}
            (Part::Text(text), None) => steps.push(Step::Text(text)),
            (Part::Text(text), Some((source, ..))) => source.push_str(&text),
            (Part::Raw(text), None) => steps.push(Step::Text(text.into())),
            (Part::Raw(text), Some((source, ..))) => {
                source.extend(["{% raw %}", text, "{% endraw %}"]);
            }
            (Part::Run(source), None) => steps.push(Step::Run { source, line: lexeme.line(), shown: lexeme.shown() }),
            (Part::Open(source), None) => {
                gathered = Some((source, index, partners[index].unwrap_or(index)));
            }
            (Part::Branch(_), None) => {
                steps.push(Step::Broken { what: lexeme.name() + " stands outside a block", line: lexeme.line() });
            }
            (Part::Close(_), None) => {}
            (
                Part::Run(part) | Part::Open(part) | Part::Branch(part) | Part::Close(part),
                Some((source, begin, end)),
            ) => {
                source.push_str(&part);
                if *end == index {
                    let opener = &lexemes[*begin];
                    steps.push(Step::Run {
                        source: std::mem::take(source),
                        line: opener.line(),
                        shown: opener.shown(),
                    });
                    gathered = None;
                }
            }
        }
    }
    steps
}

fn translate<'s>(
    lexeme: &Lexeme<'s>,
    index: usize,
    partner: Option<usize>,
    length: usize,
    knowledge: &impl Knowledge,
) -> Result<Part<'s>, Step<'s>> {
    let line = lexeme.line();
    let broken = |why: &str| Err(Step::Broken { what: lexeme.name() + why, line });
    match *lexeme {
        Lexeme::Text(text) => Ok(Part::Text(text.into())),
        Lexeme::Raw(text) => Ok(Part::Raw(text)),
        Lexeme::Stray { .. } => broken(" has no end"),
        Lexeme::Output { inside: "", .. } => Ok(Part::Nothing),
        Lexeme::Output { inside, .. } if is_bounded(inside) => Ok(Part::Run(output(inside, knowledge))),
        Lexeme::Tag { name, arguments, .. } if is_bounded(arguments) => {
            let source = || format!("{{% {name} {} %}}", known_filters_only(arguments, knowledge));
            if let Some(reference) = Reference::of(name) {
                return match knowledge.resolve(reference, arguments) {
                    Some(target) => Ok(Part::Text(target.into())),
                    None => broken(&format!(" names `{}`, which is not there", arguments.trim())),
                };
            }
            match name {
                "" => Ok(Part::Nothing),
                "echo" => Ok(Part::Run(output(arguments, knowledge))),
                "include" | "include_cached" | "include_relative" => Ok(Part::Run(include(name, arguments))),
                "assign" => match arguments.split_once('=') {
                    Some((variable, value)) => {
                        let value = known_filters_only(value.trim(), knowledge);
                        Ok(Part::Run(format!("{{% assign {} = {} %}}", variable.trim(), looked_up(&value))))
                    }
                    None => broken(" has no `=`"),
                },
                "if" | "unless" if partner.is_some() => {
                    Ok(Part::Open(format!("{{% {name} {} %}}", right_to_left(arguments.trim()))))
                }
                "elsif" => Ok(Part::Branch(format!("{{% elsif {} %}}", right_to_left(arguments.trim())))),
                "for" if partner.is_some() => Ok(Part::Open(each(arguments, index) + &tick(length))),
                "tablerow" if partner.is_some() => Ok(Part::Open(source() + &tick(length))),
                "highlight" if partner.is_some() => {
                    let language = arguments.split_whitespace().next().unwrap_or_default();
                    Ok(Part::Text(format!("{CODE}{language}{CODE_BODY}").into()))
                }
                "endhighlight" if partner.is_some() => Ok(Part::Text(CODE_END.to_string().into())),
                "break" | "continue" => Ok(Part::Branch(source())),
                _ if TAGS.contains(&name) => Ok(Part::Run(source())),
                _ if BRANCHES.contains(&name) => Ok(Part::Branch(source())),
                _ if BLOCKS.contains(&name) => match partner {
                    Some(_) => Ok(Part::Open(source())),
                    None => broken(" is not closed or stands too deep"),
                },
                _ => match (name.strip_prefix("end"), partner) {
                    (Some(opener), Some(_)) if BLOCKS.contains(&opener) => Ok(Part::Close(source())),
                    (Some(_), Some(_)) => Ok(Part::Nothing),
                    (Some(_), None) => broken(" closes nothing"),
                    (None, partner) => Err(Step::Unknown { name, line, block: partner.is_some() }),
                },
            }
        }
        _ => broken(" is too long or holds too large a number"),
    }
}

impl Lexeme<'_> {
    fn line(&self) -> u32 {
        match self {
            Lexeme::Output { line, .. } | Lexeme::Tag { line, .. } | Lexeme::Stray { line } => *line,
            Lexeme::Text(_) | Lexeme::Raw(_) => 0,
        }
    }

    fn length(&self) -> usize {
        match self {
            Lexeme::Text(text) | Lexeme::Raw(text) => text.len(),
            Lexeme::Output { inside, .. } => inside.len() + 4,
            Lexeme::Tag { name, arguments, .. } => name.len() + arguments.len() + 4,
            Lexeme::Stray { .. } => 2,
        }
    }

    /// How its author wrote it.
    fn shown(&self) -> String {
        let (open, inside, close) = match self {
            Lexeme::Tag { name, arguments, .. } => ("{%", format!("{name} {}", arguments.trim()), "%}"),
            Lexeme::Output { inside, .. } => ("{{", (*inside).to_owned(), "}}"),
            _ => return self.name(),
        };
        let inside = inside.lines().next().unwrap_or_default().trim();
        let end = inside.char_indices().nth(60).map_or(inside.len(), |(end, _)| end);
        format!("{open} {} {close}", &inside[..end])
    }

    fn name(&self) -> String {
        match self {
            Lexeme::Tag { name, .. } => format!("`{{% {name} %}}`"),
            Lexeme::Output { .. } => "`{{ … }}`".to_owned(),
            Lexeme::Stray { .. } => "`{{` or `{%`".to_owned(),
            Lexeme::Text(_) | Lexeme::Raw(_) => String::new(),
        }
    }
}

/// Text, outputs and tags. `{%-` and `-%}` trim here; what is raw or a comment is one piece.
fn lex(text: &str, first_line: u32) -> Vec<Lexeme<'_>> {
    let mut lexemes = Vec::new();
    let mut rest = text;
    let mut line = first_line;
    let mut trim = false;
    let mut outputs = Ends::new(text, "}}");
    let mut tags = Ends::new(text, "%}");
    // What was searched for in vain is not there further down either: without this, many of them cost quadratic time.
    let mut absent: Vec<String> = Vec::new();
    while !rest.is_empty() {
        let start = opening(rest).unwrap_or(rest.len());
        let (before, after) = rest.split_at(start);
        let trims_left = after.get(2..3) == Some("-");
        let mut shown = if trim { before.trim_start() } else { before };
        if trims_left {
            shown = shown.trim_end();
        }
        trim = false;
        if !shown.is_empty() {
            lexemes.push(Lexeme::Text(shown));
        }
        line += newlines(before);
        rest = after;
        if rest.is_empty() {
            break;
        }
        let closing = if rest.starts_with("{{") { "}}" } else { "%}" };
        let here = text.len() - rest.len();
        let end = if closing == "}}" { outputs.after(here + 2) } else { tags.after(here + 2) };
        let Some(end) = end.map(|end| end - here).filter(|end| *end < MAX_TAG) else {
            lexemes.push(Lexeme::Stray { line });
            rest = &rest[2..];
            continue;
        };
        let inside = rest[2..end].strip_prefix('-').unwrap_or(&rest[2..end]);
        trim = inside.ends_with('-');
        let inside = inside.strip_suffix('-').unwrap_or(inside).trim();
        let own_line = line;
        line += newlines(&rest[..end + 2]);
        rest = &rest[end + 2..];
        if closing == "}}" {
            lexemes.push(Lexeme::Output { inside, line: own_line });
            continue;
        }
        let split = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(inside.len());
        let (name, arguments) = inside.split_at(split);
        if name == "liquid" {
            // Each of its lines is a tag.
            for (number, line) in (own_line..).zip(arguments.lines()) {
                let line = line.trim();
                let split = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(line.len());
                let (name, arguments) = line.split_at(split);
                lexemes.push(Lexeme::Tag { name, arguments, line: number });
            }
            continue;
        }
        if matches!(name, "raw" | "comment") {
            let end_name = format!("end{name}");
            let found = if absent.contains(&end_name) { None } else { end_tag(rest, &end_name) };
            match found {
                Some((inner_end, outer_end)) => {
                    if name == "raw" {
                        lexemes.push(Lexeme::Raw(&rest[..inner_end]));
                    }
                    line += newlines(&rest[..outer_end]);
                    rest = &rest[outer_end..];
                    trim = false;
                }
                None => {
                    absent.push(end_name);
                    lexemes.push(Lexeme::Tag { name, arguments: "", line: own_line });
                }
            }
            continue;
        }
        lexemes.push(Lexeme::Tag { name, arguments, line: own_line });
    }
    lexemes
}

/// Where the next `{{` or `{%` stands.
fn opening(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = text[from..].find('{').map(|at| from + at) {
        match bytes.get(at + 1) {
            Some(b'{' | b'%') => return Some(at),
            _ => from = at + 1,
        }
    }
    None
}

/// Where `{% name %}` begins and ends.
fn end_tag(text: &str, name: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(at) = text[from..].find("{%").map(|at| from + at) {
        let inside = text[at + 2..].trim_start_matches('-').trim_start();
        if let Some(after) = inside.strip_prefix(name) {
            let after = after.trim_start().trim_start_matches('-');
            if let Some(rest) = after.strip_prefix("%}") {
                return Some((at, text.len() - rest.len()));
            }
        }
        from = at + 2;
    }
    None
}

/// For each tag that opens or closes a block, whatever its name, the place of its other half.
fn partners(lexemes: &[Lexeme<'_>]) -> Vec<Option<usize>> {
    let mut partners = vec![None; lexemes.len()];
    // Only names that are closed somewhere open anything.
    let closed: std::collections::HashSet<&str> = lexemes
        .iter()
        .filter_map(|lexeme| match lexeme {
            Lexeme::Tag { name, .. } => name.strip_prefix("end"),
            _ => None,
        })
        .collect();
    let mut open: Vec<(&str, usize)> = Vec::new();
    for (index, lexeme) in lexemes.iter().enumerate() {
        let Lexeme::Tag { name, .. } = lexeme else { continue };
        if let Some(opener) = name.strip_prefix("end") {
            // A few levels up at most: else many stray ends would cost quadratic time.
            if let Some(at) = open.iter().rev().take(MAX_DEPTH).position(|(name, _)| *name == opener) {
                let at = open.len() - 1 - at;
                let start = open[at].1;
                open.truncate(at);
                if open.len() < MAX_DEPTH {
                    partners[start] = Some(index);
                    partners[index] = Some(start);
                }
            }
        } else if closed.contains(name) {
            open.push((name, index));
        }
    }
    partners
}

/// Whether the parser behind can bear it: it recurses into brackets, and asserts that numbers fit 64 bits.
fn is_bounded(inside: &str) -> bool {
    let mut digits = 0_usize;
    let mut longest = 0;
    let mut quote = None;
    for byte in inside.bytes() {
        quote = match quote {
            None => Some(byte).filter(|byte| matches!(byte, b'"' | b'\'')),
            Some(open) => Some(open).filter(|open| *open != byte),
        };
        // What stands in quotes is no number.
        digits = if byte.is_ascii_digit() && quote.is_none() { digits + 1 } else { 0 };
        longest = longest.max(digits);
    }
    let range = inside.split("..").nth(1).map_or(0, |end| end.bytes().take_while(u8::is_ascii_digit).count());
    longest <= 18 && range <= 4 && inside.bytes().filter(|b| matches!(b, b'[' | b'(')).count() <= 16
}

fn newlines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|b| *b == b'\n').count()).unwrap_or(u32::MAX)
}

/// Finds the ends of tags; what was once found is not searched for again, so that many strays cost no more than one.
struct Ends<'s> {
    text: &'s str,
    mark: &'static str,
    next: Option<usize>,
}

impl<'s> Ends<'s> {
    fn new(text: &'s str, mark: &'static str) -> Self {
        Ends { text, mark, next: text.find(mark) }
    }

    /// The first end at or after `place`; asked for in order.
    fn after(&mut self, place: usize) -> Option<usize> {
        while let Some(next) = self.next
            && next < place
        {
            // From `place`, not from the mark: `}}}` ends where it is asked.
            self.next = self.text[place..].find(self.mark).map(|at| place + at);
        }
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct All;
    impl Knowledge for All {
        fn has_filter(&self, name: &str) -> bool {
            name != "nonsense"
        }
        fn resolve(&self, _: Reference, argument: &str) -> Option<String> {
            (argument.trim() != "missing").then(|| format!("/{}", argument.trim()))
        }
    }

    fn seen(text: &str) -> String {
        steps(text, 1, &All)
            .iter()
            .map(|step| match step {
                Step::Text(text) => text.to_string(),
                Step::Run { source, line, .. } => format!("<{line}:{source}>"),
                Step::Unknown { name, line, block } => format!("<{line}?{name}{}>", if *block { "+" } else { "" }),
                Step::Broken { what, line } => format!("<{line}!{what}>"),
            })
            .collect()
    }

    #[test]
    fn constructs_are_cut() {
        assert_eq!(seen("a {{ b | nonsense | c: 'x|y' }} d"), "a <1:{{ b | c: 'x|y' | __show }}> d");
        assert_eq!(
            seen("{% if a %}\n{{ b }}{% else %}x{% endif %}y"),
            "<1:{% if a %}\n{{ b | __show }}{% else  %}x{% endif  %}>y"
        );
        assert_eq!(seen("{% raw %}{{ x }}{% endraw %}\n{% comment %}{% x %}{% endcomment %}z"), "{{ x }}\nz");
        assert_eq!(
            seen("a\n {%- post_url x -%} b{% post_url missing %}"),
            "a/xb<2!`{% post_url %}` names `missing`, which is not there>"
        );
        assert_eq!(
            seen("{% for a in b.c limit:2 reversed %}{% endfor %}{% for i in (1..3) %}{% endfor %}"),
            "<1:{% assign __list0 = \"b.c\" | __each_of: nil, 2, true %}{% for a in __list0 %}{% __tick 10 %}{% endfor  %}><1:{% for  i in (1..3) %}{% __tick 10 %}{% endfor  %}>"
        );
        assert_eq!(seen("{% liquid\n assign x = y\n# no\n echo x %}"), "<2:{% assign x = y %}><4:{{  x | __show }}>");
        assert_eq!(seen("{% figure x %}in{% endfigure %}{% tweet %}"), "<1?figure+>in<1?tweet>");
        assert_eq!(seen("{% if a %}x"), "<1!`{% if %}` is not closed or stands too deep>x");
        assert_eq!(seen("a {{ b"), "a <1!`{{` or `{%` has no end> b");
        assert_eq!(seen("{{ 99999999999999999999 }}"), "<1!`{{ … }}` is too long or holds too large a number>");
    }

    #[test]
    fn hostile_text_ends_soon() {
        for piece in
            ["{{", "{%", "{% if x %}", "{% endif %}", "{% raw %}", "{% x %}{% endy %}", "{", "{%- ", "{% comment %}{%"]
        {
            steps(&piece.repeat(100_000), 1, &All);
        }
    }
}
