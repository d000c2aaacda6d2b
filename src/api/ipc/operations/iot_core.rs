//! What both operations on messages of AWS IoT Core check.

use crate::wire::iot_topic::IotTopicError;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::iot_core::Qos;

/// The reference answers `InvalidArgumentsError`, although the model does not declare it.
pub(super) fn topic_name(given: Option<String>) -> Result<String, IpcError> {
    given.ok_or_else(|| IpcError::invalid_arguments("the request has no topicName"))
}

/// As [`topic_name`].
pub(super) fn qos(given: Option<&str>) -> Result<Qos, IpcError> {
    let word = given.ok_or_else(|| IpcError::invalid_arguments("the request has no qos"))?;
    Qos::parse(word).ok_or_else(|| IpcError::invalid_arguments("the qos must be \"0\" or \"1\""))
}

pub(super) fn not_a_topic(error: IotTopicError) -> IpcError {
    IpcError::service(error.to_string())
}
