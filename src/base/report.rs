//! An error with its chain of causes, printed once, at the rim.

use std::error::Error;
use std::fmt;

/// Displays an error and every cause below it: `cannot open the store: No such file or directory`.
#[derive(Debug)]
pub struct Report<'a>(pub &'a dyn Error);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
