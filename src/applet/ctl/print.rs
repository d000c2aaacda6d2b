//! Standard output: text or JSON, whole or not at all; a reader that went away ends the program quietly.

use std::io::{self, Write};

use serde::Serialize;

use super::arguments::Output;
use super::failure::Failure;

/// Where a command writes its result.
#[derive(Debug)]
pub(super) struct Printer<W> {
    to: W,
    output: Output,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(to: W, output: Output) -> Self {
        Self { to, output }
    }

    pub(super) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Prints the text or the document, as the user chose.
    pub(super) fn either(&mut self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.output {
            Output::Json => self.document(document),
            Output::Text => self.text(&text()),
        }
    }

    /// Prints text that ends with a line feed.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()).map_err(Failure::print)
    }

    /// Prints one document on one line.
    pub(super) fn document(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(document).map_err(|cause| Failure::print(io::Error::from(cause)))?;
        line.push(b'\n');
        self.to.write_all(&line).and_then(|()| self.to.flush()).map_err(Failure::print)
    }
}
