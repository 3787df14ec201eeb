//! Where messages leave: the `mail.transport` setting, understood.
//!
//! What is wrong is said in a sentence that never repeats the user's name or a password.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

const FORMS: &str = "outbox:DIR, smtp://user@host:587, smtps://user@host:465 or sendmail:/usr/sbin/sendmail";

/// A way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `outbox:DIR`: a directory of .eml files, relative to the configuration file.
    Outbox(PathBuf),
    /// `smtp://` and `smtps://`.
    Smtp(Server),
    /// `sendmail:PATH`: the local MTA's sendmail command.
    Sendmail(PathBuf),
}

/// An SMTP server and how to talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Default 587 for `smtp`, 465 for `smtps`.
    pub port: u16,
    /// For AUTH, percent-decoded; without it no AUTH.
    pub user: Option<String>,
    /// How the connection is protected.
    pub tls: Tls,
    /// A PEM file of CAs to trust in place of the public ones.
    pub ca: Option<PathBuf>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// `smtps://`: from the first octet.
    Implicit,
    /// `smtp://`, `?tls=required` or the default off loopback: STARTTLS, or stop.
    Required,
    /// `?tls=none`, the default on loopback: STARTTLS is not used.
    None,
}

/// What is wrong with a `mail.transport`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// None of the four forms.
    #[error("mail.transport must be {FORMS}")]
    Form,
    /// `outbox:` alone.
    #[error("outbox: needs a folder after the colon, as in outbox:outbox")]
    NoFolder,
    /// `sendmail:` without a full path.
    #[error("sendmail: needs the full path of the program, as in sendmail:/usr/sbin/sendmail")]
    NoProgram,
    /// A password in the URL, where it would end up in logs.
    #[error(
        "mail.transport holds a password; take it out and put it into mail.password (a : in the user's name is written %3A)"
    )]
    Password,
    /// No user before the `@`.
    #[error("mail.transport has an @ but no user before it")]
    NoUser,
    /// A `%` that is not followed by two hexadecimal digits, or decodes to what is not text.
    #[error("mail.transport holds a % that does not stand for a character; % itself is written %25")]
    Percent,
    /// No host, or one that cannot be a name.
    #[error(
        "mail.transport names no server; write a name or an address after smtp://, IPv6 in brackets, as in smtp://[::1]:25"
    )]
    Host,
    /// Not 1 to 65535.
    #[error("the port in mail.transport is not a number from 1 to 65535")]
    Port,
    /// Something after the host.
    #[error("mail.transport has a path after the server; only ?tls=required, ?tls=none and ?ca=FILE may follow")]
    Path,
    /// An unknown or doubled setting after the `?`.
    #[error(
        "mail.transport does not know, or has twice, what stands after its ?; it may be tls=required, tls=none and ca=FILE"
    )]
    Setting,
    /// `smtps://…?tls=none`.
    #[error("smtps:// is TLS from the first octet, so tls=none contradicts it; write smtp:// for a server without TLS")]
    Contradiction,
    /// `ca` has no use.
    #[error("ca=FILE has no use with tls=none; remove one of the two from mail.transport")]
    CaWithoutTls,
    /// A password would travel in the clear.
    #[error(
        "tls=none would send the password in the clear to another machine; remove tls=none, or the user, from mail.transport"
    )]
    Exposed,
}

impl Route {
    /// How the ledger calls it: `outbox`, `sendmail`, `smtp://host:port`. Never the user.
    pub fn name(&self) -> String {
        match self {
            Route::Outbox(_) => "outbox".into(),
            Route::Sendmail(_) => "sendmail".into(),
            Route::Smtp(server) => server.to_string(),
        }
    }

    /// Whether what leaves here reaches nobody outside this machine, so that a clock set ahead does no harm.
    pub fn is_rehearsal(&self) -> bool {
        match self {
            Route::Outbox(_) => true,
            Route::Sendmail(_) => false,
            Route::Smtp(server) => server.is_loopback(),
        }
    }
}

impl Server {
    /// Whether it is this machine: `localhost`, 127.0.0.0/8, ::1 (RFC 6761, RFC 1122, RFC 4291).
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// `smtp://host:port`, without the user.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == Tls::Implicit { "smtps" } else { "smtp" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Route {
    type Err = RouteError;
    fn from_str(text: &str) -> Result<Self, RouteError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once(':').ok_or(RouteError::Form)?;
        match (scheme.to_ascii_lowercase().as_str(), rest.strip_prefix("//")) {
            ("outbox", _) if rest.is_empty() => Err(RouteError::NoFolder),
            ("outbox", _) => Ok(Route::Outbox(rest.into())),
            ("sendmail", _) if !rest.starts_with('/') => Err(RouteError::NoProgram),
            ("sendmail", _) => Ok(Route::Sendmail(rest.into())),
            ("smtp", Some(url)) => server(url, Scheme::Smtp).map(Route::Smtp),
            ("smtps", Some(url)) => server(url, Scheme::Smtps).map(Route::Smtp),
            _ => Err(RouteError::Form),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Smtp,
    Smtps,
}

/// `user@host:port?settings`. Split by hand: people write `ada@example.org@smtp.example.org`, which means what it
/// seems to mean, and an error must not quote the URL, as the `url` crate's callers like to.
fn server(url: &str, scheme: Scheme) -> Result<Server, RouteError> {
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let (user, place) = match url.rsplit_once('@') {
        Some(("", _)) => return Err(RouteError::NoUser),
        Some((user, _)) if user.contains(':') => return Err(RouteError::Password),
        Some((user, place)) => (Some(percent_decoded(user)?), place),
        None => (None, url),
    };
    if user.as_ref().is_some_and(|user| user.chars().any(char::is_control)) {
        return Err(RouteError::Percent);
    }
    let (host, port) = host_and_port(place)?;
    let port = match (port, scheme) {
        (Some(port), _) => port.parse().ok().filter(|port| *port != 0).ok_or(RouteError::Port)?,
        (None, Scheme::Smtp) => 587,
        (None, Scheme::Smtps) => 465,
    };
    let settings = settings(query)?;
    let tls = match (scheme, settings.tls) {
        (Scheme::Smtps, Some(Tls::None)) => return Err(RouteError::Contradiction),
        (Scheme::Smtps, _) => Tls::Implicit,
        (Scheme::Smtp, Some(tls)) => tls,
        // Who names a CA wants TLS, on loopback too.
        (Scheme::Smtp, None) if is_loopback(&host) && settings.ca.is_none() => Tls::None,
        (Scheme::Smtp, None) => Tls::Required,
    };
    if tls == Tls::None && settings.ca.is_some() {
        return Err(RouteError::CaWithoutTls);
    }
    if tls == Tls::None && user.is_some() && !is_loopback(&host) {
        return Err(RouteError::Exposed);
    }
    Ok(Server { host, port, user, tls, ca: settings.ca })
}

fn host_and_port(place: &str) -> Result<(String, Option<&str>), RouteError> {
    let place = place.strip_suffix('/').unwrap_or(place);
    if place.contains('/') {
        return Err(RouteError::Path);
    }
    if let Some(rest) = place.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(RouteError::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| RouteError::Host)?;
        return match rest.strip_prefix(':') {
            None if !rest.is_empty() => Err(RouteError::Host),
            port => Ok((address.to_string(), port)),
        };
    }
    let (host, port) = match place.split_once(':') {
        Some((_, port)) if port.contains(':') => return Err(RouteError::Host),
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    };
    let host = idna::domain_to_ascii(host).map_err(|_| RouteError::Host)?;
    let plausible = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    match !host.is_empty() && host.len() <= 253 && host.bytes().all(plausible) {
        true => Ok((host, port)),
        false => Err(RouteError::Host),
    }
}

#[derive(Default)]
struct Settings {
    tls: Option<Tls>,
    ca: Option<PathBuf>,
}

fn settings(query: &str) -> Result<Settings, RouteError> {
    let mut settings = Settings::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').ok_or(RouteError::Setting)? {
            ("tls", "required") if settings.tls.is_none() => settings.tls = Some(Tls::Required),
            ("tls", "none") if settings.tls.is_none() => settings.tls = Some(Tls::None),
            ("ca", file) if settings.ca.is_none() && !file.is_empty() => {
                settings.ca = Some(percent_decoded(file)?.into())
            }
            _ => return Err(RouteError::Setting),
        }
    }
    Ok(settings)
}

/// RFC 3986 section 2.1. A `+` stays one: this is no form.
fn percent_decoded(text: &str) -> Result<String, RouteError> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit())).ok_or(RouteError::Percent)?;
        out.push(u8::from_str_radix(digits, 16).map_err(|_| RouteError::Percent)?);
        out.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(out).map_err(|_| RouteError::Percent)
}

fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(text: &str) -> Server {
        match text.parse() {
            Ok(Route::Smtp(server)) => server,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_four_forms() {
        assert_eq!("outbox:out/mail".parse(), Ok(Route::Outbox("out/mail".into())));
        assert_eq!("sendmail:/usr/sbin/sendmail".parse(), Ok(Route::Sendmail("/usr/sbin/sendmail".into())));
        let server = smtp("smtp://ada@mx.Example.org");
        assert_eq!((server.host.as_str(), server.port, server.tls), ("mx.example.org", 587, Tls::Required));
        assert_eq!(server.user.as_deref(), Some("ada"));
        assert_eq!(smtp("SMTPS://mx.example.org/").port, 465);
        assert_eq!(smtp("smtps://mx.example.org:2465").to_string(), "smtps://mx.example.org:2465");
    }

    #[test]
    fn the_user_may_be_an_address_encoded_or_not() {
        for text in ["smtp://ada%40example.org@mx.example.org", "smtp://ada@example.org@mx.example.org"] {
            assert_eq!(smtp(text).user.as_deref(), Some("ada@example.org"));
        }
        let route: Route = "smtp://ada@mx.example.org:25".parse().unwrap();
        assert_eq!(route.name(), "smtp://mx.example.org:25");
    }

    #[test]
    fn tls_is_required_but_on_this_machine() {
        for text in ["smtp://localhost:25", "smtp://127.8.9.1", "smtp://[::1]:25", "smtp://u@localhost"] {
            assert_eq!(smtp(text).tls, Tls::None, "{text}");
            assert!(Route::Smtp(smtp(text)).is_rehearsal());
        }
        for text in [
            "smtp://localhost:25?tls=required",
            "smtp://localhost?ca=ca.pem",
            "smtp://[2001:db8::1]",
            "smtp://10.0.0.1",
        ] {
            assert_eq!(smtp(text).tls, Tls::Required, "{text}");
        }
        assert_eq!(smtp("smtp://10.0.0.1?tls=none").tls, Tls::None);
        assert_eq!(smtp("smtp://h?tls=required&ca=my%20ca+1.pem").ca, Some("my ca+1.pem".into()));
        assert_eq!(smtp("smtp://[2001:db8::1]").to_string(), "smtp://[2001:db8::1]:587");
        assert!("outbox:x".parse::<Route>().unwrap().is_rehearsal());
        assert!(!"sendmail:/bin/sendmail".parse::<Route>().unwrap().is_rehearsal());
        assert!(!Route::Smtp(smtp("smtp://localhost.example.org")).is_rehearsal());
    }

    #[test]
    fn mistakes_are_named_and_never_quoted() {
        use RouteError::*;
        for (text, error) in [
            ("", Form),
            ("mx.example.org", Form),
            ("smtp:mx.example.org", Form),
            ("http://secret", Form),
            ("outbox:", NoFolder),
            ("sendmail:", NoProgram),
            ("sendmail:sendmail", NoProgram),
            ("smtp://ada:secret@mx.example.org", Password),
            ("smtp://ada:se@cret@mx.example.org", Password),
            ("smtp://@mx.example.org", NoUser),
            ("smtp://secret%4@mx.example.org", Percent),
            ("smtp://secret%é@mx.example.org", Percent),
            ("smtp://secret%ff@mx.example.org", Percent),
            ("smtp://secret%0d%0a@mx.example.org", Percent),
            ("smtp://", Host),
            ("smtp://ada@:25", Host),
            ("smtp://::1", Host),
            ("smtp://2001:db8::1", Host),
            ("smtp://[::1", Host),
            ("smtp://[::1]25", Host),
            ("smtp://secret host", Host),
            ("smtp://mx.example.org:0", Port),
            ("smtp://mx.example.org:", Port),
            ("smtp://mx.example.org:66000", Port),
            ("smtp://mx.example.org/secret", Path),
            ("smtp://mx.example.org?tls=maybe", Setting),
            ("smtp://mx.example.org?tls=none&tls=none", Setting),
            ("smtp://mx.example.org?tls=none&tls=required", Setting),
            ("smtp://mx.example.org?ca=", Setting),
            ("smtp://mx.example.org?secret", Setting),
            ("smtps://mx.example.org?tls=none", Contradiction),
            ("smtp://localhost?tls=none&ca=x.pem", CaWithoutTls),
            ("smtp://ada@mx.example.org?tls=none", Exposed),
        ] {
            let found = text.parse::<Route>().expect_err(text);
            assert_eq!(found, error, "{text}");
            assert!(!found.to_string().contains("secret"));
        }
    }
}
