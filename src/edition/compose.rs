//! Posts to subject, HTML and text: what every reader of one variant gets, finished but for the link by which each leaves.
//!
//! Pure: the same ingredients give the same bytes. The HTML is small enough that no mail program clips it.

use super::view;
pub use super::view::{
    ContentKind, GroupBy, Grouping, Ingredients, Introduction, Item, UNSUBSCRIBE_LINK, postal_address, site,
};
use crate::template::Error;
use crate::template::context::{Digest, Link, Post as Shown};
use crate::template::text::{COLUMNS, one_line, shorten, wrap};
use crate::template::words::Words;

/// Gmail cuts a message's HTML at 102 KiB, and with it the footer. The rest is for the links of the readers.
const HTML_LIMIT: usize = 78 * 1024;

/// Longer subjects are cut by every mail program.
const SUBJECT_LIMIT: usize = 150;

/// No mail program shows more of what stands after the subject.
const PREHEADER_LIMIT: usize = 130;

/// What is stored of a variant, with [`UNSUBSCRIBE_LINK`] in place of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composition {
    /// One line, not empty, at most 150 characters, not encoded.
    pub subject: String,
    /// What mail programs show after the subject.
    pub preheader: String,
    /// The whole document, its styles in the elements.
    pub html: String,
    /// The text part, lines ending in `\n`.
    pub text: String,
}

/// What is stored of an edition for the site: the same for everybody, without any link of a reader's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What stands below the title in lists: the preheader.
    pub summary: String,
    /// The whole document.
    pub html: String,
    /// What feed readers show of it: markup, not yet cleaned.
    pub entry: String,
}

/// Composes the mail. Posts that would make it larger than 80 KiB are shown shorter, the last first.
pub fn compose(i: &Ingredients) -> Result<Composition, Error> {
    let (view, html) = finished(i)?;
    let text_name = format!("{}/body.txt.j2", i.layout.folder());
    let text = tidy(&i.templates.render(&text_name, &view)?);
    for (name, body) in [(html_name(i), &html), (text_name, &text)] {
        if !body.contains(UNSUBSCRIBE_LINK) {
            return Err(Error::NoUnsubscribe { name });
        }
    }
    Ok(Composition { subject: view.edition.subject, preheader: view.edition.preheader, html, text })
}

/// Composes the page: what the mail shows, by the same template. Browsers need no styles in the elements.
pub fn page(i: &Ingredients) -> Result<Page, Error> {
    let (mut view, _) = finished(i)?;
    // Two steps up from editions/<digest>/<date>/, wherever the site is served.
    (view.links.unsubscribe, view.links.editions) = (String::new(), Some("../../".to_owned()));
    let html = without_empty_links(&i.templates.render(&html_name(i), &view)?);
    let entry = i.templates.render("editions/entry.html.j2", &view)?;
    Ok(Page { summary: view.edition.preheader, html: format!("{}\n", html.trim_end()), entry })
}

fn html_name(i: &Ingredients) -> String {
    format!("{}/body.html.j2", i.layout.folder())
}

/// The view as the mail shows it, and the mail's HTML.
fn finished(i: &Ingredients) -> Result<(Digest, String), Error> {
    let mut view = view::of(i);
    let folder = i.layout.folder();
    let own = |said: &Option<String>| said.as_deref().map(view::plain);
    let subject = match (own(&i.introduction.subject), i.subject) {
        (Some(said), _) => said,
        (None, Some(source)) => {
            i.templates.render_source(&format!("(subject of the digest {})", i.digest), source, &view)?
        }
        (None, None) => i.templates.render(&format!("{folder}/subject.txt.j2"), &view)?,
    };
    let subject = one_line(&subject, SUBJECT_LIMIT);
    view.edition.subject = if subject.is_empty() { shorten(&view.site.title, SUBJECT_LIMIT) } else { subject };
    view.edition.preheader = match own(&i.introduction.preheader) {
        Some(said) => one_line(&said, PREHEADER_LIMIT),
        None => preheader(&view, i.templates.words()),
    };

    let html_name = html_name(i);
    let html = |view: &Digest| inline(&html_name, i.templates.render(&html_name, view)?);
    fit(view, html)
}

/// Templates of before there were pages show `links.unsubscribe` without asking whether there is one: such links go.
fn without_empty_links(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find("<a ") {
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end);
        let close = rest[end..].find("</a>").map_or(rest.len(), |close| end + close + "</a>".len());
        let is_empty = rest[at..end].contains(" href=\"\"");
        out.push_str(&rest[..if is_empty { at } else { close }]);
        rest = &rest[close..];
    }
    out + rest
}

/// Writes the styles of the template `name` into the elements, where no mail program drops them.
pub fn inline(name: &str, html: String) -> Result<String, Error> {
    // The template marks the style block that stays: media queries, behind the meta elements that must come first.
    let inliner = css_inline::CSSInliner::options()
        .keep_style_tags(false)
        .load_remote_stylesheets(false)
        .minify_css(true)
        .build();
    inliner.inline(&html).map_err(|e| Error::Css { name: name.to_owned(), what: e.to_string() })
}

/// The view and its HTML; where that is too large, after as few steps of [`shortened`] as bring it below the limit.
fn fit(view: Digest, render: impl Fn(&Digest) -> Result<String, Error>) -> Result<(Digest, String), Error> {
    let html = render(&view)?;
    if html.len() <= HTML_LIMIT {
        return Ok((view, html));
    }
    let full = view.posts.iter().filter(|post| post.html.is_some()).count();
    // Every step makes it smaller, so the first that fits is found by halving: a dozen renderings at most.
    let (mut too_large, mut fits) = (0, full + 2 * view.posts.len().saturating_sub(1) + view.more.len());
    let last = shortened(&view, full, fits);
    let mut best = (render(&last)?, last);
    while too_large + 1 < fits {
        let steps = (too_large + fits) / 2;
        let shorter = shortened(&view, full, steps);
        let html = render(&shorter)?;
        if html.len() > HTML_LIMIT {
            too_large = steps;
        } else {
            fits = steps;
            best = (html, shorter);
        }
    }
    Ok((best.1, best.0))
}

/// The view with so many things taken out of it, from the end: whole posts become summaries, then summaries become links, then
/// links become a number. The first post stays.
fn shortened(view: &Digest, full: usize, steps: usize) -> Digest {
    let mut view = view.clone();
    let summaries = steps.min(full);
    for post in view.posts.iter_mut().rev().filter(|post| post.html.is_some()).take(summaries) {
        post.html = None;
        post.text = None;
    }
    let links = (steps - summaries).min(view.posts.len().saturating_sub(1));
    let moved = view.posts.split_off(view.posts.len() - links);
    let linked = |post: Shown| Link {
        title: post.title,
        url: post.url,
        date: post.date,
        language: post.language,
        dir: post.dir,
    };
    view.more.splice(0..0, moved.into_iter().map(linked));
    let unlisted = (steps - summaries - links).min(view.more.len());
    view.more.truncate(view.more.len() - unlisted);
    view.unlisted += unlisted;
    view
}

/// What stands after the subject in the list of mails: the other titles, or the one post's summary. Shorter than 40
/// characters, and mail programs fill it up with whatever comes next.
fn preheader(view: &Digest, words: &Words) -> String {
    let said = |key: &str, values: &[(&str, &str)]| {
        let values: Vec<(String, String)> =
            values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        words.phrase(&view.language, key, &values).unwrap_or_default()
    };
    let (first, others) = view.posts.split_first().map_or((None, &[][..]), |(first, others)| (Some(first), others));
    let mut titles: Vec<&str> = others.iter().map(|post| post.title.as_str()).collect();
    titles.extend(view.more.iter().map(|link| link.title.as_str()));
    let summary = first.map(|post| post.summary.as_str()).filter(|summary| !summary.is_empty());
    let mut parts = Vec::new();
    if !titles.is_empty() {
        parts.push(said("also", &[("titles", &titles.join(" · "))]));
    }
    parts.extend(summary.map(str::to_owned));
    parts.extend(view.site.description.clone());
    let (site, address, date) = (&view.site.title, &view.site.address, &view.edition.date);
    parts.push(said("new_on", &[("site", site), ("address", address), ("date", date)]));
    let mut said = String::new();
    for part in parts {
        if said.chars().count() >= 40 {
            break;
        }
        if !said.is_empty() {
            said.push_str(" – ");
        }
        said.push_str(&part);
    }
    shorten(&said, PREHEADER_LIMIT)
}

/// No trailing blanks, at most two empty lines together, no line so long that a mail server might break it (a URL stays whole).
pub fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.trim_start_matches('\n').lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty > 2 {
            continue;
        }
        if line.chars().count() > 400 {
            out.push_str(&wrap(line, COLUMNS))
        } else {
            out.push_str(line)
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Sample posts from `tests/corpus/digest`, for the tests here and of the message.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::edition::Layout;
    use crate::html::CleanHtml;
    use crate::post::{Content, Image, Measured, Person, Post, PostId, Rare, Site};
    use crate::template::{Templates, theme};
    use chrono::{DateTime, FixedOffset};
    use serde::Deserialize;
    use url::Url;

    /// The names of the cases.
    pub(crate) const CASES: [&str; 11] =
        ["weekly", "full", "mixed", "cards", "letter", "headlines", "whole", "chinese", "hebrew", "long", "reader"];

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct Case {
        pub(crate) digest: String,
        pub(crate) date: DateTime<FixedOffset>,
        pub(crate) subject: Option<String>,
        #[serde(default)]
        pub(crate) layout: Layout,
        pub(crate) group_by: Option<GroupBy>,
        #[serde(default)]
        pub(crate) theme: theme::Settings,
        pub(crate) reader: Option<String>,
        pub(crate) online: Option<String>,
        pub(crate) intro: Option<String>,
        pub(crate) own_subject: Option<String>,
        pub(crate) own_preheader: Option<String>,
        pub(crate) content: ContentKind,
        pub(crate) max_posts: usize,
        pub(crate) public_url: Option<Url>,
        pub(crate) inbox: Option<crate::address::EmailAddress>,
        pub(crate) mail: String,
        pub(crate) site: CaseSite,
        pub(crate) post: Vec<CasePost>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct CaseSite {
        pub(crate) title: String,
        url: Url,
        description: Option<String>,
        pub(crate) language: Option<String>,
    }

    #[derive(Clone, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct CasePost {
        pub(crate) title: String,
        pub(crate) url: Url,
        pub(crate) published: DateTime<FixedOffset>,
        #[serde(default)]
        pub(crate) authors: Vec<String>,
        #[serde(default)]
        pub(crate) summary: String,
        pub(crate) html: String,
        pub(crate) language: Option<String>,
        #[serde(default)]
        pub(crate) featured: bool,
        pub(crate) intro: Option<String>,
        #[serde(default)]
        pub(crate) tags: Vec<String>,
        pub(crate) image: Option<Picture>,
    }

    #[derive(Clone, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct Picture {
        pub(crate) url: Url,
        pub(crate) alt: String,
        pub(crate) size: Option<(u32, u32)>,
    }

    impl Case {
        pub(crate) fn read(name: &str) -> Self {
            let path = format!("{}/tests/corpus/digest/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|e| panic!("{path}: {e}"))
        }

        pub(crate) fn compose(
            &self,
            templates: &Templates,
            postal_address: Option<&str>,
        ) -> Result<Composition, Error> {
            self.with(templates, postal_address, compose)
        }

        pub(crate) fn page(&self, templates: &Templates) -> Result<Page, Error> {
            self.with(templates, Some("1 Sample Street, Chicago IL"), page)
        }

        fn with<T>(
            &self,
            templates: &Templates,
            postal_address: Option<&str>,
            make: impl FnOnce(&Ingredients) -> T,
        ) -> T {
            let site = Site {
                title: self.site.title.clone(),
                url: self.site.url.clone(),
                description: self.site.description.clone(),
                language: self.site.language.clone().unwrap_or_else(|| "en".into()),
                timezone: chrono_tz::UTC,
                author: None,
            };
            let posts: Vec<(PostId, Post, Content)> = self.post.iter().map(CasePost::build).collect();
            let html = self.intro.as_deref().map(CleanHtml::for_tests);
            let introduction =
                Introduction { html, subject: self.own_subject.clone(), preheader: self.own_preheader.clone() };
            let items: Vec<Item> = posts.iter().map(|(id, post, content)| Item { id, post, content }).collect();
            make(&Ingredients {
                site: &site,
                digest: &self.digest,
                date: self.date,
                layout: self.layout,
                grouping: Grouping { by: self.group_by, tags: &[] },
                theme: &self.theme,
                language: self.reader.as_deref().unwrap_or(&site.language),
                reader: self.reader.as_deref(),
                online: self.online.as_deref(),
                introduction: &introduction,
                subject: self.subject.as_deref(),
                content: self.content,
                max_posts: self.max_posts,
                items: &items,
                postal_address,
                templates,
            })
        }
    }

    impl CasePost {
        fn build(&self) -> (PostId, Post, Content) {
            let post = Post {
                authors: self.authors.iter().map(|name| Person { name: name.clone(), ..Person::default() }).collect(),
                tags: self.tags.iter().collect(),
                rare: self.language.as_deref().map(Rare::in_language).unwrap_or_default(),
                featured: self.featured,
                ..Post::new(
                    "posts/sample.md".into(),
                    self.title.clone(),
                    self.published,
                    "sample".into(),
                    self.url.clone(),
                )
            };
            let html = CleanHtml::for_tests(&self.html);
            let measured = |size| Measured { length: 1, media_type: "image/jpeg".into(), size: Some(size) };
            let image = self.image.as_ref().map(|picture| Image {
                url: picture.url.clone(),
                alt: picture.alt.clone(),
                measured: picture.size.map(measured),
            });
            let intro = self.intro.as_deref().map(CleanHtml::for_tests);
            let content = Content {
                intro,
                excerpt: html.clone(),
                html,
                summary: self.summary.clone(),
                image,
                ..Content::default()
            };
            (PostId(self.url.to_string()), post, content)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sample::Case;
    use super::*;
    use crate::edition::Layout;
    use crate::template::Templates;
    use std::collections::BTreeMap;

    #[test]
    fn every_post_is_there_and_further_ones_as_links() {
        let case = Case::read("weekly");
        let mail = case.compose(&Templates::embedded(), Some("1 Sample Street, Chicago IL")).unwrap();
        assert_eq!(mail.subject, "Field Notes: The eels are back in the mill stream");
        for post in &case.post {
            for body in [&mail.html, &mail.text] {
                assert!(body.contains(post.title.as_str()) && body.contains(post.url.as_str()), "{}", post.title);
            }
        }
        for body in [&mail.html, &mail.text] {
            assert!(body.contains("1 Sample Street, Chicago IL"));
            assert_eq!(body.matches(UNSUBSCRIBE_LINK).count(), 1);
        }
        let style = &mail.html[mail.html.find("<style").unwrap()..mail.html.find("</style>").unwrap()];
        assert!(style.len() < 8 * 1024 && style.contains("prefers-color-scheme") && style.contains("639px"), "{style}");
    }

    #[test]
    fn the_preheader_fills_its_line() {
        let mut cases: Vec<Case> = ["weekly", "full", "mixed"].map(Case::read).into();
        cases.push(Case {
            post: vec![sample::CasePost { summary: String::new(), ..Case::read("full").post[0].clone() }],
            ..Case::read("full")
        });
        for case in cases {
            let said = case.compose(&Templates::embedded(), None).unwrap().preheader;
            assert!((40..=130).contains(&said.chars().count()), "{said}");
        }
    }

    #[test]
    fn a_title_is_text_and_cannot_be_the_marker() {
        let mail = Case::read("mixed").compose(&Templates::embedded(), None).unwrap();
        assert!(!mail.html.contains("<script") && !mail.html.contains("<b>"), "{}", mail.html);
        for body in [&mail.html, &mail.text] {
            assert_eq!(body.matches(UNSUBSCRIBE_LINK).count(), 1);
            assert!(body.contains("POSTRIDER UNSUBSCRIBE LINK") && body.contains("{{ site.url }}"));
        }
    }

    #[test]
    fn a_mail_that_grows_too_large_is_shortened_from_its_end() {
        let mut case = Case::read("full");
        let first = case.post[0].clone();
        for n in 0..12 {
            let html = format!("<p>Post {n}.</p>{}", "<p>All work and no play makes a dull mail.</p>".repeat(200));
            case.post.push(sample::CasePost { title: format!("Long {n}"), html, ..first.clone() });
        }
        let mail = case.compose(&Templates::embedded(), None).unwrap();
        assert!(mail.html.len() <= HTML_LIMIT && mail.html.len() > HTML_LIMIT / 2, "{}", mail.html.len());
        assert!(mail.html.contains("Post 0.") && !mail.html.contains("Post 11.") && mail.html.contains("Long 11"));
        assert!(mail.text.contains("Post 0.") && !mail.text.contains("Post 11.") && mail.text.contains("Long 11"));

        case.post = vec![sample::CasePost { html: "<p>x</p>".repeat(20_000), ..first.clone() }];
        case.post.extend(vec![first; 2_000]);
        let mail = case.compose(&Templates::embedded(), None).unwrap();
        assert!(mail.html.len() <= HTML_LIMIT && mail.html.contains(" more on the site"), "{}", mail.html.len());
    }

    #[test]
    fn every_layout_holds_one_post_and_fifty() {
        let templates = Templates::embedded();
        let mut case = Case::read("letter");
        let first = case.post[0].clone();
        for count in [1, 50] {
            case.max_posts = 50;
            case.post =
                (0..count).map(|n| sample::CasePost { title: format!("Post {n:02}"), ..first.clone() }).collect();
            for layout in [Layout::Digest, Layout::Letter, Layout::Headlines, Layout::Full] {
                case.layout = layout;
                let mail = case.compose(&templates, None).unwrap();
                assert!(mail.html.len() <= HTML_LIMIT, "{layout:?}: {}", mail.html.len());
                for n in 0..count {
                    for body in [&mail.html, &mail.text] {
                        assert!(body.contains(&format!("Post {n:02}")), "{layout:?}: {n} of {count}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_page_is_everybodys_and_the_mail_leads_to_it() {
        let mut case = Case::read("weekly");
        let url = "https://example.org/editions/weekly/2026-11-23/";
        case.online = Some(url.to_owned());
        for layout in [Layout::Digest, Layout::Letter, Layout::Headlines, Layout::Full] {
            case.layout = layout;
            let mail = case.compose(&Templates::embedded(), None).unwrap();
            for body in [&mail.html.replace("&#x2f;", "/"), &mail.text] {
                assert_eq!((body.matches(url).count(), body.matches("Read online").count()), (1, 1), "{layout:?}");
            }
            let page = case.page(&Templates::embedded()).unwrap();
            let html = page.html.replace("&#x2f;", "/");
            assert!(html.contains(&format!("<link rel=\"canonical\" href=\"{url}\">")), "{layout:?}: {html}");
            assert!(html.contains("href=\"../../\"") && html.contains("All editions"), "{layout:?}");
            for personal in [UNSUBSCRIBE_LINK, "Unsubscribe", "You get this mail", "1 Sample Street", "Read online"] {
                assert!(!html.contains(personal), "{layout:?}: {personal}");
            }
            for post in &case.post {
                assert!(html.contains(&post.title) && page.entry.contains(&post.title), "{layout:?}: {}", post.title);
            }
        }
    }

    #[test]
    fn a_template_of_before_there_were_pages_leaves_no_link_that_leads_nowhere() {
        let own =
            "<p>{{ posts[0].title }}</p><a href=\"/x\">x</a><a class=\"y\" href=\"{{ links.unsubscribe }}\">Leave</a>!";
        let own = BTreeMap::from([("digest/body.html.j2".to_owned(), own.to_owned())]);
        let templates = Templates::with_overrides(own).unwrap();
        let case = Case::read("weekly");
        assert!(case.compose(&templates, None).unwrap().html.contains("Leave"));
        let page = case.page(&templates).unwrap().html;
        assert_eq!(page, "<p>The eels are back in the mill stream</p><a href=\"/x\">x</a>!\n");
        for (odd, left) in [("<a href=\"\">x", ""), ("<a ", "<a "), ("a<a href=\"\"></a>b", "ab")] {
            assert_eq!(without_empty_links(odd), left);
        }
    }

    #[test]
    fn the_subject_is_one_line_and_never_empty() {
        let mut case = Case::read("weekly");
        for (template, expected) in [
            ("  {{ posts|length }}\nnew\tposts ", "3 new posts"),
            ("", "Field Notes"),
            ("{{ digest.name }} {{ edition.date }}", "weekly 23 November 2026"),
        ] {
            case.subject = Some(template.to_owned());
            assert_eq!(case.compose(&Templates::embedded(), None).unwrap().subject, expected);
        }
        case.subject = Some("{{ post.title }}".to_owned());
        let error = case.compose(&Templates::embedded(), None).unwrap_err().to_string();
        assert!(error.starts_with("the template (subject of the digest weekly), line 1,"), "{error}");
    }

    #[test]
    fn what_the_author_says_of_an_edition_goes_before_what_is_made() {
        let templates = Templates::embedded();
        let mut case = Case::read("weekly");
        case.own_subject = Some(format!("Late\n{UNSUBSCRIBE_LINK} {{{{ site.title }}}}"));
        case.own_preheader = Some("Sorry for the\ndelay".to_owned());
        let mail = case.compose(&templates, None).unwrap();
        assert_eq!(mail.subject, "Late POSTRIDER UNSUBSCRIBE LINK {{ site.title }}");
        assert_eq!(mail.preheader, "Sorry for the delay");
        assert!(mail.html.contains("Sorry for the delay") && mail.html.contains("<title>Late"), "{}", mail.html);

        // A post's own words stand where it leads: the newest, or the featured one.
        case.post[0].intro = Some("<p>Of the first.</p>".to_owned());
        case.post[1].intro = Some("<p>Of the second.</p>".to_owned());
        let shows = |case: &Case| {
            let mail = case.compose(&templates, None).unwrap();
            ["Of the first.", "Of the second.", "Of all."]
                .into_iter()
                .filter(|said| mail.html.contains(said) && mail.text.contains(said))
                .collect::<Vec<_>>()
        };
        assert_eq!(shows(&case), ["Of the first."]);
        case.post[1].featured = true;
        assert_eq!(shows(&case), ["Of the second."]);
        case.intro = Some("<p>Of all.</p>".to_owned());
        assert_eq!(shows(&case), ["Of all."]);
    }

    #[test]
    fn a_template_must_let_readers_leave() {
        let own = BTreeMap::from([("digest/body.txt.j2".to_owned(), "{{ posts[0].title }}".to_owned())]);
        let error = Case::read("weekly").compose(&Templates::with_overrides(own).unwrap(), None).unwrap_err();
        assert!(matches!(error, Error::NoUnsubscribe { name } if name == "digest/body.txt.j2"));
    }
}
