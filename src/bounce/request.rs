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

/// What people write who want to join, in the languages of the letters.
const SUBSCRIBE: &[&str] = &[
    "subscribe",
    "anmelden",
    "anmeldung",
    "abonnieren",
    "abonner",
    "inscription",
    "suscribir",
    "suscribirme",
    "suscripción",
    "suscripcion",
    "subscrever",
    "assinar",
    "inscrever",
    "iscrizione",
    "aanmelden",
    "購読",
    "登録",
    "订阅",
    "訂閱",
    "اشتراك",
    "הרשמה",
];

/// And who want to leave.
const UNSUBSCRIBE: &[&str] = &[
    "unsubscribe",
    "abmelden",
    "abmeldung",
    "abbestellen",
    "désabonner",
    "desabonner",
    "désinscription",
    "desinscription",
    "baja",
    "cancelar",
    "desuscribir",
    "remover",
    "descadastrar",
    "disiscrizione",
    "afmelden",
    "解除",
    "退订",
    "退訂",
    "إلغاء",
    "הסרה",
];

/// And who do not know.
const HELP: &[&str] = &["help", "hilfe", "aide", "ayuda", "ajuda", "aiuto", "ヘルプ", "帮助", "幫助", "مساعدة", "עזרה"];

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
    let (first, second, third) = (words.next()?.to_lowercase(), words.next(), words.next());
    let is = |words: &[&str]| words.contains(&first.as_str());
    match (second, third) {
        (token, None) if is(UNSUBSCRIBE) => Some(Request::Unsubscribe { token: token.map(str::to_owned) }),
        (token, None) if first == "confirm" => Some(Request::Confirm { token: token.map(str::to_owned) }),
        (None, None) if is(SUBSCRIBE) => Some(Request::Subscribe),
        (None, None) if is(HELP) => Some(Request::Help),
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
            ("AW: Anmelden", Some(Request::Subscribe)),
            ("Désinscription", leave(None)),
            ("ABMELDEN abc234", leave(Some("abc234"))),
            ("Hilfe!", Some(Request::Help)),
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
