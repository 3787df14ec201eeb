//! By which ways mails leave: `mail.transport` alone, or the `[[relay]]` tables in its place.

use super::Config;
use crate::delivery::relay::Terms;

/// One of them, as it is written.
#[derive(Clone, Debug)]
pub struct WayOut<'a> {
    /// `outbox:DIR`, `smtp://…`
    pub transport: &'a str,
    /// The key under which that stands.
    pub key: &'static str,
    /// For it, where there is one; may be `${NAME}`.
    pub password: Option<&'a str>,
    /// How much it may take, and when.
    pub terms: Terms,
}

impl WayOut<'_> {
    /// The key under which the password stands.
    pub fn password_key(&self) -> &'static str {
        if self.terms.name.is_some() { "relay.password" } else { "mail.password" }
    }
}

impl Config {
    /// All ways out; none without `[mail]`.
    pub fn ways_out(&self) -> Vec<WayOut<'_>> {
        let Some(mail) = &self.mail else { return Vec::new() };
        let connections = self.delivery.connections;
        if self.relays.is_empty() {
            let (transport, password) = (mail.transport.as_str(), mail.password.as_deref());
            return vec![WayOut { transport, key: "mail.transport", password, terms: Terms::sole(connections) }];
        }
        let relays = self.relays.iter();
        relays
            .map(|relay| WayOut {
                transport: &relay.transport,
                key: "relay.transport",
                password: relay.password.as_deref(),
                terms: relay.terms(connections),
            })
            .collect()
    }

    /// What the tables of the file say of it together.
    pub(super) fn check_relays(&self, file: &toml::Table) -> Result<(), String> {
        for (at, relay) in self.relays.iter().enumerate() {
            relay.check()?;
            if self.relays[..at].iter().any(|other| other.name == relay.name) {
                return Err(format!("two [[relay]] tables are named {:?}; give each its own name", relay.name));
            }
        }
        let Some(first) = self.relays.first() else { return Ok(()) };
        if self.mail.is_none() {
            return Err("there is a [[relay]] but no [mail]; add a [mail] table with `from`".to_owned());
        }
        let mail = file.get("mail").and_then(toml::Value::as_table);
        match ["transport", "password"].into_iter().find(|key| mail.is_some_and(|mail| mail.contains_key(*key))) {
            None => Ok(()),
            Some(key) => Err(format!(
                "there is mail.{key} and a [[relay]], {:?}\n  help: with [[relay]] each has its own {key}; make mail.{key} one of them, or delete it",
                first.name
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Error;
    use std::path::Path;

    fn parse(text: &str) -> Result<Config, Error> {
        Config::parse(text, Path::new("config.toml"), |_| None)
    }

    const MAIL: &str = "[mail]\nfrom = \"a@example.org\"\n";

    #[test]
    fn without_a_relay_there_is_the_one_of_mail() {
        let config =
            parse(&format!("{MAIL}transport = \"smtp://localhost\"\n[delivery]\nconnections = 7\n")).expect("sound");
        let [way] = config.ways_out().try_into().expect("one");
        assert_eq!(
            (way.transport, way.key, way.password_key()),
            ("smtp://localhost", "mail.transport", "mail.password")
        );
        assert_eq!(way.terms, Terms::sole(7));
        assert!(parse("[posts]\n").expect("sound").ways_out().is_empty());
    }

    #[test]
    fn relays_stand_in_its_place() {
        let relays = "[[relay]]\nname = \"a\"\ntransport = \"smtp://a.example\"\nconnections = 2\n[[relay]]\nname = \"b\"\ntransport = \"sendmail:/usr/sbin/sendmail\"\npriority = 10\n";
        let config = parse(&format!("{MAIL}{relays}")).expect("sound");
        let ways = config.ways_out();
        let said: Vec<_> = ways.iter().map(|way| (way.transport, way.key, way.terms.connections)).collect();
        assert_eq!(
            said,
            [("smtp://a.example", "relay.transport", 2), ("sendmail:/usr/sbin/sendmail", "relay.transport", 4)]
        );
        assert_eq!((ways[1].terms.priority, ways[1].password_key()), (10, "relay.password"));
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let relay = |name: &str| format!("[[relay]]\nname = \"{name}\"\ntransport = \"smtp://a.example\"\n");
        for (text, sentence) in [
            (
                format!("{MAIL}transport = \"outbox:outbox\"\n{}", relay("a")),
                "there is mail.transport and a [[relay]], \"a\"\n  help: with [[relay]] each has its own transport; make mail.transport one of them, or delete it",
            ),
            (
                format!("{MAIL}password = \"x\"\n{}", relay("a")),
                "there is mail.password and a [[relay]], \"a\"\n  help: with [[relay]] each has its own password; make mail.password one of them, or delete it",
            ),
            (
                format!("{MAIL}{}{}", relay("a"), relay("a")),
                "two [[relay]] tables are named \"a\"; give each its own name",
            ),
            (format!("[posts]\n{}", relay("a")), "there is a [[relay]] but no [mail]; add a [mail] table with `from`"),
            (format!("{MAIL}{}connections = 0", relay("a")), "relay \"a\": connections is 0; use 1 to 200"),
        ] {
            assert_eq!(parse(&text).expect_err(sentence).to_string(), format!("config.toml: {sentence}"));
        }
        let error = parse(&format!("{MAIL}{}wieght = 2", relay("a"))).expect_err("no such key").to_string();
        assert_eq!(error, "config.toml:6: the key `wieght` is not known\n  help: did you mean `weight`?");
        let error = parse(&format!("{MAIL}[[relay]]\nname = \"a\"")).expect_err("no transport").to_string();
        assert!(error.contains("missing field `transport`"), "{error}");
    }
}
