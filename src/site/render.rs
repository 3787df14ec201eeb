//! A post's body made HTML: templates first, then Markdown, then the sanitiser. Promises: what all posts share is prepared
//! once, when the first of them asks for it.

use super::pages::Pages;
use super::pictures::Pictures;
use super::reader::Reader;
use super::{section, sources};
use crate::feed::Kind;
use crate::html::{self, CleanHtml, Slip};
use crate::post::dialect::{Document, Templating, eleventy, pelican, plain, stamp};
use crate::post::front_matter::{Kind as Scalar, Yaml};
use crate::post::generator::Rules;
use crate::post::liquid::{Engine, Facts, to_value};
use crate::post::{
    Content, Image, Post, Problem, SUMMARY_LENGTH, Topics, excerpt, markdown, media, shortcode, summary, text,
};
use chrono::DateTime;
use liquid_core::model::{Object, Value};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use url::Url;

/// Renders the posts of one blog.
pub(super) struct Renderer {
    reader: Arc<Reader>,
    /// All of the blog's, newest first.
    posts: Arc<Vec<Arc<Post>>>,
    engine: OnceLock<Engine>,
    pages: OnceLock<Pages>,
    pictures: Pictures,
}

impl Renderer {
    pub(super) fn new(reader: Arc<Reader>, posts: Arc<Vec<Arc<Post>>>) -> Self {
        let pictures = Pictures::new(&reader.generator, reader.base.clone());
        Renderer { reader, posts, engine: OnceLock::new(), pages: OnceLock::new(), pictures }
    }

    /// The page that lists the posts of a tag and the like.
    pub(super) fn listing(&self, kind: Kind, name: &str) -> Option<Url> {
        section::listing(kind, name, &self.reader)
    }

    /// The file in the site's folder behind a URL.
    pub(super) fn media_file(&self, url: &Url) -> Option<PathBuf> {
        let above = |post: &&Post| {
            let page = post.url();
            let folder = page.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            url.path().starts_with(folder)
        };
        let beside = |post: &Post| self.pictures.file(url, &post.url(), self.place(post).as_deref());
        let anywhere = self.pictures.file(url, &self.reader.base, None);
        anywhere.or_else(|| self.posts.iter().map(|post| &**post).filter(above).find_map(beside))
    }

    /// Where a post's source lies.
    fn place(&self, post: &Post) -> Option<PathBuf> {
        self.reader.file(&post.path).map(|file| self.reader.generator.source_folder().join(file.site_path()))
    }

    /// `post` is one of the blog's.
    pub(super) fn render(&self, post: &Post) -> Result<(Content, Vec<Problem>), Problem> {
        let source = self.reader.document(&post.path)?;
        let generator = &self.reader.generator;
        let address = post.url();
        let named = |reference: &str| {
            let pages = self.pages.get_or_init(|| Pages::of(self.paths()));
            pages.resolve(reference, post)
        };
        let holds_templates = || source.body.contains("{{") || source.body.contains("{%");
        let engine = || self.engine.get_or_init(|| self.engine());
        let (body, troubles) = match source.templating {
            Templating::Liquid if holds_templates() => {
                engine().render(&source.body, source.body_line, &page(post, &source), &address)
            }
            // Front matter stands beside `page` as variables.
            Templating::Nunjucks if holds_templates() || source.body.contains("{#") => {
                engine().render(&eleventy::as_liquid(&source.body), source.body_line, &page(post, &source), &address)
            }
            Templating::Links => {
                let resolve = |path: &str| named(path).map(|page| page.url.clone());
                (pelican::resolved(&source.body, &post.path, &self.reader.base, &resolve), Vec::new())
            }
            Templating::Shortcodes(syntax) => {
                let facts = shortcode::Facts {
                    target: &address,
                    front: &source.front,
                    params: generator.all.get("params").unwrap_or(&Yaml::Null),
                    resolve: &|reference| named(reference).map(|page| page.url.clone()),
                    title_of: &|reference| named(reference).map(|page| page.title.clone()),
                };
                shortcode::expand(&source.body, source.body_line, syntax, &facts)
            }
            Templating::Liquid | Templating::Nunjucks | Templating::None => (source.body.to_string(), Vec::new()),
        };
        let body = match generator.rules {
            Rules::Plain => plain::containers(&body).into_owned(),
            _ => body,
        };
        let mut problems: Vec<Problem> = troubles
            .into_iter()
            .map(|trouble| Problem {
                path: post.path.clone(),
                line: Some(trouble.line),
                column: None,
                message: trouble.message,
                help: trouble.help,
            })
            .collect();
        let html = match source.flavour {
            Some(flavour) => markdown::to_html_as(flavour, &body, &post.slug),
            None => body.clone(),
        };
        let place = self.place(post);
        let measure = |url: &str| self.pictures.measure(url, &address, place.as_deref());
        let size = |url: &str| measure(url)?.size;
        let (html, slips) = html::clean_and_tell(&html, &address);
        problems.extend(slips.iter().map(|slip| misled(slip, post, &source)));
        let html = html.with_sizes(&size);
        let marked = self.beginning(post, &source, &body, &html);
        let marked = marked.map(|excerpt| html::clean(&excerpt, &address).with_sizes(&size));
        let summary = source.summary.clone().unwrap_or_else(|| match &marked {
            Some(marked) => text::shorten(&marked.to_words(), SUMMARY_LENGTH),
            None if matches!(generator.rules, Rules::Jekyll) => text::shorten(&html.to_words(), SUMMARY_LENGTH),
            None => text::shorten(&excerpt::beginning(&html.to_words()), SUMMARY_LENGTH),
        });
        // A picture, a film, a redirect: its title is all there is to say.
        let summary = if summary.is_empty() { post.title.clone() } else { summary };
        let excerpt = marked.unwrap_or_else(|| html.clone());
        let shown = || html.picture(&size).map(|shown| Image { url: shown.url, alt: shown.alt, measured: None });
        let image = source.image.clone().or_else(shown);
        let image = image.map(|image| Image { measured: measure(image.url.as_str()), ..image });
        let mut media = media::of(&source.front, &address, &self.reader.base);
        for one in &mut media {
            // What the file itself says is true, whatever was written of it.
            one.length = measure(one.url.as_str()).map(|measured| measured.length).or(one.length);
        }
        let intro = intro(&source.front).map(|said| html::clean(&markdown::to_html(said, "intro"), &address));
        Ok((Content { html, excerpt, summary, image, media, intro }, problems))
    }

    /// A post's beginning as its generator makes it; `None` where it is the whole post.
    fn beginning(&self, post: &Post, source: &Document<'_>, body: &str, html: &CleanHtml) -> Option<String> {
        // Set to nothing, there are no excerpts.
        let own = source.front.get("excerpt_separator").map(|separator| match separator {
            Yaml::Scalar(separator, _) => separator.as_str(),
            _ => "",
        });
        let separators = [own, self.reader.generator.excerpt_separator.as_deref()];
        let is_markdown = source.flavour.is_some();
        match &self.reader.generator.rules {
            Rules::Jekyll => excerpt::of(body, is_markdown, &separators, &post.slug),
            Rules::Hugo(hugo) => {
                let length = hugo.summaries().length(&source.front, &source.body);
                Some(summary::of(body, html.as_str(), is_markdown, length, &post.slug))
            }
            // What its author marked, else its first paragraph.
            _ => excerpt::marked(body, is_markdown, &separators, &post.slug)
                .or_else(|| excerpt::of(body, is_markdown, &[], &post.slug)),
        }
    }

    /// Posts with their paths below the site's sources.
    fn paths(&self) -> impl Iterator<Item = (&str, &Post)> {
        self.posts.iter().filter_map(|post| Some((self.reader.file(&post.path)?.site_path(), &**post)))
    }

    fn engine(&self) -> Engine {
        let Reader { generator, base, site, .. } = &*self.reader;
        let folder = generator.source_folder();
        let mut links = HashMap::new();
        for (site_path, post) in self.paths() {
            let url = post.url().path().to_owned();
            let stem = site_path.rsplit_once('.').map_or(site_path, |(stem, _)| stem);
            let below = stem.split_once("_posts/").map_or(stem, |(_, below)| below);
            let file = stem.rsplit('/').next().unwrap_or(stem);
            for name in [site_path, stem, below, file] {
                links.entry(name.to_owned()).or_insert_with(|| url.clone());
            }
        }
        let facts = Facts {
            base: base.clone(),
            zone: site.timezone,
            time: self.posts.first().map_or_else(|| DateTime::UNIX_EPOCH.fixed_offset(), |newest| newest.published),
            posts: links,
            includes: sources::includes(&folder),
            bare_names: matches!(generator.rules, Rules::Eleventy),
        };
        let mut all = generator.all.clone();
        if let Yaml::Map(entries) = &mut all {
            entries.push(("data".to_owned(), sources::data(&folder)));
        }
        let (reader, posts) = (self.reader.clone(), self.posts.clone());
        // All front matter, of which mostly no post wants to know.
        let pages = move || {
            let page = |post: &Arc<Post>| Some(page(post, &reader.document(&post.path).ok()?));
            posts.par_iter().filter_map(page).collect()
        };
        Engine::new(facts, &all, Box::new(pages))
    }
}

/// What the front matter says for the head of a mail, Markdown; also where Zola and Hugo keep what is not theirs.
fn intro(front: &Yaml) -> Option<&str> {
    let tables = ["extra", "params"].iter().filter_map(|table| front.get(table));
    std::iter::once(front).chain(tables).find_map(|table| match table.get("intro")? {
        said @ Yaml::Scalar(_, Scalar::Text) => said.text(),
        _ => None,
    })
}

/// A URL that leads nowhere, with its place in the source if it is written there.
fn misled(slip: &Slip, post: &Post, source: &Document<'_>) -> Problem {
    let place = slip.spellings().find_map(|written| source.body.find(&*written));
    let before = place.map(|at| &source.body[..at]);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Problem {
        path: post.path.clone(),
        line: before.map(|before| source.body_line.saturating_add(number(before.matches('\n').count()))),
        column: before.map(|before| number(before.rsplit('\n').next().unwrap_or(before).chars().count() + 1)),
        message: slip.message(),
        help: slip.help(),
    }
}

/// `page` in a post's Liquid, and an item of `site.posts`.
fn page(post: &Post, source: &Document<'_>) -> Value {
    let mut page = match to_value(&source.front) {
        Value::Object(page) => page,
        _ => Object::new(),
    };
    let list = |words: &Topics| Value::Array(words.iter().map(|word| Value::scalar(word.to_owned())).collect());
    let url = post.url().path().to_owned();
    let entries = [
        ("title", Value::scalar(post.title.clone())),
        ("date", Value::scalar(stamp(post.published))),
        ("url", Value::scalar(url.clone())),
        ("id", Value::scalar(url.trim_end_matches(".html").to_owned())),
        ("slug", Value::scalar(post.slug.clone())),
        ("fileSlug", Value::scalar(post.slug.clone())),
        ("path", Value::scalar(post.path.clone())),
        ("categories", list(&post.categories)),
        ("tags", list(&post.tags)),
        ("excerpt", source.summary.clone().map_or(Value::Nil, Value::scalar)),
    ];
    page.extend(entries.map(|(key, value)| (key.into(), value)));
    Value::Object(page)
}
