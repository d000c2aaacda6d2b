//! A deployment as the four operations on local deployments show it.

use crate::base::clock::Timestamp;
use crate::service::deploy::Refused;
use crate::wire::deployment::DeploymentRecord;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::local_deployment::{DeploymentStatusDetails, LocalDeployment};
use crate::wire::name::DeploymentId;
use crate::wire::state::{DeploymentStatus, DetailedStatus};

/// The id of a local deployment, which is a UUID; in the form the daemon gives.
pub(super) fn id(text: Option<String>) -> Result<DeploymentId, IpcError> {
    let text = text.ok_or_else(|| IpcError::invalid_arguments("the request has no deploymentId"))?;
    let uuid = uuid::Uuid::try_parse(&text);
    let uuid = uuid.map_err(|_| IpcError::invalid_arguments("the deploymentId is not a UUID"))?;
    DeploymentId::parse(&uuid.to_string()).map_err(|error| IpcError::invalid_arguments(error.to_string()))
}

/// Without the details of how it ended.
pub(super) fn outline(record: &DeploymentRecord) -> LocalDeployment {
    LocalDeployment {
        deployment_id: record.deployment_id.to_string(),
        status: match record.status {
            // The model knows it as a detail only.
            DeploymentStatus::Rejected => DeploymentStatus::Failed,
            status => status,
        },
        created_on: Timestamp(record.created_on).date(),
        deployment_status_details: None,
    }
}

pub(super) fn in_full(record: DeploymentRecord) -> LocalDeployment {
    let outline = outline(&record);
    let details = record.details.map(|details| DeploymentStatusDetails {
        detailed_deployment_status: match details.detailed_status {
            DetailedStatus::FailedUnableToRollback => None,
            status => Some(status),
        },
        deployment_error_stack: details.error_stack,
        deployment_error_types: details.error_types,
        deployment_failure_cause: details.failure_cause,
    });
    LocalDeployment { deployment_status_details: details, ..outline }
}

pub(super) fn refused(refused: &Refused) -> IpcError {
    let message = refused.to_string();
    match refused {
        Refused::Unknown(id) => IpcError::not_found(message, "LocalDeployment", id.as_str()),
        Refused::NotValid(_) => IpcError::invalid_arguments(message),
        Refused::GoingDown
        | Refused::Ended(_)
        | Refused::TooLate(_)
        | Refused::QueueFull(_)
        | Refused::NotRecorded(_) => IpcError::service(message),
    }
}
