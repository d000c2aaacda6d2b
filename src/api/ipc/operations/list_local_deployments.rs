//! `ListLocalDeployments`: the deployments that wait, run or ended, newest first.

use super::deployment::{outline, refused};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::local_deployment::{ListLocalDeploymentsRequest, ListLocalDeploymentsResponse};

pub(super) async fn answer(
    call: &Call,
    _: ListLocalDeploymentsRequest,
) -> Result<ListLocalDeploymentsResponse, IpcError> {
    call.authorize("*")?;
    let records = call.services.deploy.list().await.map_err(|error| refused(&error))?;
    Ok(ListLocalDeploymentsResponse { local_deployments: records.iter().map(outline).collect() })
}
