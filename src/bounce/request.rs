//! What people ask for by mail: by the subject, or by a word behind the plus of our address.

use super::parts::Parts;

/// What a person asks for. Whether they may is for the one to say who has the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To leave, with the token of the subject where it has one.
    Unsubscribe {
        /// As it was written.
        token: Option<String>,
    },
    /// To join.
    Subscribe,
    /// To be a reader from now on, with the token of the subject where it has one.
    Confirm {
        /// As it was written.
        token: Option<String>,
    },
    /// To be told how all this works.
    Help,
}

/// Before an answered or forwarded subject, in the languages of mail programs.
const PREFIXES: &[&str] = &[
    "re:", "fwd:", "fw:", "aw:", "wg:", "sv:", "vs:", "antw:", "tr:", "rif:", "res:", "odp:", "ynt:", "回复:", "答复:",
];

/// What a mail asks for, if it does.
pub(super) fn request(parts: &Parts) -> Option<Request> {
    let by_tag = parts.delivered_to().iter().find_map(|address| match tag(address)?.to_ascii_lowercase().as_str() {
        "unsubscribe" => Some(Request::Unsubscribe { token: None }),
        "subscribe" => Some(Request::Subscribe),
        "help" => Some(Request::Help),
        _ => None,
    });
    by_subject(&parts.subject).or(by_tag)
}

/// What stands behind the plus of an address: a word, or a tag of ours.
pub fn tag(address: &str) -> Option<&str> {
    let (local, _) = address.rsplit_once('@')?;
    local.split_once('+').map(|(_, tag)| tag).filter(|tag| !tag.is_empty())
}

fn by_subject(subject: &str) -> Option<Request> {
    let mut rest = subject.trim();
    while let Some(prefix) = PREFIXES.iter().find(|prefix| rest.to_lowercase().starts_with(**prefix)) {
        // All of them keep their length in lower case.
        rest = rest.get(prefix.len()..)?.trim_start();
    }
    let mut words = rest.split_whitespace().map(|word| word.trim_matches(['.', '!', '"', '\'', '<', '>', '[', ']']));
    let (first, second, third) = (words.next()?.to_ascii_lowercase(), words.next(), words.next());
    match (first.as_str(), second, third) {
        ("unsubscribe", token, None) => Some(Request::Unsubscribe { token: token.map(str::to_owned) }),
        ("confirm", token, None) => Some(Request::Confirm { token: token.map(str::to_owned) }),
        ("subscribe", None, None) => Some(Request::Subscribe),
        ("help", None, None) => Some(Request::Help),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_asks_by_its_first_word_alone() {
        let leave = |token: Option<&str>| Some(Request::Unsubscribe { token: token.map(str::to_owned) });
        for (subject, asked) in [
            ("unsubscribe", leave(None)),
            ("Re: AW: Unsubscribe abc234", leave(Some("abc234"))),
            ("UNSUBSCRIBE <ABC234>", leave(Some("ABC234"))),
            ("how do I unsubscribe", None),
            ("unsubscribe me right now", None),
            ("confirm abc.1def", Some(Request::Confirm { token: Some("abc.1def".to_owned()) })),
            ("Please confirm: Field Notes", None),
            ("Subscribe", Some(Request::Subscribe)),
            ("subscribe my friend", None),
            ("help!", Some(Request::Help)),
            ("Help with your site", None),
            ("", None),
            ("re:", None),
        ] {
            assert_eq!(by_subject(subject), asked, "{subject}");
        }
    }

    #[test]
    fn a_tag_stands_behind_the_plus() {
        for (address, expected) in [
            ("news+abc.1-def@example.org", Some("abc.1-def")),
            ("news+a+b@example.org", Some("a+b")),
            ("news+@example.org", None),
            ("news@example.org", None),
            ("no address", None),
        ] {
            assert_eq!(tag(address), expected, "{address}");
        }
    }
}
