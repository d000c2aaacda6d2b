//! In the place of the client, where the device shall not fetch anything itself.

use super::{Answer, Body, Bytes, HttpError, Route, Timeouts};

/// Opens no connection.
#[derive(Clone, Debug)]
pub struct Client;

impl Client {
    pub fn new(_: Timeouts) -> Self {
        Self
    }

    pub fn by(_: &Route, _: Timeouts, url: &str) -> Result<Self, HttpError> {
        Err(HttpError::LeftOut { url: url.into() })
    }

    /// Says that this part was left out.
    pub fn range(&self, url: &str, _: Bytes, _: Option<&str>) -> Result<Answer, HttpError> {
        Err(HttpError::LeftOut { url: url.into() })
    }

    /// Says that this part was left out.
    pub fn fetch(&self, url: &str, _: u64) -> Result<Body, HttpError> {
        Err(HttpError::LeftOut { url: url.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn fetch_says_which_part_is_missing_and_is_not_tried_again() {
        let error = Client::new(Timeouts::default()).fetch("https://example.com/a.zip", 0).unwrap_err();
        assert_eq!(error.verdict(), Verdict::GiveUp);
        assert!(error.to_string().contains("`download`"), "{error}");
    }
}
