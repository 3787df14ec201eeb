//! Postrider carries a blog's posts to its readers.
//!
//! One program reads the Markdown posts of a static site, writes RSS, Atom and JSON feeds, freezes e-mail
//! editions when a digest is due, and delivers each edition to each subscriber over SMTP, once.
//!
//! # The flow
//!
//! Data flows one way:
//!
//! ```text
//! posts ──▶ feeds                                              publish
//!   └─────▶ editions ──▶ deliveries                            freeze
//!              └───────▶ pages on the site                     archive
//!                            └──▶ messages ──▶ the reply       dispatch
//! people ──▶ letters ─▶ deliveries                             subscribe
//! ```
//!
//! [`publish`] reads the posts and writes the feeds. [`freeze`] decides which slots are due, renders the edition, and
//! enqueues one delivery per reader, in one transaction. [`dispatch`] claims what is due, commits the intent to
//! send, talks to the server, and records its reply. [`subscribe`] writes down what people ask for, with the letter that asks
//! them back. None of them knows another: they meet in the ledger, which
//! is the [`store`]. So each can be killed at any moment and run again, and two processes can share the work. Where no machine keeps
//! the store, [`remote`] does.
//!
//! # The layers
//!
//! A file uses its own folder and what stands above it in this list, never what stands below. `tests/architecture.rs`
//! reads the list from here and holds it against the source.
//!
//! ```layers
//! base   address clock random token seal
//! nouns  html schedule reply post feed template subscriber edition delivery message bounce report config
//! world  keys site output http dns hub store remote transport mailbox
//! work   adopt check publish archive catalogue websub live freeze dispatch subscribe receive notify announce
//! faces  preview web daemon cli
//! ```
//!
//! *base* knows nothing of ours. *nouns* are pure: no files, no sockets, no clock; each owns its part of the
//! configuration. *world* is the only code that touches the disk, the database and the network. *work* are the verbs; each
//! meets the others only in the ledger. *faces* turn a person's wish into one verb and its result into words; they hold no
//! SQL and no SMTP. `config` stands last among the nouns because it gathers the settings of all of them.
//!
//! The core is synchronous: plain threads and bounded channels. tokio lives only in [`web`], inside a session of
//! `transport::smtp`, in `mailbox::imap` and in [`dns`], unseen from above.
//!
//! # The promises
//!
//! * **P1** Nobody is skipped, nobody is mailed twice: one delivery per (subscriber, occasion), a UNIQUE constraint. After a
//!   crash at most one delivery per open connection is in doubt (with a store in a branch, [`remote`], a checkpoint of a hundred), and
//!   `status` lists it by address. We never say "exactly once": after the final dot and before the reply, SMTP cannot tell (RFC 1047).
//! * **P2** The intent is durable before the act; no transaction spans a network call; a resend carries the same bytes.
//! * **P3** An edition never changes once it is frozen. Leaving takes effect to the last moment.
//! * **P4** A post has one identity for life.
//! * **P5** A feed is replaced whole or not at all, and unchanged means untouched.
//! * **P6** An unreadable state is never a first run. No state, no mail.
//! * **P7** Every e-mail to a reader leaves by the ledger.
//! * **P8** One bad post neither stops the run nor vanishes.
//! * **P9** A GET never changes anything.
//! * **P10** No tracking.

pub mod address;
pub mod clock;
pub mod random;
pub mod token;
pub mod seal;

pub mod html;
pub mod schedule;
pub mod reply;
pub mod post;
pub mod feed;
pub mod template;
pub mod subscriber;
pub mod edition;
pub mod delivery;
pub mod message;
pub mod bounce;
pub mod report;
pub mod config;

pub mod keys;
pub mod output;
pub mod site;
pub mod http;
pub mod dns;
pub mod hub;
pub mod store;
pub mod remote;
pub mod transport;
pub mod mailbox;

pub mod adopt;
pub mod archive;
pub mod check;
pub mod dispatch;
pub mod freeze;
pub mod live;
pub mod notify;
pub mod announce;
pub mod publish;
pub mod catalogue;
pub mod websub;
pub mod subscribe;
pub mod receive;

pub mod preview;
pub mod web;
pub mod daemon;
pub mod cli;
