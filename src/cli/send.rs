//! `postrider send DIGEST --to ADDRESS`: the author's own test. The real renderer and transport, outside the ledger (P7).

use super::arguments::Global;
use super::cycle::Cycle;
use super::setup::Setup;
use super::{Exit, say};
use crate::address::{EmailAddress, Mailbox};
use crate::edition::compose::Item;
use crate::freeze::Upcoming;
use crate::message::{Envelope, Message, Personal, skeleton};
use crate::post::{self, Content};
use crate::publish;
use crate::reply::Outcome;
use crate::store::Mode;
use crate::transport::Job;
use crate::transport::relay::{self, Reached};
use anyhow::{Result, anyhow, bail};

/// `postrider send`
pub(super) fn run(global: &Global, digest: &str, to: &str) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let to: EmailAddress = to.parse().map_err(|e| anyhow!("--to: {e}"))?;
    let digest = setup.digest(digest)?;
    let mail = setup.mail()?;
    let signer = setup.signer()?;
    let relays = setup.relays()?;
    let cycle = Cycle::open(global, &setup, Mode::Rehearse)?;
    if let Some(reason) = cycle.store.suppression(&to, &setup.random)? {
        bail!("{} is suppressed ({reason}) and gets no mail\n  help: `postrider why` tells the story", to.as_str());
    }
    let published = cycle.publish(publish::Mode::Rehearse)?;
    let desk = cycle.desk(&published.identities)?;
    let decisions = desk.decide()?;
    let decision = decisions.iter().find(|decision| decision.digest.name == digest.name);
    // The edition that is due or comes next, as it would be by now.
    let upcoming = decision.map(|decision| desk.upcoming(decision)).transpose()?.unwrap_or_default().into_iter().next();
    let Some(Upcoming { draft, .. }) = upcoming else {
        bail!("no published post belongs into the digest {:?}", digest.name.as_str());
    };
    let contents: Vec<Content> =
        draft.posts.iter().map(|held| Ok(cycle.blog.render(held.post)?.0)).collect::<Result<_, post::Problem>>()?;
    let held = draft.posts.iter().zip(&contents);
    let items: Vec<Item<'_>> = held.map(|(held, content)| Item { id: held.id, post: held.post, content }).collect();
    let mut composition = desk.compose(digest, draft.slot, &items, None, &setup.templates()?, mail)?;
    composition.subject = format!("[Test] {}", composition.subject);
    let now = cycle.now;
    let skeleton = skeleton(mail, &desk.list(digest, mail), &composition, &format!("test/{}", digest.name))?;
    let delivery = setup.random.id();
    let mailbox = Mailbox { name: None, address: to.clone() };
    // A link that leaves nobody: this mail belongs to no subscription.
    let bytes = skeleton.splice(&Personal { delivery: &delivery, to: &mailbox, date: now, token: "test", action: "" });
    let bytes = signer.sign(bytes, now)?;
    let message = Message { envelope: Envelope { from: mail.from.address.clone(), to: to.clone() }, bytes };
    // Nothing is kept of this store; closed, it holds up no run while we wait for the server.
    drop((decisions, desk));
    drop(cycle);
    let Reached { mut session, via } = relay::reach(relays.all()).map_err(|e| anyhow!("{e}"))?;
    let sent = session
        .send(&Job { edition: &format!("test/{}", digest.name), delivery: &delivery, message: &message })
        .map_err(|e| anyhow!("{e}"))?;
    session.quit();
    match sent.outcome {
        Outcome::Accepted => {
            match global.json {
                true => say::json(
                    &serde_json::json!({ "address": to.as_str(), "subject": composition.subject, "reply": sent.reply.text }),
                )?,
                false => {
                    let (subject, to) = (&composition.subject, to.as_str());
                    say::line(format!("{subject:?} went to {to} ({via}): {}", sent.reply.text.trim()));
                }
            }
            Ok(Exit::Done)
        }
        _ => bail!("the server did not take it: {}", sent.reply),
    }
}
