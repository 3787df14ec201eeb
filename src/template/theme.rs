//! The `[theme]` table: the colours, faces, logo and footer of the mails. Promises: text can be read on what it stands on, in
//! light and in dark.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use url::Url;

/// WCAG 2.2, 1.4.3: so much must text stand out.
const CONTRAST: f64 = 4.5;

/// A colour, `#rrggbb`: what every mail program understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    const fn of(hex: u32) -> Self {
        Colour([(hex >> 16) as u8, (hex >> 8) as u8, hex as u8])
    }

    /// Reads `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok().map(Colour::of)
    }

    /// WCAG's relative luminance.
    fn luminance(self) -> f64 {
        let linear = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// WCAG's contrast ratio, 1 to 21.
    pub fn contrast(self, other: Colour) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// So many hundredths of the other colour in this one.
    fn mixed(self, other: Colour, hundredths: u16) -> Colour {
        let mix =
            |at: usize| (u16::from(self.0[at]) * (100 - hundredths) + u16::from(other.0[at]) * hundredths + 50) / 100;
        Colour([mix(0) as u8, mix(1) as u8, mix(2) as u8])
    }

    /// The nearest to it, towards white, that can be read on all of these.
    fn lightened(self, grounds: [Colour; 2]) -> Colour {
        let steps = (0..=100).step_by(5).map(|white| self.mixed(Colour([255; 3]), white));
        steps.into_iter().find(|c| grounds.iter().all(|g| c.contrast(*g) >= CONTRAST + 1.0)).unwrap_or(Colour([255; 3]))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2])
    }
}

impl Serialize for Colour {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Colour::parse(&text).ok_or_else(|| {
            de::Error::custom(format!("{text:?} is no colour; write it like \"#23614f\", with six digits"))
        })
    }
}

/// `[theme]`, every part optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Around the posts.
    pub background: Option<Colour>,
    /// Behind the posts.
    pub paper: Option<Colour>,
    /// Of the text.
    pub text: Option<Colour>,
    /// Of dates and small print.
    pub muted: Option<Colour>,
    /// Of links, and of the line above the first post.
    pub accent: Option<Colour>,
    /// Faces, as in CSS: `Georgia, 'Times New Roman', serif`.
    pub font: Option<Font>,
    /// Faces of dates and small print.
    pub label_font: Option<Font>,
    /// A picture at the head: an address, or a path below the site.
    pub logo: Option<String>,
    /// What stands for it where it is not shown; nothing, as the site's title stands beside it.
    pub logo_alt: Option<String>,
    /// How wide it is shown, in pixels.
    pub logo_width: Option<u16>,
    /// How high it is then.
    pub logo_height: Option<u16>,
    /// A sentence at the foot.
    pub footer: Option<String>,
    /// Colours where the reader's mail program is dark.
    pub dark: Dark,
}

/// `[theme.dark]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dark {
    /// Around the posts.
    pub background: Option<Colour>,
    /// Behind the posts.
    pub paper: Option<Colour>,
    /// Of the text.
    pub text: Option<Colour>,
    /// Of dates and small print.
    pub muted: Option<Colour>,
    /// Of links, and of the line above the first post; else the light accent, as light as it must be.
    pub accent: Option<Colour>,
}

/// A list of faces, safe to stand in a style.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Font(String);

impl<'de> Deserialize<'de> for Font {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?.replace('"', "'");
        let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | ',' | '\'' | '-' | '_');
        match !text.trim().is_empty() && text.chars().all(fits) && text.matches('\'').count() % 2 == 0 {
            true => Ok(Font(text.trim().to_owned())),
            false => Err(de::Error::custom(format!(
                "{text:?} is no list of fonts; write it like \"Georgia, 'Times New Roman', serif\""
            ))),
        }
    }
}

/// The colours of one scheme.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Palette {
    /// Around the posts.
    pub background: Colour,
    /// Behind the posts.
    pub paper: Colour,
    /// Of the text.
    pub text: Colour,
    /// Of dates and small print.
    pub muted: Colour,
    /// Of links.
    pub accent: Colour,
    /// Between posts.
    pub line: Colour,
}

/// A theme as templates see it.
#[derive(Clone, Debug, Serialize)]
pub struct Theme {
    /// The colours in light.
    #[serde(flatten)]
    pub light: Palette,
    /// The colours in dark.
    pub dark: Palette,
    /// Faces.
    pub font: String,
    /// Faces of dates and small print.
    pub label_font: String,
    /// At the head, or nothing.
    pub logo: Option<Logo>,
    /// A sentence at the foot, or nothing.
    pub footer: Option<String>,
}

/// A picture at the head of a mail.
#[derive(Clone, Debug, Serialize)]
pub struct Logo {
    /// Absolute.
    pub url: String,
    /// May be empty.
    pub alt: String,
    /// In pixels.
    pub width: u16,
    /// In pixels, where it is known.
    pub height: Option<u16>,
}

impl Settings {
    fn palettes(&self) -> (Palette, Palette) {
        let or = |own: Option<Colour>, usual: u32| own.unwrap_or(Colour::of(usual));
        let light = |line| Palette {
            background: or(self.background, 0xf4f1ea),
            paper: or(self.paper, 0xfffdf9),
            text: or(self.text, 0x2a2724),
            muted: or(self.muted, 0x625c53),
            accent: or(self.accent, 0x23614f),
            line,
        };
        let dark = |line| {
            let (background, paper) = (or(self.dark.background, 0x17191b), or(self.dark.paper, 0x1f2225));
            let lightened = self.accent.map(|accent| accent.lightened([background, paper]));
            let accent = or(self.dark.accent.or(lightened), 0x93cdb8);
            let (text, muted) = (or(self.dark.text, 0xe9e5dc), or(self.dark.muted, 0xb3ada1));
            Palette { background, paper, text, muted, accent, line }
        };
        let lined = |palette: Palette, share| Palette { line: palette.paper.mixed(palette.text, share), ..palette };
        (lined(light(Colour([0; 3])), 13), lined(dark(Colour([0; 3])), 18))
    }

    /// Whether everything can be read; else a sentence that says what cannot.
    pub fn check(&self) -> Result<(), String> {
        let (light, dark) = self.palettes();
        for (table, palette) in [("theme", light), ("theme.dark", dark)] {
            for (name, colour) in [("text", palette.text), ("muted", palette.muted), ("accent", palette.accent)] {
                for (ground, behind) in [("background", palette.background), ("paper", palette.paper)] {
                    let ratio = colour.contrast(behind);
                    if ratio < CONTRAST {
                        let way = if behind.luminance() > 0.18 { "darker" } else { "lighter" };
                        return Err(format!(
                            "{table}.{name} {colour} on {table}.{ground} {behind} has a contrast of {:.1} to 1, too little to be read; 4.5 are needed\n  help: make {name} {way}",
                            (ratio * 10.0).floor() / 10.0
                        ));
                    }
                }
            }
        }
        match &self.logo {
            Some(logo) if !is_shown(logo) => Err(format!(
                "theme.logo is {:?}, which mail programs do not show\n  help: use an https:// address, or a path below the site",
                logo.chars().take(40).collect::<String>()
            )),
            _ => Ok(()),
        }
    }

    /// The theme of a site's mails.
    pub fn theme(&self, site: &Url) -> Theme {
        let (light, dark) = self.palettes();
        let font =
            |own: &Option<Font>, usual: &str| own.as_ref().map_or_else(|| usual.to_owned(), |font| font.0.clone());
        let logo = self.logo.as_ref().and_then(|logo| site.join(logo).ok());
        Theme {
            light,
            dark,
            font: font(&self.font, "Georgia, 'Times New Roman', serif"),
            label_font: font(&self.label_font, "Helvetica, Arial, sans-serif"),
            logo: logo.map(|url| Logo {
                url: url.into(),
                alt: self.logo_alt.clone().unwrap_or_default(),
                width: self.logo_width.unwrap_or(120).clamp(16, 520),
                height: self.logo_height,
            }),
            footer: self.footer.clone().filter(|footer| !footer.trim().is_empty()),
        }
    }
}

/// Whether mail programs load it: over https, or a path of the site, which is served over https.
fn is_shown(logo: &str) -> bool {
    match Url::parse(logo) {
        Ok(url) => url.scheme() == "https",
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn contrast_is_wcags() {
        let ratio = |a: u32, b: u32| (Colour::of(a).contrast(Colour::of(b)) * 100.0).round() / 100.0;
        assert_eq!((ratio(0, 0xffffff), ratio(0xffffff, 0xffffff)), (21.0, 1.0));
        assert_eq!((ratio(0x767676, 0xffffff), ratio(0x777777, 0xffffff)), (4.54, 4.48));
    }

    #[test]
    fn the_default_can_be_read_and_an_accent_is_made_light_for_the_dark() {
        assert_eq!(Settings::default().check(), Ok(()));
        for accent in ["#23614f", "#0000aa", "#7a0019", "#111111", "#5b21b6"] {
            assert_eq!(settings(&format!("accent = '{accent}'")).check(), Ok(()), "{accent}");
        }
        assert_eq!(
            settings("accent = '#ff9900'").check().unwrap_err(),
            "theme.accent #ff9900 on theme.background #f4f1ea has a contrast of 1.8 to 1, too little to be read; 4.5 are needed\n  help: make accent darker"
        );
        assert!(settings("dark = { text = '#333333' }").check().unwrap_err().contains("theme.dark.text #333333"));
    }

    #[test]
    fn what_is_no_colour_and_no_font_is_refused() {
        for bad in [
            "text = 'red'",
            "text = '#fff'",
            "text = '#12345g'",
            "font = 'a; b'",
            "font = '</style>'",
            "fnt = 'a'",
            "font = \"a'\"",
        ] {
            assert!(toml::from_str::<Settings>(bad).is_err(), "{bad}");
        }
        assert_eq!(settings("font = '\"PT Serif\", Georgia'").font.unwrap().0, "'PT Serif', Georgia");
    }

    #[test]
    fn a_logo_is_absolute() {
        let site: Url = "https://example.org/blog/".parse().unwrap();
        assert_eq!(settings("logo = '/logo.png'").theme(&site).logo.unwrap().url, "https://example.org/logo.png");
        assert!(settings("logo = 'data:image/png;base64,AA'").check().is_err());
    }
}
