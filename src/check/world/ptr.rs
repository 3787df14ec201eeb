//! Whether the address from which mails leave has a name in the DNS that leads back to it (RFC 1912 section 2.1). Gmail and others
//! refuse mails from one of which that does not hold.
//!
//! A provider's servers are the provider's care. Of another server its own addresses are looked at. What this machine takes leaves it
//! by an address that it need not know: then those that the domain's SPF record names one by one.

use super::{Finding, Severity, at_name, relay, spf};
use crate::delivery::route::Route;
use crate::dns::{Answers, Question, reverse};
use std::collections::BTreeSet;
use std::net::IpAddr;

const ANCHOR: &str = "the-servers-own-name";
const HELP: &str = "have whoever gave the server its address set its PTR record to the server's name, of which an A or AAAA record is that address";

/// What is to be asked next about the servers on these ways.
pub(super) fn wanted(answers: &Answers, ways: &[&Route], envelope: &str) -> BTreeSet<Question> {
    let mut questions: BTreeSet<Question> =
        ways.iter().filter_map(|way| host(way)).map(|host| Question::Host(host.to_owned())).collect();
    for address in addresses(answers, ways, envelope) {
        let name = reverse(address);
        let names = answers.ptr.get(&name).and_then(|answer| answer.as_ref().ok());
        questions.extend(names.into_iter().flatten().map(|host| Question::Host(host.clone())));
        questions.insert(Question::Ptr(name));
    }
    questions
}

/// What is wrong with the names of those servers.
pub(super) fn judge(answers: &Answers, ways: &[&Route], envelope: &str) -> Vec<Finding> {
    addresses(answers, ways, envelope).into_iter().filter_map(|address| of_address(answers, address)).collect()
}

fn of_address(answers: &Answers, address: IpAddr) -> Option<Finding> {
    let at = reverse(address);
    let names = answers.ptr.get(&at)?.as_ref().ok()?;
    // One that could not be asked may lead back.
    let leads_back = |name: &String| match answers.host.get(name) {
        Some(Ok(addresses)) => addresses.contains(&address),
        Some(Err(_)) | None => true,
    };
    let message = match names.first() {
        None => {
            format!("{address}, from which mails leave, has no name in the DNS: receivers such as Gmail refuse them")
        }
        Some(_) if names.iter().any(leads_back) => return None,
        Some(name) => format!(
            "{address}, from which mails leave, is called {name} in the DNS, which is another address: receivers such as Gmail distrust them"
        ),
    };
    Some(at_name(&at, Severity::Warning, message, HELP, ANCHOR))
}

/// The name of a server that may send mails out by its own address.
fn host(way: &Route) -> Option<&str> {
    match way {
        Route::Smtp(server)
            if relay::of(way).is_none() && !server.is_loopback() && server.host.parse::<IpAddr>().is_err() =>
        {
            Some(&server.host)
        }
        _ => None,
    }
}

fn addresses(answers: &Answers, ways: &[&Route], envelope: &str) -> BTreeSet<IpAddr> {
    let mut all = BTreeSet::new();
    for way in ways {
        match way {
            Route::Outbox(_) => {}
            Route::Smtp(server) if !server.is_loopback() => {
                let known = host(way).and_then(|host| answers.host.get(host)).and_then(|answer| answer.as_ref().ok());
                all.extend(known.into_iter().flatten().copied());
                all.extend(server.host.parse::<IpAddr>().ok());
            }
            Route::Smtp(_) | Route::Sendmail(_) => all.extend(spf::single_addresses(answers, envelope)),
        }
    }
    all.retain(is_public);
    all
}

fn is_public(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Silence;

    fn asked(answers: &Answers, ways: &[&Route]) -> Vec<String> {
        let all = wanted(answers, ways, "a.test").into_iter().filter(|question| !answers.has(question));
        all.map(|question| format!("{question:?}")).collect()
    }

    fn found(answers: &Answers, ways: &[&Route]) -> Vec<String> {
        judge(answers, ways, "a.test")
            .into_iter()
            .map(|finding| format!("{} {}", finding.path, finding.message))
            .collect()
    }

    #[test]
    fn a_server_s_name_must_lead_back_to_it() {
        let route: Route = "smtp://mail.a.test:587".parse().unwrap();
        let mut answers = Answers::default();
        assert_eq!(asked(&answers, &[&route]), ["Host(\"mail.a.test\")"]);
        let addresses = ["192.0.2.1", "2001:db8::1", "10.0.0.1"].map(|address| address.parse().unwrap());
        answers.host.insert("mail.a.test".to_owned(), Ok(addresses.to_vec()));
        let v4 = "1.2.0.192.in-addr.arpa";
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(asked(&answers, &[&route]), [format!("Ptr({v6:?})"), format!("Ptr({v4:?})")]);
        answers.ptr.insert(v6.to_owned(), Ok(Vec::new()));
        answers.ptr.insert(v4.to_owned(), Ok(vec!["old.test".to_owned(), "mail.a.test".to_owned()]));
        assert_eq!(asked(&answers, &[&route]), ["Host(\"old.test\")"]);
        answers.host.insert("old.test".to_owned(), Ok(Vec::new()));
        let nameless = format!(
            "{v6} 2001:db8::1, from which mails leave, has no name in the DNS: receivers such as Gmail refuse them"
        );
        assert_eq!(found(&answers, &[&route]), [nameless.as_str()]);
        answers.ptr.insert(v4.to_owned(), Ok(vec!["old.test".to_owned()]));
        assert!(found(&answers, &[&route])[0].contains("192.0.2.1, from which mails leave, is called old.test"));
        answers.host.insert("old.test".to_owned(), Err(Silence("it is silent".to_owned())));
        answers.ptr.insert(v6.to_owned(), Err(Silence("it is silent".to_owned())));
        assert_eq!(found(&answers, &[&route]), [""; 0], "silence proves nothing");
    }

    #[test]
    fn this_machine_s_own_addresses_are_those_that_spf_names() {
        let record = "v=spf1 ip4:192.0.2.7 ip4:192.0.2.8/32 ip4:198.51.100.0/24 ip6:2001:db8::7 -ip4:192.0.2.9 ip4:127.0.0.1 ip4:x include:b.test -all";
        let mut answers = Answers::default();
        answers.txt.insert("a.test".to_owned(), Ok(vec!["other".to_owned(), record.to_owned()]));
        let named = ["192.0.2.7", "192.0.2.8", "2001:db8::7"].map(|address| address.parse::<IpAddr>().unwrap());
        for way in ["smtp://127.0.0.1:25", "smtp://localhost:25", "sendmail:/usr/sbin/sendmail"] {
            let route: Route = way.parse().unwrap();
            assert_eq!(addresses(&answers, &[&route], "a.test"), named.into(), "{way}");
        }
        for way in ["outbox:mails", "smtp://me@smtp.gmail.com:587"] {
            let route: Route = way.parse().unwrap();
            assert!(asked(&answers, &[&route]).is_empty(), "{way}");
        }
        let route: Route = "smtp://198.51.100.7:25".parse().unwrap();
        assert_eq!(asked(&answers, &[&route]), ["Ptr(\"7.100.51.198.in-addr.arpa\")"]);
    }
}
