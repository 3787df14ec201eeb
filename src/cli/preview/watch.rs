//! Follows the files: whenever one of them changes, and once a minute for what the clock brings, everything is looked at anew.
//!
//! By their stamps, again and again, rather than by the system's notices: those differ from system to system, do not come over
//! network disks and into containers, and a walk of ten thousand files takes a few hundredths of a second.

use super::super::arguments::Global;
use super::super::say;
use super::super::setup::Setup;
use super::assemble::assemble;
use crate::clock::Clock;
use crate::preview::Preview;
use crate::site;
use crate::web::preview::{Showcase, Shown};
use aws_lc_rs::digest::{Context, SHA256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long it rests between two looks at the stamps, at least.
const REST: Duration = Duration::from_millis(250);
/// For so many times the length of a look it rests: watching takes a twentieth of a core at most.
const RESTS: u32 = 20;
/// After so long everything is looked at anew, whatever the stamps say: slots come, and posts whose time has come.
const ANEW: Duration = Duration::from_secs(60);

/// Who watches.
pub(super) struct Watch<'a> {
    global: &'a Global,
    config: PathBuf,
    clock: Clock,
    places: Vec<PathBuf>,
    trace: [u8; 32],
}

impl<'a> Watch<'a> {
    pub(super) fn new(global: &'a Global, config: PathBuf) -> Self {
        let clock = global.now.map_or_else(Clock::system, Clock::starting_at);
        Watch { global, config, clock, places: Vec::new(), trace: [0; 32] }
    }

    /// Looks at everything. Where that fails, what was seen `before` stays, with the reason beside it.
    pub(super) fn look(&mut self, before: Option<&Shown>) -> Shown {
        let setup = Setup::read(&self.config, self.clock);
        if let Ok(setup) = &setup {
            self.places = places(setup);
        }
        if self.places.is_empty() {
            self.places = vec![self.config.clone()];
        }
        // First the stamps: what changes while everything is looked at shows at the next look.
        self.trace = site::trace(&self.places);
        let assembled = setup.and_then(|setup| assemble(self.global, &setup));
        let mut sum = Context::new(&SHA256);
        sum.update(&self.trace);
        let (preview, trouble) = match assembled {
            Ok(mut preview) => {
                // The minute is no news.
                let at = std::mem::take(&mut preview.at);
                add(&mut sum, &preview);
                preview.at = at;
                (Some(Arc::new(preview)), None)
            }
            Err(error) => {
                let sentence = say::sentence(&error);
                sum.update(sentence.as_bytes());
                (before.and_then(|before| before.preview.clone()), Some(sentence))
            }
        };
        let version = data_encoding::HEXLOWER.encode(&sum.finish().as_ref()[..12]);
        Shown { version, preview, trouble }
    }

    /// Puts what changed into the showcase until `stop` is set.
    pub(super) fn follow(&mut self, showcase: &Showcase, stop: &AtomicBool) {
        let mut since = self.clock.stopwatch();
        let (mut rest, mut anew) = (REST, ANEW);
        while !stop.load(Ordering::Relaxed) {
            // Short, so that the end is not waited for.
            std::thread::sleep(rest.min(REST));
            if rest > REST {
                rest -= REST;
                continue;
            }
            let look = self.clock.stopwatch();
            let changed = site::trace(&self.places) != self.trace;
            rest = REST.max(look.elapsed() * RESTS);
            if !changed && since.elapsed() < anew {
                continue;
            }
            let before = showcase.now();
            let look = self.clock.stopwatch();
            let shown = self.look(Some(&before));
            rest = rest.max(look.elapsed());
            anew = ANEW.max(look.elapsed() * RESTS);
            since = self.clock.stopwatch();
            if shown.version != before.version {
                if let Some(trouble) = &shown.trouble {
                    say::remark(self.global, format!("error: {trouble}"));
                } else if before.trouble.is_some() {
                    say::remark(self.global, "mended");
                }
                showcase.put(shown);
            }
        }
    }
}

/// All that a page can tell of the preview.
fn add(sum: &mut Context, preview: &Preview) {
    // A template of the program's own that is broken shows when the page is asked for.
    if let Ok(index) = preview.index(None, None) {
        sum.update(&index.bytes);
    }
    for (.., mail) in preview.mails() {
        sum.update(mail.html.as_bytes());
        sum.update(mail.text.as_bytes());
    }
    for (.., bytes) in preview.feeds.iter().flat_map(|feed| &feed.files) {
        sum.update(bytes);
    }
}

/// Where what a preview is made from lies.
fn places(setup: &Setup) -> Vec<PathBuf> {
    let config = &setup.config;
    let mut places = vec![config.path.clone(), setup.templates_folder()];
    places.extend(config.posts.dir.iter().map(|dir| config.path_of(dir)));
    places.extend(config.subscribers.file.iter().map(|file| config.path_of(file)));
    places.extend(config.store.url.strip_prefix("sqlite:").map(|file| config.path_of(Path::new(file))));
    if let Ok(generator) = site::generator(&config.posts, &config.root) {
        places.push(generator.source_folder());
        places.push(generator.folder);
    }
    places
}
