//! A post's body made HTML: templates first, then Markdown, then the sanitiser. Promises: what all posts share is prepared
//! once, when the first of them asks for it.

use super::pages::Pages;
use super::pictures::Pictures;
use super::sources;
use crate::html::{self, CleanHtml, Slip};
use crate::post::dialect::{Templating, eleventy, pelican, plain, stamp};
use crate::post::front_matter::Yaml;
use crate::post::generator::{Generator, Rules};
use crate::post::kramdown::Flavour;
use crate::post::liquid::{Engine, Facts, to_value};
use crate::post::{Content, Image, Post, Problem, SUMMARY_LENGTH, excerpt, markdown, shortcode, summary, text};
use chrono::DateTime;
use chrono_tz::Tz;
use liquid_core::model::{Object, Value};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use url::Url;

/// What rendering a post needs beside the post.
pub(super) struct Source {
    /// Its path below the site's sources.
    pub(super) site_path: String,
    pub(super) front: Yaml,
    pub(super) body_line: u32,
    /// `None` for HTML.
    pub(super) flavour: Option<Flavour>,
    pub(super) templating: Templating,
}

/// Renders the posts of one blog.
pub(super) struct Renderer {
    /// By the post's path.
    sources: HashMap<String, Source>,
    generator: Generator,
    /// The folder of the site's sources.
    folder: PathBuf,
    base: Url,
    zone: Tz,
    engine: OnceLock<Engine>,
    pages: OnceLock<Pages>,
    pictures: Pictures,
}

impl Renderer {
    pub(super) fn new(
        sources: HashMap<String, Source>,
        generator: Generator,
        folder: PathBuf,
        base: Url,
        zone: Tz,
    ) -> Self {
        let (engine, pages) = (OnceLock::new(), OnceLock::new());
        let pictures = Pictures::new(&generator, base.clone());
        Renderer { sources, generator, folder, base, zone, engine, pages, pictures }
    }

    /// `posts` are all of the blog's, newest first; `post` is one of them.
    pub(super) fn render(&self, post: &Post, posts: &[Post]) -> (Content, Vec<Problem>) {
        let unknown = Source {
            site_path: String::new(),
            front: Yaml::Null,
            body_line: 1,
            flavour: Some(Flavour::CommonMark),
            templating: Templating::None,
        };
        let source = self.sources.get(&post.path).unwrap_or(&unknown);
        let named = |reference: &str| {
            let pages = self.pages.get_or_init(|| Pages::of(self.paths(posts)));
            pages.resolve(reference, post)
        };
        let holds_templates = || post.body.contains("{{") || post.body.contains("{%");
        let (body, troubles) = match source.templating {
            Templating::Liquid if holds_templates() => {
                let engine = self.engine.get_or_init(|| self.engine(posts));
                engine.render(&post.body, source.body_line, &page(post, &source.front), &post.url)
            }
            // Front matter stands beside `page` as variables.
            Templating::Nunjucks if holds_templates() || post.body.contains("{#") => {
                let engine = self.engine.get_or_init(|| self.engine(posts));
                engine.render(&eleventy::as_liquid(&post.body), source.body_line, &page(post, &source.front), &post.url)
            }
            Templating::Links => {
                let resolve = |path: &str| named(path).map(|page| page.url.clone());
                (pelican::resolved(&post.body, &post.path, &self.base, &resolve), Vec::new())
            }
            Templating::Shortcodes(syntax) => {
                let facts = shortcode::Facts {
                    target: &post.url,
                    front: &source.front,
                    params: self.generator.all.get("params").unwrap_or(&Yaml::Null),
                    resolve: &|reference| named(reference).map(|page| page.url.clone()),
                    title_of: &|reference| named(reference).map(|page| page.title.clone()),
                };
                shortcode::expand(&post.body, source.body_line, syntax, &facts)
            }
            Templating::Liquid | Templating::Nunjucks | Templating::None => (post.body.clone(), Vec::new()),
        };
        let body = match self.generator.rules {
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
        let place = (!source.site_path.is_empty()).then(|| self.folder.join(&source.site_path));
        let measure = |url: &str| self.pictures.measure(url, &post.url, place.as_deref());
        let size = |url: &str| measure(url)?.size;
        let (html, slips) = html::clean_and_tell(&html, &post.url);
        problems.extend(slips.iter().map(|slip| misled(slip, post, source.body_line)));
        let html = html.with_sizes(&size);
        let marked = self.beginning(post, source, &body, &html);
        let marked = marked.map(|excerpt| html::clean(&excerpt, &post.url).with_sizes(&size));
        let summary = post.summary.clone().unwrap_or_else(|| match &marked {
            Some(marked) => text::shorten(&marked.to_words(), SUMMARY_LENGTH),
            None if matches!(self.generator.rules, Rules::Jekyll) => text::shorten(&html.to_words(), SUMMARY_LENGTH),
            None => text::shorten(&excerpt::beginning(&html.to_words()), SUMMARY_LENGTH),
        });
        // A picture, a film, a redirect: its title is all there is to say.
        let summary = if summary.is_empty() { post.title.clone() } else { summary };
        let excerpt = marked.unwrap_or_else(|| html.clone());
        let image = post.image.clone().map(|image| Image { measured: measure(image.url.as_str()), ..image });
        (Content { html, excerpt, summary, image }, problems)
    }

    /// A post's beginning as its generator makes it; `None` where it is the whole post.
    fn beginning(&self, post: &Post, source: &Source, body: &str, html: &CleanHtml) -> Option<String> {
        // Set to nothing, there are no excerpts.
        let own = source.front.get("excerpt_separator").map(|separator| match separator {
            Yaml::Scalar(separator, _) => separator.as_str(),
            _ => "",
        });
        let separators = [own, self.generator.excerpt_separator.as_deref()];
        let is_markdown = source.flavour.is_some();
        match &self.generator.rules {
            Rules::Jekyll => excerpt::of(body, is_markdown, &separators, &post.slug),
            Rules::Hugo(hugo) => {
                let length = hugo.summaries().length(&source.front, &post.body);
                Some(summary::of(body, html.as_str(), is_markdown, length, &post.slug))
            }
            // What its author marked, else its first paragraph.
            _ => excerpt::marked(body, is_markdown, &separators, &post.slug)
                .or_else(|| excerpt::of(body, is_markdown, &[], &post.slug)),
        }
    }

    /// Posts with their paths below the site's sources.
    fn paths<'a>(&'a self, posts: &'a [Post]) -> impl Iterator<Item = (&'a str, &'a Post)> {
        posts.iter().filter_map(|post| Some((self.sources.get(&post.path)?.site_path.as_str(), post)))
    }

    fn engine(&self, posts: &[Post]) -> Engine {
        let mut links = HashMap::new();
        for (site_path, post) in self.paths(posts) {
            let url = post.url.path().to_owned();
            let stem = site_path.rsplit_once('.').map_or(site_path, |(stem, _)| stem);
            let below = stem.split_once("_posts/").map_or(stem, |(_, below)| below);
            let file = stem.rsplit('/').next().unwrap_or(stem);
            for name in [site_path, stem, below, file] {
                links.entry(name.to_owned()).or_insert_with(|| url.clone());
            }
        }
        let facts = Facts {
            base: self.base.clone(),
            zone: self.zone,
            time: posts.first().map_or_else(|| DateTime::UNIX_EPOCH.fixed_offset(), |newest| newest.published),
            posts: links,
            includes: sources::includes(&self.folder),
            bare_names: matches!(self.generator.rules, Rules::Eleventy),
        };
        let mut all = self.generator.all.clone();
        if let Yaml::Map(entries) = &mut all {
            entries.push(("data".to_owned(), sources::data(&self.folder)));
        }
        let front = |post: &Post| self.sources.get(&post.path).map_or(&Yaml::Null, |source| &source.front);
        Engine::new(facts, &all, posts.iter().map(|post| page(post, front(post))).collect())
    }
}

/// A URL that leads nowhere, with its place in the source if it is written there.
fn misled(slip: &Slip, post: &Post, body_line: u32) -> Problem {
    let place = slip.spellings().find_map(|written| post.body.find(&*written));
    let before = place.map(|at| &post.body[..at]);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Problem {
        path: post.path.clone(),
        line: before.map(|before| body_line.saturating_add(number(before.matches('\n').count()))),
        column: before.map(|before| number(before.rsplit('\n').next().unwrap_or(before).chars().count() + 1)),
        message: slip.message(),
        help: slip.help(),
    }
}

/// `page` in a post's Liquid, and an item of `site.posts`.
fn page(post: &Post, front: &Yaml) -> Value {
    let mut page = match to_value(front) {
        Value::Object(page) => page,
        _ => Object::new(),
    };
    let list = |words: &[String]| Value::Array(words.iter().cloned().map(Value::scalar).collect());
    let url = post.url.path().to_owned();
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
        ("excerpt", post.summary.clone().map_or(Value::Nil, Value::scalar)),
    ];
    page.extend(entries.map(|(key, value)| (key.into(), value)));
    Value::Object(page)
}
