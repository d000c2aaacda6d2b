//! `PublishToIoTCore`: a message to the cloud.

use super::{iot_core, missing};
use crate::api::ipc::call::Call;
use crate::wire::iot_topic::IotTopic;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::iot_core::{PublishToIoTCoreRequest, PublishToIoTCoreResponse};

pub(super) async fn answer(
    call: &Call,
    request: PublishToIoTCoreRequest,
) -> Result<PublishToIoTCoreResponse, IpcError> {
    let topic = iot_core::topic_name(request.topic_name)?;
    call.authorize(&topic)?;
    let _payload = request.payload.ok_or_else(|| IpcError::invalid_arguments("the request has no payload"))?;
    let _qos = iot_core::qos(request.qos.as_deref())?;
    if let Some(seconds) = request.message_expiry_interval_seconds {
        u32::try_from(seconds)
            .map_err(|_| IpcError::service("messageExpiryIntervalSeconds must be a number from 0 to 4294967295"))?;
    }
    let _topic = IotTopic::parse(&topic).map_err(iot_core::not_a_topic)?;
    Err(missing::iot_core())
}
