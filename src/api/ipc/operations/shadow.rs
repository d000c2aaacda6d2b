//! What all operations on shadows check.

use crate::wire::ipc::IpcError;
use crate::wire::shadow_name::{ShadowId, ThingName};

pub(super) fn id(thing: Option<&str>, shadow: Option<&str>) -> Result<ShadowId, IpcError> {
    ShadowId::parse(given(thing)?, shadow).map_err(|error| IpcError::invalid_arguments(error.to_string()))
}

pub(super) fn thing(thing: Option<&str>) -> Result<ThingName, IpcError> {
    ThingName::parse(given(thing)?).map_err(|error| IpcError::invalid_arguments(error.to_string()))
}

fn given(thing: Option<&str>) -> Result<&str, IpcError> {
    thing.ok_or_else(|| IpcError::invalid_arguments("the request has no thingName"))
}
