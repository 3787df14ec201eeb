//! What is wrong with posts beyond what reading them tells: pictures that are not there, two posts at one address, titles that
//! YAML cuts short, links to what is not published.

use super::{Finding, Severity};
use crate::post::generator::{Generator, Rules};
use crate::post::{Content, Post, date};
use crate::site::Blog;
use percent_encoding::percent_decode_str;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use url::Url;

pub(super) fn findings(blog: &Blog, generator: &Generator, root: &Path) -> Vec<Finding> {
    let published: HashSet<&str> = blog.posts.iter().map(|post| post.path.as_str()).collect();
    let mut found: Vec<Finding> = blog
        .problems
        .iter()
        .map(|problem| {
            // A post that a problem kept out is lost; one that it did not is only flawed.
            let lost = !published.contains(problem.path.as_str());
            Finding::of_problem(problem.clone(), if lost { Severity::Error } else { Severity::Warning })
        })
        .collect();
    for hidden in &blog.hidden {
        let (severity, help) = match &*hidden.reason {
            "no date" => (
                Severity::Warning,
                "give it a `date`, or a file name that begins with one, if it is a post; else leave it as it is",
            ),
            "future" => (Severity::Note, "it appears when its time has come, at the first run after it"),
            _ => (Severity::Note, "nothing is to be done unless it should be seen"),
        };
        let message = format!("The file is not published: {}", hidden.reason);
        found.push(Finding::new(&hidden.path, None, severity, message, help));
    }
    found.extend(same_addresses(&blog.posts));
    let drafts: HashSet<String> = blog.hidden.iter().map(|hidden| slug_of(&hidden.path)).collect();
    let addresses: HashSet<String> = blog.posts.iter().map(|post| post.url().path().to_owned()).collect();
    let of_each: Vec<Vec<Finding>> = blog
        .posts
        .par_iter()
        .map(|post| {
            let (content, problems) = match blog.render(post) {
                Ok(rendered) => rendered,
                Err(problem) => return vec![Finding::of_problem(problem, Severity::Error)],
            };
            let mut found: Vec<Finding> =
                problems.into_iter().map(|problem| Finding::of_problem(problem, Severity::Warning)).collect();
            let source = std::fs::read(root.join(&post.path)).unwrap_or_default();
            let source = String::from_utf8_lossy(&source);
            found.extend(title(post, &source));
            found.extend(missing_pictures(post, &content, generator, root, &source));
            if post.in_digests {
                found.extend(insecure_pictures(&content, post, &source));
            }
            found.extend(links_to_drafts(post, &content, &drafts, &addresses, &source));
            found
        })
        .collect();
    found.extend(of_each.into_iter().flatten());
    found
}

fn same_addresses(posts: &[Arc<Post>]) -> Vec<Finding> {
    let mut first: HashMap<&str, &Post> = HashMap::new();
    let mut found = Vec::new();
    for post in posts.iter().rev() {
        match first.get(post.link.as_str()) {
            Some(other) => found.push(Finding::new(
                &post.path,
                None,
                Severity::Warning,
                format!("The post has the same address as {}: one of them cannot be read on the site", other.path),
                "give one of them another `slug` or `permalink`",
            )),
            None => drop(first.insert(post.link.as_str(), post)),
        }
    }
    found
}

/// Titles that say less in YAML than they seem to.
fn title(post: &Post, source: &str) -> Option<Finding> {
    let (line, text) = source
        .lines()
        .take(100)
        .enumerate()
        .find_map(|(at, line)| Some((at + 1, line.strip_prefix("title:")?.trim_end())))?;
    let line = u32::try_from(line).ok();
    let value = text.trim_start();
    let finding = |column: usize, message: String| {
        let help = format!("put it in quotes: title: '{}'", value.replace('\'', "''"));
        let mut finding = Finding::new(&post.path, line, Severity::Warning, message, &help);
        finding.column = u32::try_from("title:".len() + column + 1).ok();
        finding
    };
    let indent = text.chars().count() - value.chars().count();
    if value.starts_with('&') {
        return Some(finding(indent, "The title is empty: `&` names a value in YAML, and is no part of it".into()));
    }
    if !value.starts_with(['"', '\'', '>', '|'])
        && let Some(at) = value.find(" #")
    {
        let column = indent + value[..at].chars().count() + 1;
        return Some(finding(column, format!("The title ends before ` #`, which begins a comment: `{}`", post.title)));
    }
    None
}

/// Pictures of the site itself that do not lie where its generator would take them from.
fn missing_pictures(post: &Post, content: &Content, generator: &Generator, root: &Path, source: &str) -> Vec<Finding> {
    // Eleventy copies from wherever its program says.
    if matches!(generator.rules, Rules::Eleventy | Rules::Plain) {
        return Vec::new();
    }
    let beside = root.join(&post.path);
    let stem = beside.file_stem().unwrap_or_default().to_owned();
    let beside = beside.parent().unwrap_or(root).to_path_buf();
    let is_there = |url: &Url| {
        let path = decoded(url.path());
        let relative = path.trim_start_matches('/');
        let below = relative.strip_prefix(generator.baseurl.trim_start_matches('/')).unwrap_or(relative);
        let name = relative.rsplit('/').next().unwrap_or(relative);
        let folders = ["", "static", "source", "content", "assets"];
        folders.iter().any(|folder| generator.folder.join(folder).join(below.trim_start_matches('/')).exists())
            || generator.sources.iter().any(|folder| generator.folder.join(folder).join(below).exists())
            || beside.join(name).exists()
            // Hexo's folder of a post's own.
            || beside.join(&stem).join(name).exists()
    };
    let page = post.url();
    let own = |url: &Url| url.host_str() == page.host_str();
    let shown = ["src", "poster"].iter().flat_map(|attribute| content.html.addresses(attribute));
    let shown: Vec<Url> = shown.filter_map(|address| Url::parse(&address).ok()).collect();
    // One that all posts have from the site's defaults is no fault of this one.
    let its_own = |url: &Url| decoded(url.path()).rsplit('/').next().is_some_and(|name| source.contains(name));
    let image = content.image.iter().map(|image| image.url.clone()).filter(|url| its_own(url) && !shown.contains(url));
    // What a post offers to hear is listed in feeds, whether it is there or not.
    let offered = content.media.iter().map(|media| media.url.clone());
    let pictures = image.chain(shown.iter().cloned()).chain(offered);
    let missing = pictures.filter(|url| own(url) && !is_there(url)).map(|url| {
        let path = decoded(url.path());
        let recorded = [".mp4", ".webm", ".ogv", ".mov", ".mp3", ".ogg", ".m4a", ".wav"];
        let what = match recorded.iter().any(|ending| path.ends_with(ending)) {
            true => "recording",
            false if content.media.iter().any(|media| media.url == url) => "file",
            false => "picture",
        };
        let message = format!("The {what} `{path}` is not in the site's folder: readers would see a gap");
        let name = path.rsplit('/').next().unwrap_or(&path);
        let help = "check its spelling, capitals too, or add the file";
        at(source, name, Finding::new(&post.path, None, Severity::Warning, message, help))
    });
    missing.collect()
}

/// Pictures that mail programs do not load, of which mails show the words alone.
fn insecure_pictures(content: &Content, post: &Post, source: &str) -> Vec<Finding> {
    let shown = content.html.addresses("src").into_iter().filter(|address| address.starts_with("http:"));
    let finding = |address: String| {
        let message = format!("The picture `{address}` is not served over https: mails show only its description");
        let help = "write https, if its server answers that, or copy the picture to the site";
        at(source, &address, Finding::new(&post.path, None, Severity::Warning, message, help))
    };
    shown.map(finding).collect()
}

fn links_to_drafts(
    post: &Post,
    content: &Content,
    drafts: &HashSet<String>,
    addresses: &HashSet<String>,
    source: &str,
) -> Vec<Finding> {
    let links = content.html.addresses("href").into_iter().filter_map(|address| Url::parse(&address).ok());
    let page = post.url();
    let internal = links.filter(|url| url.host_str() == page.host_str() && !addresses.contains(url.path()));
    let lead = internal.filter_map(|url| {
        let last = url.path().trim_end_matches('/').rsplit('/').next()?.trim_end_matches(".html").to_lowercase();
        (!last.is_empty() && drafts.contains(&last)).then_some(last)
    });
    let finding = |slug: String| {
        let message = format!("The link to `{slug}` leads to a post that is not published: readers would find nothing");
        let help = "publish that post first, or take the link out";
        at(source, &slug, Finding::new(&post.path, None, Severity::Warning, message, help))
    };
    lead.map(finding).collect()
}

/// The slug of a file that is not published.
fn slug_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let slug = date::at_head(stem).and_then(|(_, rest)| rest.strip_prefix('-'));
    slug.unwrap_or(stem).to_lowercase()
}

/// A finding with the place where `text` stands first.
fn at(source: &str, text: &str, mut finding: Finding) -> Finding {
    let met = source.lines().enumerate().find_map(|(number, line)| Some((number, &line[..line.find(text)?])));
    if let Some((number, before)) = met {
        finding.line = u32::try_from(number + 1).ok();
        finding.column = u32::try_from(before.chars().count() + 1).ok();
    }
    finding
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}
