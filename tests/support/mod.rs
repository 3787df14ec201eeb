//! What several tests share.

pub(crate) mod chaos;
pub(crate) mod database;
pub(crate) mod dkim;
pub(crate) mod dns;
pub(crate) mod edition;
pub(crate) mod faulty;
pub(crate) mod pipe;
pub(crate) mod posts;
pub(crate) mod power;
pub(crate) mod promise;
pub(crate) mod record;
pub(crate) mod shim;
pub(crate) mod sink;
pub(crate) mod site;
pub(crate) mod web;
