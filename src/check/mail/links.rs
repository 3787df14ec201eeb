//! The links of a mail: those that lead nowhere from a mail program, or that look like a trap.

use super::Judge;
use super::clients;
use super::page::Element;
use super::place::At;
use crate::check::Severity;
use url::{Host, Url};

pub(super) fn judge(judge: &mut Judge<'_>) {
    let links = judge.page.elements.iter().enumerate().filter(|(_, element)| matches!(&*element.name, "a" | "area"));
    let links: Vec<(usize, String)> =
        links.filter_map(|(at, element)| Some((at, element.get("href")?.to_owned()))).collect();
    for (at, href) in links {
        address(judge, at, &href);
        words(judge, at, &href);
    }
}

fn address(judge: &mut Judge<'_>, at: usize, href: &str) {
    let element = &judge.page.elements[at];
    let place = |spelling: &str| At::Written(spellings(spelling), element.shown());
    if let Some(target) = href.strip_prefix('#') {
        let known = !target.is_empty() && judge.page.targets.contains(target);
        let place = At::Template(vec![format!("\"{href}\"")], element.shown());
        match clients::feature("link", "#").filter(|_| known) {
            Some(feature) => judge.find_feature(feature, place),
            None => {
                let message = format!("The link {href:?} leads to a place that is not in the mail");
                judge.find(Severity::Warning, place, message, "write the address of the page, https:// and all");
            }
        }
        return;
    }
    let (message, help) = match Url::parse(href) {
        Err(_) if href.is_empty() => {
            ("The link has no address: nothing happens".to_owned(), "write where it leads, https:// and all")
        }
        Err(_) => (
            format!("The link {href:?} is relative, and in a mail there is nothing that it is relative to"),
            "write the address of the page, https:// and all; in a template: {{ \"/about/\"|absolute }}",
        ),
        Ok(url) if matches!(url.scheme(), "javascript" | "vbscript" | "data") => (
            format!(
                "The link is a script or a document of its own (`{}:`), which every mail program takes out",
                url.scheme()
            ),
            "link to a page",
        ),
        Ok(url) if url.scheme() == "file" => {
            ("The link leads to a file on your own disk: no reader can open it".to_owned(), "link to a page")
        }
        Ok(url) if is_private(&url) => (
            format!("The link leads to {}, where no reader gets", url.host_str().unwrap_or_default()),
            "write the address under which it is public",
        ),
        Ok(_) => return,
    };
    let place = place(href);
    judge.find(Severity::Warning, place, message, help);
}

/// What is called a link, and whether it says the address of somewhere else.
fn words(judge: &mut Judge<'_>, at: usize, href: &str) {
    let element = &judge.page.elements[at];
    let said = element.words.split_whitespace().collect::<Vec<_>>().join(" ");
    if said.is_empty() && element.name == "a" && !element.hidden && !shows_picture(&judge.page.elements[at + 1..]) {
        let place = At::Written(spellings(href), element.shown());
        let message = "The link has no words: nobody sees it, and a screen reader reads out its address".to_owned();
        judge.find(Severity::Warning, place, message, "say where it leads");
        return;
    }
    let Some(shown) = host_said(&said) else { return };
    let Some(host) = Url::parse(href).ok().and_then(|url| url.host_str().map(|host| bare(host).to_owned())) else {
        return;
    };
    if shown != host && !host.ends_with(&format!(".{shown}")) && !shown.ends_with(&format!(".{host}")) {
        let place = At::Written(spellings(href), format!("{} {said}", element.shown()));
        let message = format!("The link says {shown} and leads to {host}: mail programs warn of such a link");
        judge.find(Severity::Warning, place, message, "say where it leads in words");
    }
}

/// Whether a picture stands first in a link without words, as the one thing in it.
fn shows_picture(after: &[Element]) -> bool {
    after.iter().take(3).any(|element| element.name == "img")
}

/// The host that a link's words name, if they are nothing but an address.
fn host_said(said: &str) -> Option<String> {
    if said.contains(char::is_whitespace) {
        return None;
    }
    let url = match Url::parse(said) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ if said.starts_with("www.") => Url::parse(&format!("https://{said}")).ok()?,
        _ => return None,
    };
    url.host_str().filter(|host| host.contains('.')).map(|host| bare(host).to_owned())
}

fn bare(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

/// Whether no reader elsewhere can get there: names that are for use at home (RFC 6761, RFC 6762, RFC 8375) and addresses
/// of private networks (RFC 1918, RFC 4193).
pub(super) fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let last = name.rsplit('.').next().unwrap_or(name);
            !name.contains('.')
                || matches!(last, "local" | "localhost" | "internal" | "lan" | "test" | "invalid")
                || name.ends_with(".home.arpa")
        }
        Some(Host::Ipv4(address)) => {
            address.is_private() || address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
        None => false,
    }
}

/// How a source may have an address: whole, escaped, or as a path or a file's name.
pub(super) fn spellings(address: &str) -> Vec<String> {
    let mut all = vec![address.to_owned(), address.replace('&', "&amp;")];
    if let Ok(url) = Url::parse(address) {
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        all.extend([path, name].into_iter().filter(|text| text.len() > 3));
    }
    all.retain(|text| !text.is_empty());
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_hosts_are_told_from_public_ones() {
        let private = |url: &str| is_private(&url.parse().expect("a URL"));
        for url in [
            "http://localhost/",
            "http://blog.local./",
            "http://nas/",
            "http://10.1.2.3/",
            "http://[::1]/",
            "http://[fd00::1]/",
            "http://169.254.0.1/",
            "https://a.test/",
        ] {
            assert!(private(url), "{url}");
        }
        for url in ["https://example.org/", "https://8.8.8.8/", "https://[2001:db8::1]/", "mailto:a@example.org"] {
            assert!(!private(url), "{url}");
        }
    }

    #[test]
    fn words_that_are_an_address_name_its_host() {
        assert_eq!(host_said("https://www.Example.org/a").as_deref(), Some("example.org"));
        assert_eq!(host_said("www.example.org").as_deref(), Some("example.org"));
        for none in ["example.org", "see https://example.org", "https://x", "mailto:a@example.org", ""] {
            assert_eq!(host_said(none), None, "{none}");
        }
    }
}
