//! Authors in all the shapes that blogs give them.

use crate::post::front_matter::Yaml;
use crate::post::{Person, generator, permalink};

/// Lists in lists were seen; deeper ones are no authors.
const MAX_DEPTH: usize = 4;

/// The people that `named` names: a name, a key of `known` (`_data/authors`), names between commas, a map, or a list of these.
pub(super) fn people(named: &Yaml, known: &Yaml) -> Vec<Person> {
    let mut people = Vec::new();
    collect(named, known, MAX_DEPTH, &mut people);
    let mut seen: Vec<Person> = Vec::new();
    for person in people {
        if !seen.iter().any(|other| other.name.to_lowercase() == person.name.to_lowercase()) {
            seen.push(person);
        }
    }
    seen
}

fn collect(named: &Yaml, known: &Yaml, depth: usize, people: &mut Vec<Person>) {
    match named {
        Yaml::Scalar(..) => {
            let text = named.text().unwrap_or_default();
            let separator = if text.contains(';') && !text.contains('&') { ';' } else { ',' };
            if known.get(text).is_none() && (separator == ';' || is_list(text, known)) {
                for name in text.split(separator).map(str::trim).filter(|name| !name.is_empty()) {
                    people.extend(one(name, known));
                }
            } else {
                people.extend(one(text, known));
            }
        }
        Yaml::Map(entries) => match generator::person(named) {
            Some(person) => people.push(person),
            // Keyed by names.
            None if depth > 0 => {
                for (name, more) in entries.iter().filter(|(_, more)| matches!(more, Yaml::Map(_) | Yaml::Null)) {
                    let person = generator::person(more).or_else(|| one(name, known));
                    people.extend(person);
                }
            }
            None => {}
        },
        Yaml::List(items) if depth > 0 => {
            for item in items {
                collect(item, known, depth - 1, people);
            }
        }
        Yaml::List(_) | Yaml::Null => {}
    }
}

fn one(name: &str, known: &Yaml) -> Option<Person> {
    let entry = known.get(name).or_else(|| known.get(&permalink::slugify(name, permalink::Mode::Default, false)));
    if let Some(entry) = entry {
        let person = generator::person(entry);
        if person.is_some() {
            return person;
        }
    }
    generator::person(&Yaml::Scalar(name.to_owned(), crate::post::front_matter::Kind::Text))
}

/// Commas part names where each piece is a key, a login, or a name of two words: not in `Martin Luther King, Jr.`
fn is_list(text: &str, known: &Yaml) -> bool {
    let pieces: Vec<&str> = text.split(',').map(str::trim).filter(|piece| !piece.is_empty()).collect();
    let all = |test: &dyn Fn(&str) -> bool| pieces.iter().all(|piece| test(piece));
    let suffix = |piece: &str| matches!(piece.trim_end_matches('.'), "Jr" | "Sr" | "PhD" | "MD" | "II" | "III");
    pieces.len() > 1
        && !pieces.iter().any(|piece| suffix(piece))
        && (all(&|piece| known.get(piece).is_some())
            || all(&|piece| !piece.contains(' ') && piece.starts_with(|c: char| c.is_lowercase()))
            || all(&|piece| piece.contains(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::front_matter;

    #[test]
    fn every_shape_that_was_seen() {
        let known =
            front_matter::parse_file("ada: {name: Ada Lovelace, url: 'https://a.example/'}\nbob: {name: Bob}\n")
                .expect("valid");
        let names = |yaml: &str| {
            let front = front_matter::parse_file(&format!("author: {yaml}\n")).expect("valid");
            let people = people(front.get("author").expect("given"), &known);
            people.into_iter().map(|person| person.name).collect::<Vec<_>>().join("; ")
        };
        for (yaml, expected) in [
            ("atUtexas", "atUtexas"),
            ("ada", "Ada Lovelace"),
            ("ada, bob", "Ada Lovelace; Bob"),
            ("straight-shoota,ysbaddaden", "straight-shoota; ysbaddaden"),
            ("Ada Lovelace, Charles Babbage", "Ada Lovelace; Charles Babbage"),
            ("Martin Luther King, Jr.", "Martin Luther King, Jr."),
            ("Smith, John", "Smith, John"),
            ("[ada, X, ada]", "Ada Lovelace; X"),
            ("[[a, [b]]]", "a; b"),
            ("[{name: A, email: a@b}, {login: c}]", "A; c"),
            ("{name: A}", "A"),
            ("~", ""),
            ("Ada &amp; Co", "Ada & Co"),
            ("Ada, the First; Bob B", "Ada, the First; Bob B"),
            ("{Ada L: {url: x}, ada: , bob: {name: Robert}}", "Ada L; Ada Lovelace; Robert"),
            ("{twitter: x}", ""),
            ("c@d.example (Cy Dee)", "Cy Dee"),
            ("Cy Dee <c@d.example>", "Cy Dee"),
            ("c@d.example", "c"),
            ("'@ada'", "Ada Lovelace"),
            ("[Ada, ADA]", "Ada Lovelace"),
        ] {
            assert_eq!(names(yaml), expected, "{yaml}");
        }
    }
}
