//! What an author wrote for a URL, made absolute as a browser would (WHATWG URL, HTML section 4.8.4.2.2 for `srcset`). What no
//! browser could follow is repaired where only one thing can be meant, and told either way.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::Ipv4Addr;
use url::{Host, Url};

pub(super) const SCHEMES: &[&str] = &[
    "http", "https", "mailto", "tel", "sms", "ftp", "ftps", "gemini", "geo", "irc", "ircs", "magnet", "matrix", "news",
    "nntp", "sip", "ssh", "webcal", "xmpp",
];

/// What is written for a scheme, and what is meant. A list and no distance: `ruby-core:` is nobody's slip.
const MISSPELT: &[(&str, &str)] = &[
    ("hhttp", "http"),
    ("hhttps", "https"),
    ("hhtps", "https"),
    ("hhtp", "http"),
    ("hthttps", "https"),
    ("hthtps", "https"),
    ("htpp", "http"),
    ("htpps", "https"),
    ("htp", "http"),
    ("htps", "https"),
    ("htpt", "http"),
    ("htpts", "https"),
    ("htttp", "http"),
    ("htttps", "https"),
    ("httpp", "http"),
    ("httpps", "https"),
    ("httpss", "https"),
    ("https-", "https"),
    ("httsp", "https"),
    ("htts", "https"),
    ("hpps", "https"),
    ("hpp", "http"),
    ("htt", "http"),
    ("ttp", "http"),
    ("ttps", "https"),
    ("thttp", "http"),
    ("thttps", "https"),
    ("tthp", "http"),
    ("tthps", "https"),
    ("tps", "https"),
    ("maito", "mailto"),
    ("mailt", "mailto"),
    ("malito", "mailto"),
    ("mialto", "mailto"),
    ("mailton", "mailto"),
];

/// Schemes that the parser has to let through for [`resolve`] to see: it repairs or tells of them, and none stays.
pub(super) fn told_schemes() -> impl Iterator<Item = &'static str> {
    const DRIVES: &[&str] = &[
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v",
        "w", "x", "y", "z",
    ];
    let misspelt = MISSPELT.iter().map(|(written, _)| *written);
    misspelt.chain(DRIVES.iter().copied()).chain(["file", "localhost"])
}

/// A URL that leads nowhere as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// As the markup has it, which for Markdown may be encoded where the source is not.
    pub written: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A slip of the pen; this is meant.
    Misspelt(String),
    /// It begins with `www.` and so is a path; this is meant.
    NoScheme(String),
    /// It names a file on the author's disk.
    OwnDisk,
    /// It leads to the machine of whoever reads it.
    OwnMachine,
}

impl Slip {
    /// What is wrong, as a sentence without a final full stop.
    pub fn message(&self) -> String {
        let written = short(&self.written);
        match &self.fault {
            Fault::Misspelt(_) => format!("The address `{written}` is misspelt"),
            Fault::NoScheme(_) => {
                format!("The address `{written}` has no scheme: on the site it leads to a path of that name")
            }
            Fault::OwnDisk => {
                let written = written.replace("%5C", "\\");
                format!("The address `{written}` is a file on your own disk: no reader can open it")
            }
            Fault::OwnMachine => format!("The address `{written}` leads every reader to their own machine"),
        }
    }

    /// What to do.
    pub fn help(&self) -> String {
        match &self.fault {
            Fault::Misspelt(meant) | Fault::NoScheme(meant) => format!("write `{}`", short(meant)),
            Fault::OwnDisk => "put the file into the site's folder and write its address there".to_owned(),
            Fault::OwnMachine => "write the address under which it is public, or set it as code".to_owned(),
        }
    }
}

impl Slip {
    /// How the source may have it: as the markup does, or before a renderer encoded it.
    pub fn spellings(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let undone = self.written.replace("%5C", "\\").replace("%20", " ");
        let escaped = self.written.replace('&', "&amp;");
        // What comes before the first encoded character is sign enough.
        let head = self.written.split('%').next().filter(|head| head.len() >= 10).unwrap_or(&self.written);
        [Cow::Borrowed(&*self.written), undone.into(), escaped.into(), head.into()].into_iter()
    }
}

fn short(url: &str) -> String {
    match url.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &url[..end]),
        None => url.to_owned(),
    }
}

/// `value` as an absolute URL of a harmless scheme; what is wrong with it goes to `tell`.
pub(super) fn resolve(value: &str, base: &Url, tell: &dyn Fn(Slip)) -> Option<String> {
    // As a URL parser strips them; the rest is done there.
    let value = value.trim_matches(|c: char| c <= ' ');
    if value.is_empty() {
        return None;
    }
    // Where an address goes on in the next line, the indentation is no part of it either.
    let joined: String;
    let value = if value.contains('\n') {
        joined = value.lines().map(str::trim).collect();
        &joined
    } else {
        value
    };
    let slip = |fault| Slip { written: value.to_owned(), fault };
    let meant = match judge(value, base) {
        Verdict::Sound => None,
        Verdict::Silently(meant) => Some(meant),
        Verdict::Slip(fault) => {
            let meant = match &fault {
                Fault::Misspelt(meant) | Fault::NoScheme(meant) => Some(meant.clone()),
                Fault::OwnDisk => {
                    tell(slip(fault));
                    return None;
                }
                Fault::OwnMachine => None,
            };
            tell(slip(fault));
            meant
        }
    };
    let url = base.join(meant.as_deref().unwrap_or(value)).ok()?;
    SCHEMES.contains(&url.scheme()).then(|| url.into())
}

enum Verdict {
    Sound,
    /// Read otherwise than a browser might, and nothing to tell.
    Silently(String),
    Slip(Fault),
}

/// What is to be made of a URL. Looks at its first characters; all but a few go the first way out.
fn judge(value: &str, base: &Url) -> Verdict {
    let misspelt = |meant: String| Verdict::Slip(Fault::Misspelt(meant));
    let head = value.find([':', '/', '\\', '?', '#', ';', '%', '.']).unwrap_or(value.len());
    let (word, rest) = value.split_at(head);
    match rest.as_bytes().first() {
        Some(b':') => {}
        // `//host` takes the scheme of the page; mails and feeds have none, or another.
        Some(b'/') if word.is_empty() => return rooted(value, base),
        Some(b'.') if word.eq_ignore_ascii_case("www") => {
            let host = rest[1..].split(['/', '?', '#']).next().unwrap_or_default();
            let known = host.contains('.') && Url::parse(&format!("https://www.{host}")).is_ok();
            let meant = || Verdict::Slip(Fault::NoScheme(format!("https://{value}")));
            return if known { meant() } else { Verdict::Sound };
        }
        // `http//host`, `https;//host`, `http.//host`
        Some(b'/' | b';' | b'.') if is_web(word) => {
            let after = rest.trim_start_matches([';', '.']);
            let host = after.strip_prefix("//").map(|host| host.trim_start_matches('/'));
            return match host.filter(|host| is_host(host)) {
                Some(host) => misspelt(format!("{}://{host}", word.to_ascii_lowercase())),
                None => Verdict::Sound,
            };
        }
        Some(b'\\' | b'%') => return backslashed(value),
        _ => return if rest.is_empty() { Verdict::Sound } else { backslashed(value) },
    }
    // Longer than any that is judged, and no scheme besides.
    let scheme = if word.len() <= 12 { word.to_ascii_lowercase() } else { return Verdict::Sound };
    let after = &rest[1..];
    match &*scheme {
        "http" | "https" => web(&scheme, after, base),
        "file" | "localhost" => match &*scheme {
            "file" => Verdict::Slip(Fault::OwnDisk),
            _ if after.starts_with(|c: char| c.is_ascii_digit()) => Verdict::Slip(Fault::OwnMachine),
            _ => Verdict::Sound,
        },
        letter if letter.len() == 1 && letter.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            let drive = after.starts_with(['/', '\\']) || after.starts_with("%5C");
            if drive { Verdict::Slip(Fault::OwnDisk) } else { Verdict::Sound }
        }
        scheme => match MISSPELT.iter().find(|(written, _)| *written == scheme) {
            Some((_, "mailto")) if after.contains('@') => misspelt(format!("mailto:{}", after.trim_start_matches('/'))),
            Some((_, meant)) if *meant != "mailto" => {
                let host = after.trim_start_matches(['/', ':']);
                let slashed = after.starts_with("//") && !host.is_empty() || after.starts_with('/') && is_host(host);
                if slashed { misspelt(format!("{meant}://{host}")) } else { Verdict::Sound }
            }
            _ => Verdict::Sound,
        },
    }
}

/// What comes after `http:` or `https:`.
fn web(scheme: &str, after: &str, base: &Url) -> Verdict {
    let misspelt = |meant: String| Verdict::Slip(Fault::Misspelt(meant));
    let bare = after.trim_start_matches([':', '/', '\\']);
    let slashes = &after[..after.len() - bare.len()];
    // `http://https://host`, `http://http//host`
    if let Some((inner, rest)) = bare.split_once(['/', ':'])
        && is_web(inner)
        && is_host(rest.trim_start_matches([':', '/']))
        && rest.trim_start_matches(':').starts_with('/')
    {
        return misspelt(format!("{}://{}", inner.to_ascii_lowercase(), rest.trim_start_matches([':', '/'])));
    }
    match slashes {
        "//" | "\\\\" => own_machine(bare, base),
        // Of the site's own scheme it is a path: to a browser, but to nobody who writes it.
        _ if !is_host(bare) => Verdict::Sound,
        "" | "/" if !bare.contains('/') && !bare.starts_with("www.") => Verdict::Sound,
        _ => misspelt(format!("{scheme}://{bare}")),
    }
}

/// What begins with a slash.
fn rooted(value: &str, base: &Url) -> Verdict {
    let host = value.trim_start_matches('/');
    match value.len() - host.len() {
        1 => backslashed(value),
        2 => {
            let name = host.split(['/', '?', '#']).next().unwrap_or_default();
            // What two slashes came together to, where the site's own path is empty.
            let is_path = !name.is_empty() && !name.contains(['.', ':', '[']) && name != "localhost";
            match own_machine(host, base) {
                _ if is_path => Verdict::Slip(Fault::Misspelt(format!("/{host}"))),
                Verdict::Sound => Verdict::Silently(format!("https://{host}")),
                verdict => verdict,
            }
        }
        _ => Verdict::Sound,
    }
}

/// A `\` of Windows in a path of the site: browsers read it as `/`, unless Markdown encoded it before.
fn backslashed(value: &str) -> Verdict {
    let end = value.find(['?', '#']).unwrap_or(value.len());
    let path = &value[..end];
    if !path.contains("%5C") {
        return Verdict::Sound;
    }
    Verdict::Silently(path.replace("%5C", "/") + &value[end..])
}

/// `localhost` and its addresses, unless the site itself is shown there.
fn own_machine(rest: &str, base: &Url) -> Verdict {
    let suspect =
        rest.get(..4).is_some_and(|start| matches!(start, "loca" | "127." | "0.0." | "[::1" | "LOCA" | "Loca"));
    if !suspect || is_own(base.host()) {
        return Verdict::Sound;
    }
    match Url::parse(&format!("http://{rest}")) {
        Ok(url) if is_own(url.host()) => Verdict::Slip(Fault::OwnMachine),
        _ => Verdict::Sound,
    }
}

fn is_own(host: Option<Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback() || address == Ipv4Addr::UNSPECIFIED,
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_web(word: &str) -> bool {
    word.eq_ignore_ascii_case("http") || word.eq_ignore_ascii_case("https")
}

/// Whether it begins with the name of a host that the world could know.
fn is_host(rest: &str) -> bool {
    let name = rest.split(['/', '?', '#', ':', '\\']).next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.')
        && !name.starts_with('.')
        && last.len() >= 2
        && last.chars().all(|c| c.is_alphanumeric() || c == '-')
        && !name.contains([' ', '@', '%', '\u{a0}'])
}

/// A `srcset` with absolute URLs; candidates that are no pictures of ours to name are left out.
pub(super) fn resolve_set(value: &str, base: &Url, tell: &dyn Fn(Slip)) -> Option<String> {
    let mut set = String::new();
    for (url, descriptor) in candidates(value).filter(|(_, descriptor)| descriptor.split_whitespace().all(describes)) {
        if let Some(url) = resolve(url, base, tell) {
            let comma = if set.is_empty() { "" } else { ", " };
            let space = if descriptor.is_empty() { "" } else { " " };
            let _ = write!(set, "{comma}{url}{space}{descriptor}");
        }
    }
    (!set.is_empty()).then_some(set)
}

/// `2x`, `640w`, `480h`
fn describes(word: &str) -> bool {
    word.strip_suffix(['x', 'w', 'h']).is_some_and(|number| number.parse::<f64>().is_ok())
}

/// The candidates of a `srcset`: URL, and descriptors as written.
pub(super) fn candidates(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = value;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return None;
        }
        let (url, after) = rest.split_at(rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len()));
        // A comma within a URL is part of it, one at its end is none.
        let bare = url.trim_end_matches(',');
        if bare.len() < url.len() {
            rest = after;
            return Some((bare, ""));
        }
        let mut depth = 0_usize;
        let end = after.find(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        });
        let (descriptor, behind) = after.split_at(end.unwrap_or(after.len()));
        rest = behind;
        Some((bare, descriptor.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn resolved(written: &str, base: &str) -> (Option<String>, Vec<Slip>) {
        let slips = RefCell::new(Vec::new());
        let url = resolve(written, &base.parse().expect("a URL"), &|slip| slips.borrow_mut().push(slip));
        (url, slips.into_inner())
    }

    #[test]
    fn a_site_shown_on_ones_own_machine_may_link_to_itself() {
        assert_eq!(resolved("http://localhost:4000/x", "http://localhost:4000/p").1, []);
        for own in
            ["http://localhost:4000/x", "https://127.0.0.1", "//[::1]/x", "http://0.0.0.0:80", "http://LOCALHOST/"]
        {
            assert_eq!(resolved(own, "https://a.example/p").1[0].fault, Fault::OwnMachine, "{own}");
        }
    }

    #[test]
    fn a_page_over_plain_http_names_other_hosts_over_https() {
        assert_eq!(resolved("//b.example/x", "http://a.example/p").0.as_deref(), Some("https://b.example/x"));
    }

    #[test]
    fn what_the_parser_lets_through_goes_no_further() {
        for scheme in told_schemes() {
            for rest in ["x", "/x", "//x.example/", "javascript:x"] {
                let url = resolved(&format!("{scheme}:{rest}"), "https://a.example/p").0;
                assert!(url.is_none_or(|url| SCHEMES.iter().any(|known| url.starts_with(&format!("{known}:")))));
            }
        }
    }

    #[test]
    fn a_set_is_split_where_the_standard_splits_it() {
        let set = |value| candidates(value).collect::<Vec<_>>();
        assert_eq!(set(" a,b 1x,c,, d 2x (e,f) ,g"), [("a,b", "1x"), ("c", ""), ("d", "2x (e,f)"), ("g", "")]);
        assert_eq!(set(",, \n"), []);
    }

    proptest::proptest! {
        #[test]
        fn anything_is_judged(written in "(http|https|htpp|file|c|localhost|www)?[a-z.:/;%\\\\#?\\[\\] é]{0,20}") {
            let (url, slips) = resolved(&written, "https://a.example/blog/p.html");
            if let Some(url) = url {
                proptest::prop_assert!(Url::parse(&url).is_ok_and(|url| SCHEMES.contains(&url.scheme())));
                // What was repaired is sound.
                let (again, more) = resolved(&url, "https://a.example/");
                proptest::prop_assert_eq!(again.as_deref(), Some(&*url), "{}", written);
                proptest::prop_assert!(more.iter().all(|slip| slip.fault == Fault::OwnMachine), "{} {:?} {:?}", written, slips, more);
            }
        }
    }
}
