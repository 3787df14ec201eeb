//! Asks the DNS all that there is to know of the domains in the configuration, round by round, and has it judged.

use super::mx::{self, Reached};
use super::{Finding, LONGEST, Severity, World, at_key, dkim, dmarc, ptr, relay, spf};
use crate::delivery::route::Route;
use crate::dns::{Answers, Dns, PATIENCE, Question, Silence};
use std::collections::BTreeSet;

/// How many records may include one another; those of real domains are four deep.
const ROUNDS: usize = 10;

/// What the DNS says, and does not say, of the domains by which mails are sent.
pub(super) fn judge(world: &World<'_>) -> Vec<Finding> {
    let mail = world.mail;
    let from = mail.from.address.domain();
    let envelope = mail.bounces.as_ref().map_or(from, |bounces| bounces.domain());
    let inbox = world.config.inbox.as_ref().and_then(|inbox| inbox.address.as_ref());
    let reached = |key, domain, severity, what| Reached { key, domain, severity, what };
    let mut all = vec![match (&mail.reply_to, &mail.bounces) {
        (Some(to), _) => reached("mail.reply_to", to.address.domain(), Severity::Warning, "answers"),
        (None, Some(_)) => reached("mail.from", from, Severity::Warning, "answers"),
        (None, None) => reached("mail.from", from, Severity::Warning, "answers and bounces"),
    }];
    if mail.bounces.is_none() && mail.reply_to.is_some() {
        all.push(reached("mail.from", from, Severity::Warning, "bounces"));
    }
    all.extend(mail.bounces.iter().map(|to| reached("mail.bounces", to.domain(), Severity::Error, "bounces")));
    all.extend(inbox.map(|to| reached("inbox.address", to.domain(), Severity::Error, "letters to unsubscribe")));

    let ways: Vec<&Route> = world.ways.iter().map(|way| &way.route).collect();
    let mut known = Answers::default();
    let asked = Dns::open(world.dns, PATIENCE).map(|dns| {
        let watch = world.clock.stopwatch();
        for _ in 0..ROUNDS {
            let mut questions: BTreeSet<Question> = spf::wanted(&known, envelope);
            questions.extend(dmarc::questions(from));
            questions.extend(ptr::wanted(&known, &ways, envelope));
            questions.extend(world.keys.iter().map(|key| Question::Txt(key.name())));
            questions.extend(all.iter().flat_map(|to| mx::wanted(&known, to.domain)));
            questions.retain(|question| !known.has(question));
            if questions.is_empty() || watch.elapsed() > LONGEST {
                break;
            }
            dns.ask(questions, &mut known);
        }
    });
    let mut found: Vec<Finding> = unanswered(world, &known, asked.err()).into_iter().collect();
    if known.nowhere.contains(from) {
        found.push(unknown(world, from));
        return found;
    }
    found.extend(world.keys.iter().flat_map(|key| dkim::judge(&known, key)));
    // What holds for all of them is found more than once, and told once.
    for relay in world.ways.iter().map(|way| relay::of(&way.route)) {
        found.extend(spf::judge(&known, envelope, relay));
        found.extend(dkim::unsigned(world, relay));
        found.extend(dmarc::judge(world, &known, envelope, relay));
    }
    found.extend(ptr::judge(&known, &ways, envelope));
    found.extend(all.iter().filter_map(|to| mx::judge(&known, world.source, to)));
    found
}

/// Without the domain there is nothing else to say of it.
fn unknown(world: &World<'_>, from: &str) -> Finding {
    let message =
        format!("There is no domain {from}, says the DNS: receivers refuse mails from it, and nobody can answer them");
    let help =
        "check its spelling; where this network's DNS knows only its own names, ask another: POSTRIDER_DNS=9.9.9.9";
    at_key(world.source, "mail.from", Severity::Error, message, help, "incoming-mail")
}

/// One finding, however many names it is about.
fn unanswered(world: &World<'_>, known: &Answers, failed: Option<Silence>) -> Option<Finding> {
    let silent = known.silent();
    let message = match (failed, silent.first_key_value()) {
        (Some(why), _) => format!("The DNS could not be asked, so nothing of it was judged: {why}"),
        (None, None) => return None,
        (None, Some((name, why))) => match silent.len() {
            1 => format!("The DNS could not be asked about {name}: {why}"),
            count => format!("The DNS could not be asked about {name} and {} more: {why}", count - 1),
        },
    };
    let help = "check again when this machine is online; POSTRIDER_DNS=ADDRESS:PORT asks another server";
    Some(at_key(world.source, "mail.from", Severity::Note, message, help, "what-could-not-be-asked"))
}
