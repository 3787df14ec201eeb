//! `preview --out DIR`: the pages as files, and a list of them.

use super::super::arguments::Global;
use super::super::{Exit, say};
use crate::check::{Finding, Severity};
use crate::output;
use crate::preview::Preview;
use crate::preview::pages::mail_folder;
use anyhow::Result;
use serde::Serialize;
use std::io;
use std::path::Path;

/// `preview --out DIR --json`
#[derive(Serialize)]
struct Written<'a> {
    /// The folder, as it was typed.
    out: String,
    /// What lies in it, by path.
    files: Vec<&'a str>,
    mails: Vec<Mail<'a>>,
    feeds: Vec<Feed<'a>>,
    /// What `check` says of posts and templates.
    findings: &'a [Finding],
    /// Why there is no plan, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'a str>,
}

#[derive(Serialize)]
struct Mail<'a> {
    digest: &'a str,
    edition: &'a str,
    variant: &'a str,
    folder: String,
    subject: &'a str,
    preheader: &'a str,
    note: &'a str,
    posts: Vec<&'a str>,
    readers: i64,
    /// In octets.
    html: usize,
    message: usize,
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct Feed<'a> {
    title: &'a str,
    entries: usize,
    paths: Vec<&'a str>,
}

/// Writes all pages into a folder, whole or not at all.
pub(super) fn write(global: &Global, preview: &Preview, folder: &Path) -> Result<Exit> {
    if let Some((name, trouble)) = preview.digests.iter().find_map(|d| Some((&d.name, d.trouble.as_ref()?))) {
        anyhow::bail!("the digest {name:?} cannot be shown, and nothing was written: {trouble}");
    }
    let index = preview.index(None, None)?;
    let mut paths = preview.paths();
    paths.extend(preview.pictures.all().map(|picture| format!("pictures/{}", picture.path)));
    paths.sort();
    paths.dedup();
    let gone = || io::Error::other("a picture went away while it was copied; try again");
    let pages = paths.iter().map(|path| (path.as_str(), preview.page(path).map(|page| page.bytes).ok_or_else(gone)));
    output::replace_folder(folder, std::iter::once(("index.html", Ok(index.bytes))).chain(pages))?;

    let mut files: Vec<&str> = paths.iter().map(String::as_str).chain(["index.html"]).collect();
    files.sort_unstable();
    let mails = preview.mails().map(|(digest, at, mail)| Mail {
        digest: &digest.name,
        edition: &mail.edition,
        variant: &mail.variant,
        folder: mail_folder(&digest.name, at),
        subject: &mail.subject,
        preheader: &mail.preheader,
        note: &mail.note,
        posts: mail.posts.iter().map(|held| held.path.as_str()).collect(),
        readers: mail.readers,
        html: mail.html.len(),
        message: mail.message.len(),
        findings: &mail.findings,
    });
    let feeds = preview.feeds.iter().map(|feed| Feed {
        title: &feed.title,
        entries: feed.entries.len(),
        paths: feed.files.iter().map(|(_, path, _)| path.as_str()).collect(),
    });
    let written = Written {
        out: folder.display().to_string(),
        mails: mails.collect(),
        feeds: feeds.collect(),
        findings: &preview.findings,
        trouble: preview.plan.as_ref().err().map(String::as_str),
        files,
    };
    tell(global, preview, &written)
}

fn tell(global: &Global, preview: &Preview, written: &Written<'_>) -> Result<Exit> {
    for digest in preview.digests.iter().filter(|digest| digest.mails.is_empty()) {
        say::remark(global, format!("{}: no published post belongs into it", digest.name));
    }
    if let Some(trouble) = written.trouble {
        say::remark(global, format!("there is no plan: {trouble}"));
    }
    match global.json {
        true => say::json(written)?,
        false if global.quiet => {}
        false => {
            for mail in &written.mails {
                let variant = if mail.variant.is_empty() { String::new() } else { format!(" ({})", mail.variant) };
                say::line(format!("{}{variant}  {:?}: {}", mail.edition, mail.subject, mail.note));
            }
            let feeds = say::count(written.feeds.len(), "feed");
            say::line(format!("{} and {feeds} in {}/index.html", say::count(written.mails.len(), "mail"), written.out));
        }
    }
    let all = written.mails.iter().flat_map(|mail| mail.findings).chain(written.findings);
    let sound = all.into_iter().all(|finding| finding.severity == Severity::Note);
    Ok(if global.strict && !sound { Exit::Problems } else { Exit::Done })
}
