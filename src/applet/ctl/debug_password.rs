//! `get-debug-password`: a way into the local debug console.

use std::io::Write;

use serde_json::json;

use super::failure::Failure;
use super::print::Printer;
use super::request::ask_one;
use crate::api::control::Client;
use crate::base::clock::Timestamp;
use crate::wire::control::{Answer, Request};

pub(super) fn run(client: &mut Client, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let made = ask_one(client, &Request::CreateDebugPassword, |answer| match answer {
        Answer::DebugPassword(made) => Some(made),
        _ => None,
    })?;
    let document = json!({ "username": made.username, "password": made.password, "passwordExpiration": made.expires });
    printer.either(&document, || {
        let expires = Timestamp(made.expires).date();
        format!("Username: {}\nPassword: {}\nPassword expires at: {expires}\n", made.username, made.password)
    })
}
