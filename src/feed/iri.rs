//! Ids where only an IRI may stand. An id that was taken over from an old RSS or JSON feed may be any text; Atom wants an
//! IRI (RFC 4287, section 4.2.6).

use crate::post::identity;
use aws_lc_rs::digest::{SHA256, digest};
use std::borrow::Cow;

/// The id as an IRI: as [`identity::iri`] has it; of any other text a UUID of version 8 from its SHA-256 (RFC 9562, section 5.8). It follows from the id alone, so it is as permanent.
pub(super) fn of(id: &str) -> Cow<'_, str> {
    if let Some(iri) = identity::iri(id) {
        return iri;
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(&SHA256, id.as_bytes()).as_ref()[..16]);
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0b11 << 62) | 0x8 << 76 | 0b10 << 62;
    let hex = format!("{number:032x}");
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]).into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_no_iri_becomes_one() {
        for iri in ["https://example.org/?p=1", "tag:example.org,2026:a", "urn:uuid:0"] {
            assert_eq!(super::of(iri), iri);
        }
        assert_eq!(super::of("123E4567-e89b-12d3-a456-426614174000"), "urn:uuid:123e4567-e89b-12d3-a456-426614174000");
        assert_eq!(super::of("5f1b2c3d4e5f6a7b8c9d0e1f"), super::of("5f1b2c3d4e5f6a7b8c9d0e1f"));
        let made = super::of("42").into_owned();
        assert_eq!((made.len(), &made[23..24]), ("urn:uuid:".len() + 36, "8"), "{made}");
        assert_ne!(made, super::of("43"));
    }
}
