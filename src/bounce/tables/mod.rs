//! What mail servers say in sentences, as data: lower case, on one line, without addresses. The source stands beside what only one
//! family of servers says.

mod absent;
mod mails;
mod reasons;

pub(super) use absent::{ABSENT, NO_MAIL, NOWHERE};
pub(super) use mails::{ABSENCES, DAEMON_NAMES, DAEMONS, DELAYED, OPENINGS, SUBJECTS};
pub(super) use reasons::{BLOCKED, CONNECTION, FULL, LATER, OURS, UNSURE};
