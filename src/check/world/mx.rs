//! Where mail comes in: bounces, answers, letters to unsubscribe (RFC 5321 section 5.1, RFC 7505).

use super::{Finding, Severity, Source, at_key};
use crate::dns::{Answers, Question};
use std::collections::BTreeSet;

const ANCHOR: &str = "incoming-mail";

/// An address of the configuration that mail must reach.
pub(super) struct Reached<'a> {
    /// Its key, such as `mail.bounces`.
    pub(super) key: &'static str,
    pub(super) domain: &'a str,
    /// What it means if no mail gets there.
    pub(super) severity: Severity,
    /// What goes there.
    pub(super) what: &'static str,
}

/// What is to be asked next about a domain.
pub(super) fn wanted(answers: &Answers, domain: &str) -> BTreeSet<Question> {
    match answers.mx.get(domain) {
        None => BTreeSet::from([Question::Mx(domain.to_owned())]),
        Some(Err(_)) => BTreeSet::new(),
        Some(Ok(hosts)) => hosts_of(hosts, domain).map(|host| Question::Host(host.to_owned())).collect(),
    }
}

/// Without an MX record the domain's own host takes its mail.
fn hosts_of<'a>(hosts: &'a [crate::dns::Exchange], domain: &'a str) -> impl Iterator<Item = &'a str> {
    let own = hosts.is_empty().then_some(domain);
    hosts.iter().map(|exchange| exchange.host.as_str()).filter(|host| *host != ".").chain(own)
}

/// What is wrong with the way to an address.
pub(super) fn judge(answers: &Answers, source: &Source, reached: &Reached<'_>) -> Option<Finding> {
    let Reached { key, domain, severity, what } = reached;
    let hosts = answers.mx.get(*domain)?.as_ref().ok()?;
    let problem = match &hosts[..] {
        [only] if only.host == "." => {
            format!("{domain} says that it takes no mail (a null MX), so {what} never arrive")
        }
        _ => {
            // One that could not be asked may be there.
            let lacks = |host: &str| matches!(answers.host.get(host), Some(Ok(addresses)) if addresses.is_empty());
            if !hosts_of(hosts, domain).all(lacks) {
                return None;
            }
            match &hosts[..] {
                [] => format!("{domain} has neither an MX record nor an address, so {what} never arrive"),
                [first, ..] => {
                    format!("The mail server of {domain}, {}, has no address, so {what} never arrive", first.host)
                }
            }
        }
    };
    let help = "use an address of a domain that takes mail, or give this one an MX record";
    Some(at_key(source, key, *severity, problem, help, ANCHOR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Exchange, Silence};

    #[test]
    fn mail_arrives_where_a_server_with_an_address_is() {
        let source = Source {
            path: "config.toml".to_owned(),
            text: "[mail]\nfrom = 'a@a.test'\nbounces = 'b@a.test'".to_owned(),
        };
        let exchange = |host: &str| Exchange { preference: 1, host: host.to_owned() };
        let (here, nowhere) = (Ok(vec!["192.0.2.1".parse().expect("an address")]), Ok(Vec::new()));
        let silence = || Silence("x".to_owned());
        for (mx, hosts, wanted) in [
            (Ok(vec![exchange("mx.a.test")]), &[("mx.a.test", here.clone())][..], ""),
            (
                Ok(vec![exchange("mx.a.test"), exchange("b.test")]),
                &[("mx.a.test", nowhere.clone()), ("b.test", here.clone())],
                "",
            ),
            (
                Ok(vec![exchange("mx.a.test")]),
                &[("mx.a.test", nowhere.clone())],
                "The mail server of a.test, mx.a.test, has no",
            ),
            (Ok(vec![exchange("mx.a.test")]), &[("mx.a.test", Err(silence()))], ""),
            (Ok(vec![exchange(".")]), &[], "a.test says that it takes no mail"),
            (Ok(vec![]), &[("a.test", here.clone())], ""),
            (Ok(vec![]), &[("a.test", nowhere.clone())], "a.test has neither"),
            (Err(silence()), &[], ""),
        ] {
            let mut answers = Answers::default();
            assert_eq!(wanted_of(&answers), ["Mx(\"a.test\")"]);
            answers.mx.insert("a.test".to_owned(), mx);
            let asked = wanted_of(&answers);
            assert_eq!(
                asked,
                hosts
                    .iter()
                    .map(|(host, _)| format!("Host({host:?})"))
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect::<Vec<_>>()
            );
            answers.host.extend(hosts.iter().map(|(host, found)| ((*host).to_owned(), found.clone())));
            let reached = Reached { key: "mail.bounces", domain: "a.test", severity: Severity::Error, what: "bounces" };
            let found = judge(&answers, &source, &reached);
            assert_eq!(found.as_ref().map(|finding| finding.line), (!wanted.is_empty()).then_some(Some(3)));
            assert!(found.map_or(String::new(), |finding| finding.message).starts_with(wanted), "{wanted}");
        }
    }

    fn wanted_of(answers: &Answers) -> Vec<String> {
        wanted(answers, "a.test").into_iter().map(|question| format!("{question:?}")).collect()
    }
}
