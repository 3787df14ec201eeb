//! `postrider serve`: answers unsubscribe links until it is told to stop.

use super::arguments::Global;
use super::setup::{Setup, stop_flag};
use super::{Exit, say};
use crate::random::Random;
use crate::store::Mode;
use crate::web::{self, Web};
use anyhow::{Context, Result};

/// `postrider serve`
pub(super) fn run(global: &Global) -> Result<Exit> {
    let stop = stop_flag()?;
    let setup = Setup::load(global)?;
    let (site, _) = setup.site()?;
    let store = setup.store(Mode::Create)?;
    let keyring = setup.keyring(&store)?;
    let templates = setup.templates()?;
    let listen = setup.config.web.listen;
    let listener = web::bind(listen).with_context(|| format!("cannot listen on {listen} (web.listen)"))?;
    let address = listener.local_addr()?;
    say::remark(global, format!("listening on http://{address}/; unsubscribe links and /healthz"));
    let web = Web { store, keyring, templates, site, clock: setup.clock, random: Random::system() };
    web::serve(web, listener, &stop)?;
    Ok(Exit::Done)
}
