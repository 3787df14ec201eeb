//! A verifier of DKIM signatures, written from RFC 6376 section 6 without a look at the signer: text for text, for relaxed/relaxed alone.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use data_encoding::BASE64;
use std::collections::BTreeMap;

/// The TXT records of a DNS, by name.
pub(crate) type Records = BTreeMap<String, String>;

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) algorithm: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// The names in `h=`, lower case.
    pub(crate) covered: Vec<String>,
}

/// What each signature of a message is worth, from the top.
pub(crate) fn verify(message: &[u8], records: &Records) -> Vec<Result<Signature, String>> {
    let message: String = message.iter().map(|octet| char::from(*octet)).collect();
    let (head, body) = message.split_once("\r\n\r\n").expect("a header and a body");
    let fields = fields(head);
    let is_signature = |(name, _): &&(String, String)| name == "dkim-signature";
    fields.iter().filter(is_signature).map(|(_, value)| judge(value, &fields, body, records)).collect()
}

/// Names in lower case, and values as they are written.
pub(crate) fn fields(head: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match fields.last_mut() {
            Some((_, value)) if line.starts_with([' ', '\t']) => *value += &format!("\r\n{line}"),
            _ => {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                fields.push((name.trim_end().to_lowercase(), value.to_owned()));
            }
        }
    }
    fields
}

fn judge(value: &str, fields: &[(String, String)], body: &str, records: &Records) -> Result<Signature, String> {
    let mut tags = BTreeMap::new();
    for tag in value.split(';').filter(|tag| !tag.trim().is_empty()) {
        let (name, value) = tag.split_once('=').ok_or("a tag without =")?;
        let value: String = value.split_whitespace().collect();
        if tags.insert(name.trim().to_owned(), value).is_some() {
            return Err("a tag twice".to_owned());
        }
    }
    let tag = |name: &str| tags.get(name).map(String::as_str).ok_or(format!("no {name}="));
    if (tag("v")?, tag("c")?) != ("1", "relaxed/relaxed") || tags.contains_key("l") || tags.contains_key("x") {
        return Err("a signature of a form that is not ours".to_owned());
    }
    let covered: Vec<String> = tag("h")?.split(':').map(str::to_lowercase).collect();
    if !covered.iter().any(|name| name == "from") {
        return Err("From is not signed".to_owned());
    }
    if BASE64.encode(digest(&SHA256, &octets(&relaxed_body(body))).as_ref()) != tag("bh")? {
        return Err("the body was changed".to_owned());
    }

    let mut data = String::new();
    let mut unused: Vec<&(String, String)> = fields.iter().collect();
    for name in &covered {
        if let Some(at) = unused.iter().rposition(|(other, _)| other == name) {
            let (_, value) = unused.remove(at);
            data += &format!("{name}:{}\r\n", relaxed(value));
        }
    }
    let without_b: Vec<String> = value
        .split(';')
        .map(|tag| match tag.trim_start().strip_prefix("b").is_some_and(|rest| rest.trim_start().starts_with('=')) {
            true => tag[..=tag.find('=').expect("it is there")].to_owned(),
            false => tag.to_owned(),
        })
        .collect();
    data += &format!("dkim-signature:{}", relaxed(&without_b.join(";")));

    let name = format!("{}._domainkey.{}", tag("s")?, tag("d")?);
    let record = records.get(&name).ok_or(format!("no record at {name}"))?;
    let entry = |key: &str| {
        let found = record.split(';').find_map(|entry| entry.trim().strip_prefix(key)?.strip_prefix('='));
        found.ok_or(format!("no {key}= in the record"))
    };
    let public = BASE64.decode(entry("p")?.as_bytes()).map_err(|_| "a record that is not base64")?;
    let signature = BASE64.decode(tag("b")?.as_bytes()).map_err(|_| "a signature that is not base64")?;
    let holds = match (tag("a")?, entry("k")?) {
        // The example of RFC 8463 has 1024 bits.
        ("rsa-sha256", "rsa") => UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, public)
            .verify(&octets(&data), &signature),
        ("ed25519-sha256", "ed25519") => {
            UnparsedPublicKey::new(&ED25519, public).verify(digest(&SHA256, &octets(&data)).as_ref(), &signature)
        }
        other => return Err(format!("{other:?} do not go together")),
    };
    holds.map_err(|_| "the header was changed")?;
    Ok(Signature { algorithm: tag("a")?.to_owned(), covered, tags })
}

fn relaxed(value: &str) -> String {
    words(&value.replace("\r\n", "")).trim_matches(' ').to_owned()
}

fn relaxed_body(body: &str) -> String {
    let lines: Vec<String> = body.split("\r\n").map(|line| words(line).trim_end_matches(' ').to_owned()).collect();
    match lines.join("\r\n").trim_end_matches("\r\n") {
        "" => String::new(),
        text => format!("{text}\r\n"),
    }
}

/// Each run of white space as one space.
fn words(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars().map(|c| if c == '\t' { ' ' } else { c }) {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).expect("made of octets")).collect()
}
