//! Records that are lists of `name=value` between semicolons: DKIM's (RFC 6376 section 3.2) and DMARC's (RFC 7489 section 6.4).

/// The tags in their order, names in lower case; `None` where something between two semicolons is none.
pub(super) fn read(record: &str) -> Option<Vec<(String, String)>> {
    let pieces = record.split(';').map(str::trim).filter(|piece| !piece.is_empty());
    let tag = |piece: &str| {
        let (name, value) = piece.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    pieces.map(tag).collect()
}

/// The value of a tag.
pub(super) fn of<'t>(tags: &'t [(String, String)], name: &str) -> Option<&'t str> {
    tags.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
