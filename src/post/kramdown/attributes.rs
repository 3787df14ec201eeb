//! kramdown's attribute lists: `{: .class #id key="value" reference}`.

use std::collections::HashMap;

/// What a list says of the element that it stands at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::post) struct Attributes {
    /// `#id`; the last counts.
    pub(in crate::post) id: Option<String>,
    /// `.class`, in order.
    pub(in crate::post) classes: Vec<String>,
    /// `key="value"`.
    pub(in crate::post) pairs: Vec<(String, String)>,
    /// Bare words: names of lists that are defined elsewhere, or `toc`.
    pub(in crate::post) references: Vec<String>,
}

/// Lists by the name that `{:name: …}` gave them.
pub(in crate::post) type Definitions = HashMap<String, Attributes>;

impl Attributes {
    /// Reads what stands between `{:` and `}`.
    pub(in crate::post) fn parse(inside: &str) -> Self {
        let mut found = Attributes::default();
        let mut rest = inside.trim_start();
        while !rest.is_empty() {
            let name =
                &rest[..rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len())];
            let after = &rest[name.len()..];
            let value = after.strip_prefix('=').and_then(|value| {
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                let value = &value[1..];
                value.find(quote).map(|end| (&value[..end], &value[end + 1..]))
            });
            if let Some((value, after)) = value.filter(|_| !name.is_empty()) {
                found.pairs.push((name.to_ascii_lowercase(), value.to_owned()));
                rest = after.trim_start();
                continue;
            }
            let word = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
            if word.starts_with(['.', '#']) {
                found.shorthand(word);
            } else if word == name {
                found.references.push(word.to_owned());
            }
            rest = rest[word.len()..].trim_start();
        }
        found
    }

    /// `.a.b#c`
    fn shorthand(&mut self, word: &str) {
        let mut rest = word;
        while let Some(mark) = rest.chars().next() {
            let name = &rest[1..];
            let name = &name[..name.find(['.', '#']).unwrap_or(name.len())];
            match mark {
                '.' if !name.is_empty() => self.classes.push(name.to_owned()),
                '#' if name.starts_with(|c: char| c.is_ascii_alphabetic()) => self.id = Some(name.to_owned()),
                _ => {}
            }
            rest = &rest[1 + name.len()..];
        }
    }

    /// Adds what another list says; of an id, the later counts.
    pub(in crate::post) fn add(&mut self, other: &Attributes) {
        self.id = other.id.clone().or(self.id.take());
        self.classes.extend(other.classes.iter().cloned());
        self.pairs.extend(other.pairs.iter().cloned());
        self.references.extend(other.references.iter().cloned());
    }

    /// With the lists that it names in place of their names. A list may name others; one in a circle ends here.
    pub(in crate::post) fn resolved(&self, definitions: &Definitions) -> Attributes {
        let mut resolved = Attributes::default();
        self.resolve(definitions, 4, &mut resolved);
        resolved
    }

    fn resolve(&self, definitions: &Definitions, depth: usize, into: &mut Attributes) {
        for name in self.references.iter().take(8) {
            match definitions.get(name).filter(|_| depth > 0) {
                Some(list) => list.resolve(definitions, depth - 1, into),
                None => into.references.push(name.clone()),
            }
        }
        into.add(&Attributes { references: Vec::new(), ..self.clone() });
    }

    /// As HTML: each attribute with a blank before it.
    pub(in crate::post) fn html(&self) -> String {
        let mut html = String::new();
        let mut write = |name: &str, value: &str| {
            let value = value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
            html.push_str(&format!(" {name}=\"{value}\""));
        };
        if let Some(id) = &self.id {
            write("id", id);
        }
        let own = self.pairs.iter().filter(|(name, _)| name == "class").map(|(_, value)| value.as_str());
        let classes: Vec<&str> = self.classes.iter().map(String::as_str).chain(own).collect();
        if !classes.is_empty() {
            write("class", &classes.join(" "));
        }
        for (name, value) in self.pairs.iter().filter(|(name, _)| name != "class") {
            write(name, value);
        }
        html
    }
}

/// The length of an attribute list at the head of `text`, braces and all. Elixir writes `{:name, value}`: that is none.
pub(in crate::post) fn length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("{:")?;
    let inside = &inside[..inside.find(['}', '\n'])?];
    let end = 2 + inside.len() + 1;
    if !text[end - 1..].starts_with('}') || inside.starts_with([':', '/']) {
        return None;
    }
    let mut quoted = None;
    let outside: String = inside
        .chars()
        .filter(|c| {
            match quoted {
                Some(open) if *c == open => quoted = None,
                Some(_) => return false,
                None if matches!(c, '"' | '\'') => quoted = Some(*c),
                None => {}
            }
            true
        })
        .collect();
    let sound = |c: char| {
        c.is_alphanumeric()
            || c.is_whitespace()
            || matches!(c, '.' | '#' | '=' | '"' | '\'' | '-' | '_' | ':' | '!' | '/')
    };
    (!outside.trim().is_empty() && outside.chars().all(sound)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let html = |inside| Attributes::parse(inside).html();
        assert_eq!(html(" .a #b .c"), " id=\"b\" class=\"a c\"");
        assert_eq!(html(".a.b#c x='1 \" 2' class=\"d\" ref"), " id=\"c\" class=\"a b d\" x=\"1 &quot; 2\"");
        assert_eq!(Attributes::parse("toc .x").references, ["toc"]);
        assert_eq!(html(" =\"\" ... # ,"), "");
        let definitions = Definitions::from([
            ("a".to_owned(), Attributes::parse(".x b")),
            ("b".to_owned(), Attributes::parse(".y a")),
        ]);
        let resolved = Attributes::parse("a .z").resolved(&definitions);
        assert!(resolved.classes.ends_with(&["x".to_owned(), "z".to_owned()]), "{resolved:?}");
    }

    #[test]
    fn what_is_no_list() {
        assert_eq!(length("{: .a} b"), Some(6));
        assert_eq!(length("{:title=\"a, b\"}"), Some(15));
        for other in ["{:ok, 1}", "{:", "{:}", "{: }", "{:a\n}", "{::comment}", "{:/}"] {
            assert_eq!(length(other), None, "{other}");
        }
    }
}
