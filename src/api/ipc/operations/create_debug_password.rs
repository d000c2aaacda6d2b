//! `CreateDebugPassword`: who may administer this device gets a password for the local debug console.

use tracing::info;

use crate::api::ipc::call::Call;
use crate::base::clock::Timestamp;
use crate::service::debug_password;
use crate::wire::ipc::debug_password::{CreateDebugPasswordRequest, CreateDebugPasswordResponse};
use crate::wire::ipc::{IpcError, Seconds};

/// The hashes of a certificate come with the console that serves one.
pub(super) async fn answer(
    call: &Call,
    _: CreateDebugPasswordRequest,
) -> Result<CreateDebugPasswordResponse, IpcError> {
    call.authorize("*")?;
    let made = debug_password::create(&call.services.config, Timestamp::now()).await;
    let made = made.map_err(|error| IpcError::service(error.to_string()))?;
    info!(client = %call.principal, "A password for the debug console was made.");
    Ok(CreateDebugPasswordResponse {
        password: made.password,
        username: debug_password::USERNAME.into(),
        password_expiration: Seconds { milliseconds: made.expires.0 },
        certificate_sha256_hash: None,
        certificate_sha1_hash: None,
    })
}
