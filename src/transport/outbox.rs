//! A directory of `.eml` files, `<edition>/<delivery>.eml`: the exact bytes that SMTP would carry.
//!
//! Doing it again writes the same file again, so a delivery by outbox is never in doubt.

use super::{Configuration, Job};
use crate::output;
use crate::reply::{Outcome, Reply, Sent, Stage};
use std::fs;
use std::path::PathBuf;

/// The directory.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    pub(super) fn new(folder: PathBuf) -> Self {
        Outbox { folder }
    }

    pub(super) fn ready(&self) -> Result<(), Configuration> {
        fs::create_dir_all(&self.folder).map_err(|why| {
            let folder = self.folder.display();
            stop(
                Stage::Connect,
                format!(
                    "the outbox {folder} cannot be made: {why}; mend that, or name another folder in mail.transport"
                ),
            )
        })
    }

    pub(super) fn send(&self, job: &Job<'_>) -> Result<Sent, Configuration> {
        let path = self.path(job).ok_or_else(|| {
            stop(Stage::Mail, format!("{:?} and {:?} do not make a file name in the outbox", job.edition, job.delivery))
        })?;
        let written =
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|why| format!("{}: {why}", path.display()));
        written.and_then(|()| output::replace(&path, &job.message.bytes).map(drop).map_err(|e| e.to_string())).map_err(|why| {
            stop(Stage::Body, format!("the outbox cannot be written: {why}; the message is still queued and goes out with the next run"))
        })?;
        let reply = Reply::new(250, [format!("2.0.0 written to {}", path.display()).as_str()]);
        Ok(Sent { stage: Stage::Dot, reply, outcome: Outcome::Accepted })
    }

    /// Editions hold a `/`, so they nest. Ids are ours, but a path is checked where it is made.
    fn path(&self, job: &Job<'_>) -> Option<PathBuf> {
        let mut path = self.folder.clone();
        for part in job.edition.split('/') {
            path.push(checked(part)?);
        }
        path.push(format!("{}.eml", checked(job.delivery)?));
        Some(path)
    }
}

/// A name that stays in its folder on every file system.
fn checked(part: &str) -> Option<&str> {
    let plain = |c: char| !c.is_control() && !r#"/\:*?"<>|"#.contains(c);
    let good = !part.is_empty() && part.len() <= 200 && !part.starts_with('.') && part.chars().all(plain);
    good.then_some(part)
}

fn stop(stage: Stage, sentence: String) -> Configuration {
    Configuration { stage, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Envelope, Message};

    fn message(bytes: &[u8]) -> Message {
        let address = |text: &str| text.parse().expect("an address");
        Message { envelope: Envelope { from: address("a@x.org"), to: address("b@x.org") }, bytes: bytes.into() }
    }

    #[test]
    fn the_exact_bytes_stand_there_and_doing_it_again_overwrites() {
        let root = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(root.path().join("out"));
        outbox.ready().unwrap();
        for bytes in [&b"one\r\n.\r\n"[..], b"two\r\n"] {
            let message = message(bytes);
            let sent = outbox.send(&Job { edition: "weekly/2026-11-23", delivery: "d1", message: &message }).unwrap();
            assert_eq!(sent.outcome, Outcome::Accepted);
            assert_eq!(fs::read(root.path().join("out/weekly/2026-11-23/d1.eml")).unwrap(), bytes);
        }
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let outbox = Outbox::new("/nowhere".into());
        let message = message(b"");
        for (edition, delivery) in [
            ("..", "d"),
            ("a/../..", "d"),
            ("a//b", "d"),
            ("", "d"),
            ("a", ""),
            ("a", "../d"),
            ("a", "d\0"),
            ("/a", "d"),
            ("a\\b", "d"),
        ] {
            assert_eq!(outbox.path(&Job { edition, delivery, message: &message }), None, "{edition} {delivery}");
        }
    }

    #[test]
    fn an_unwritable_outbox_stops_the_run() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "in the way").unwrap();
        let outbox = Outbox::new(file.join("out"));
        assert!(outbox.ready().unwrap_err().sentence.contains("mail.transport"));
        let message = message(b"x");
        assert_eq!(
            outbox.send(&Job { edition: "a", delivery: "d", message: &message }).unwrap_err().stage,
            Stage::Body
        );
    }
}
