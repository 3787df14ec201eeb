//! What several tests share.

pub(crate) mod pipe;
pub(crate) mod sink;
