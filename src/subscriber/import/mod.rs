//! A list as another program exported it. Promises: who left, bounced or complained there stays so here; who never confirmed
//! is not taken; what is not understood takes nobody in, and is told.

mod dates;
mod json;
mod read;
mod tables;

pub use read::{Entry, Place, ReadError, check, read};

use super::file::Row;
use super::{Choices, Status, Suppression, clean_name};
use crate::address::EmailAddress;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::fmt;
use tables::{BARRING, BESIDE, COLUMNS, NO, SIGNS, STANDINGS, YES};

/// Whose export it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Our own.
    Postrider,
    /// Mailchimp's audience, contacts that were subscribed, unsubscribed or cleaned.
    Mailchimp,
    /// Substack's `email_list`.
    Substack,
    /// Buttondown's subscribers.
    Buttondown,
    /// Ghost's members.
    Ghost,
    /// listmonk's subscribers.
    Listmonk,
    /// Nobody's that is known.
    Other,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Postrider => "Postrider",
            Origin::Mailchimp => "Mailchimp",
            Origin::Substack => "Substack",
            Origin::Buttondown => "Buttondown",
            Origin::Ghost => "Ghost",
            Origin::Listmonk => "listmonk",
            Origin::Other => "an unknown program",
        })
    }
}

/// What a column is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Email,
    Name,
    First,
    Last,
    Language,
    Digests,
    Tags,
    Labels,
    Status,
    Since,
    Attributes,
    Left,
    Bounced,
    Wants,
    Confirmed,
    OptIn,
    Lists,
    Until,
}

/// Where a person stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Active,
    Paused,
    Left,
    Bounced,
    Complained,
    Barred,
    Unconfirmed,
}

/// A person, as a row of an export says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What becomes a subscriber.
    pub row: Row,
    /// Words of the list's owner about them, which choose nothing: tags that are no topics here.
    pub labels: Choices,
    /// When they subscribed there.
    pub since: Option<DateTime<Utc>>,
    /// Until when they pause; none: until they say so.
    pub paused_until: Option<DateTime<Utc>>,
    /// Why they must not be mailed, where that was so there.
    pub suppression: Option<Suppression>,
}

/// Which of a file's columns is about what.
#[derive(Clone, Debug)]
struct Columns {
    origin: Origin,
    places: [Option<usize>; COLUMNS.len()],
    /// Every column that says who is to be mailed, and who not: a list may have several.
    says: Vec<(Field, usize)>,
    /// Where all stand whom the file names.
    all: Option<Standing>,
}

impl Columns {
    fn of(names: &[String]) -> Self {
        let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let ours = |name: &String| {
            super::file::header()
                .iter()
                .chain(["labels", "state", "paused until", "since"].iter())
                .any(|own| own == name)
        };
        let origin = match SIGNS.iter().find(|(_, signs)| signs.iter().all(|sign| place(sign).is_some())) {
            Some((origin, _)) => *origin,
            // Anybody may call their columns `email`, `name` and `tags`.
            None if place("digests").is_some() && names.iter().all(ours) => Origin::Postrider,
            None => Origin::Other,
        };
        let mut places = COLUMNS.map(|(_, spellings)| spellings.iter().find_map(|spelling| place(spelling)));
        match origin {
            // What stands in `status` is coarser.
            Origin::Postrider => places[Field::Status as usize] = place("state").or(place("status")),
            // Elsewhere a label is a tag by another name.
            _ => places[Field::Labels as usize] = None,
        }
        let barring = COLUMNS
            .iter()
            .filter(|(field, _)| matches!(field, Field::Left | Field::Bounced | Field::Wants | Field::Confirmed));
        let columns = |spellings: &'static [&'static str]| {
            let is_one = |(at, name): (usize, &String)| spellings.contains(&name.as_str()).then_some(at);
            names.iter().enumerate().filter_map(is_one)
        };
        let says = barring.flat_map(|(field, spellings)| columns(spellings).map(|at| (*field, at))).collect();
        Columns { origin, places, says, all: None }
    }

    /// Mailchimp has a file for each standing, of the same columns.
    fn by_file(mut self, path: &str) -> Self {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_lowercase();
        let stands = [
            ("nonsubscribed", Standing::Unconfirmed),
            ("unsubscribed", Standing::Left),
            ("cleaned", Standing::Bounced),
        ];
        if self.origin == Origin::Mailchimp {
            self.all = stands.iter().find(|(part, _)| name.contains(part)).map(|(_, standing)| *standing);
        }
        self
    }

    /// A column that may say who must not be mailed, and that nobody understands.
    fn not_understood(names: &[String]) -> Option<&String> {
        let known = |name: &str| COLUMNS.iter().any(|(_, spellings)| spellings.contains(&name));
        names.iter().find(|name| {
            let name = plain(name);
            BARRING.iter().any(|part| name.contains(part))
                && !BESIDE.iter().any(|part| name.contains(part))
                && !known(&name)
        })
    }

    fn has(&self, field: Field) -> bool {
        self.places[field as usize].is_some()
    }
}

/// Lower case, words between single blanks.
fn plain(text: &str) -> String {
    let text = text.trim_start_matches('\u{FEFF}').to_lowercase().replace(['_', '-', '.'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A row, by the columns of its file.
struct Record<'a> {
    columns: &'a Columns,
    cells: &'a dyn Fn(usize) -> Option<&'a str>,
}

impl Record<'_> {
    fn cell(&self, field: Field) -> &str {
        self.columns.places[field as usize].and_then(self.cells).map(str::trim).unwrap_or_default()
    }

    /// Whether a quote was opened and not closed: lines below are part of what has one.
    fn is_unclosed(&self) -> bool {
        [Field::Email, Field::Name].iter().any(|field| self.cell(*field).contains('\n'))
    }

    /// The person, or why nobody is taken and what to do. `topics` are those that readers may choose here.
    fn person(&self, topics: &Choices, now: DateTime<Utc>) -> Result<Person, (String, &'static str)> {
        let address = self.cell(Field::Email);
        let address =
            EmailAddress::parse(address).map_err(|e| (e.to_string(), "correct the address or delete the row"))?;
        let (status, suppression) = match self.standing()? {
            Standing::Active => (Status::Active, None),
            Standing::Paused => (Status::Paused, None),
            Standing::Left => (Status::Unsubscribed, None),
            Standing::Bounced => (Status::Active, Some(Suppression::Bounce)),
            Standing::Complained => (Status::Unsubscribed, Some(Suppression::Complaint)),
            Standing::Barred => (Status::Unsubscribed, Some(Suppression::Manual)),
            Standing::Unconfirmed => {
                return Err((
                    "they never confirmed that they want mail".to_owned(),
                    "let them subscribe anew; nobody may be mailed who did not ask",
                ));
            }
        };
        let attributes: Value = serde_json::from_str(self.cell(Field::Attributes)).unwrap_or(Value::Null);
        let attribute = |key: &str| attributes.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = match self.cell(Field::Name) {
            "" => format!("{} {}", self.cell(Field::First), self.cell(Field::Last)),
            name => name.to_owned(),
        };
        let language = Some(self.cell(Field::Language).to_owned()).filter(|language| !language.is_empty());
        let language = language.or_else(|| attribute("language")).or_else(|| attribute("lang"));
        let own = self.columns.origin == Origin::Postrider;
        let words = |field: Field| match own {
            true => self.cell(field).split(';').map(str::to_owned).collect(),
            false => words(self.cell(field)),
        };
        let mut tags = words(Field::Tags);
        if let Some(more) = attributes.get("tags").and_then(Value::as_array) {
            tags.extend(more.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        let tags = Choices::from_list(tags.iter().map(String::as_str));
        // Our own say what was chosen; others' are what somebody thought of a person, unless readers here may choose it.
        let chosen = |tag: &&str| own || topics.iter().any(|topic| topic == *tag);
        let labels = tags.iter().filter(|tag| !chosen(tag)).map(str::to_owned).chain(words(Field::Labels));
        let labels: Vec<String> = labels.collect();
        let since = dates::read(self.cell(Field::Since)).filter(|since| *since <= now);
        Ok(Person {
            row: Row {
                address,
                name: clean_name(&name),
                language: language.map(|language| language.replace('_', "-")).filter(|l| is_language(l)),
                digests: Choices::parse(self.cell(Field::Digests)),
                topics: Choices::from_list(tags.iter().filter(chosen)),
                status,
            },
            labels: Choices::from_list(labels.iter().map(String::as_str)),
            since,
            paused_until: dates::read(self.cell(Field::Until)).filter(|until| status == Status::Paused && *until > now),
            suppression,
        })
    }

    fn standing(&self) -> Result<Standing, (String, &'static str)> {
        if let Some(standing) = self.columns.all {
            return Ok(standing);
        }
        let said = |field: Field| {
            let cells = self.columns.says.iter().filter(move |(of, _)| *of == field);
            cells.filter_map(|(_, at)| (self.cells)(*at)).map(plain)
        };
        // A day, or a yes.
        let is_so = |field: Field| said(field).any(|cell| !NO.contains(&&*cell));
        if is_so(Field::Bounced) {
            return Ok(Standing::Bounced);
        }
        if is_so(Field::Left) {
            return Ok(Standing::Left);
        }
        // Mailchimp's contacts of a shop, who never asked for mail, have no day on which they did.
        let times = [Field::OptIn, Field::Since];
        if self.columns.origin == Origin::Mailchimp
            && times.iter().all(|field| self.columns.has(*field) && self.cell(*field).is_empty())
        {
            return Ok(Standing::Unconfirmed);
        }
        let status = self.cell(Field::Status);
        let word = plain(status);
        let found = STANDINGS.iter().find(|(_, words)| words.contains(&&*word)).map(|(standing, _)| *standing);
        let standing = found.ok_or_else(|| {
            (
                format!("nobody knows what {status:?} means for a person"),
                "write active, paused, unsubscribed, bounced or complained",
            )
        })?;
        let of_lists = of_lists(self.cell(Field::Lists));
        Ok(match standing {
            Standing::Active if !self.all_say_yes(Field::Wants)? => Standing::Left,
            Standing::Active if !self.all_say_yes(Field::Confirmed)? => Standing::Unconfirmed,
            Standing::Active => of_lists,
            standing => standing,
        })
    }

    /// Whether every column of that kind says yes, or names a day. Where another program is known, an empty cell says nothing.
    fn all_say_yes(&self, field: Field) -> Result<bool, (String, &'static str)> {
        for (_, at) in self.columns.says.iter().filter(|(of, _)| *of == field) {
            let cell = (self.cells)(*at).unwrap_or_default().trim();
            let word = plain(cell);
            let is_silent = word.is_empty() && self.columns.origin != Origin::Other;
            if is_silent || YES.contains(&&*word) || dates::read(cell).is_some() {
                continue;
            }
            if NO.contains(&&*word) && !word.is_empty() {
                return Ok(false);
            }
            return Err((
                format!("nobody knows whether {cell:?} is a yes or a no"),
                "write yes or no there, or delete the column",
            ));
        }
        Ok(true)
    }
}

/// What listmonk's `lists` of a person say: they are a reader of one; else they never confirmed, or left all.
fn of_lists(cell: &str) -> Standing {
    let lists: Vec<Value> = serde_json::from_str(cell).unwrap_or_default();
    let says = |list: &Value, key: &str, word: &str| list.get(key).and_then(Value::as_str) == Some(word);
    let left = |list: &&Value| says(list, "subscription_status", "unsubscribed");
    // Those of a list without double opt-in stay unconfirmed, and are mailed.
    let asked = |list: &&Value| says(list, "subscription_status", "unconfirmed") && says(list, "optin", "double");
    match () {
        () if lists.iter().any(|list| !left(&list) && !asked(&list)) || lists.is_empty() => Standing::Active,
        () if lists.iter().any(|list| asked(&list)) => Standing::Unconfirmed,
        () => Standing::Left,
    }
}

/// `"a, b","c"`, `["a", "c"]`, `a; c` and `a, c`.
fn words(cell: &str) -> Vec<String> {
    if let Ok(Value::Array(words)) = serde_json::from_str(cell) {
        let name = |word: &Value| word.as_str().or(word.get("name").and_then(Value::as_str)).map(str::to_owned);
        return words.iter().filter_map(name).collect();
    }
    // To take quotes apart costs more than all else that is done with a row.
    if !cell.contains('"') {
        let sign = if cell.contains(';') { ';' } else { ',' };
        return cell.split(sign).map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    }
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(cell.as_bytes());
    let rows = reader.records().filter_map(Result::ok);
    // Between semicolons our own words stand.
    rows.flat_map(|row| row.iter().map(|word| word.replace(';', ",")).collect::<Vec<_>>()).collect()
}

fn is_language(text: &str) -> bool {
    let parts = text.split('-');
    text.len() < 36
        && parts.clone().all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && parts.take(1).all(|first| (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_place_of_its_column() {
        assert!(COLUMNS.iter().enumerate().all(|(at, (field, _))| *field as usize == at));
    }
}
