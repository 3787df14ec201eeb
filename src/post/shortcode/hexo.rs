//! Hexo's tags, which are not read yet: the text stays as it is.

use super::tags::{Code, Item, Tag};
use super::{Body, Ledger, Made};

pub(super) fn items<'s>(text: &'s str, _: &Code) -> Vec<Item<'s>> {
    vec![Item::Text(0..text.len())]
}

pub(super) fn body(_: &Tag<'_>) -> Body {
    Body::Stays
}

pub(super) fn make(_: &Tag<'_>, _: Option<&str>, _: &mut Ledger<'_>) -> Made {
    Made::Body
}
