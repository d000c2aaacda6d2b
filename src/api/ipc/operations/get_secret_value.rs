//! `GetSecretValue`: one version of a secret.

use super::missing;
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::secret::{GetSecretValueRequest, GetSecretValueResponse};

/// The model declares no `InvalidArgumentsError` for it. The resource is the secret as the request names it.
pub(super) async fn answer(call: &Call, request: GetSecretValueRequest) -> Result<GetSecretValueResponse, IpcError> {
    let Some(id) = request.secret_id.filter(|id| !id.is_empty()) else {
        return Err(IpcError::service("the request has no secretId"));
    };
    call.authorize(&id)?;
    if request.version_id.is_some() && request.version_stage.is_some() {
        return Err(IpcError::service("a request names a versionId or a versionStage, not both"));
    }
    Err(missing::secrets())
}
