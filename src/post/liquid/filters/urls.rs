//! Addresses on the site.

use super::Function;
use super::values::escaped;
use liquid_core::model::Value;
use percent_encoding::percent_decode_str;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("relative_url", |this| match this.input.is_nil() {
        true => Value::Nil,
        false => Value::scalar(encoded_path(&this.shared.facts.relative_url(&this.text()))),
    }),
    ("absolute_url", |this| match this.input.is_nil() {
        true => Value::Nil,
        false => Value::scalar(this.shared.facts.absolute_url(&this.text())),
    }),
    ("strip_index", |this| {
        let url = this.text();
        let stem = url.strip_suffix("/index.html").or_else(|| url.strip_suffix("/index.htm"));
        Value::scalar(stem.map_or(url.clone(), |stem| format!("{stem}/")))
    }),
    ("cgi_escape", |this| Value::scalar(form_encoded(&this.text()))),
    ("url_encode", |this| Value::scalar(form_encoded(&this.text()))),
    ("url_decode", |this| {
        let text = this.text().replace('+', " ");
        Value::scalar(decoded(&text))
    }),
    ("uri_escape", |this| Value::scalar(encoded_path(&this.text()))),
    ("xml_escape", |this| Value::scalar(escaped(&this.text()))),
];

fn form_encoded(text: &str) -> String {
    // Ruby's CGI leaves `*` encoded and `~` alone.
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace('*', "%2A").replace("%7E", "~")
}

/// What no URI may hold, encoded; what is encoded stays so.
fn encoded_path(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
