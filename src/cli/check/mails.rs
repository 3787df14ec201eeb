//! The mails that the digests would send next, composed as a run composes them, and judged.

use super::super::cycle::Cycle;
use super::super::say;
use super::super::setup::Setup;
use crate::address::Mailbox;
use crate::check::Finding;
use crate::check::mail::{self, Made, Mail, Origin, Source};
use crate::edition::Settings;
use crate::edition::compose::Item;
use crate::freeze::{Desk, Draft};
use crate::message::{Personal, skeleton};
use crate::post::Content;
use crate::publish;
use crate::template::Templates;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Of a digest that mails each post, with many to come, so many are looked at.
const MOST: usize = 5;
/// Who is shown as the reader.
const READER: &str = "reader@example.com";

/// What was judged.
#[derive(Default)]
pub(super) struct Judged {
    /// How many mails.
    pub(super) mails: usize,
    /// The octets of the largest.
    pub(super) largest: usize,
    /// What is wrong with them, sorted.
    pub(super) findings: Vec<Finding>,
}

/// Composes and judges the next mails of each digest. Nothing is kept, and nothing leaves.
pub(super) fn judge(cycle: &Cycle<'_>, overrides: &BTreeMap<String, String>) -> Judged {
    let setup = cycle.setup;
    let mut judged = Judged::default();
    let templates = Templates::with_overrides(overrides.clone());
    // What is wrong with a template is told by the judge of templates, with its line.
    let (Ok(templates), false) = (templates, setup.config.digests.is_empty()) else { return judged };
    let bench = Bench { cycle, overrides, templates: &templates, config: config(setup) };
    if let Err(error) = bench.judge(&mut judged) {
        // Of no digest alone: too many new posts, or a store that is not ours.
        judged.findings.push(mail::uncomposed(&bench.config, "", &say::sentence(&error)));
    }
    judged.findings.sort();
    judged.findings.dedup();
    judged
}

/// Where mails are made.
struct Bench<'a> {
    cycle: &'a Cycle<'a>,
    overrides: &'a BTreeMap<String, String>,
    templates: &'a Templates,
    config: Source,
}

impl Bench<'_> {
    fn judge(&self, judged: &mut Judged) -> Result<()> {
        let published = self.cycle.publish(publish::Mode::Rehearse)?;
        let desk = self.cycle.desk(&published.identities)?;
        for decision in desk.decide()? {
            for upcoming in desk.upcoming(&decision)?.iter().take(MOST) {
                match self.of_one(&desk, decision.digest, &upcoming.draft) {
                    Ok((octets, findings)) => {
                        judged.mails += 1;
                        judged.largest = judged.largest.max(octets);
                        judged.findings.extend(findings);
                    }
                    Err(error) => {
                        let (digest, why) = (decision.digest.name.as_str(), say::sentence(&error));
                        judged.findings.push(mail::uncomposed(&self.config, digest, &why));
                    }
                }
            }
        }
        Ok(())
    }

    /// Its octets, and what is wrong with it.
    fn of_one(&self, desk: &Desk<'_>, digest: &Settings, draft: &Draft<'_>) -> Result<(usize, Vec<Finding>)> {
        let Cycle { setup, blog, now, .. } = self.cycle;
        let settings = setup.mail()?;
        let contents: Vec<Content> =
            draft.posts.iter().map(|held| Ok(blog.render(held.post)?.0)).collect::<Result<_>>()?;
        let held = draft.posts.iter().zip(&contents);
        let items: Vec<Item<'_>> = held.map(|(held, content)| Item { id: held.id, post: held.post, content }).collect();
        let composition = desk.compose(digest, draft.slot, &items, None, self.templates, settings)?;
        let skeleton = skeleton(settings, &desk.list(digest, settings), &composition, &draft.id)?;
        let to = Mailbox { name: None, address: READER.parse().context("our own address")? };
        let date = draft.slot.unwrap_or(*now);
        let bytes = skeleton.splice(&Personal { delivery: "check", to: &to, date, token: "check", action: "" });
        let posts = draft.posts.iter().map(|held| held.post.path.as_str());
        Ok((bytes.len(), findings(self.cycle, self.overrides, digest.name.as_str(), posts, &bytes)?))
    }
}

/// What is wrong with a mail that was composed here, of the posts at these paths.
pub(in crate::cli) fn findings<'p>(
    cycle: &Cycle<'_>,
    overrides: &BTreeMap<String, String>,
    digest: &str,
    posts: impl Iterator<Item = &'p str>,
    bytes: &[u8],
) -> Result<Vec<Finding>> {
    let Cycle { setup, blog, .. } = cycle;
    let posts: Vec<Source> = posts.map(|path| source(setup, path)).collect();
    let transports: Vec<&str> = setup.config.ways_out().iter().map(|way| way.transport).collect();
    let made = Made {
        config: &config(setup),
        settings: setup.mail()?,
        transports: &transports,
        digest,
        posts: &posts,
        templates: overrides,
        weight: &|url| Some(std::fs::metadata(blog.media_file(url)?).ok()?.len()),
    };
    Ok(mail::findings(&Mail { bytes, origin: Origin::Digest(made) }))
}

/// The configuration.
pub(super) fn config(setup: &Setup) -> Source {
    source(setup, &setup.config.path.file_name().unwrap_or_default().to_string_lossy())
}

/// A file below the configuration's folder, as its author wrote it.
fn source(setup: &Setup, path: &str) -> Source {
    let text = std::fs::read(setup.config.path_of(Path::new(path))).unwrap_or_default();
    Source { path: path.to_owned(), text: String::from_utf8_lossy(&text).into_owned() }
}
