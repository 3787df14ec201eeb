//! `postrider send DIGEST --to ADDRESS`: the author's own test. The real renderer and transport, outside the ledger (P7).

use super::arguments::Global;
use super::setup::Setup;
use super::{Exit, say};
use crate::address::{EmailAddress, Mailbox};
use crate::edition::compose::Item;
use crate::freeze::Desk;
use crate::message::{Envelope, Message, Personal, skeleton};
use crate::post::{self, Content, Post, PostId};
use crate::reply::Outcome;
use crate::schedule::Schedule;
use crate::site;
use crate::store::Mode;
use crate::transport::Job;
use anyhow::{Result, anyhow, bail};

/// `postrider send`
pub(super) fn run(global: &Global, digest: &str, to: &str) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let to: EmailAddress = to.parse().map_err(|e| anyhow!("--to: {e}"))?;
    let digest = setup.digest(digest)?;
    let mail = setup.mail()?;
    let signer = setup.signer()?;
    let (_, transport) = setup.transport()?;
    let store = setup.store(Mode::Rehearse)?;
    if let Some(reason) = store.suppression(&to, &setup.random)? {
        bail!("{} is suppressed ({reason}) and gets no mail\n  help: `postrider why` tells the story", to.as_str());
    }
    let (site, generator) = setup.site()?;
    let now = setup.clock.now();
    let (posts, root) = (&setup.config.posts, &setup.config.root);
    let blog = site::read(site::find(posts, &generator, root)?, posts, &site, &generator, root, &[], now);
    let newest: Vec<(&Post, Content, PostId)> = blog
        .posts
        .iter()
        .filter(|post| digest.takes(post))
        .take(digest.max_posts.min(10))
        .map(|post| Ok((&**post, blog.render(post)?.0, PostId(post.url.to_string()))))
        .collect::<Result<_, post::Problem>>()?;
    if newest.is_empty() {
        bail!("no published post belongs into the digest {:?}", digest.name.as_str());
    }
    let items: Vec<Item<'_>> = newest.iter().map(|(post, content, id)| Item { id, post, content }).collect();
    let desk = Desk { config: &setup.config, site: &site, posts: Vec::new(), store: &store, now, accept_new: false };
    // The next edition as it would be, with its introduction.
    let slot = match &digest.schedule {
        Schedule::Crontab(crontab) => crontab.next_after(now, digest.zone(site.timezone)),
        Schedule::Each => None,
    };
    let composition = desk.compose(digest, slot, &items, None, &setup.templates()?, mail)?;
    let skeleton = skeleton(mail, &desk.list(digest, mail), &composition, &format!("test/{}", digest.name))?;
    let delivery = setup.random.id();
    let mailbox = Mailbox { name: None, address: to.clone() };
    // A link that leaves nobody: this mail belongs to no subscription.
    let bytes = skeleton.splice(&Personal { delivery: &delivery, to: &mailbox, date: now, token: "test" });
    let bytes = signer.sign(bytes, now)?;
    let message = Message { envelope: Envelope { from: mail.from.address.clone(), to: to.clone() }, bytes };
    // Nothing is kept of this store; closed, it holds up no run while we wait for the server.
    drop(store);
    let mut session = transport.session();
    session.ready().map_err(|e| anyhow!("{e}"))?;
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
                    let (subject, to, via) = (&composition.subject, to.as_str(), transport.name());
                    say::line(format!("{subject:?} went to {to} ({via}): {}", sent.reply.text.trim()));
                }
            }
            Ok(Exit::Done)
        }
        _ => bail!("the server did not take it: {}", sent.reply),
    }
}
