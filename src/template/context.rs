//! What a template can use: plain strings and lists, one type per kind of template, each with a sample.

mod lists;
mod people;

pub use lists::{EditionsOf, EditionsPage, Feed, FeedFormat, FeedsPage, ListedEdition, Year};
pub use people::{
    Again, Choice, ConfirmPage, DonePage, ErrorPage, FormPage, Latest, LeftPage, Letter, LetterLinks, PreferencesPage,
    UnsubscribePage,
};

use super::theme::{self, Theme};
use serde::Serialize;
use url::Url;

/// For `subject.txt.j2`, `body.txt.j2` and `body.html.j2` of every layout.
#[derive(Clone, Debug, Serialize)]
pub struct Digest {
    /// BCP 47: in which the mail speaks to its reader.
    pub language: String,
    /// `ltr` or `rtl`: of that language.
    pub dir: String,
    /// The site whose posts these are.
    pub site: Site,
    /// The digest as configured.
    pub digest: Named,
    /// This issue of it.
    pub edition: Edition,
    /// What the author says before the posts, or nothing.
    pub intro: Option<Intro>,
    /// The posts shown with summary or content: the featured one, then by group, then newest first. Never empty.
    pub posts: Vec<Post>,
    /// The posts beyond `max_posts`: title and link.
    pub more: Vec<Link>,
    /// How many posts found no room at all; they stand on the site.
    pub unlisted: usize,
    /// Where else a reader can go.
    pub links: Links,
    /// The sender's postal address, on one line, or nothing.
    pub postal_address: Option<String>,
    /// Colours and faces.
    pub theme: Theme,
    /// Whom the mail is for. The same for all of one rendering.
    pub subscriber: Subscriber,
}

/// What the author says before the posts.
#[derive(Clone, Debug, Serialize)]
pub struct Intro {
    /// As clean HTML for mail. To be used with `|safe`.
    pub html: String,
    /// As text in 72 columns.
    pub text: String,
}

/// What the readers of one rendering have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Subscriber {
    /// BCP 47, as they chose it, or nothing.
    pub language: Option<String>,
}

/// The site.
#[derive(Clone, Debug, Serialize)]
pub struct Site {
    /// Its title.
    pub title: String,
    /// Its front page.
    pub url: String,
    /// Its host and path, as one would say it: `example.org`.
    pub address: String,
    /// One sentence about it, or nothing.
    pub description: Option<String>,
    /// BCP 47.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
}

/// A digest's name.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// As configured: `weekly`.
    pub name: String,
}

/// One issue.
#[derive(Clone, Debug, Serialize)]
pub struct Edition {
    /// The day of its slot in the digest's zone, as the reader's language writes it: `22 November 2026`.
    pub date: String,
    /// Its moment, as RFC 3339 has it, for `|date`.
    pub published: String,
    /// The finished subject; empty while the subject itself is rendered.
    pub subject: String,
    /// What mail programs show after the subject, 40 to 130 characters; empty while the subject is rendered.
    pub preheader: String,
}

/// A post that is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Post {
    /// Plain text.
    pub title: String,
    /// Its permanent link.
    pub url: String,
    /// `22 November 2026`, in the post's own zone, as the reader's language writes it.
    pub date: String,
    /// Its moment, as RFC 3339 has it, for `|date`.
    pub published: String,
    /// Its authors' names, joined with commas; empty where there are none.
    pub author: String,
    /// Plain text of one or a few sentences; may be empty.
    pub summary: String,
    /// The whole post as clean HTML for mail, or nothing where summaries are sent. To be used with `|safe`.
    pub html: Option<String>,
    /// The whole post as text in 72 columns, or nothing where summaries are sent.
    pub text: Option<String>,
    /// BCP 47.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The picture that stands for it, or nothing.
    pub picture: Option<Picture>,
    /// How many minutes it takes to read, at least one.
    pub minutes: usize,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its categories.
    pub categories: Vec<String>,
    /// What it is grouped under (`group_by`), or nothing. Posts of one group stand together.
    pub group: Option<String>,
    /// Whether it leads the mail.
    pub featured: bool,
}

/// A picture as a mail shows it, over https.
#[derive(Clone, Debug, Serialize)]
pub struct Picture {
    /// Where it is.
    pub url: String,
    /// What it shows, in words; may be empty.
    pub alt: String,
    /// In pixels, as wide as the column at most.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// A post that is only named.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// Plain text.
    pub title: String,
    /// Its permanent link.
    pub url: String,
    /// As [`Post::date`].
    pub date: String,
    /// BCP 47.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
}

/// Where else a reader can go. On the edition's page, which belongs to nobody, there is no `unsubscribe`.
#[derive(Clone, Debug, Serialize)]
pub struct Links {
    /// Ends this subscription: an `https:` or a `mailto:` link. Both bodies must show it. Empty on the edition's page.
    pub unsubscribe: String,
    /// The edition's page on the site, if it has one.
    pub online: Option<String>,
    /// On the edition's page: the page that lists all editions. Nothing in a mail.
    pub editions: Option<String>,
}

impl Site {
    /// A site to try templates with.
    pub fn sample() -> Self {
        Site {
            title: "Field Notes".into(),
            url: "https://example.org/".into(),
            address: "example.org".into(),
            description: Some("Walks, waters and what lives in them.".into()),
            language: "en".into(),
            dir: "ltr".into(),
        }
    }
}

impl Digest {
    /// A digest to try templates with: a summary, a whole post, and a further one.
    pub fn sample() -> Self {
        let post = Post {
            title: "The eels are back".into(),
            url: "https://example.org/2026/11/eels/".into(),
            date: "22 November 2026".into(),
            published: "2026-11-22T18:30:00-06:00".into(),
            author: "Ada Lovelace".into(),
            summary: "After forty years the eels have come up the mill stream again, and nobody knows why.".into(),
            html: None,
            text: None,
            language: "en".into(),
            dir: "ltr".into(),
            picture: Some(Picture {
                url: "https://example.org/eels.jpg".into(),
                alt: "A wet weir at night".into(),
                width: 520,
                height: 300,
            }),
            minutes: 3,
            tags: vec!["water".into()],
            categories: Vec::new(),
            group: None,
            featured: true,
        };
        let whole = Post {
            title: "Tea & <tags>".into(),
            author: String::new(),
            picture: None,
            minutes: 1,
            group: Some("Tea & trivia".into()),
            featured: false,
            html: Some("<p>A kettle, a <em>stove</em>, and time.</p>".into()),
            text: Some("A kettle, a stove, and time.".into()),
            ..post.clone()
        };
        Digest {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            digest: Named { name: "weekly".into() },
            edition: Edition {
                date: "23 November 2026".into(),
                published: "2026-11-23T09:00:00-06:00".into(),
                subject: "Field Notes: The eels are back".into(),
                preheader: "After forty years the eels have come up the mill stream again.".into(),
            },
            intro: Some(Intro { html: "<p>A wet week.</p>".into(), text: "A wet week.".into() }),
            posts: vec![post, whole],
            more: vec![Link {
                title: "A gate".into(),
                url: "https://example.org/2026/11/gate/".into(),
                date: "20 November 2026".into(),
                language: "en".into(),
                dir: "ltr".into(),
            }],
            unlisted: 2,
            links: Links {
                unsubscribe: "https://news.example.org/unsubscribe/sample".into(),
                online: Some("https://example.org/editions/weekly/2026-11-23/".into()),
                editions: None,
            },
            postal_address: Some("1 Sample Street, Chicago IL".into()),
            theme: theme::Settings::default().theme(&Url::parse("https://example.org/").expect("a URL")),
            subscriber: Subscriber { language: None },
        }
    }

    /// The same, as the edition's page shows it.
    #[must_use]
    pub fn as_page(mut self) -> Self {
        (self.links.unsubscribe, self.links.editions) = (String::new(), Some("../../".into()));
        self
    }

    /// Everything there is, as little as there can be, another script, and a page: a template must stand all.
    pub fn samples() -> [Self; 4] {
        let rich = Digest::sample();
        let mut bare = rich.clone();
        bare.intro = None;
        bare.more = Vec::new();
        bare.unlisted = 0;
        bare.postal_address = None;
        bare.links.online = None;
        bare.site.description = None;
        bare.posts.truncate(1);
        bare.posts[0] = Post {
            author: String::new(),
            summary: String::new(),
            picture: None,
            tags: Vec::new(),
            minutes: 1,
            ..bare.posts[0].clone()
        };
        let mut arabic = rich.clone();
        (arabic.language, arabic.dir) = ("ar".into(), "rtl".into());
        arabic.subscriber.language = Some("ar".into());
        let page = rich.clone().as_page();
        [rich, bare, arabic, page]
    }
}
