//! `config get`.

use std::io::Write;

use super::arguments::Config;
use super::failure::Failure;
use super::print::Printer;
use super::request::ask_one;
use crate::api::control::Client;
use crate::wire::control::{Answer, Request};

pub(super) fn run(command: &Config, client: &mut Client, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let Config::Get { key_path } = command;
    let value = ask_one(client, &Request::Config { path: key_path.clone() }, |answer| match answer {
        Answer::Config { value } => Some(value),
        _ => None,
    })?;
    printer.either(&value, || format!("{value:#}\n"))
}
