//! Whether text in a mail can be read on its ground, as far as styles in its elements say: WCAG 2.2, 1.4.3.

use super::Judge;
use super::page::{Look, Stretch};
use super::place::At;
use crate::check::Severity;
use crate::template::theme::Colour;

pub(super) fn judge(judge: &mut Judge<'_>) {
    let mut told: Vec<(Colour, Colour)> = Vec::new();
    for Stretch { text, look } in std::mem::take(&mut judge.page.stretches) {
        let (Some(written), Some(colour), Some(ground)) =
            (&look.colour, colour(look.colour.as_deref()), colour(look.ground.as_deref()))
        else {
            continue;
        };
        let (ratio, wanted) = (colour.contrast(ground), if is_large(&look) { 3.0 } else { 4.5 });
        if ratio >= wanted || told.contains(&(colour, ground)) {
            continue;
        }
        told.push((colour, ground));
        let message = format!(
            "The text {:?} in {colour} on {ground} has a contrast of {:.1} to 1, too little to be read; {wanted} are needed",
            text.chars().take(40).collect::<String>(),
            (ratio * 10.0).floor() / 10.0
        );
        judge.find(
            Severity::Warning,
            At::Template(vec![written.clone()], text),
            message,
            "make one of the two darker or lighter",
        );
    }
}

/// 24 pixels, or bold and 18.66 (14 points).
fn is_large(look: &Look) -> bool {
    let size = look.size.as_deref().unwrap_or_default();
    let pixels = |unit: &str, scale: f64| {
        size.strip_suffix(unit).and_then(|number| number.trim().parse::<f64>().ok()).map(|number| number * scale)
    };
    let size = pixels("px", 1.0).or_else(|| pixels("pt", 4.0 / 3.0)).unwrap_or_default();
    size >= 24.0 || (look.bold && size >= 18.66)
}

/// What a style calls a colour; `None` for what is not seen through, or not known.
fn colour(written: Option<&str>) -> Option<Colour> {
    let written = written?.trim();
    let named = [
        ("white", "#ffffff"),
        ("black", "#000000"),
        ("gray", "#808080"),
        ("grey", "#808080"),
        ("silver", "#c0c0c0"),
        ("red", "#ff0000"),
        ("blue", "#0000ff"),
        ("yellow", "#ffff00"),
        ("green", "#008000"),
        ("navy", "#000080"),
        ("orange", "#ffa500"),
    ];
    let written = named.iter().find(|(name, _)| *name == written).map_or(written, |(_, hex)| hex);
    if let Some(digits) = written.strip_prefix('#').filter(|digits| digits.len() == 3) {
        let double: String = digits.chars().flat_map(|digit| [digit, digit]).collect();
        return Colour::parse(&format!("#{double}"));
    }
    if let Some(parts) = written.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')')) {
        let parts: Vec<u8> = parts.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
        let [red, green, blue] = parts[..] else { return None };
        return Colour::parse(&format!("#{red:02x}{green:02x}{blue:02x}"));
    }
    Colour::parse(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_or_left_alone() {
        let hex = |written: &str| colour(Some(written)).map(|colour| colour.to_string());
        for (written, expected) in
            [("#abc", "#aabbcc"), ("#A1b2c3", "#a1b2c3"), ("rgb(1, 20,255)", "#0114ff"), ("white", "#ffffff")]
        {
            assert_eq!(hex(written).as_deref(), Some(expected));
        }
        for unknown in [
            "",
            "transparent",
            "url(a.png)",
            "#ab",
            "rgb(1 2 3)",
            "rgba(0,0,0,.5)",
            "#gggggg",
            "rgb(1,2)",
            "rgb(1,2,300)",
        ] {
            assert_eq!(hex(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn large_text_may_be_paler() {
        let look = |size: &str, bold| Look { size: Some(size.into()), bold, ..Look::default() };
        assert!(is_large(&look("24px", false)) && is_large(&look("18pt", false)) && is_large(&look("19px", true)));
        assert!(!is_large(&look("23px", false)) && !is_large(&look("18px", true)) && !is_large(&look("2em", true)));
    }
}
