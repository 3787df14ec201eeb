//! New keys.

use super::key::Algorithm;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::Ed25519KeyPair;
use data_encoding::BASE64;
use std::fmt::Write;

/// A new private key as a PEM file holds it (PKCS#8): RSA of 2048 bits (RFC 8301 section 3.2), or Ed25519 (RFC 8463).
pub fn make(algorithm: Algorithm) -> Result<String, Unspecified> {
    let der = match algorithm {
        Algorithm::Rsa => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?.as_ref().to_vec()
        }
        Algorithm::Ed25519 => Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec(),
    };
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for line in BASE64.encode(&der).as_bytes().chunks(64) {
        let _ = writeln!(pem, "{}", String::from_utf8_lossy(line));
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem)
}

/// The strings of a TXT record, which hold 255 octets each and are read as one (RFC 1035 section 3.3, RFC 6376 section 3.6.2.2).
pub fn strings(record: &str) -> Vec<&str> {
    let mut rest = record;
    let mut strings = Vec::new();
    while !rest.is_empty() {
        let (string, more) = rest.split_at(rest.len().min(255));
        strings.push(string);
        rest = more;
    }
    strings
}
