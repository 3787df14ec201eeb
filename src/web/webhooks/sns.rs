//! Amazon's proof: SNS signs each message (developer guide, "Verifying the signatures of Amazon SNS messages"). The certificate is
//! believed for where it lies, `https://sns.REGION.amazonaws.com/`; and since anybody may have a topic there, only those that are configured are
//! heard.

use super::{Fetch, Heard, Refused, text};
use crate::bounce::notice;
use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use data_encoding::BASE64;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use url::Url;
use webpki::EndEntityCert;

/// Of a notification; the subject may be missing.
const NOTIFICATION: &[&str] = &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
/// Of what asks to be confirmed.
const CONFIRMATION: &[&str] = &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

pub(super) fn hear(topics: &[String], json: &Value, fetch: &Fetch) -> Result<Heard, Refused> {
    if topics.is_empty() {
        return Err(Refused::NotHere);
    }
    let (Some(kind), Some(id), Some(topic)) = (text(json, "Type"), text(json, "MessageId"), text(json, "TopicArn"))
    else {
        return Err(Refused::Unreadable);
    };
    if !topics.iter().any(|known| known == topic) {
        return Err(Refused::NotProven("the SNS topic is not one of web.hooks.ses_topics"));
    }
    verify(json, kind, fetch)?;
    match kind {
        "Notification" => {
            let message = text(json, "Message").and_then(|message| serde_json::from_str::<Value>(message).ok());
            Ok(match message.as_ref().and_then(notice::ses) {
                Some(notice) => Heard::Notice(notice, format!("sns {id}")),
                // SNS greets a new topic with a sentence.
                None => Heard::Nothing,
            })
        }
        "SubscriptionConfirmation" => {
            let url =
                text(json, "SubscribeURL").filter(|url| is_amazons(url)).ok_or(Refused::NotProven("SubscribeURL"))?;
            fetch(url).map_err(Refused::Later)?;
            tracing::info!(topic, "the subscription to an SNS topic is confirmed");
            Ok(Heard::Nothing)
        }
        _ => Ok(Heard::Nothing),
    }
}

fn verify(json: &Value, kind: &str, fetch: &Fetch) -> Result<(), Refused> {
    let algorithm: &'static RsaParameters = match text(json, "SignatureVersion") {
        Some("1") => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Some("2") => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(Refused::NotProven("SNS's SignatureVersion is neither 1 nor 2")),
    };
    let url = text(json, "SigningCertURL").filter(|url| is_amazons(url) && url.ends_with(".pem"));
    let url = url.ok_or(Refused::NotProven("SNS's certificate does not lie at sns.*.amazonaws.com"))?;
    let signature = text(json, "Signature").and_then(|signature| BASE64.decode(signature.as_bytes()).ok());
    let signature = signature.ok_or(Refused::Unreadable)?;
    let pem = fetch(url).map_err(Refused::Later)?;
    let unusable = || Refused::Later("SNS's certificate cannot be read".to_owned());
    let certificate = CertificateDer::from_pem_slice(&pem).map_err(|_| unusable())?;
    let key = EndEntityCert::try_from(&certificate).map_err(|_| unusable())?.subject_public_key_info();
    UnparsedPublicKey::new(algorithm, key.as_ref())
        .verify(signed(json, kind).as_bytes(), &signature)
        .map_err(|_| Refused::NotProven("SNS's signature is wrong"))
}

/// What is signed: names and values, a line each, in the order of the names.
fn signed(json: &Value, kind: &str) -> String {
    let names = if kind == "Notification" { NOTIFICATION } else { CONFIRMATION };
    names.iter().filter_map(|name| text(json, name).map(|value| format!("{name}\n{value}\n"))).collect()
}

/// `https://sns.eu-west-1.amazonaws.com/…`, also in China.
pub(super) fn is_amazons(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let region = host
        .strip_prefix("sns.")
        .and_then(|rest| rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn")));
    let region =
        region.is_some_and(|region| region.len() > 2 && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    region && url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_lie_with_amazon_alone() {
        assert!(is_amazons("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem"));
        assert!(is_amazons("https://sns.cn-north-1.amazonaws.com.cn/x.pem"));
        for wrong in [
            "http://sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com.evil.example/x.pem",
            "https://evil.example/sns.us-east-1.amazonaws.com/x.pem",
            "https://s3.us-east-1.amazonaws.com/x.pem",
            "https://sns.a.b.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com:8443/x.pem",
            "https://sns.us-east-1.amazonaws.com@evil.example/x.pem",
            "sns",
        ] {
            assert!(!is_amazons(wrong), "{wrong}");
        }
    }
}
