//! `ListNamedShadowsForThing`: the names of a thing's shadows, page by page.

use super::{missing, shadow};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::shadow::{ListNamedShadowsForThingRequest, ListNamedShadowsForThingResponse};

/// Names in one answer.
const PAGE_SIZES: std::ops::RangeInclusive<i64> = 1..=100;
/// Names in one answer, unless the request says how many.
const PAGE_SIZE: i64 = 25;

/// The resource is the name of the thing.
pub(super) async fn answer(
    call: &Call,
    request: ListNamedShadowsForThingRequest,
) -> Result<ListNamedShadowsForThingResponse, IpcError> {
    let thing = shadow::thing(request.thing_name.as_deref())?;
    call.authorize(thing.as_str())?;
    if !PAGE_SIZES.contains(&request.page_size.unwrap_or(PAGE_SIZE)) {
        return Err(IpcError::invalid_arguments("the pageSize must be between 1 and 100"));
    }
    Err(missing::shadows())
}
