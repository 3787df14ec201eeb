//! Pictures, sound and films that lie in the site's own folder: found where its generator takes them from, and measured. Promises: looks at no
//! file outside that folder, at none before a post that shows it is rendered, and at its first bytes alone.

use crate::post::generator::{Generator, Rules};
use crate::post::{Measured, media};
use percent_encoding::percent_decode_str;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use url::Url;

/// How far into a JPEG the orientation is looked for.
const EXIF_WITHIN: u64 = 64 * 1024;

/// The pictures of one site.
pub(super) struct Pictures {
    /// Where the site is served, with the generator's `baseurl`.
    base: Url,
    /// No file outside of it is looked at.
    folder: PathBuf,
    /// `folder` without symbolic links, asked for once.
    real: OnceLock<Option<PathBuf>>,
    /// Folders that the generator copies to the site's root, the likeliest first.
    roots: Vec<PathBuf>,
    /// Whether files beside a post are served beside it.
    beside: Beside,
    /// By URL.
    known: Mutex<HashMap<String, Option<Measured>>>,
}

/// Which files a generator takes along with a post.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    /// None.
    Nothing,
    /// What lies in the post's folder.
    Folder,
    /// What lies in the folder of an `index.md`.
    Bundle,
    /// What lies in a folder of the post's own name.
    Named,
}

impl Pictures {
    pub(super) fn new(generator: &Generator, base: Url) -> Self {
        let source = generator.source_folder();
        let at = |below: &str| generator.folder.join(below);
        let set = |key: &str, usual: &str| at(generator.all.get(key).and_then(|dir| dir.text()).unwrap_or(usual));
        let sources = || generator.sources.iter().map(|below| at(below));
        let (roots, beside): (Vec<PathBuf>, Beside) = match generator.rules {
            Rules::Jekyll => (vec![source], Beside::Nothing),
            Rules::Hugo(_) => ([set("staticdir", "static")].into_iter().chain(sources()).collect(), Beside::Bundle),
            Rules::Zola(_) => ([at("static")].into_iter().chain(sources()).collect(), Beside::Bundle),
            Rules::Eleventy => (sources().chain([at(""), at("public")]).collect(), Beside::Folder),
            Rules::Pelican(_) => (sources().collect(), Beside::Folder),
            Rules::Hexo(_) => (sources().collect(), Beside::Named),
            Rules::Plain => (vec![source], Beside::Folder),
        };
        let folder = generator.folder.clone();
        Pictures { base, folder, real: OnceLock::new(), roots, beside, known: Mutex::default() }
    }

    /// What is known of the file behind a URL of the site that the post at `post` names; its source is at `place`, if that is known.
    pub(super) fn measure(&self, url: &str, post: &Url, place: Option<&Path>) -> Option<Measured> {
        if let Some(known) = self.known().get(url) {
            return known.clone();
        }
        let parsed = Url::parse(url).ok()?;
        let measured = self.file(&parsed, post, place).and_then(|file| measured(&file));
        self.known().insert(url.to_owned(), measured.clone());
        measured
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<Measured>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file that the site serves at `url`, to be shown by the post at `post` whose source is at `place`.
    pub(super) fn file(&self, url: &Url, post: &Url, place: Option<&Path>) -> Option<PathBuf> {
        if url.host() != self.base.host() || url.port_or_known_default() != self.base.port_or_known_default() {
            return None;
        }
        let root = self.base.path().trim_end_matches('/');
        let below = url.path().strip_prefix(root)?.strip_prefix('/')?;
        let below = plain_path(below)?;
        let in_roots = self.roots.iter().map(|root| root.join(&below));
        let folder = post.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let relative = url.path().strip_prefix(folder).and_then(|path| path.strip_prefix('/')).and_then(plain_path);
        let beside = relative.zip(place).and_then(|(relative, place)| Some(self.beside(place)?.join(relative)));
        in_roots.chain(beside).find_map(|file| self.within(&file))
    }

    fn beside(&self, place: &Path) -> Option<PathBuf> {
        let folder = place.parent()?;
        let stem = place.file_stem()?;
        match self.beside {
            Beside::Nothing => None,
            Beside::Folder => Some(folder.to_path_buf()),
            Beside::Bundle => stem.to_string_lossy().starts_with("index").then(|| folder.to_path_buf()),
            Beside::Named => Some(folder.join(stem)),
        }
    }

    /// The file itself, if it is one and lies in the site's folder, wherever symbolic links lead.
    fn within(&self, file: &Path) -> Option<PathBuf> {
        let real = file.canonicalize().ok()?;
        let folder = self.real.get_or_init(|| self.folder.canonicalize().ok()).as_ref()?;
        (real.starts_with(folder) && real.is_file()).then_some(real)
    }
}

/// A URL's path as that of a file: decoded, and going down only.
fn plain_path(path: &str) -> Option<PathBuf> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let path = Path::new(&*decoded);
    let down = path.components().all(|part| matches!(part, Component::Normal(_)));
    (down && !decoded.is_empty() && !decoded.contains(['\\', '\0', ':'])).then(|| path.to_path_buf())
}

/// What a file says of itself; `None` for what cannot be read.
fn measured(file: &Path) -> Option<Measured> {
    let opened = File::open(file).ok()?;
    let length = opened.metadata().ok()?.len();
    let mut reader = BufReader::new(opened);
    let mut head = [0; 16];
    let read = reader.read(&mut head).ok()?;
    reader.rewind().ok()?;
    let kind = imagesize::image_type(&head[..read]).ok();
    let size = imagesize::reader_size(&mut reader).ok().and_then(|size| {
        let (width, height) = (u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?);
        let sides = if matches!(kind, Some(imagesize::ImageType::Jpeg)) && lies_on_its_side(&mut reader) {
            (height, width)
        } else {
            (width, height)
        };
        (width > 0 && height > 0).then_some(sides)
    });
    Some(Measured { length, media_type: media_type(kind, file)?.to_owned(), size })
}

/// By its first bytes, else by its name.
fn media_type(kind: Option<imagesize::ImageType>, file: &Path) -> Option<&'static str> {
    use imagesize::ImageType;
    let by_bytes = match kind {
        Some(ImageType::Png) => Some("image/png"),
        Some(ImageType::Jpeg) => Some("image/jpeg"),
        Some(ImageType::Gif) => Some("image/gif"),
        Some(ImageType::Webp) => Some("image/webp"),
        _ => None,
    };
    by_bytes.or_else(|| media::type_of(file.file_name()?.to_str()?))
}

/// Whether a JPEG says, as cameras do, that it is to be turned by a quarter (Exif 2.32, tag 0x0112, values 5 to 8): it is shown
/// as high as it is wide.
fn lies_on_its_side(reader: &mut (impl Read + Seek)) -> bool {
    let mut head = Vec::new();
    if reader.rewind().is_err() || reader.take(EXIF_WITHIN).read_to_end(&mut head).is_err() {
        return false;
    }
    orientation(&head).is_some_and(|turn| (5..=8).contains(&turn))
}

fn orientation(head: &[u8]) -> Option<u16> {
    let at = head.windows(6).position(|bytes| bytes == b"Exif\0\0")?;
    let tiff = &head[at + 6..];
    let little = tiff.starts_with(b"II");
    let two = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let four = |at: usize| {
        Some(match little {
            true => u32::from(two(at)?) | u32::from(two(at + 2)?) << 16,
            false => u32::from(two(at)?) << 16 | u32::from(two(at + 2)?),
        })
    };
    let directory = usize::try_from(four(4)?).ok()?;
    let entries = usize::from(two(directory)?);
    (0..entries).map(|entry| directory + 2 + 12 * entry).find(|at| two(*at) == Some(0x0112)).and_then(|at| two(at + 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::dialect::Dialect;
    use crate::post::front_matter::Yaml;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 2, 0, 0, 0]);
        bytes
    }

    #[cfg(unix)]
    #[test]
    fn nothing_outside_the_site_is_looked_at() {
        let all = tempfile::tempdir().expect("a folder");
        let site = all.path().join("site");
        std::fs::create_dir(&site).expect("a folder");
        for file in ["out.png", "site/in.png"] {
            std::fs::write(all.path().join(file), png(2, 3)).expect("writable");
        }
        std::os::unix::fs::symlink("../out.png", site.join("link.png")).expect("a link");
        std::os::unix::fs::symlink("in.png", site.join("inner.png")).expect("a link");
        std::os::unix::fs::symlink("..", site.join("up")).expect("a link");
        let mut generator = Generator::new(Dialect::Jekyll, Yaml::Map(Vec::new()));
        generator.folder = site;
        let base: Url = "https://a.example/".parse().expect("a URL");
        let pictures = Pictures::new(&generator, base.clone());
        let found = |path: &str| pictures.file(&base.join(path).expect("a URL"), &base, None).is_some();
        assert!(found("in.png") && found("/inner.png") && found("%69n.png"));
        let outside =
            ["../out.png", "..%2fout.png", "link.png", "up/out.png", "up/site/../out.png", "%2e%2e%5cout.png"];
        for path in outside.into_iter().chain(["", "up", "%00", "%zz", "%", "//etc/passwd", "%2fetc%2fpasswd"]) {
            assert!(!found(path), "{path}");
        }
        assert!(found("up/site/in.png"), "it is inside, whichever way");
    }

    #[test]
    fn a_picture_is_looked_at_once() {
        let site = tempfile::tempdir().expect("a folder");
        let generator = Generator { folder: site.path().to_path_buf(), ..Generator::default() };
        let base: Url = "https://a.example/".parse().expect("a URL");
        let pictures = Pictures::new(&generator, base.clone());
        std::fs::write(site.path().join("a.png"), png(2, 3)).expect("writable");
        let measured = || pictures.measure("https://a.example/a.png", &base, None);
        assert_eq!(measured().and_then(|measured| measured.size), Some((2, 3)));
        std::fs::remove_file(site.path().join("a.png")).expect("it is there");
        assert_eq!(measured().map(|measured| measured.length), Some(29));
    }

    #[test]
    fn torn_headers_have_no_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let exif = b"\xff\xd8\xff\xe1\0\x20Exif\0\0MM\0*\xff\xff\xff\xff\0\x01";
        for (name, bytes) in [("a.png", &png(2, 3)[..20]), ("b.png", &png(0, 3)), ("c.jpg", &exif[..]), ("d.gif", b"")]
        {
            let file = folder.path().join(name);
            std::fs::write(&file, bytes).expect("writable");
            assert_eq!(measured(&file).expect("a picture by name").size, None, "{name}");
        }
        assert_eq!(measured(&folder.path().join("none.png")), None);
    }
}
