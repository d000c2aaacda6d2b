//! `PutComponentMetric`: a component of AWS hands over what it measured.

use crate::api::ipc::call::Call;
use crate::base::report::Report;
use crate::service::telemetry::Sample;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::metrics::{PutComponentMetricRequest, PutComponentMetricResponse};

/// Who may put metrics at all, as in the reference: others publish theirs to a topic.
const ENTITLED: &str = "aws.";

/// May put every metric, for its recipe has no policy for them.
const STREAM_MANAGER: &str = "aws.greengrass.StreamManager";

/// Every metric is taken, or none: they are checked and authorised, each by its name, before the first is written.
pub(super) async fn answer(
    call: &Call,
    request: PutComponentMetricRequest,
) -> Result<PutComponentMetricResponse, IpcError> {
    let component = call.principal.component().filter(|name| name.as_str().starts_with(ENTITLED));
    let component = component.ok_or_else(|| call.deny("*"))?;
    let metrics = request.metrics.unwrap_or_default();
    let samples = Sample::check(&metrics).map_err(|error| IpcError::invalid_arguments(error.to_string()))?;
    if component.as_str() != STREAM_MANAGER {
        samples.iter().try_for_each(|sample| call.authorize(sample.name()))?;
    }
    let stored = call.services.telemetry.put(component.clone(), samples).await;
    stored.map_err(|error| IpcError::service(Report(&error).to_string()))?;
    Ok(PutComponentMetricResponse {})
}
