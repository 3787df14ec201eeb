//! The pictures of a mail: those that are not shown, say nothing where they are not, or take long to load.

use super::Judge;
use super::links::{is_private, spellings};
use super::place::At;
use super::{Origin, clients};
use crate::check::Severity;
use percent_encoding::percent_decode_str;
use std::collections::HashSet;
use url::Url;

/// A picture of so many octets takes three seconds on a slow phone.
const HEAVY: u64 = 1_000_000;
/// All of a mail's together.
const HEAVY_TOGETHER: u64 = 5_000_000;

pub(super) fn judge(judge: &mut Judge<'_>) {
    let pictures: Vec<usize> =
        judge.page.elements.iter().enumerate().filter(|(_, element)| element.name == "img").map(|(at, _)| at).collect();
    let (mut together, mut seen) = (0, HashSet::new());
    for at in pictures {
        source(judge, at);
        text(judge, at);
        sides(judge, at);
        together += weight(judge, at, &mut seen);
    }
    if together > HEAVY_TOGETHER {
        let message = format!(
            "The pictures have {} together: on the way, many readers wait for them or go on",
            megabytes(together)
        );
        judge.find(
            Severity::Warning,
            At::Whole,
            message,
            "make them smaller (1,040 pixels are as wide as a mail needs), or show summaries: `content = \"summary\"`",
        );
    }
}

fn source(judge: &mut Judge<'_>, at: usize) {
    let element = &judge.page.elements[at];
    let src = element.get("src").unwrap_or_default().to_owned();
    let place = At::Written(spellings(&src), element.shown());
    let kind = kind_of(&src);
    let (message, help) = match Url::parse(&src) {
        _ if src.is_empty() => (
            "The picture has no `src`: there is a gap".to_owned(),
            "write the address of the picture, https:// and all",
        ),
        Err(_) => (
            format!("The picture's address {src:?} is relative, and in a mail there is nothing that it is relative to"),
            "write it with https:// and all; in a template: {{ \"/logo.png\"|absolute }}",
        ),
        Ok(url) if url.scheme() == "file" || is_private(&url) => {
            (format!("The picture lies where no reader gets: {src}"), "write the address under which it is public")
        }
        Ok(url) if url.scheme() == "http" => (
            "The picture's address begins with http: many mail programs do not load it, or warn of it".to_owned(),
            "write https:, if its server can do that",
        ),
        Ok(_) => {
            if let Some(feature) = kind.and_then(|kind| clients::feature("image", kind)) {
                judge.find_feature(feature, place);
            }
            return;
        }
    };
    judge.find(Severity::Warning, place, message, help);
}

/// The row of the table of what mail programs lack.
fn kind_of(src: &str) -> Option<&'static str> {
    if src.starts_with("data:") {
        return Some("data:");
    }
    let url = Url::parse(src).ok()?;
    let ending = url.path().rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())?;
    Some(match &*ending {
        "svg" | "svgz" => "svg",
        "webp" => "webp",
        "avif" => "avif",
        "heic" | "heif" => "heic",
        "tif" | "tiff" => "tiff",
        "mp4" => "mp4",
        "ico" => "ico",
        _ => return None,
    })
}

/// What stands for it where pictures are not loaded, which is how many programs show a mail at first.
fn text(judge: &mut Judge<'_>, at: usize) {
    let element = &judge.page.elements[at];
    let src = element.get("src").unwrap_or_default();
    let place = At::Written(spellings(src), element.shown());
    let (severity, message, help) = match element.get("alt") {
        None => (
            Severity::Warning,
            "The picture has no `alt`: a screen reader reads out its address".to_owned(),
            "write what it shows, or alt=\"\" if it only adorns",
        ),
        Some(alt) if is_name_of_file(alt, src) => (
            Severity::Warning,
            format!("The picture's `alt` is the name of a file, {alt:?}: it tells nobody what is seen"),
            "write what it shows, in a few words",
        ),
        Some("") if in_link(judge, at) => (
            Severity::Warning,
            "The picture is a link and has no `alt`: where pictures are not loaded there is nothing to follow"
                .to_owned(),
            "write where it leads",
        ),
        Some(_) => return,
    };
    judge.find(severity, place, message, help);
}

fn is_name_of_file(alt: &str, src: &str) -> bool {
    let path = src.split(['?', '#']).next().unwrap_or(src);
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = percent_decode_str(name).decode_utf8_lossy();
    let ends_so = alt.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty()
            && !alt.contains(' ')
            && matches!(&*ending.to_ascii_lowercase(), "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "svg")
    });
    !alt.is_empty() && (ends_so || (alt.eq_ignore_ascii_case(&name) && name.contains('.')))
}

/// Whether the picture is all that a link around it has.
fn in_link(judge: &Judge<'_>, at: usize) -> bool {
    let before = judge.page.elements[..at].iter().rev().take(2);
    let link = before.take_while(|element| element.name != "img").find(|element| element.name == "a");
    link.is_some_and(|link| link.get("href").is_some() && link.words.trim().is_empty())
}

/// Outlook on Windows goes by the attributes alone.
fn sides(judge: &mut Judge<'_>, at: usize) {
    let element = &judge.page.elements[at];
    let side = |name: &str| element.get(name).filter(|side| !side.is_empty());
    let src = element.get("src").unwrap_or_default();
    if side("width").is_none() && !src.is_empty() {
        let place = At::Written(spellings(src), element.shown());
        let message = "The picture has no `width`: Outlook on Windows shows it as wide as it is".to_owned();
        judge.find(
            Severity::Note,
            place,
            message,
            "lay it into the site's folder, so that its size is known, or write `width` and `height`",
        );
    } else if [side("width"), side("height")].iter().all(|side| matches!(side, Some("0" | "1"))) {
        let place = At::Template(vec![src.to_owned()], element.shown());
        let message = "The picture is one pixel large, as those are that tell who reads a mail: laws ask for consent to that, and filters distrust it".to_owned();
        judge.find(Severity::Warning, place, message, "take it out");
    }
}

/// How many octets it has that were not counted before.
fn weight(judge: &mut Judge<'_>, at: usize, seen: &mut HashSet<String>) -> u64 {
    let Origin::Digest(made) = judge.mail.origin else { return 0 };
    let element = &judge.page.elements[at];
    let src = element.get("src").unwrap_or_default().to_owned();
    let Some(octets) = Url::parse(&src).ok().and_then(|url| (made.weight)(&url)) else { return 0 };
    if !seen.insert(src.clone()) {
        return 0;
    }
    if octets > HEAVY {
        let place = At::Written(spellings(&src), element.shown());
        let message = format!("The picture has {}: on the way, many readers wait for it or go on", megabytes(octets));
        judge.find(Severity::Warning, place, message, "make it smaller: 1,040 pixels are as wide as a mail needs");
    }
    octets
}

#[expect(clippy::cast_precision_loss, reason = "a size in words")]
fn megabytes(octets: u64) -> String {
    format!("{:.1} MB", octets as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_no_words() {
        for (alt, src) in
            [("IMG_1.JPG", "https://a.example/x.png"), ("x y.png", "https://a.example/x%20y.png?v=1"), ("a.b", "a.b")]
        {
            assert!(is_name_of_file(alt, src), "{alt}");
        }
        for (alt, src) in [
            ("", "https://a.example/x.png"),
            ("A map of .org", "x.png"),
            ("weir", "https://a.example/weir"),
            ("How to write a.png", "b.png"),
        ] {
            assert!(!is_name_of_file(alt, src), "{alt}");
        }
    }
}
