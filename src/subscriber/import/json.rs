//! People in JSON: an array of objects, objects one after another, or either wrapped in what an API answers
//! (`{"data": {"results": […]}}`). Whatever it is wrapped in, one person is held at a time.

use super::read::{Place, ReadError, Take, no_email, understood};
use super::{Columns, Field, Origin, Record};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::io::BufRead;

/// The people of a JSON file, taken as they come.
pub(super) struct Entries<'a, 'b, E> {
    path: &'a str,
    take: &'a mut Take<'b, E>,
    /// Those of the last object that had some, and its keys.
    columns: Option<(Vec<String>, Columns)>,
    count: u64,
    failed: Option<E>,
}

impl<'a, 'b, E: From<ReadError>> Entries<'a, 'b, E> {
    pub(super) fn new(path: &'a str, take: &'a mut Take<'b, E>) -> Self {
        Entries { path, take, columns: None, count: 0, failed: None }
    }

    pub(super) fn read(mut self, source: impl BufRead) -> Result<Origin, E> {
        let read = self.all(source);
        if let Some(error) = self.failed {
            return Err(error);
        }
        read.map_err(|error| ReadError::Broken {
            path: self.path.to_owned(),
            line: error.line() as u64,
            message: error.to_string(),
        })?;
        match self.columns {
            Some((_, columns)) if columns.has(Field::Email) => Ok(columns.origin),
            _ if self.count == 0 => Err(ReadError::Form {
                path: self.path.to_owned(),
                message: "there is no list of people in it".to_owned(),
                help: "a list is an array of objects that have an `email`",
            }
            .into()),
            Some((_, columns)) => Ok(columns.origin),
            None => Err(no_email(self.path).into()),
        }
    }

    fn all(&mut self, mut source: impl BufRead) -> Result<(), serde_json::Error> {
        // JSON has no place for a byte-order mark.
        let marked = source.fill_buf().map_err(serde_json::Error::io)?.starts_with(b"\xef\xbb\xbf");
        source.consume(if marked { 3 } else { 0 });
        let start = source.fill_buf().map_err(serde_json::Error::io)?;
        let is_array = start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        let mut reader = serde_json::Deserializer::from_reader(source);
        if is_array {
            List(self).deserialize(&mut reader)?;
            return reader.end();
        }
        while reader.end().is_err() {
            if let Some(entry) = Part(self).deserialize(&mut reader)? {
                self.one(&entry).map_err(|Stopped| serde_json::Error::custom("stopped"))?;
            }
        }
        Ok(())
    }

    fn one(&mut self, entry: &Value) -> Result<(), Stopped> {
        self.count += 1;
        let place = Place::Entry(self.count);
        let taken = match entry {
            Value::Object(object) => {
                let is_last = |(last, _): &(Vec<String>, Columns)| last.iter().eq(object.keys());
                if !self.columns.as_ref().is_some_and(is_last) {
                    let names: Vec<String> = object.keys().cloned().collect();
                    if let Err(error) = understood(&names, self.path) {
                        self.failed = Some(error.into());
                        return Err(Stopped);
                    }
                    let columns = Columns::of(&names);
                    self.columns = Some((names, columns));
                }
                let cells: Vec<String> = object.values().map(cell).collect();
                match &self.columns {
                    Some((_, columns)) => {
                        let record = Record { columns, cells: &|at| cells.get(at).map(String::as_str) };
                        (self.take)(place, Ok(&record))
                    }
                    None => Ok(()),
                }
            }
            _ => (self.take)(place, Err(("this is no object".to_owned(), "a person is an object that has an `email`"))),
        };
        taken.map_err(|error| {
            self.failed = Some(error);
            Stopped
        })
    }
}

/// Whoever takes the people wants no more; why is kept beside.
struct Stopped;

/// As the cell of a table would hold it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A key that makes an object a person.
fn is_address(key: &str) -> bool {
    matches!(
        &*super::plain(key),
        "email" | "email address" | "e mail" | "e mail address" | "emailaddress" | "mail" | "subscriber email"
    )
}

fn is_person(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.keys().any(|key| is_address(key)))
}

/// An array of people at the top of a file.
struct List<'x, 'a, 'b, E>(&'x mut Entries<'a, 'b, E>);

impl<'de, E: From<ReadError>> DeserializeSeed<'de> for List<'_, '_, '_, E> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, E: From<ReadError>> Visitor<'de> for List<'_, '_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of people")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Value>()? {
            self.0.one(&entry).map_err(|Stopped| A::Error::custom("stopped"))?;
        }
        Ok(())
    }
}

/// Any value: a person, a part of one, or what people are wrapped in. None where people stood in it and were taken.
struct Part<'x, 'a, 'b, E>(&'x mut Entries<'a, 'b, E>);

impl<'de, E: From<ReadError>> DeserializeSeed<'de> for Part<'_, '_, '_, E> {
    type Value = Option<Value>;
    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, E: From<ReadError>> Visitor<'de> for Part<'_, '_, '_, E> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a person, or a list of people")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut object, mut wraps) = (Map::new(), false);
        while let Some(key) = map.next_key::<String>()? {
            // What belongs to a person is theirs, whatever it holds.
            let value = match object.keys().any(|key| is_address(key)) {
                true => Some(map.next_value()?),
                false => map.next_value_seed(Part(&mut *self.0))?,
            };
            match value {
                Some(value) => drop(object.insert(key, value)),
                None => wraps = true,
            }
        }
        if wraps && object.keys().any(|key| is_address(key)) {
            return Err(A::Error::custom("people stand within a person, before the address"));
        }
        Ok((!wraps).then_some(Value::Object(object)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut before = Vec::new();
        while let Some(entry) = list.next_element::<Value>()? {
            let found = is_person(&entry);
            before.push(entry);
            if found {
                let stopped = |Stopped| A::Error::custom("stopped");
                before.iter().try_for_each(|entry| self.0.one(entry)).map_err(stopped)?;
                List(self.0).visit_seq(list)?;
                return Ok(None);
            }
        }
        Ok(Some(Value::Array(before)))
    }

    fn visit_str<F>(self, text: &str) -> Result<Self::Value, F> {
        Ok(Some(text.into()))
    }
    fn visit_string<F>(self, text: String) -> Result<Self::Value, F> {
        Ok(Some(text.into()))
    }
    fn visit_bool<F>(self, is: bool) -> Result<Self::Value, F> {
        Ok(Some(is.into()))
    }
    fn visit_i64<F>(self, number: i64) -> Result<Self::Value, F> {
        Ok(Some(number.into()))
    }
    fn visit_u64<F>(self, number: u64) -> Result<Self::Value, F> {
        Ok(Some(number.into()))
    }
    fn visit_f64<F>(self, number: f64) -> Result<Self::Value, F> {
        Ok(Some(number.into()))
    }
    fn visit_unit<F>(self) -> Result<Self::Value, F> {
        Ok(Some(Value::Null))
    }
}
