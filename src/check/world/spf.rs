//! SPF (RFC 7208): whether the domain of MAIL FROM says which servers send for it, and in a way that counts.

use super::relay::{Envelope, Relay};
use super::{Finding, Severity, at_name};
use crate::dns::{Answers, Question};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// RFC 7208 section 4.6.4: with more lookups than this no receiver gets to an answer.
const LOOKUPS: usize = 10;
const ANCHOR: &str = "spf";
const MECHANISMS: [&str; 8] = ["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"];

/// `?include:mail.example`: the sign, the name in lower case, what stands behind `:`, `=` or `/`.
struct Term<'r> {
    sign: char,
    name: String,
    value: &'r str,
    is_modifier: bool,
}

fn terms(record: &str) -> impl Iterator<Item = Term<'_>> {
    record.split_ascii_whitespace().skip(1).map(|term| {
        let (sign, rest) = match term.chars().next() {
            Some(sign @ ('+' | '-' | '~' | '?')) => (sign, &term[1..]),
            _ => ('+', term),
        };
        let end = rest.find([':', '=', '/']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let value = behind.strip_prefix([':', '=']).unwrap_or("");
        Term { sign, name: name.to_ascii_lowercase(), value, is_modifier: behind.starts_with('=') }
    })
}

/// The SPF records among the texts of a name (RFC 7208 section 4.5).
fn records(texts: &[String]) -> Vec<&str> {
    let is_record = |text: &&str| {
        text.get(..6).is_some_and(|version| version.eq_ignore_ascii_case("v=spf1"))
            && matches!(text.as_bytes().get(6), None | Some(b' '))
    };
    texts.iter().map(String::as_str).filter(is_record).collect()
}

/// All that a record leads to.
#[derive(Default)]
struct Walk {
    lookups: usize,
    /// Names not asked yet.
    unknown: BTreeSet<String>,
    /// Names that it includes, at any depth.
    included: BTreeSet<String>,
    /// Names that it includes and that have no record, or several: the whole fails (sections 5.2 and 6.1).
    empty: BTreeSet<String>,
    /// It includes itself, at any depth.
    is_circle: bool,
    /// The sign of `all`, of the first record or of what it redirects to.
    all: Option<char>,
}

impl Walk {
    fn of(answers: &Answers, domain: &str) -> Walk {
        let mut walk = Walk::default();
        walk.follow(answers, domain, &mut Vec::new());
        walk
    }

    fn follow(&mut self, answers: &Answers, name: &str, above: &mut Vec<String>) -> Option<char> {
        let texts = match answers.txt.get(name) {
            None => {
                self.unknown.insert(name.to_owned());
                return None;
            }
            Some(Err(_)) => return None,
            Some(Ok(texts)) => texts,
        };
        let &[record] = &records(texts)[..] else {
            if !above.is_empty() {
                self.empty.insert(name.to_owned());
            }
            return None;
        };
        above.push(name.to_owned());
        let all = terms(record).find(|term| term.name == "all" && !term.is_modifier).map(|term| term.sign);
        let mut redirected = None;
        for term in terms(record) {
            let follows = match (term.name.as_str(), term.is_modifier) {
                ("include", false) => true,
                // Section 6.1: not looked at where there is `all`.
                ("redirect", true) if all.is_none() => true,
                ("a" | "mx" | "ptr" | "exists", false) => {
                    self.lookups += 1;
                    false
                }
                _ => false,
            };
            // What it leads to may depend on the mail (section 7); it counts all the same.
            let target = term.value.trim_end_matches('.').to_ascii_lowercase();
            self.lookups += usize::from(follows);
            if !follows || target.contains('%') || target.is_empty() {
                continue;
            }
            self.included.insert(target.clone());
            let is_circle = above.contains(&target);
            self.is_circle |= is_circle;
            // Far beyond what counts, and in a circle, there is nothing more to learn.
            if self.lookups <= 2 * LOOKUPS && !is_circle {
                let there = self.follow(answers, &target, above);
                if term.name == "redirect" {
                    redirected = there;
                }
            }
        }
        above.pop();
        let ends = all.or(redirected);
        if above.is_empty() {
            self.all = ends;
        }
        ends
    }
}

/// What is to be asked next to know all that the record of `domain` leads to.
pub(super) fn wanted(answers: &Answers, domain: &str) -> BTreeSet<Question> {
    Walk::of(answers, domain).unknown.into_iter().map(Question::Txt).collect()
}

/// The addresses that the record of `domain` itself names one by one.
pub(super) fn single_addresses(answers: &Answers, domain: &str) -> BTreeSet<IpAddr> {
    let texts = answers.txt.get(domain).and_then(|answer| answer.as_ref().ok());
    let &[record] = &texts.map(|texts| records(texts)).unwrap_or_default()[..] else { return BTreeSet::new() };
    let named = terms(record).filter(|term| term.sign == '+' && !term.is_modifier);
    let single = named.filter_map(|term| match term.name.as_str() {
        "ip4" => term.value.trim_end_matches("/32").parse().ok().map(IpAddr::V4),
        "ip6" => term.value.trim_end_matches("/128").parse().ok().map(IpAddr::V6),
        _ => None,
    });
    single.collect()
}

/// What is wrong with the record of the domain in MAIL FROM.
pub(super) fn judge(answers: &Answers, domain: &str, relay: Option<&Relay>) -> Vec<Finding> {
    let Some(Ok(texts)) = answers.txt.get(domain) else { return Vec::new() };
    let mut found = Vec::new();
    let mut find = |severity, message: String, help: &str| {
        found.push(at_name(domain, severity, message, help, ANCHOR));
    };
    let include = relay.map(|relay| format!("include:{}", relay.include));
    // Where the provider writes its own address, SPF is asked of its domain.
    let is_theirs = relay.is_some_and(|relay| relay.envelope == Envelope::Theirs);
    let record = match &records(texts)[..] {
        [] if is_theirs => return found,
        [] => {
            let sender = include.unwrap_or_else(|| "ip4:ADDRESS-OF-YOUR-SERVER".to_owned());
            find(
                Severity::Warning,
                "No SPF record says which servers send for this domain, so anybody's mail may look like yours"
                    .to_owned(),
                &format!("add a TXT record with what your mail provider asks for, such as: v=spf1 {sender} ~all"),
            );
            return found;
        }
        [record] => *record,
        several => {
            find(
                Severity::Error,
                format!("There are {} SPF records, so none of them counts (RFC 7208, section 4.5)", several.len()),
                "make one of them: a single v=spf1 with all that they allow",
            );
            return found;
        }
    };
    for term in terms(record).filter(|term| !term.is_modifier && !MECHANISMS.contains(&term.name.as_str())) {
        find(
            Severity::Error,
            format!("The SPF record holds {:?}, which SPF does not know, so it does not count as a whole", term.name),
            "correct it: known are include, a, mx, ip4, ip6, exists and all",
        );
    }
    let walk = Walk::of(answers, domain);
    for empty in &walk.empty {
        find(
            Severity::Error,
            format!(
                "The SPF record includes {empty}, which has not exactly one of its own, so it does not count as a whole"
            ),
            "take that part out, or ask the provider for the name that it goes by now",
        );
    }
    if walk.is_circle {
        find(
            Severity::Error,
            "The SPF record leads back to itself, so it does not count as a whole".to_owned(),
            "take out the include or the redirect that names a record above it",
        );
    }
    if walk.lookups > LOOKUPS {
        find(
            Severity::Error,
            format!(
                "The SPF record needs {} lookups, and receivers stop at {LOOKUPS} (RFC 7208, section 4.6.4)",
                walk.lookups
            ),
            "take out what no longer sends for you, or give what sends your mails a domain of its own in mail.bounces",
        );
    }
    match walk.all {
        Some('+') => find(
            Severity::Warning,
            "The SPF record ends in +all: every server in the world may send for this domain".to_owned(),
            "write ~all or -all",
        ),
        // A part that is not known may say it.
        None if !walk.unknown.is_empty() || !walk.empty.is_empty() || !answers.silent().is_empty() => {}
        Some('?') | None => find(
            Severity::Note,
            "The SPF record does not say what becomes of mail from other servers".to_owned(),
            "end it in ~all, or in -all once all that sends for you is in it",
        ),
        Some(_) => {}
    }
    if let (Some(relay), Some(include)) = (relay, include)
        && !is_theirs
        && !walk.included.contains(relay.include)
    {
        find(
            Severity::Warning,
            format!("The SPF record does not name {}, by which your mails leave", relay.name),
            &format!("add {include} to it, before `all`"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(rows: &[(&str, &[&str])]) -> Answers {
        let mut answers = Answers::default();
        for (name, texts) in rows {
            answers.txt.insert((*name).to_owned(), Ok(texts.iter().map(|text| (*text).to_owned()).collect()));
        }
        answers
    }

    fn said(answers: &Answers, relay: Option<&Relay>) -> Vec<String> {
        judge(answers, "a.test", relay).iter().map(|f| format!("{:?} {}", f.severity, f.message)).collect()
    }

    const GOOGLE: Relay = Relay { name: "Google", host: "", include: "_spf.google.com", envelope: Envelope::Ours };
    const SES: Relay = Relay { name: "Amazon SES", host: "", include: "amazonses.com", envelope: Envelope::Theirs };

    #[test]
    fn a_record_is_judged_by_what_receivers_make_of_it() {
        let nothing: [&str; 0] = [];
        for (texts, wanted) in [
            (&["v=spf1 ip4:192.0.2.1 -all", "other"][..], &nothing[..]),
            (&["V=SPF1 a -ALL"], &nothing),
            (&["v=spf10 -all"], &["Warning No SPF record"]),
            (&[], &["Warning No SPF record"]),
            (&["v=spf1 -all", "v=spf1"], &["Error There are 2 SPF records"]),
            (&["v=spf1 +all"], &["Warning The SPF record ends in +all"]),
            (&["v=spf1 all"], &["Warning The SPF record ends in +all"]),
            (&["v=spf1 a mx"], &["Note The SPF record does not say"]),
            (&["v=spf1 ?all"], &["Note The SPF record does not say"]),
            (&["v=spf1 exp=x.test ra=postmaster -all"], &nothing),
            (&["v=spf1 ipv4:192.0.2.1 -all"], &["Error The SPF record holds \"ipv4\""]),
            (&["v=spf1 include:none.test -all"], &["Error The SPF record includes none.test"]),
            (&["v=spf1 include:ok.test -all"], &nothing),
            (&["v=spf1 redirect=ok.test"], &nothing),
            (&["v=spf1 redirect=open.test"], &["Warning The SPF record ends in +all"]),
            (&["v=spf1 include:A.test ~all"], &["Error The SPF record leads back to itself"]),
            (&["v=spf1 include:%{d}.x.test ~all"], &nothing),
            (&["v=spf1 a mx ptr exists:x.test include:six.test ~all"], &["Error The SPF record needs 11 lookups"]),
            (&["v=spf1 mx ptr exists:x.test include:six.test ~all"], &nothing),
        ] {
            let known = answers(&[
                ("a.test", texts),
                ("none.test", &["x"]),
                ("ok.test", &["v=spf1 -all"]),
                ("open.test", &["v=spf1 +all"]),
                ("six.test", &["v=spf1 a a a a a a"]),
            ]);
            let found = said(&known, None);
            let fits = found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(found, wanted)| found.starts_with(wanted));
            assert!(fits, "{texts:?}: {found:?}");
        }
    }

    #[test]
    fn the_provider_by_which_mails_leave_must_be_in_it() {
        let without = answers(&[("a.test", &["v=spf1 -all"])]);
        assert_eq!(
            said(&without, Some(&GOOGLE)),
            ["Warning The SPF record does not name Google, by which your mails leave"]
        );
        assert_eq!(said(&without, Some(&SES)), Vec::<String>::new());
        assert_eq!(said(&answers(&[("a.test", &[])]), Some(&SES)), Vec::<String>::new());
        let deep = answers(&[
            ("a.test", &["v=spf1 include:b.test -all"]),
            ("b.test", &["v=spf1 include:_spf.google.com"]),
            ("_spf.google.com", &["v=spf1 ~all"]),
        ]);
        assert_eq!(said(&deep, Some(&GOOGLE)), Vec::<String>::new());
    }

    #[test]
    fn what_it_leads_to_is_asked_for_and_no_circle_followed() {
        let mut known = Answers::default();
        let names = |known: &Answers| wanted(known, "a.test").into_iter().map(|q| format!("{q:?}")).collect::<Vec<_>>();
        assert_eq!(names(&known), ["Txt(\"a.test\")"]);
        known = answers(&[("a.test", &["v=spf1 include:B.test. redirect=c.test"])]);
        assert_eq!(names(&known), ["Txt(\"b.test\")", "Txt(\"c.test\")"]);
        known = answers(&[("a.test", &["v=spf1 include:b.test -all"]), ("b.test", &["v=spf1 include:a.test"])]);
        assert_eq!(names(&known), [""; 0]);
    }
}
