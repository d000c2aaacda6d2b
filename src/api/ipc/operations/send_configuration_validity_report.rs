//! `SendConfigurationValidityReport`: a component's verdict on what a deployment would make of its configuration.

use crate::api::ipc::call::Call;
use crate::service::deploy::Verdict;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::updates::{
    ConfigurationValidityStatus, SendConfigurationValidityReportRequest, SendConfigurationValidityReportResponse,
};
use crate::wire::name::DeploymentId;

pub(super) async fn answer(
    call: &Call,
    request: SendConfigurationValidityReportRequest,
) -> Result<SendConfigurationValidityReportResponse, IpcError> {
    let invalid = |text: &str| IpcError::invalid_arguments(text);
    let report = request.configuration_validity_report;
    let report = report.ok_or_else(|| invalid("the request has no configurationValidityReport"))?;
    let id = report.deployment_id.ok_or_else(|| invalid("the report has no deploymentId"))?;
    let deployment = DeploymentId::parse(&id).map_err(|error| invalid(&error.to_string()))?;
    let verdict = match report.status.ok_or_else(|| invalid("the report has no status"))? {
        ConfigurationValidityStatus::Accepted => Verdict::Accepted,
        ConfigurationValidityStatus::Rejected => Verdict::Rejected { message: report.message },
    };
    let component = call.principal.component().ok_or_else(|| invalid("only a component is asked for a report"))?;
    let reported = call.services.deploy.validations().report(component, &deployment, verdict);
    reported.map_err(|error| invalid(&error.to_string()))?;
    Ok(SendConfigurationValidityReportResponse {})
}
