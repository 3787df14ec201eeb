//! DMARC (RFC 7489): whether the domain of From has a policy, and whether what vouches for a mail counts for that domain.

use super::relay::{Envelope, Relay};
use super::tags::{self, of};
use super::{Finding, Severity, World, at_key, at_name};
use crate::dns::{Answers, Question};

const ANCHOR: &str = "dmarc";
const EXAMPLE: &str = "add a TXT record there, for a start: v=DMARC1; p=none; rua=mailto:you@your.domain";

/// The domain and all above it of two labels or more: which of them is the organisation's only a list of the world's registries
/// knows, so each is asked, as the successor of the RFC does it.
fn domains(from: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(from), |name| name.split_once('.').map(|(_, above)| above))
        .filter(|name| name.contains('.'))
}

fn at(domain: &str) -> String {
    format!("_dmarc.{domain}")
}

/// What is to be asked for the domain of From.
pub(super) fn questions(from: &str) -> impl Iterator<Item = Question> {
    domains(from).map(|domain| Question::Txt(at(domain)))
}

/// The records of a name (RFC 7489 section 6.6.3).
fn records<'a>(answers: &'a Answers, domain: &str) -> Vec<&'a str> {
    let texts = answers.txt.get(&at(domain)).and_then(|answer| answer.as_ref().ok());
    let is_record = |text: &&str| {
        text.split(';').next().is_some_and(|v| v.split_ascii_whitespace().collect::<String>() == "v=DMARC1")
    };
    texts.into_iter().flatten().map(String::as_str).filter(is_record).collect()
}

/// Who signs, and who stands in MAIL FROM.
struct Vouchers<'a> {
    /// The domains of the signatures (`d=`).
    signers: Vec<&'a str>,
    /// The domain of MAIL FROM, where ours stays.
    envelope: Option<&'a str>,
    /// Whether the server may sign for the domain of From, as far as is known here.
    may_sign: bool,
}

/// What is wrong with the policy, and with what would fulfil it.
pub(super) fn judge(world: &World<'_>, answers: &Answers, envelope: &str, relay: Option<&Relay>) -> Vec<Finding> {
    let from = world.mail.from.address.domain();
    let Some((policy, mut found)) = policy(answers, from) else { return Vec::new() };
    let theirs = relay.is_some_and(|relay| relay.envelope == Envelope::Theirs);
    let vouchers = Vouchers {
        signers: world.mail.dkim.iter().map(|dkim| dkim.domain.as_str()).collect(),
        envelope: (!theirs).then_some(envelope),
        may_sign: relay.is_some() && world.mail.dkim.is_empty(),
    };
    let (key, problem) = match (&policy, unfulfilled(policy.as_ref(), from, &vouchers)) {
        (_, None) => return found,
        (_, Some((key, problem))) => (key, problem),
    };
    let strict = matches!(&policy, Some(policy) if policy.demand != "none");
    let (severity, message, help) = match problem {
        Unfulfilled::All => (
            if strict { Severity::Error } else { Severity::Warning },
            format!("Nothing vouches for {from}, the domain of From, so that every mail fails DMARC"),
            "sign for it with [[mail.dkim]], or set mail.bounces to an address of it",
        ),
        Unfulfilled::Signature => (
            Severity::Warning,
            format!(
                "The policy of {from} is strict (adkim=s), and no signature is of that very domain, so none counts"
            ),
            "sign with a key of that domain, or take adkim=s out",
        ),
        Unfulfilled::Envelope => (
            Severity::Note,
            format!(
                "MAIL FROM is of {envelope}, which does not count for {from}: SPF does not help, the signature alone does"
            ),
            "nothing, where all mails are signed; else set mail.bounces to an address below that domain",
        ),
    };
    found.push(at_key(world.source, key, severity, message, help, ANCHOR));
    found
}

/// A record that counts.
#[derive(Debug, PartialEq, Eq)]
struct Policy {
    /// Where it stands.
    domain: String,
    /// `none`, `quarantine` or `reject`, as it holds for From.
    demand: String,
    strict_signature: bool,
    strict_envelope: bool,
}

/// The policy that holds, and what is wrong with it; nothing where it could not be asked for.
fn policy(answers: &Answers, from: &str) -> Option<(Option<Policy>, Vec<Finding>)> {
    for domain in domains(from) {
        // Whether there is one is not known.
        answers.txt.get(&at(domain))?.as_ref().ok()?;
        let name = at(domain);
        let warn = |message: String, help: &str| at_name(&name, Severity::Warning, message, help, ANCHOR);
        match &records(answers, domain)[..] {
            [] => {}
            [record] => {
                let tags = tags::read(record).unwrap_or_default();
                // A registry's own (RFC 9091) says nothing of whoever is below.
                if of(&tags, "psd").is_some_and(|psd| psd.eq_ignore_ascii_case("y")) {
                    continue;
                }
                let demand = match domain == from {
                    true => of(&tags, "p"),
                    false => of(&tags, "sp").or(of(&tags, "p")),
                };
                let demand = demand.unwrap_or_default().to_ascii_lowercase();
                let strict = |tag| of(&tags, tag).is_some_and(|mode| mode.eq_ignore_ascii_case("s"));
                let found = match demand.as_str() {
                    "none" => vec![at_name(
                        &name,
                        Severity::Note,
                        "The policy is p=none: mails that fail are delivered all the same, and so are those of who imitates you"
                            .to_owned(),
                        "once the reports show that your mails pass, go on to p=quarantine",
                        ANCHOR,
                    )],
                    "quarantine" | "reject" => Vec::new(),
                    _ => vec![warn(
                        "The DMARC record has no policy that can be read, so it does not count".to_owned(),
                        "its p= is none, quarantine or reject: v=DMARC1; p=none; rua=mailto:you@your.domain",
                    )],
                };
                let (strict_signature, strict_envelope) = (strict("adkim"), strict("aspf"));
                return Some((
                    Some(Policy { domain: domain.to_owned(), demand, strict_signature, strict_envelope }),
                    found,
                ));
            }
            several => {
                let message = format!("There are {} DMARC records, so none of them counts", several.len());
                return Some((None, vec![warn(message, "leave one of them")]));
            }
        }
    }
    let message = "There is no DMARC record, and Gmail and Yahoo want one of who sends to many".to_owned();
    Some((None, vec![at_name(&at(from), Severity::Warning, message, EXAMPLE, ANCHOR)]))
}

#[derive(Debug, PartialEq, Eq)]
enum Unfulfilled {
    /// Neither the signature nor MAIL FROM counts.
    All,
    /// MAIL FROM alone counts, though mails are signed.
    Signature,
    /// The signature alone counts.
    Envelope,
}

/// What does not count for the domain of From (RFC 7489 section 3.1), and the key of the configuration that is behind it.
fn unfulfilled(policy: Option<&Policy>, from: &str, vouchers: &Vouchers<'_>) -> Option<(&'static str, Unfulfilled)> {
    let counts = |domain: &str, strict: bool| domain == from || !strict && are_kin(domain, from, policy);
    let signature = vouchers.signers.iter().any(|d| counts(d, policy.is_some_and(|policy| policy.strict_signature)));
    let strict_envelope = policy.is_some_and(|policy| policy.strict_envelope);
    let envelope = vouchers.envelope.is_some_and(|domain| counts(domain, strict_envelope));
    match (signature || vouchers.may_sign, envelope) {
        (false, false) => Some(("mail.from", Unfulfilled::All)),
        (false, true) if !vouchers.signers.is_empty() => Some(("mail.dkim", Unfulfilled::Signature)),
        (true, false) if vouchers.envelope.is_some() => Some(("mail.bounces", Unfulfilled::Envelope)),
        _ => None,
    }
}

/// Whether two domains are of one organisation: one is above the other, or both are below the one whose policy holds.
fn are_kin(one: &str, other: &str, policy: Option<&Policy>) -> bool {
    let below = |name: &str, above: &str| {
        above.contains('.') && name.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    below(one, other)
        || below(other, one)
        || policy.is_some_and(|policy| below(one, &policy.domain) && below(other, &policy.domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(rows: &[(&str, &[&str])]) -> Answers {
        let mut answers = Answers::default();
        for name in ["_dmarc.news.a.test", "_dmarc.a.test"] {
            answers.txt.insert(name.to_owned(), Ok(Vec::new()));
        }
        for (name, texts) in rows {
            answers.txt.insert((*name).to_owned(), Ok(texts.iter().map(|text| (*text).to_owned()).collect()));
        }
        answers
    }

    #[test]
    fn the_nearest_policy_holds() {
        for (rows, demand, said) in [
            (&[][..], "", "There is no DMARC record"),
            (&[("_dmarc.news.a.test", &["v=DMARC1; p=reject"][..])], "reject", ""),
            (&[("_dmarc.a.test", &["v=DMARC1; p=reject", "other"])], "reject", ""),
            (&[("_dmarc.a.test", &["v=DMARC1; p=reject; sp=quarantine"])], "quarantine", ""),
            (&[("_dmarc.a.test", &["v=DMARC1; p=reject; psd=y"])], "", "There is no DMARC record"),
            (&[("_dmarc.a.test", &["v = DMARC1 ; P=None"])], "none", "p=none"),
            (&[("_dmarc.news.a.test", &["v=DMARC1; p=reject", "v=DMARC1; p=none"])], "", "There are 2"),
            (&[("_dmarc.news.a.test", &["v=DMARC1; rua=mailto:x@a.test"])], "", "no policy that can be read"),
            (&[("_dmarc.news.a.test", &["v=DMARC1 p=reject"])], "", "There is no DMARC record"),
        ] {
            let (policy, found) = policy(&answers(rows), "news.a.test").expect("all was asked");
            assert_eq!(policy.map_or(String::new(), |policy| policy.demand), demand, "{rows:?}");
            let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
            assert!(
                messages.len() == usize::from(!said.is_empty()) && messages.join("").contains(said),
                "{messages:?}"
            );
        }
        assert_eq!(policy(&Answers::default(), "a.test"), None);
        let asked: Vec<Question> = questions("news.a.test").collect();
        assert_eq!(asked, ["_dmarc.news.a.test", "_dmarc.a.test"].map(|name| Question::Txt(name.to_owned())));
    }

    #[test]
    fn what_vouches_must_be_of_the_domain_of_from() {
        let policy = |strict| Policy {
            domain: "a.test".to_owned(),
            demand: "reject".to_owned(),
            strict_signature: strict,
            strict_envelope: strict,
        };
        let judge = |strict, signers: &[&'static str], envelope, may_sign| {
            let vouchers = Vouchers { signers: signers.to_vec(), envelope, may_sign };
            unfulfilled(Some(&policy(strict)), "news.a.test", &vouchers).map(|(_, what)| what)
        };
        use Unfulfilled::{All, Envelope, Signature};
        for (strict, signers, envelope, may_sign, wanted) in [
            (false, &["a.test"][..], Some("news.a.test"), false, None),
            (false, &["a.test"], Some("b.a.test"), false, None),
            (false, &["a.test"], Some("b.test"), false, Some(Envelope)),
            (false, &["a.test"], None, false, None),
            (false, &[], Some("b.test"), false, Some(All)),
            (false, &[], Some("b.test"), true, Some(Envelope)),
            (false, &[], Some("bada.test"), false, Some(All)),
            (true, &["a.test"], Some("news.a.test"), false, Some(Signature)),
            (true, &["a.test"], Some("a.test"), false, Some(All)),
            (true, &["news.a.test"], Some("a.test"), false, Some(Envelope)),
            (false, &[], Some("news.a.test"), false, None),
        ] {
            assert_eq!(judge(strict, signers, envelope, may_sign), wanted, "{strict} {signers:?} {envelope:?}");
        }
    }
}
