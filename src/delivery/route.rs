//! Where messages leave: the `mail.transport` setting, understood.

use std::path::PathBuf;

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
