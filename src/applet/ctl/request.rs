//! Asks the daemon one thing, and turns a wrong answer into a failure.

use std::path::PathBuf;

use super::failure::Failure;
use crate::api::control::{Client, ClientError};
use crate::wire::control::{Answer, Request};

pub(super) fn ask(client: &mut Client, request: &Request) -> Result<Vec<Answer>, Failure> {
    client.ask(request).map_err(failed)
}

/// Asks for the one item `pick` knows.
pub(super) fn ask_one<T>(
    client: &mut Client,
    request: &Request,
    pick: impl FnOnce(Answer) -> Option<T>,
) -> Result<T, Failure> {
    let answer = client.ask_one(request).map_err(failed)?;
    pick(answer).ok_or_else(|| failed(ClientError::OutOfTurn))
}

/// The daemon was there when the command began, so its root is not needed to explain.
pub(super) fn failed(cause: ClientError) -> Failure {
    Failure::Ask { root: PathBuf::new(), cause }
}
