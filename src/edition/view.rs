//! Posts as templates see them: in their order, in their groups, each with its picture, its dates in the reader's language.

use super::Layout;
use crate::html::CleanHtml;
use crate::html::mail::{self, narrow};
use crate::post::{Content, Image, Post, PostId, Site};
use crate::template::context::{
    Digest, Edition, Intro, Link, Links, Named, Picture, Post as Shown, Site as ShownSite, Subscriber,
};
use crate::template::text::{COLUMNS, direction, one_line};
use crate::template::{Templates, minutes, theme};
use chrono::{DateTime, FixedOffset, SecondsFormat};

/// Stands in what is composed where each reader's own unsubscribe link goes. It cannot occur in a post.
pub const UNSUBSCRIBE_LINK: &str = "POSTRIDER-UNSUBSCRIBE-LINK";

/// The column for pictures, in pixels.
const COLUMN: u32 = mail::COLUMN as u32;

/// What the author says of one edition, in a file of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    /// What stands before the posts; else what the first post's author says before it.
    pub html: Option<CleanHtml>,
    /// Instead of the subject that the template makes; plain text.
    pub subject: Option<String>,
    /// Instead of what would stand after it in a list of mails; plain text.
    pub preheader: Option<String>,
}

/// A post that the edition holds.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Its identity.
    pub id: &'a PostId,
    /// What its author says of it.
    pub post: &'a Post,
    /// What was rendered of it.
    pub content: &'a Content,
}

/// How much of each post a digest shows: `digest.content`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentKind {
    /// Title, date, summary, link.
    #[default]
    Summary,
    /// The whole post, as far as the mail stays small enough.
    Full,
}

/// What posts are grouped by: `digest.group_by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// A post's first tag; of a digest with `tags`, the first of those.
    Tag,
    /// A post's first category.
    Category,
    /// As [`Post::section`].
    Section,
}

/// How posts are grouped.
#[derive(Clone, Copy, Debug)]
pub struct Grouping<'a> {
    /// By what, if at all.
    pub by: Option<GroupBy>,
    /// The digest's own tags.
    pub tags: &'a [String],
}

/// All that a mail's content depends on.
#[derive(Clone, Copy, Debug)]
pub struct Ingredients<'a> {
    /// The site.
    pub site: &'a Site,
    /// The digest's name.
    pub digest: &'a str,
    /// The slot, in the digest's zone.
    pub date: DateTime<FixedOffset>,
    /// What it looks like.
    pub layout: Layout,
    /// What its posts are grouped by.
    pub grouping: Grouping<'a>,
    /// Colours and faces.
    pub theme: &'a theme::Settings,
    /// The language in which the mail speaks.
    pub language: &'a str,
    /// Where the edition's page is, if it has one.
    pub online: Option<&'a str>,
    /// The readers' own language, if they chose one.
    pub reader: Option<&'a str>,
    /// What the author says of the edition.
    pub introduction: &'a Introduction,
    /// The template of the subject; else the layout's `subject.txt.j2`.
    pub subject: Option<&'a str>,
    /// How much of each post.
    pub content: ContentKind,
    /// Beyond it, posts stand below as title and link. At least one is shown.
    pub max_posts: usize,
    /// The posts, newest first. An empty edition has nothing to say and is not composed.
    pub items: &'a [Item<'a>],
    /// Where the sender can be reached by post: some laws demand it.
    pub postal_address: Option<&'a str>,
    /// The templates.
    pub templates: &'a Templates,
}

/// The view; its subject and preheader are empty.
pub(super) fn of(i: &Ingredients) -> Digest {
    let most = if i.layout == Layout::Letter { 1 } else { i.max_posts };
    let shown = most.clamp(1, i.items.len().max(1)).min(i.items.len());
    let mut items = i.items.to_vec();
    // The one that its author wants first, else the newest.
    if let Some(featured) = items.iter().position(|item| item.post.featured) {
        items[..=featured].rotate_right(1);
    }
    let of_first = || items.first().and_then(|item| item.content.intro.as_ref());
    let intro = i.introduction.html.as_ref().or_else(of_first).filter(|intro| !intro.is_empty());
    let mut posts: Vec<Shown> = items[..shown].iter().map(|item| show(item, i)).collect();
    if let Some(first) = posts.first_mut() {
        (first.featured, first.group) = (true, None);
    }
    gather(&mut posts);
    Digest {
        language: i.language.to_owned(),
        dir: direction(i.language).to_owned(),
        site: site(i.site),
        digest: Named { name: plain(i.digest) },
        edition: Edition {
            date: day(i, &i.date),
            published: moment(&i.date),
            subject: String::new(),
            preheader: String::new(),
        },
        intro: intro.map(|intro| Intro {
            html: plain(narrow(intro).as_str()),
            text: plain(intro.to_text(COLUMNS).trim_matches('\n')),
        }),
        posts,
        more: items[shown..].iter().map(|item| link(item.post, i)).collect(),
        unlisted: 0,
        links: Links { unsubscribe: UNSUBSCRIBE_LINK.to_owned(), online: i.online.map(str::to_owned), editions: None },
        postal_address: i.postal_address.map(postal_address).filter(|a| !a.is_empty()),
        theme: themed(i),
        subscriber: Subscriber { language: i.reader.map(str::to_owned) },
    }
}

fn themed(i: &Ingredients) -> theme::Theme {
    let mut theme = i.theme.theme(&i.site.url);
    theme.footer = theme.footer.map(|footer| one_line(&plain(&footer), 500));
    if let Some(logo) = &mut theme.logo {
        logo.url = plain(&logo.url);
        logo.alt = one_line(&plain(&logo.alt), 200);
    }
    theme
}

/// Brings the posts of a group together, in the order of each group's first post; those without one come first.
fn gather(posts: &mut [Shown]) {
    let mut names: Vec<Option<String>> = vec![None];
    for post in posts.iter() {
        if !names.contains(&post.group) {
            names.push(post.group.clone());
        }
    }
    posts.sort_by_key(|post| names.iter().position(|name| *name == post.group));
}

fn show(item: &Item, i: &Ingredients) -> Shown {
    let post = item.post;
    let whole = match i.layout {
        Layout::Letter | Layout::Full => true,
        Layout::Headlines => false,
        Layout::Digest => i.content == ContentKind::Full,
    };
    let full = whole && !item.content.html.as_str().trim().is_empty();
    let Link { title, url, date, language, dir } = link(post, i);
    let picture = item.content.image.as_ref().and_then(picture);
    let authors: Vec<&str> = post.authors.iter().map(|author| author.name.as_str()).collect();
    let comma = i.templates.words().phrase(i.language, "comma", &[]).unwrap_or_else(|| ", ".to_owned());
    let html = full.then(|| plain(narrow(&item.content.html).as_str()));
    Shown {
        title,
        url,
        date,
        published: moment(&post.published),
        author: one_line(&plain(&authors.join(&comma)), 200),
        summary: one_line(&plain(&item.content.summary), 600),
        // A whole post that shows it does not need it twice.
        picture: picture.filter(|p| html.as_ref().is_none_or(|html| !html.contains(&p.url.replace('&', "&amp;")))),
        html,
        text: full.then(|| plain(item.content.html.to_text(COLUMNS).trim_matches('\n'))),
        language,
        dir,
        minutes: minutes(&item.content.html.to_words()),
        tags: post.tags.iter().map(|tag| one_line(&plain(tag), 100)).collect(),
        categories: post.categories.iter().map(|category| one_line(&plain(category), 100)).collect(),
        group: group(post, &i.grouping).map(|group| one_line(&plain(&group), 100)).filter(|group| !group.is_empty()),
        featured: false,
    }
}

fn group(post: &Post, grouping: &Grouping) -> Option<String> {
    match grouping.by? {
        GroupBy::Tag => {
            let has = |tag: &&String| post.is_about(tag);
            grouping.tags.iter().find(has).cloned().or_else(|| post.tags.iter().next().map(str::to_owned))
        }
        GroupBy::Category => post.categories.iter().next().map(str::to_owned),
        GroupBy::Section => post.section.clone(),
    }
}

/// A picture that mail programs load, no wider than the column. Of one that does not lie in the site's folder nobody knows whether
/// it is there, and the mail would jump when it comes.
fn picture(image: &Image) -> Option<Picture> {
    if image.url.scheme() != "https" {
        return None;
    }
    let size = image.measured.as_ref().and_then(|measured| measured.size);
    let (full, height) = size.filter(|(width, height)| *width > 0 && *height > 0)?;
    let width = full.min(COLUMN);
    let scaled = (u64::from(height) * u64::from(width)).div_ceil(u64::from(full));
    let height = u32::try_from(scaled).unwrap_or(u32::MAX).max(1);
    Some(Picture { url: plain(image.url.as_str()), alt: one_line(&plain(&image.alt), 300), width, height })
}

fn link(post: &Post, i: &Ingredients) -> Link {
    let language = post.rare.language.as_deref().unwrap_or(&i.site.language);
    Link {
        title: one_line(&plain(&post.title), 300),
        url: plain(post.link.as_str()),
        date: day(i, &post.published),
        language: language.to_owned(),
        dir: direction(language).to_owned(),
    }
}

/// The site as templates see it.
pub fn site(site: &Site) -> ShownSite {
    let address = format!("{}{}", site.url.host_str().unwrap_or_default(), site.url.path().trim_end_matches('/'));
    ShownSite {
        title: one_line(&plain(&site.title), 200),
        url: plain(site.url.as_str()),
        address,
        description: site.description.as_deref().map(|d| one_line(&plain(d), 300)).filter(|d| !d.is_empty()),
        language: site.language.clone(),
        dir: direction(&site.language).to_owned(),
    }
}

/// A postal address on one line, however many it has in the configuration.
pub fn postal_address(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_end_matches(',')).filter(|line| !line.is_empty());
    one_line(&plain(&lines.collect::<Vec<_>>().join(", ")), 300)
}

/// Breaks up the marker where somebody wrote it into a post: it would be replaced by the reader's link.
pub(super) fn plain(text: &str) -> String {
    text.replace(UNSUBSCRIBE_LINK, "POSTRIDER UNSUBSCRIBE LINK")
}

fn day(i: &Ingredients, date: &DateTime<FixedOffset>) -> String {
    i.templates.words().date(i.language, date, None)
}

fn moment(date: &DateTime<FixedOffset>) -> String {
    date.to_rfc3339_opts(SecondsFormat::Secs, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_as_wide_as_the_column_at_most() {
        let image = |url: &str, size| Image {
            url: url.parse().expect("a URL"),
            alt: "A\nweir".into(),
            measured: Some(crate::post::Measured { length: 1, media_type: "image/png".into(), size }),
        };
        let shown = |url, size| picture(&image(url, size)).map(|p| (p.width, p.height));
        assert_eq!(shown("https://a.example/p.png", Some((1040, 601))), Some((520, 301)));
        assert_eq!(shown("https://a.example/p.png", Some((200, 100))), Some((200, 100)));
        assert_eq!(shown("https://a.example/p.png", None), None);
        assert_eq!(shown("http://a.example/p.png", Some((9, 9))), None);
        assert_eq!(picture(&image("https://a.example/p.png", Some((9, 9)))).unwrap().alt, "A weir");
    }
}
