//! Where a mailbox is, as it is written: `maildir:DIR`, `mbox:FILE`, `imaps://user@host/INBOX`, a path, or `-`.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use url::Url;

/// Where a mailbox is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Maildir.
    Maildir(PathBuf),
    /// Mails in one file.
    Mbox(PathBuf),
    /// A file or a folder, which tells by itself what it is.
    Path(PathBuf),
    /// One mail on standard input.
    Standard,
    /// A server.
    Imap(Server),
}

/// An IMAP account.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Default 993 for `imaps`, 143 for `imap`.
    pub port: u16,
    /// For LOGIN, percent-decoded.
    pub user: String,
    /// The mailbox, by default INBOX.
    pub folder: String,
    /// How the connection is protected.
    pub security: Security,
    /// A PEM file of CAs to trust in place of the public ones.
    pub ca: Option<PathBuf>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet.
    Implicit,
    /// STARTTLS, or nothing.
    StartTls,
    /// None: on this machine alone.
    Clear,
}

/// Why a text names no mailbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The form.
    #[error("{0:?} is no mailbox\n  help: write imaps://user@host/INBOX, maildir:DIR or mbox:FILE")]
    Form(String),
    /// No user.
    #[error("the mailbox names no user\n  help: write imaps://user@host/INBOX; an @ in the user's name is %40")]
    NoUser,
    /// A password in the URL.
    #[error(
        "a password in the mailbox's URL would be shown in errors\n  help: write it into inbox.password, as \"${{IMAP_PASSWORD}}\""
    )]
    Password,
    /// A parameter.
    #[error(
        "the mailbox has the parameter {0:?}, which is not known\n  help: there are tls=none (on this machine alone) and ca=FILE.pem"
    )]
    Parameter(String),
    /// Without protection over the network.
    #[error("tls=none would send the password in clear text over the network\n  help: leave it out")]
    Clear,
}

impl FromStr for Source {
    type Err = SourceError;
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        if text == "-" {
            return Ok(Source::Standard);
        }
        match text.split_once(':') {
            Some(("maildir", folder)) if !folder.is_empty() => Ok(Source::Maildir(folder.into())),
            Some(("mbox", file)) if !file.is_empty() => Ok(Source::Mbox(file.into())),
            Some(("imap" | "imaps", rest)) if rest.starts_with("//") => server(text).map(Source::Imap),
            Some(("maildir" | "mbox" | "imap" | "imaps", _)) => Err(SourceError::Form(text.to_owned())),
            _ if text.is_empty() || text.contains("://") => Err(SourceError::Form(text.to_owned())),
            _ => Ok(Source::Path(text.into())),
        }
    }
}

fn server(text: &str) -> Result<Server, SourceError> {
    let form = || SourceError::Form(text.to_owned());
    let url = Url::parse(text).map_err(|_| form())?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(form)?;
    let host = host.trim_matches(['[', ']']).to_owned();
    if url.password().is_some() {
        return Err(SourceError::Password);
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let user = decoded(url.username());
    if user.is_empty() {
        return Err(SourceError::NoUser);
    }
    let implicit = url.scheme() == "imaps";
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let mut security = match (implicit, here) {
        (true, _) => Security::Implicit,
        (false, true) => Security::Clear,
        (false, false) => Security::StartTls,
    };
    let mut ca = None;
    for (key, value) in url.query_pairs() {
        match (&*key, &*value) {
            ("tls", "required") if !implicit => security = Security::StartTls,
            ("tls", "none") if !implicit && here => security = Security::Clear,
            ("tls", "none") => return Err(SourceError::Clear),
            ("ca", file) if !file.is_empty() => ca = Some(file.into()),
            (key, _) => return Err(SourceError::Parameter(key.to_owned())),
        }
    }
    let folder = decoded(url.path().trim_matches('/'));
    let folder = if folder.is_empty() { "INBOX".to_owned() } else { folder };
    Ok(Server { port: url.port().unwrap_or(if implicit { 993 } else { 143 }), host, user, folder, security, ca })
}

/// For messages: without the user.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == Security::Implicit { "imaps" } else { "imap" };
        write!(f, "{scheme}://{}:{}/{}", self.host, self.port, self.folder)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_named_by_its_kind() {
        let read = |text: &str| text.parse::<Source>();
        assert_eq!(read("maildir:Mail"), Ok(Source::Maildir("Mail".into())));
        assert_eq!(read("mbox:/var/mail/news"), Ok(Source::Mbox("/var/mail/news".into())));
        assert_eq!(read("-"), Ok(Source::Standard));
        assert_eq!(read("bounces/1.eml"), Ok(Source::Path("bounces/1.eml".into())));
        let Ok(Source::Imap(server)) = read("imaps://ada%40example.org@mail.example.org/Lists%2FBounces?ca=ca.pem")
        else {
            panic!("no server")
        };
        assert_eq!(server.to_string(), "imaps://mail.example.org:993/Lists/Bounces");
        assert_eq!((server.user.as_str(), server.ca), ("ada@example.org", Some("ca.pem".into())));
        let Ok(Source::Imap(server)) = read("imap://ada@127.0.0.1:1143") else { panic!("no server") };
        assert_eq!((server.security, server.port, server.folder.as_str()), (Security::Clear, 1143, "INBOX"));
        let Ok(Source::Imap(server)) = read("imap://ada@mail.example.org") else { panic!("no server") };
        assert_eq!(server.security, Security::StartTls);
    }

    #[test]
    fn what_names_no_mailbox_is_told_apart() {
        for (text, error) in [
            ("", "\"\" is no mailbox"),
            ("pop3://a@example.org", "is no mailbox"),
            ("maildir:", "is no mailbox"),
            ("imaps://mail.example.org/INBOX", "names no user"),
            ("imaps://a:hunter2@mail.example.org/", "would be shown in errors"),
            ("imap://a@mail.example.org/?tls=none", "in clear text"),
            ("imaps://a@mail.example.org/?verify=no", "\"verify\""),
        ] {
            let said = text.parse::<Source>().unwrap_err().to_string();
            assert!(said.contains(error) && !said.contains("hunter2"), "{text}: {said}");
        }
    }
}
