//! A sink or a delay in a process of its own, spoken with over its standard input and output; it ends with its owner.

use crate::Failure;
use crate::delay;
use crate::sink::{self, Report};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// One such process.
pub(crate) struct Helper {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Where it listens on loopback.
    pub(crate) port: u16,
}

impl Helper {
    pub(crate) fn sink(settings: &sink::Settings) -> Result<Self, Failure> {
        Self::start(&settings.words())
    }

    pub(crate) fn delay(settings: &delay::Settings) -> Result<Self, Failure> {
        Self::start(&settings.words())
    }

    fn start(words: &[String]) -> Result<Self, Failure> {
        let wrong = |why: String| format!("{} cannot be started: {why}", words[0]);
        let program = env::current_exe().map_err(|why| wrong(why.to_string()))?;
        let mut command = Command::new(program);
        let mut child = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| wrong(why.to_string()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(wrong("it has no standard input".to_owned()));
        };
        let mut helper = Helper { child, input: Some(input), output: BufReader::new(output), port: 0 };
        helper.port = helper.line()?.trim().parse().map_err(|_| wrong("it does not say its port".to_owned()))?;
        Ok(helper)
    }

    /// What a sink counted so far.
    pub(crate) fn report(&mut self) -> Result<Report, Failure> {
        let wrong = |why: String| format!("the sink does not report: {why}");
        let input = self.input.as_mut().ok_or_else(|| wrong("it has no standard input".to_owned()))?;
        writeln!(input, "report").map_err(|why| wrong(why.to_string()))?;
        let line = self.line()?;
        serde_json::from_str(&line).map_err(|why| wrong(format!("{why} in {line:?}")))
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|why| format!("a helper does not answer: {why}"))?;
        Ok(line)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The end of its standard input ends it.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
