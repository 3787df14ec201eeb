//! postrider on a fresh site: one edition, due now, to so many readers.

use crate::Failure;
use crate::contestant::{Entry, Keys, Sender, Way};
use crate::measure::{Program, find};
use crate::site::{Delivery, Sample, make_folder, run_words};
use std::path::{Path, PathBuf};

/// The program, and what its sites need.
pub(crate) struct Ours {
    pub(crate) binary: PathBuf,
    /// `rsa.pem` and `ed25519.pem`, made when first asked for.
    pub(crate) keys: PathBuf,
    /// The folder of the sink's `cert.pem`.
    pub(crate) certificate: PathBuf,
}

impl Ours {
    /// Lays the site out and says how to run it.
    pub(crate) fn program(
        &self,
        entry: &Entry,
        port: u16,
        sample: &Sample,
        folder: &Path,
        readers: usize,
    ) -> Result<Program, Failure> {
        let transport = match entry.way {
            Way::Tls => format!("smtps://127.0.0.1:{port}?ca={}", self.certificate.join("cert.pem").display()),
            Way::Plain | Way::Far { .. } | Way::SmtpSink => format!("smtp://127.0.0.1:{port}"),
        };
        let dkim = match entry.sender {
            Sender::Postrider(Keys::Ed25519) => self.dkim(&["ed25519"])?,
            Sender::Postrider(Keys::RsaAndEd25519) => self.dkim(&["rsa", "ed25519"])?,
            _ => String::new(),
        };
        let delivery = Delivery { transport: &transport, connections: entry.connections, dkim: &dkim, readers };
        sample.lay_out(folder, &delivery)?;
        Ok(Program::new(&self.binary, run_words(), folder))
    }

    /// The `[[mail.dkim]]` tables for keys of these kinds.
    fn dkim(&self, kinds: &[&str]) -> Result<String, Failure> {
        let mut tables = String::new();
        for kind in kinds {
            let key = self.key(kind)?;
            tables.push_str(&format!(
                "[[mail.dkim]]\ndomain = \"example.org\"\nselector = \"{kind}\"\nkey = \"{}\"\n",
                key.display()
            ));
        }
        Ok(tables)
    }

    /// A private key in PKCS#8, as `openssl genpkey` writes it.
    pub(crate) fn key(&self, kind: &str) -> Result<PathBuf, Failure> {
        let file = self.keys.join(format!("{kind}.pem"));
        if !file.is_file() {
            make_folder(&self.keys)?;
            let openssl = find("openssl").ok_or("openssl makes the DKIM keys: install the package openssl")?;
            let mut words = vec!["genpkey", "-algorithm", kind];
            words.extend((kind == "rsa").then_some(["-pkeyopt", "rsa_keygen_bits:2048"]).into_iter().flatten());
            let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            words.extend(["-out".to_owned(), file.display().to_string()]);
            let program = Program::new(&openssl, words, &self.keys);
            if !program.run()? {
                return Err(format!("openssl makes no key: {}", program.last_words()));
            }
        }
        Ok(file)
    }
}
