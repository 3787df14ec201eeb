//! All that there is to show, from the files as they are now, with a store that keeps nothing.

use super::super::arguments::Global;
use super::super::check::mails;
use super::super::cycle::Cycle;
use super::super::say;
use super::super::setup::Setup;
use crate::address::Mailbox;
use crate::check;
use crate::edition::compose::UNSUBSCRIBE_LINK;
use crate::edition::select::Candidate;
use crate::feed::ContentKind;
use crate::freeze::{Decision, Desk, Holds, Upcoming, Verdict};
use crate::message::{Personal, Skeleton};
use crate::post::Problem;
use crate::preview::look::{first_words, pictures};
use crate::preview::{Digest, Entry, Feed, Held, Mail, Pictures, Preview};
use crate::publish::{Made, Mode as Publishing};
use crate::report::Not;
use crate::store::Mode;
use crate::store::editions::{Audience, Frozen};
use crate::subscriber::Choices;
use crate::template::Templates;
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};
use url::Url;

/// More mails of one edition nobody looks through.
const MOST_VARIANTS: usize = 12;
/// Beyond so many posts, checking them all at every change takes too long.
const CHECKED_POSTS: usize = 1_000;
/// What mail programs show beside the subject at most.
const PREHEADER: usize = 140;
/// Who is shown as the reader.
const READER: &str = "reader@example.com";

/// Looks at everything.
pub(super) fn assemble(global: &Global, setup: &Setup) -> Result<Preview> {
    // A store that is not at hand, as in a pull request's CI, or a list that cannot be read stops a run, and no look at the mails.
    let (cycle, missing) = match Cycle::open(global, setup, Mode::Rehearse) {
        Ok(cycle) => (cycle, None),
        Err(error) => match Cycle::anew(global, setup) {
            Ok(cycle) => (cycle, Some(error)),
            Err(_) => return Err(error),
        },
    };
    let synced = cycle.sync();
    let published = cycle.publish(Publishing::Show)?;
    let overrides = setup.overrides()?;
    let desk = cycle.desk(&published.identities)?;
    let bench = Bench { cycle: &cycle, desk: &desk, overrides: &overrides, templates: setup.templates() };
    // Before the plan: what it freezes is not new any more.
    let digests = bench.digests();
    let plan = missing.map_or(Ok(()), Err).and(synced).and_then(|problems| Ok(cycle.plan(&published, problems)?.run));
    let plan = plan.map_err(|error| say::sentence(&error));
    let root = &setup.config.root;
    let mut findings = check::templates(&overrides);
    let unchecked = Some(cycle.blog.posts.len()).filter(|posts| *posts > CHECKED_POSTS);
    if unchecked.is_none() {
        findings.splice(0..0, check::posts(&cycle.blog, &cycle.generator, root, &[]));
    }
    let zone = cycle.site.timezone;
    let mut preview = Preview {
        title: cycle.site.title.clone(),
        language: cycle.site.language.clone(),
        url: cycle.site.url.to_string(),
        at: format!("{} ({zone})", cycle.now.with_timezone(&zone).format("%A, %-d %B %Y at %H:%M")),
        digests,
        feeds: published.made.into_iter().map(feed).collect(),
        plan,
        findings,
        unchecked,
        pictures: Pictures::default(),
    };
    preview.pictures = bench.pictures(&preview);
    Ok(preview)
}

/// Where mails are made for being looked at.
struct Bench<'a> {
    cycle: &'a Cycle<'a>,
    desk: &'a Desk<'a>,
    overrides: &'a BTreeMap<String, String>,
    templates: Result<Templates>,
}

impl Bench<'_> {
    fn digests(&self) -> Vec<Digest> {
        let decisions = match self.desk.decide() {
            Ok(decisions) => decisions,
            Err(error) => {
                let trouble = Some(say::sentence(&error.into()));
                let digests = self.cycle.setup.config.digests.iter();
                let named = |name: String| Digest { name, trouble: trouble.clone(), ..Digest::default() };
                return digests.map(|digest| named(digest.name.to_string())).collect();
            }
        };
        let shown = |decision: &Decision<'_>| {
            let (mails, trouble) = match self.mails(decision) {
                Ok(mails) => (mails, None),
                Err(error) => (Vec::new(), Some(say::sentence(&error))),
            };
            Digest { name: decision.digest.name.to_string(), when: self.when(decision), mails, trouble }
        };
        decisions.iter().map(shown).collect()
    }

    /// When the next of a digest's mails go out, in words.
    fn when(&self, decision: &Decision<'_>) -> String {
        match (&decision.verdict, decision.next) {
            (Verdict::Freeze(_), Some(next)) => format!("due now, and next on {}", self.moment(decision, next)),
            (Verdict::Freeze(_), None) => "due now: a mail per post".to_owned(),
            (_, Some(next)) => self.moment(decision, next),
            (_, None) => "a mail per post".to_owned(),
        }
    }

    fn moment(&self, decision: &Decision<'_>, moment: DateTime<Utc>) -> String {
        let zone = decision.digest.zone(self.cycle.site.timezone);
        format!("{} ({zone})", moment.with_timezone(&zone).format("%A, %-d %B %Y at %H:%M"))
    }

    fn mails(&self, decision: &Decision<'_>) -> Result<Vec<Mail>> {
        let setup = self.cycle.setup;
        let templates = self.templates.as_ref().map_err(|error| anyhow::anyhow!(say::sentence(error)))?;
        let digest = decision.digest;
        let render = |candidate: &Candidate<'_>| {
            let rendered: Result<_, Problem> = self.cycle.blog.render(candidate.post);
            Ok(rendered?.0)
        };
        let default = self.desk.is_default(digest);
        let choices = self.cycle.store.readers_by_choice(digest.name.as_str(), default)?;
        let mut mails = Vec::new();
        for upcoming in self.desk.upcoming(decision)? {
            let frozen = self.desk.freeze(digest, &upcoming.draft, templates, setup.mail()?, &render)?;
            let audience = Readers::of(&choices, &frozen);
            let mut not = self.cycle.store.not_readers(&frozen.id, &frozen.digest, default)?;
            not.no_posts = audience.without_posts;
            let note = self.note(decision, &upcoming, frozen.variants.len());
            for at in 0..frozen.variants.len().min(MOST_VARIANTS) {
                let readers = audience.of_variant.get(&at).copied().unwrap_or_default();
                mails.push(self.mail(&upcoming, &frozen, at, (readers, not), &note)?);
            }
        }
        Ok(mails)
    }

    /// Why it holds what it holds.
    fn note(&self, decision: &Decision<'_>, upcoming: &Upcoming<'_>, variants: usize) -> String {
        let slot = upcoming.draft.slot.map(|slot| self.moment(decision, slot));
        let posts = upcoming.draft.posts.len();
        let mut note = match (upcoming.holds, slot) {
            (Holds::Due, Some(slot)) => format!("It is due now, for {slot}."),
            (Holds::Due, None) => "It is due now.".to_owned(),
            (Holds::NewSoFar, slot) => {
                let wanted = decision.digest.min_posts;
                let enough = match posts < wanted {
                    true => format!(" min_posts asks for {wanted}: with no more than this the slot would pass."),
                    false => String::new(),
                };
                format!("It holds what is new so far; its slot is {}.{enough}", slot.unwrap_or_default())
            }
            (Holds::Newest, _) => {
                "Nothing is new, so no such mail would go out: it holds the newest posts, to show what it looks like."
                    .to_owned()
            }
        };
        if variants > MOST_VARIANTS {
            note.push_str(&format!(" {MOST_VARIANTS} of its {variants} renderings are shown."));
        }
        note
    }

    fn mail(
        &self,
        upcoming: &Upcoming<'_>,
        frozen: &Frozen,
        at: usize,
        (readers, not): (i64, Not),
        note: &str,
    ) -> Result<Mail> {
        let variant = &frozen.variants[at];
        let to = Mailbox { name: None, address: READER.parse().context("our own address")? };
        let date = upcoming.draft.slot.unwrap_or(self.cycle.now);
        let personal = Personal { delivery: "preview", to: &to, date, token: "preview", action: "" };
        let bytes = Skeleton::from_stored(&variant.message)?.splice(&personal);
        let (posts, language) = match variant.posts.split_once(' ') {
            Some((posts, language)) => (posts, Some(language)),
            None => (variant.posts.as_str(), None),
        };
        let positions = posts.split(',').filter_map(|at| at.parse::<usize>().ok());
        let held = |candidate: &Candidate<'_>| Held {
            id: candidate.id.clone(),
            title: candidate.post.title.clone(),
            path: candidate.post.path.clone(),
        };
        let mut mail = Mail {
            edition: frozen.id.clone(),
            variant: if frozen.variants.len() > 1 { label(&frozen.audiences, at, language) } else { String::new() },
            note: note.to_owned(),
            readers,
            not,
            subject: variant.subject.clone(),
            posts: positions.filter_map(|at| upcoming.draft.posts.get(at)).map(held).collect(),
            message: String::from_utf8_lossy(&bytes).into_owned(),
            ..Mail::default()
        };
        // What stands in the header stands in the parts.
        let unsubscribe = mail.headers().into_iter().find(|(name, _)| name == "List-Unsubscribe");
        let link = unsubscribe.and_then(|(_, value)| Some(value.split_once('<')?.1.split_once('>')?.0.to_owned()));
        let link = link.unwrap_or_default();
        mail.html = variant.html.replace(UNSUBSCRIBE_LINK, &link);
        mail.text = variant.text.replace(UNSUBSCRIBE_LINK, &link);
        mail.preheader = first_words(&mail.html, PREHEADER);
        let posts = mail.posts.iter().map(|held| held.path.as_str());
        mail.findings = mails::findings(self.cycle, self.overrides, &frozen.digest, posts, &bytes)?;
        Ok(mail)
    }

    /// The pictures of the mails and feeds that lie in the site's own folder: those of new posts are nowhere else yet.
    fn pictures(&self, preview: &Preview) -> Pictures {
        let mut found = Pictures::default();
        let of_mails = preview.mails().map(|(.., mail)| mail.html.as_str());
        let of_feeds = preview.feeds.iter().flat_map(|feed| &feed.entries).filter_map(|entry| entry.html.as_deref());
        for address in of_mails.chain(of_feeds).flat_map(pictures) {
            if found.has(&address) {
                continue;
            }
            let file = Url::parse(&address).ok().and_then(|url| self.cycle.blog.media_file(&url));
            if let Some(file) = file {
                found.add(&address, file);
            }
        }
        found
    }
}

/// How many readers get which variant.
struct Readers {
    of_variant: HashMap<usize, i64>,
    without_posts: i64,
}

impl Readers {
    fn of(choices: &[(String, String, i64)], frozen: &Frozen) -> Self {
        let mut readers = Readers { of_variant: HashMap::new(), without_posts: 0 };
        let row = |topics: &str, language: &str| {
            frozen.audiences.iter().find(|audience| audience.topics == topics && audience.language == language)
        };
        for (topics, language, count) in choices {
            match row(topics, language).or_else(|| row(topics, "")).map_or(Some(0), |audience| audience.variant) {
                Some(variant) => *readers.of_variant.entry(variant).or_default() += count,
                None => readers.without_posts += count,
            }
        }
        readers
    }
}

/// What tells a variant from the others.
fn label(audiences: &[Audience], at: usize, language: Option<&str>) -> String {
    let mut topics: Vec<String> = audiences
        .iter()
        .filter(|audience| audience.variant == Some(at))
        .map(|audience| Choices::from_stored(audience.topics.clone()).iter().collect::<Vec<_>>().join(", "))
        .map(|words| if words.is_empty() { "all topics".to_owned() } else { words })
        .collect();
    topics.sort();
    topics.dedup();
    let more = topics.len().saturating_sub(3);
    topics.truncate(3);
    let mut said = if topics.is_empty() { "the whole edition".to_owned() } else { topics.join(" or ") };
    if more > 0 {
        said.push_str(&format!(" or {more} more choices"));
    }
    if let Some(language) = language {
        said.push_str(&format!(" · {language}"));
    }
    said
}

fn feed(made: Made) -> Feed {
    let entry = |entry: &crate::feed::Entry| Entry {
        title: entry.title.clone(),
        url: entry.url.to_string(),
        date: entry.published.format("%-d %B %Y, %H:%M").to_string(),
        language: entry.language.clone(),
        summary: entry.summary.clone(),
        html: (made.content == ContentKind::Full).then(|| entry.html.as_str().to_owned()),
    };
    Feed { title: made.feed.title.clone(), entries: made.feed.entries.iter().map(entry).collect(), files: made.files }
}
