//! The header of a mail: its subject, whom it is from, and how a reader leaves.

use super::place::At;
use super::{Judge, providers};
use crate::check::Severity;
use crate::html::escape;

/// As much of a subject phones show.
const SUBJECT: usize = 60;

pub(super) fn judge(judge: &mut Judge<'_>) {
    subject(judge);
    sender(judge);
    for (name, why) in [
        ("Date", "RFC 5322 wants it, and mail programs sort by it"),
        ("Message-ID", "servers that get a mail twice know it by that"),
    ] {
        if judge.letter.field(name).is_none() {
            judge.find(
                Severity::Error,
                At::Whole,
                format!("The mail has no {name}: {why}"),
                "let the program that makes it write one",
            );
        }
    }
    leaving(judge);
}

fn subject(judge: &mut Judge<'_>) {
    let at = || At::Field("Subject", "digest.subject");
    let subject = judge.letter.says("Subject").unwrap_or_default();
    let length = subject.chars().count();
    if subject.is_empty() {
        judge.find(Severity::Error, at(), "The mail has no subject".to_owned(), "say what is in it");
        return;
    }
    if length > SUBJECT {
        let kept: String = subject.chars().take(40).collect();
        let message = format!("The subject has {length} characters, of which phones show about 40: `{kept}…`");
        judge.find(Severity::Note, at(), message, "say first what matters, in 60 characters at most");
    }
    let start = subject.to_lowercase();
    let answers = ["re:", "fw:", "fwd:", "aw:", "wg:", "sv:", "tr:"];
    if let Some(answer) = answers.iter().find(|answer| start.starts_with(*answer)) {
        let message = format!(
            "The subject begins with `{}` like an answer, which this is not: filters take it for a trick, and in the USA it is against the law (CAN-SPAM)",
            &subject[..answer.len()]
        );
        judge.find(Severity::Warning, at(), message, "begin it with something else");
    }
    let letters = subject.chars().filter(|c| c.is_uppercase() || c.is_lowercase());
    if letters.clone().count() >= 8 && letters.clone().all(char::is_uppercase) {
        judge.find(
            Severity::Warning,
            at(),
            "The subject is all capitals: filters count that against a mail".to_owned(),
            "write it as a sentence",
        );
    }
}

fn sender(judge: &mut Judge<'_>) {
    let at = || At::Field("From", "mail.from");
    let Some(from) = judge.letter.from().map(str::to_lowercase) else {
        judge.find(
            Severity::Error,
            at(),
            "The mail does not say whom it is from".to_owned(),
            "write an address of your own domain into From",
        );
        return;
    };
    let domain = from.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
    let leaves_by = judge.made().map_or(&[][..], |made| made.transports);
    let is_theirs = |provider: &&providers::Provider| {
        let by = |way: &&str| providers::host_of(way).is_some_and(|host| provider.has(&host));
        !leaves_by.is_empty() && leaves_by.iter().all(by)
    };
    if let Some(provider) = providers::of(&domain).filter(|provider| !is_theirs(provider)) {
        let message = format!(
            "Mails from {domain} are expected from {}'s own servers: sent by others they are not authenticated (SPF, DKIM, DMARC), and may go to spam or come back",
            provider.name
        );
        judge.find_explained(Severity::Warning, at(), message, "send from an address of a domain of your own");
    }
    let to = judge.letter.reply_to().map(str::to_lowercase).unwrap_or_default();
    let local: String =
        to.split(['@', '+']).next().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    if matches!(&*local, "noreply" | "donotreply" | "nichtantworten" | "keineantwort") {
        let at = if judge.letter.field("Reply-To").is_some() { At::Field("Reply-To", "mail.reply_to") } else { at() };
        let message = "Answers go to an address that says nobody reads them: Microsoft asks senders for one that is read, and readers who cannot answer mark a mail as spam".to_owned();
        judge.find(Severity::Note, at, message, "set `reply_to` in [mail] to an address that you read");
    }
}

/// RFC 2369, RFC 8058, and what Gmail, Yahoo and Microsoft ask of those who send to many.
fn leaving(judge: &mut Judge<'_>) {
    let said = judge.letter.says("List-Unsubscribe").unwrap_or_default();
    let ways: Vec<String> =
        said.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0.trim().to_owned())).collect();
    let at = || At::Field("List-Unsubscribe", "web.public_url");
    let https = ways.iter().find(|way| way.starts_with("https:"));
    if ways.is_empty() {
        let message = "The mail has no List-Unsubscribe: Gmail, Yahoo and Microsoft ask for it, and show no button for leaving without it".to_owned();
        judge.find_explained(Severity::Warning, at(), message, "let the program that makes it write one (RFC 2369)");
    } else if https.is_none() {
        let message =
            "Leaving is not one click: Gmail and Yahoo ask for that of those who send 5,000 mails a day or more"
                .to_owned();
        judge.find_explained(
            Severity::Note,
            at(),
            message,
            "name an https:// address that takes one POST (RFC 8058): set `public_url` in [web] to that at which `postrider serve` answers",
        );
    } else if judge.letter.says("List-Unsubscribe-Post").is_none_or(|post| post != "List-Unsubscribe=One-Click") {
        let message = "Leaving is not one click: List-Unsubscribe-Post is missing (RFC 8058)".to_owned();
        judge.find_explained(
            Severity::Warning,
            at(),
            message,
            "write `List-Unsubscribe-Post: List-Unsubscribe=One-Click`, and sign both",
        );
    }
    shown(judge, &ways);
}

/// Each part shows a way to leave.
fn shown(judge: &mut Judge<'_>, ways: &[String]) {
    let leads = |address: &str| ways.iter().any(|way| way == address) || speaks_of_leaving(address);
    if judge.letter.html.is_some() {
        let links = judge.page.elements.iter().filter(|element| element.name == "a" && !element.hidden);
        let mut links =
            links.filter_map(|element| Some((element.get("href").filter(|href| !href.is_empty())?, &element.words)));
        if !links.any(|(href, words)| leads(href) || speaks_of_leaving(words)) {
            let message =
                "The HTML shows no way to leave: laws ask for it, and who finds none marks the mail as spam".to_owned();
            judge.find_explained(
                Severity::Error,
                At::Whole,
                message,
                "show the link where it is seen: {{ links.unsubscribe }}",
            );
        }
    }
    if let Some(text) = judge.letter.text.as_deref().filter(|text| !text.trim().is_empty()) {
        let text = text.to_lowercase();
        let named =
            ways.iter().any(|way| text.contains(&way.to_lowercase()) || text.contains(&escape(&way.to_lowercase())));
        if !named && !speaks_of_leaving(&text) {
            let message = "The text part shows no way to leave".to_owned();
            judge.find_explained(
                Severity::Warning,
                At::Whole,
                message,
                "show the link there too: {{ links.unsubscribe }}",
            );
        }
    }
}

/// In the languages that mails of ours speak.
fn speaks_of_leaving(text: &str) -> bool {
    let text = text.to_lowercase();
    let words = [
        "unsubscribe",
        "opt-out",
        "optout",
        "opt out",
        "abbestellen",
        "abmelden",
        "désabonn",
        "desabonn",
        "désinscri",
        "darse de baja",
        "cancelar la suscripción",
        "cancelar a subscrição",
        "cancelar inscrição",
        "配信停止",
        "退订",
        "הסרה",
        "إلغاء",
    ];
    words.iter().any(|word| text.contains(word))
}
