//! `postrider preview`: digests, feeds and the plan, in the browser while the files change, or as files.

mod assemble;
mod out;
mod watch;

use super::arguments::Global;
use super::setup::{self, Setup, stop_flag};
use super::{Exit, say};
use crate::web;
use crate::web::preview::{Showcase, serve};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::Path;
use watch::Watch;

/// `postrider preview`
pub(super) fn run(global: &Global, listen: SocketAddr, out: Option<&Path>) -> Result<Exit> {
    match out {
        Some(folder) => {
            let setup = Setup::load(global)?;
            let preview = assemble::assemble(global, &setup)?;
            out::write(global, &preview, folder)
        }
        None => live(global, listen),
    }
}

/// Serves until it is told to stop.
fn live(global: &Global, listen: SocketAddr) -> Result<Exit> {
    let stop = stop_flag()?;
    // A configuration that is broken shows in the page; one that is not there cannot be mended there.
    let config = setup::find(global.config.as_deref())?;
    let listener = web::bind(listen).with_context(|| {
        format!(
            "cannot listen on {listen}\n  help: is another preview running? --listen 127.0.0.1:0 takes any free port"
        )
    })?;
    let address = format!("http://{}/", listener.local_addr()?);
    let mut watch = Watch::new(global, config);
    let showcase = Showcase::new(watch.look(None), &stop);
    match global.json {
        true => say::json(&serde_json::json!({ "address": address }))?,
        false => say::line(format!("preview: {address}")),
    }
    say::remark(global, "it follows the files; Ctrl-C ends it");
    std::thread::scope(|threads| {
        let watching = threads.spawn(|| watch.follow(&showcase, &stop));
        let served = serve(&showcase, listener);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = watching.join();
        served
    })?;
    Ok(Exit::Done)
}
