//! Rendering an edition that is due: once for each choice of topics and language among its readers, and once for the site.

use super::{Desk, Draft, Error};
use crate::edition::compose::{self, Composition, Grouping, Ingredients, Introduction, Item};
use crate::edition::select::Candidate;
use crate::edition::{self, page};
use crate::message::{self, skeleton};
use crate::post::{Content, Problem};
use crate::site;
use crate::store::editions::{Audience, Frozen, Variant};
use crate::store::pages::Page;
use crate::subscriber::Choices;
use crate::template::{self, Templates};
use chrono::{DateTime, FixedOffset, Utc};
use std::collections::BTreeMap;

/// Beyond so many renderings of one edition something is wrong with the choice of topics.
pub(super) const MOST_VARIANTS: usize = 1000;

/// Beyond so many different choices of topics and languages they are not looked at one by one any more.
const MOST_CHOICES: usize = 100_000;

/// What all renderings of an edition share.
struct Common<'a> {
    desk: &'a Desk<'a>,
    digest: &'a edition::Settings,
    date: DateTime<FixedOffset>,
    introduction: Introduction,
    /// Its page, if it is to have one.
    online: Option<String>,
    templates: &'a Templates,
    mail: &'a message::Settings,
}

/// Some of the posts, in the language of some readers: the digest's own where none is given.
struct Wanted {
    posts: Vec<usize>,
    language: String,
}

impl<'a> Desk<'a> {
    /// The edition with all its renderings.
    pub fn freeze(
        &self,
        digest: &edition::Settings,
        draft: &Draft<'a>,
        templates: &Templates,
        mail: &message::Settings,
        render: &dyn Fn(&Candidate<'a>) -> Result<Content, Problem>,
    ) -> Result<Frozen, Error> {
        let (wanted, audiences) = self.wanted(digest, draft, templates)?;
        let contents: Vec<Content> = draft.posts.iter().map(render).collect::<Result<_, _>>()?;
        let item = |at: &usize| Item { id: draft.posts[*at].id, post: draft.posts[*at].post, content: &contents[*at] };
        let common = self.common(digest, draft.slot, Some(&draft.id), templates, mail)?;
        let list = self.list(digest, mail);
        let rendered = wanted.iter().map(|Wanted { posts, language }| {
            let items: Vec<Item<'_>> = posts.iter().map(item).collect();
            let reader = (!language.is_empty()).then_some(language.as_str());
            let composition = common.mail(&items, reader)?;
            let message = skeleton(mail, &list, &composition, &draft.id)?;
            let positions = posts.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            Ok(Variant {
                posts: format!("{positions} {language}").trim_end().to_owned(),
                subject: composition.subject,
                html: composition.html,
                text: composition.text,
                message: message.to_stored().to_owned(),
            })
        });
        let variants: Vec<Variant> = rendered.collect::<Result<_, Error>>()?;
        let url = |c: &Candidate<'_>| c.post.link.to_string();
        let awaits = if digest.require_live { draft.posts.iter().map(url).collect() } else { Vec::new() };
        let all: Vec<Item<'_>> = wanted[0].posts.iter().map(item).collect();
        Ok(Frozen {
            id: draft.id.clone(),
            digest: digest.name.to_string(),
            slot: draft.slot,
            after: draft.after,
            subject: variants[0].subject.clone(),
            posts: draft.posts.iter().map(|c| c.id.clone()).collect(),
            page: digest.archive.then(|| common.page(&draft.id, &all)).transpose()?,
            variants,
            audiences,
            default: self.is_default(digest),
            approve: digest.approve,
            awaits,
        })
    }

    /// What is to be rendered, and who gets which. The first holds all posts, in the digest's own language; each other one is what
    /// some choice of topics leaves, in the language of some reader.
    fn wanted(
        &self,
        digest: &edition::Settings,
        draft: &Draft<'a>,
        templates: &Templates,
    ) -> Result<(Vec<Wanted>, Vec<Audience>), Error> {
        let choices = self.store.choices(digest.name.as_str(), self.is_default(digest), MOST_CHOICES)?;
        // Who is not looked at would get posts that they did not choose.
        if choices.len() > MOST_CHOICES {
            return Err(Error::TooManyVariants { digest: digest.name.to_string() });
        }
        let all: Vec<usize> = (0..draft.posts.len()).collect();
        let mut numbers: BTreeMap<(Vec<usize>, String), usize> = BTreeMap::from([((all.clone(), String::new()), 0)]);
        let mut wanted = vec![Wanted { posts: all, language: String::new() }];
        let mut audiences = Vec::new();
        for (topics, language) in choices {
            let left = leaves(&draft.posts, &Choices::from_stored(topics.clone()));
            let spoken = self.spoken_to(digest, &language, templates);
            let mut variant_in = |language: String| {
                let next = numbers.len();
                *numbers.entry((left.clone(), language.clone())).or_insert_with(|| {
                    wanted.push(Wanted { posts: left.clone(), language });
                    next
                })
            };
            // Whose language changes before the release gets the digest's own.
            let known = audiences.last().is_some_and(|last: &Audience| last.topics == topics);
            for language in
                [(!known).then(String::new), (!language.is_empty()).then_some(language)].into_iter().flatten()
            {
                let spoken = if language.is_empty() { String::new() } else { spoken.clone() };
                let variant = (!left.is_empty()).then(|| variant_in(spoken));
                audiences.push(Audience { topics: topics.clone(), language, variant });
            }
            if wanted.len() > MOST_VARIANTS {
                return Err(Error::TooManyVariants { digest: digest.name.to_string() });
            }
        }
        Ok((wanted, audiences))
    }

    /// The language of a reader where it is another than the digest's and there are words of it; else nothing.
    fn spoken_to(&self, digest: &edition::Settings, reader: &str, templates: &Templates) -> String {
        let own = digest.language.as_deref().unwrap_or(&self.site.language);
        let words = templates.words();
        match words.file(reader) {
            Some(theirs) if words.file(own) != Some(theirs) => theirs.to_owned(),
            _ => String::new(),
        }
    }

    /// The subject, HTML and text of some posts as this digest shows them; for readers of another language, in theirs.
    pub fn compose(
        &self,
        digest: &edition::Settings,
        slot: Option<DateTime<Utc>>,
        items: &[Item<'_>],
        reader: Option<&str>,
        templates: &Templates,
        mail: &message::Settings,
    ) -> Result<Composition, Error> {
        self.common(digest, slot, None, templates, mail)?.mail(items, reader)
    }

    /// `id` is the edition's, where it has one already.
    fn common<'b>(
        &'b self,
        digest: &'b edition::Settings,
        slot: Option<DateTime<Utc>>,
        id: Option<&str>,
        templates: &'b Templates,
        mail: &'b message::Settings,
    ) -> Result<Common<'b>, Error> {
        let zone = digest.zone(self.site.timezone);
        let date = slot.unwrap_or(self.now).with_timezone(&zone).fixed_offset();
        let day = date.format("%Y-%m-%d").to_string();
        let name = digest.name.as_str();
        let introduction = site::introduction(&self.config.posts.dir, &self.config.root, name, &day, &self.site.url)?;
        let id = id.map_or_else(|| format!("{name}/{day}"), str::to_owned);
        let online = digest.archive.then(|| page::url(&self.site.url, &id).to_string());
        Ok(Common { desk: self, digest, date, introduction, online, templates, mail })
    }
}

impl Common<'_> {
    fn ingredients<'b>(&'b self, items: &'b [Item<'b>], reader: Option<&'b str>) -> Ingredients<'b> {
        let Common { desk, digest, .. } = self;
        Ingredients {
            site: desk.site,
            digest: digest.name.as_str(),
            date: self.date,
            layout: digest.layout,
            grouping: Grouping { by: digest.group_by, tags: &digest.tags },
            theme: &desk.config.theme,
            language: reader.or(digest.language.as_deref()).unwrap_or(&desk.site.language),
            reader,
            online: self.online.as_deref(),
            introduction: &self.introduction,
            subject: digest.subject.as_deref(),
            content: digest.content,
            max_posts: digest.max_posts,
            items,
            postal_address: self.mail.postal_address.as_deref(),
            templates: self.templates,
        }
    }

    fn mail(&self, items: &[Item<'_>], reader: Option<&str>) -> Result<Composition, Error> {
        compose::compose(&self.ingredients(items, reader)).map_err(|error| self.wrong(error))
    }

    fn page(&self, id: &str, items: &[Item<'_>]) -> Result<Page, Error> {
        let ingredients = self.ingredients(items, None);
        let compose::Page { summary, html, entry } = compose::page(&ingredients).map_err(|error| self.wrong(error))?;
        let site = self.desk.site;
        let authority = self.desk.config.feeds.authority.as_deref().or(site.url.host_str()).unwrap_or_default();
        Ok(Page {
            entry: page::id(authority, &self.date, &site.url, id),
            date: self.date,
            language: ingredients.language.to_owned(),
            summary,
            html,
            content: entry,
        })
    }

    fn wrong(&self, error: template::Error) -> Error {
        Error::Template { digest: self.digest.name.to_string(), why: error.to_string() }
    }
}

/// The positions of the posts that a choice of topics leaves; no choice leaves all.
pub fn leaves(posts: &[Candidate<'_>], topics: &Choices) -> Vec<usize> {
    let wanted = |c: &Candidate<'_>| topics.is_empty() || topics.iter().any(|topic| c.post.is_about(topic));
    posts.iter().enumerate().filter(|(_, c)| wanted(c)).map(|(at, _)| at).collect()
}
