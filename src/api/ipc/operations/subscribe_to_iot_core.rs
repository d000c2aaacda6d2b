//! `SubscribeToIoTCore`: messages from the cloud, until the client closes the stream.

use super::{iot_core, missing};
use crate::api::ipc::call::{Call, Opened};
use crate::wire::iot_topic::IotTopicFilter;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::iot_core::{SubscribeToIoTCoreRequest, SubscribeToIoTCoreResponse};

pub(super) async fn open(
    call: &Call,
    request: SubscribeToIoTCoreRequest,
) -> Result<Opened<SubscribeToIoTCoreResponse>, IpcError> {
    let filter = iot_core::topic_name(request.topic_name)?;
    call.authorize(&filter)?;
    let _qos = iot_core::qos(request.qos.as_deref())?;
    let _filter = IotTopicFilter::parse(&filter).map_err(iot_core::not_a_topic)?;
    Err(missing::iot_core())
}
