//! The preview as its page says it: plain strings and lists, for the template.

use super::pages::{feed_folder, mail_folder, source_name};
use super::{Feed, GMAIL_LIMIT, Mail, Preview};
use crate::check::{Finding, Severity};
use crate::post::problem;
use crate::report::{Difference, Not, Run};
use serde::Serialize;

/// More rows of one list nobody reads.
const MOST_ROWS: usize = 400;

/// All of the page.
#[derive(Debug, Default, Serialize)]
pub(super) struct Page {
    language: String,
    site: Site,
    at: String,
    /// There in the browser alone.
    version: Option<String>,
    /// Why the files cannot be shown as they are now.
    trouble: Option<String>,
    digests: Vec<Digest>,
    /// How many mails there are.
    mails: usize,
    feeds: Vec<Feeds>,
    plan: Option<Plan>,
    plan_trouble: Option<String>,
    findings: Findings,
    /// How many posts were not checked.
    unchecked: Option<usize>,
}

#[derive(Debug, Default, Serialize)]
struct Site {
    title: String,
    url: String,
}

#[derive(Debug, Serialize)]
struct Digest {
    name: String,
    when: String,
    trouble: Option<String>,
    mails: Vec<Shown>,
}

/// A mail with what is counted of it.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    mail: Mail,
    digest: String,
    folder: String,
    headers: Vec<(String, String)>,
    html_size: Size,
    message_size: String,
    not_to: Vec<String>,
    findings: Findings,
}

/// A size beside the limit that it must keep.
#[derive(Debug, Serialize)]
struct Size {
    said: String,
    limit: String,
    octets: usize,
    most: usize,
    over: bool,
}

/// A feed in all its formats.
#[derive(Debug, Serialize)]
struct Feeds {
    title: String,
    folder: String,
    entries: usize,
    sources: Vec<Source>,
}

#[derive(Debug, Serialize)]
struct Source {
    format: String,
    name: String,
    file: String,
    path: String,
    size: String,
}

#[derive(Debug, Serialize)]
struct Plan {
    posts: String,
    read_as: Option<String>,
    digests: Vec<crate::report::Digest>,
    editions: Vec<Edition>,
    feeds: Vec<FeedPlan>,
    more_feeds: usize,
    hidden: Vec<crate::post::Hidden>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Edition {
    id: String,
    state: String,
    subject: String,
    counts: Vec<String>,
    not_to: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FeedPlan {
    path: String,
    entries: usize,
    changed: bool,
    new: Vec<String>,
    updated: Vec<String>,
    gone: Vec<String>,
    /// Whether its entries that change are told: not where the feed before it has the same, in another format.
    told: bool,
}

#[derive(Debug, Default, Serialize)]
struct Findings {
    rows: Vec<Row>,
    more: usize,
    /// `error`, `warning`, `note` or nothing: the worst of them.
    worst: String,
    /// Errors and warnings.
    grave: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    severity: &'static str,
    place: String,
    message: String,
    help: String,
    shown: Option<String>,
    url: Option<String>,
}

impl Page {
    /// Nothing but why there is nothing.
    pub(super) fn trouble(sentence: &str, version: &str) -> Page {
        let (version, trouble) = (Some(version.to_owned()), Some(sentence.to_owned()));
        Page { language: "en".to_owned(), version, trouble, ..Page::default() }
    }

    pub(super) fn of(preview: &Preview, version: Option<&str>, trouble: Option<&str>) -> Page {
        let digests: Vec<Digest> = preview
            .digests
            .iter()
            .map(|digest| Digest {
                name: digest.name.clone(),
                when: digest.when.clone(),
                trouble: digest.trouble.clone(),
                mails: digest.mails.iter().enumerate().map(|(at, mail)| shown(&digest.name, at, mail)).collect(),
            })
            .collect();
        let (plan, plan_trouble) = match &preview.plan {
            Ok(run) => (Some(plan(run)), None),
            Err(sentence) => (None, Some(sentence.clone())),
        };
        Page {
            language: preview.language.clone(),
            site: Site { title: preview.title.clone(), url: preview.url.clone() },
            at: preview.at.clone(),
            version: version.map(str::to_owned),
            trouble: trouble.map(str::to_owned),
            mails: digests.iter().map(|digest| digest.mails.len()).sum(),
            digests,
            feeds: preview.feeds.iter().enumerate().map(|(at, feed)| feeds(at, feed)).collect(),
            plan,
            plan_trouble,
            findings: findings(&preview.findings),
            unchecked: preview.unchecked,
        }
    }
}

fn shown(digest: &str, at: usize, mail: &Mail) -> Shown {
    let octets = mail.html.len();
    Shown {
        digest: digest.to_owned(),
        folder: mail_folder(digest, at),
        headers: mail.headers(),
        html_size: Size {
            said: size(octets),
            limit: size(GMAIL_LIMIT),
            octets: octets.min(GMAIL_LIMIT),
            most: GMAIL_LIMIT,
            over: octets > GMAIL_LIMIT,
        },
        message_size: size(mail.message.len()),
        not_to: mail.not.in_words(),
        findings: findings(&mail.findings),
        mail: mail.clone(),
    }
}

fn feeds(at: usize, feed: &Feed) -> Feeds {
    let folder = feed_folder(at);
    let source = |(format, path, bytes): &(crate::feed::Format, String, Vec<u8>)| Source {
        format: format.to_string(),
        name: source_name(*format).to_owned(),
        file: format.file_name().to_owned(),
        path: path.clone(),
        size: size(bytes.len()),
    };
    Feeds {
        title: feed.title.clone(),
        folder,
        entries: feed.entries.len(),
        sources: feed.files.iter().map(source).collect(),
    }
}

fn plan(run: &Run) -> Plan {
    let posts = &run.posts;
    let mut said = format!("{} read, {} published", count(posts.read, "post"), posts.published);
    if !posts.hidden.is_empty() {
        said.push_str(&format!(", {} hidden", posts.hidden.len()));
    }
    let edition = |edition: &crate::report::Edition| {
        let counts = edition.counts.in_words().into_iter().filter(|(n, _)| *n > 0);
        let word = |what: &'static str| if what == "queued" { "would get it" } else { what };
        Edition {
            id: edition.id.clone(),
            state: edition.state.clone(),
            subject: edition.subject.clone(),
            counts: counts.map(|(n, what)| format!("{n} {}", word(what))).collect(),
            not_to: edition.not.as_ref().map(Not::in_words).unwrap_or_default(),
        }
    };
    let mut last = Difference::default();
    let feed = |feed: &crate::report::Feed| {
        let difference = feed.difference.clone().unwrap_or_default();
        let told = difference != last && difference != Difference::default();
        last.clone_from(&difference);
        FeedPlan {
            told,
            path: feed.path.clone(),
            entries: feed.entries,
            changed: feed.changed,
            new: difference.new,
            updated: difference.updated,
            gone: difference.gone,
        }
    };
    Plan {
        posts: said,
        read_as: posts.read_as.as_ref().map(|read_as| format!("{}, for {}", read_as.dialect, read_as.why)),
        digests: run.digests.clone().unwrap_or_default(),
        editions: run.editions.iter().flatten().map(edition).collect(),
        feeds: run.feeds.iter().take(MOST_ROWS).map(feed).collect(),
        more_feeds: run.feeds.len().saturating_sub(MOST_ROWS),
        hidden: posts.hidden.iter().take(MOST_ROWS).cloned().collect(),
        problems: problem::gathered(posts.problems.clone()).iter().take(MOST_ROWS).map(ToString::to_string).collect(),
    }
}

fn findings(all: &[Finding]) -> Findings {
    let word = |severity: Severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let row = |finding: &Finding| {
        let mut place = finding.path.clone();
        for number in [finding.line, finding.column].into_iter().flatten() {
            place.push_str(&format!(":{number}"));
        }
        Row {
            severity: word(finding.severity),
            place,
            message: finding.message.clone(),
            help: finding.help.clone(),
            shown: finding.shown.as_ref().map(|shown| shown.text.clone()),
            url: finding.url.clone(),
        }
    };
    Findings {
        rows: all.iter().take(MOST_ROWS).map(row).collect(),
        more: all.len().saturating_sub(MOST_ROWS),
        worst: all.iter().map(|finding| finding.severity).min().map(word).unwrap_or_default().to_owned(),
        grave: all.iter().filter(|finding| finding.severity != Severity::Note).count(),
    }
}

/// Octets as people say them, in the 1,024s by which limits are given.
fn size(octets: usize) -> String {
    match octets {
        ..1024 => format!("{octets} B"),
        octets if octets % 1024 == 0 => format!("{} KB", octets / 1024),
        octets => format!("{:.1} KB", octets as f64 / 1024.0),
    }
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
