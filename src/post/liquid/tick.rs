//! A tag that the scanner puts at the head of each loop, so that no loop runs for ever.

use super::{scan, spend};
use liquid_core::model::ValueView;
use liquid_core::parser::{Language, TagTokenIter};
use liquid_core::{ParseTag, Renderable, Result, Runtime, TagReflection};
use std::io::Write;

/// What going through the emptiest loop once costs.
const ROUND: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Tick;

/// One loop's, with the length of its body.
#[derive(Debug)]
struct Round(usize);

impl TagReflection for Tick {
    fn tag(&self) -> &str {
        scan::TICK
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseTag for Tick {
    fn parse(&self, mut arguments: TagTokenIter<'_>, _: &Language) -> Result<Box<dyn Renderable>> {
        let length = arguments.expect_next("a length is expected")?.expect_literal().into_result()?;
        Ok(Box::new(Round(length.to_kstr().parse().unwrap_or(0))))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

impl Renderable for Round {
    fn render_to(&self, _: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        spend(runtime, ROUND + self.0)
    }
}
