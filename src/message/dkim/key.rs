//! Keys that sign: read from PEM, told from everything else that lies in such files.

use crate::address::Domain;
use crate::message::settings::{Dkim, Selector};
use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use data_encoding::BASE64;
use std::fmt;

/// RFC 8301 section 3.2: at least 2048 bits should sign, and receivers need not read more than 4096.
const BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// A private key with the name under which its public half stands in the DNS.
pub struct Key {
    domain: Domain,
    selector: Selector,
    secret: Secret,
}

enum Secret {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `rsa-sha256` (RFC 6376 section 3.3.1).
    Rsa,
    /// `ed25519-sha256` (RFC 8463).
    Ed25519,
}

/// Why a file's content is no key that can sign. It never repeats any of it. The sentence goes on after the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing between BEGIN and END.
    #[error(
        "is not a PEM file\n  help: a key file begins with -----BEGIN PRIVATE KEY-----; from DER, `openssl pkey -inform DER -in FILE -out FILE.pem` makes one"
    )]
    NotPem,
    /// With a passphrase.
    #[error(
        "is encrypted, and nobody is there to type its passphrase\n  help: `openssl pkey -in FILE -out FILE.pem` asks for it and writes the key without; chmod 600 it"
    )]
    Encrypted,
    /// What belongs into the DNS.
    #[error("holds a public key\n  help: name the file with its private key; the public one goes into the DNS")]
    Public,
    /// What belongs to TLS.
    #[error(
        "holds a certificate\n  help: DKIM needs a private key alone: `openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048` makes one"
    )]
    Certificate,
    /// EC, DSA and the like.
    #[error(
        "holds a key of the kind {kind}, which DKIM does not know\n  help: use RSA or Ed25519: `openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048` makes one"
    )]
    Kind {
        /// As OpenSSL calls it.
        kind: &'static str,
    },
    /// RFC 8301.
    #[error(
        "holds an RSA key of {bits} bits, and signers should use 2048 at least (RFC 8301, section 3.2)\n  help: `openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048` makes a new one, under a new selector"
    )]
    TooShort {
        /// Of the modulus.
        bits: usize,
    },
    /// RFC 6376 section 3.3.3.
    #[error(
        "holds an RSA key of {bits} bits, and receivers need not read more than 4096\n  help: `openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048` makes a new one, under a new selector"
    )]
    TooLong {
        /// Of the modulus.
        bits: usize,
    },
    /// Which one?
    #[error("holds more than one private key\n  help: give each key its own file and its own [[mail.dkim]]")]
    Several,
    /// It begins well.
    #[error(
        "is damaged: there is a BEGIN, but no key that can be read behind it\n  help: copy it again, whole, from where it was made"
    )]
    Damaged,
}

impl Algorithm {
    /// The value of `a=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rsa => "rsa-sha256",
            Algorithm::Ed25519 => "ed25519-sha256",
        }
    }
}

impl Key {
    /// Reads the private key in `pem` (PKCS#8; RSA also as PKCS#1), which signs for the domain and selector of `settings`.
    pub fn parse(settings: &Dkim, pem: &[u8]) -> Result<Self, KeyError> {
        let block = Block::only(&String::from_utf8_lossy(pem))?;
        let secret = match block.label.as_str() {
            "RSA PRIVATE KEY" => rsa(&block.der, &block.der, RsaKeyPair::from_der)?,
            _ => pkcs8(&block.der)?,
        };
        Ok(Key { domain: settings.domain.clone(), selector: settings.selector.clone(), secret })
    }

    /// The value of `d=`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The value of `s=`.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self.secret {
            Secret::Rsa(_) => Algorithm::Rsa,
            Secret::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Where its public half stands in the DNS.
    pub fn name(&self) -> String {
        format!("{}._domainkey.{}", self.selector.as_str(), self.domain.as_str())
    }

    /// The TXT record that receivers look for at [`Key::name`] (RFC 6376 section 3.6.1, RFC 8463 section 4), in one piece; empty
    /// `p=` where the library cannot write the public half.
    pub fn record(&self) -> String {
        let (kind, public) = match &self.secret {
            Secret::Rsa(pair) => {
                let der: Result<PublicKeyX509Der, Unspecified> = pair.public_key().as_der();
                ("rsa", der.map(|der| BASE64.encode(der.as_ref())).unwrap_or_default())
            }
            // RFC 8463 section 4.2: the 32 octets alone, no ASN.1 around them.
            Secret::Ed25519(pair) => ("ed25519", BASE64.encode(pair.public_key().as_ref())),
        };
        format!("v=DKIM1; k={kind}; p={public}")
    }

    /// The signature of a header's hash. Ed25519 signs the hash as a message (RFC 8463 section 3).
    pub(super) fn sign(&self, hash: &Digest) -> Result<Vec<u8>, Unspecified> {
        match &self.secret {
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, hash, &mut signature)?;
                Ok(signature)
            }
            Secret::Ed25519(pair) => Ok(pair.try_sign(hash.as_ref())?.as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {})", self.name(), self.algorithm().as_str())
    }
}

/// One BEGIN and END with what stands between them.
struct Block {
    label: String,
    der: Vec<u8>,
}

impl Block {
    /// The one private key of a file; comments and other blocks (RFC 7468 section 2) may stand around it.
    fn only(text: &str) -> Result<Block, KeyError> {
        let text = text.trim_start_matches('\u{FEFF}');
        let begins = |line: &str| {
            line.trim().strip_prefix("-----BEGIN ").and_then(|l| l.strip_suffix("-----")).map(str::to_owned)
        };
        let labels: Vec<String> = text.lines().filter_map(begins).collect();
        let mut private = labels.iter().filter(|label| label.ends_with("PRIVATE KEY"));
        let Some(label) = private.next() else {
            return Err(match labels.first().map(String::as_str) {
                None => KeyError::NotPem,
                Some(label) if label.ends_with("PUBLIC KEY") => KeyError::Public,
                Some(label) if label.contains("CERTIFICATE") => KeyError::Certificate,
                Some("EC PARAMETERS") => KeyError::Kind { kind: "EC" },
                Some(_) => KeyError::NotPem,
            });
        };
        if private.next().is_some() {
            return Err(KeyError::Several);
        }
        let mut lines = text.lines().skip_while(|line| begins(line).as_ref() != Some(label)).skip(1);
        let end = format!("-----END {label}-----");
        let mut inner: Vec<&str> = Vec::new();
        loop {
            match lines.next().map(str::trim) {
                None => return Err(KeyError::Damaged),
                Some(line) if line == end => break,
                Some(line) => inner.push(line),
            }
        }
        match label.as_str() {
            "PRIVATE KEY" => {}
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
            // RFC 1421 section 4.6.1.1, as OpenSSL wrote it before PKCS#8.
            _ if inner.iter().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED")) => {
                return Err(KeyError::Encrypted);
            }
            "RSA PRIVATE KEY" => {}
            "EC PRIVATE KEY" => return Err(KeyError::Kind { kind: "EC" }),
            "DSA PRIVATE KEY" => return Err(KeyError::Kind { kind: "DSA" }),
            "OPENSSH PRIVATE KEY" => return Err(KeyError::Kind { kind: "OpenSSH" }),
            _ => return Err(KeyError::Kind { kind: "other" }),
        }
        let der = BASE64.decode(inner.concat().as_bytes()).map_err(|_| KeyError::Damaged)?;
        Ok(Block { label: label.clone(), der })
    }
}

/// RFC 5208 and RFC 5958: a version, the kind as an object identifier, the key.
fn pkcs8(der: &[u8]) -> Result<Secret, KeyError> {
    let read = || {
        let (content, _) = element(der, SEQUENCE)?;
        let (_, rest) = element(content, INTEGER)?;
        let (algorithm, rest) = element(rest, SEQUENCE)?;
        let (kind, _) = element(algorithm, OBJECT_IDENTIFIER)?;
        let (key, _) = element(rest, OCTET_STRING)?;
        Some((kind, key))
    };
    let (kind, key) = read().ok_or(KeyError::Damaged)?;
    match kind {
        b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01" => rsa(der, key, RsaKeyPair::from_pkcs8),
        b"\x2B\x65\x70" => {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Secret::Ed25519).map_err(|_| KeyError::Damaged)
        }
        b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0A" => Err(KeyError::Kind { kind: "RSA-PSS" }),
        b"\x2A\x86\x48\xCE\x3D\x02\x01" => Err(KeyError::Kind { kind: "EC" }),
        b"\x2A\x86\x48\xCE\x38\x04\x01" => Err(KeyError::Kind { kind: "DSA" }),
        b"\x2B\x65\x71" => Err(KeyError::Kind { kind: "Ed448" }),
        b"\x2B\x65\x6E" => Err(KeyError::Kind { kind: "X25519" }),
        _ => Err(KeyError::Kind { kind: "other" }),
    }
}

/// `key` is the RSAPrivateKey of RFC 8017 appendix A.1.2. Its size is asked first, since the library calls every size that it
/// does not take a damaged key.
fn rsa<E>(der: &[u8], key: &[u8], load: fn(&[u8]) -> Result<RsaKeyPair, E>) -> Result<Secret, KeyError> {
    let modulus = || {
        let (content, _) = element(key, SEQUENCE)?;
        let (_, rest) = element(content, INTEGER)?;
        let (modulus, _) = element(rest, INTEGER)?;
        let start = modulus.iter().position(|octet| *octet != 0)?;
        Some((modulus.len() - start) * 8 - modulus[start].leading_zeros() as usize)
    };
    match modulus().ok_or(KeyError::Damaged)? {
        bits if bits < *BITS.start() => Err(KeyError::TooShort { bits }),
        bits if bits > *BITS.end() => Err(KeyError::TooLong { bits }),
        _ => load(der).map(Secret::Rsa).map_err(|_| KeyError::Damaged),
    }
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// The content of the DER element at the beginning, which has this tag, and what follows it (X.690 section 8.1).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        short if short < 0x80 => (usize::from(short), rest),
        0x81..=0x83 => {
            let (octets, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (first == tag).then_some((content, rest))
}
