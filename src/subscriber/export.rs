//! The list as other programs import it. Promises: nobody who left or must not be mailed becomes a reader there.

use super::file::{self, Row};
use super::{Choices, Status};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;
use serde_json::json;

/// Whose form it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Our own: everybody, with their state. Its `status` is for lists that know active, paused and unsubscribed
    #[default]
    Csv,
    /// listmonk's importer: readers alone, since it subscribes whoever is in the file
    Listmonk,
    /// Buttondown's importer: everybody, with their type
    Buttondown,
}

/// A person of the list.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// What was chosen.
    pub row: &'a Row,
    /// Words of the list's owner about them.
    pub labels: &'a Choices,
    /// Until when they pause; none: until they say so.
    pub paused_until: Option<DateTime<Utc>>,
    /// When they came.
    pub since: DateTime<Utc>,
    /// Why they must not be mailed, where that is so.
    pub suppressed: Option<&'a str>,
}

impl Form {
    /// The first line.
    pub fn header(self) -> Vec<&'static str> {
        match self {
            Form::Csv => file::header().into_iter().chain(["labels", "state", "paused_until", "since"]).collect(),
            Form::Listmonk => vec!["email", "name", "attributes"],
            Form::Buttondown => vec!["email_address", "notes", "metadata", "tags", "type", "creation_date"],
        }
    }

    /// A person's line; none for who has no place there.
    pub fn line(self, listed: &Listed<'_>) -> Option<Vec<String>> {
        let Listed { row, labels, paused_until, since, suppressed } = *listed;
        let day = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Secs, true);
        // Pending and absent people are no readers; whoever imports the file elsewhere must not make them so.
        let is_reader = suppressed.is_none() && matches!(row.status, Status::Active | Status::Paused);
        let status = if is_reader { row.status } else { Status::Unsubscribed };
        let words: Vec<&str> = row.topics.iter().chain(labels.iter()).collect();
        let name = row.name.clone().unwrap_or_default();
        match self {
            Form::Csv => {
                let join = |choices: &Choices| choices.iter().collect::<Vec<_>>().join(";");
                let language = row.language.clone().unwrap_or_default();
                let (digests, topics) = (join(&row.digests), join(&row.topics));
                Some(vec![
                    row.address.as_str().into(),
                    name,
                    language,
                    digests,
                    topics,
                    status.to_string(),
                    join(labels),
                    match suppressed {
                        Some("bounce") => "bounced".to_owned(),
                        Some("complaint") => "complained".to_owned(),
                        Some(_) => "blocked".to_owned(),
                        None => row.status.to_string(),
                    },
                    paused_until.map(day).unwrap_or_default(),
                    day(since),
                ])
            }
            // Whoever wants no mail for now would get some.
            Form::Listmonk => (is_reader && status == Status::Active).then(|| {
                let attributes = json!({
                    "language": row.language, "tags": words, "digests": row.digests.iter().collect::<Vec<_>>(),
                    "since": day(since),
                });
                vec![row.address.as_str().into(), name, attributes.to_string()]
            }),
            Form::Buttondown => {
                let kind = match (suppressed, status) {
                    (Some("bounce"), _) => "undeliverable",
                    (Some("complaint"), _) => "complained",
                    (Some(_), _) => "blocked",
                    (None, Status::Active) => "regular",
                    (None, Status::Paused) => "paused",
                    (None, _) => "unsubscribed",
                };
                let metadata = json!({ "name": row.name, "language": row.language });
                let tags = words.join(",");
                Some(vec![
                    row.address.as_str().into(),
                    String::new(),
                    metadata.to_string(),
                    tags,
                    kind.into(),
                    day(since),
                ])
            }
        }
    }
}
