//! `ValidateAuthorizationToken`: the stream manager asks whether one of its own clients is a component.

use crate::api::ipc::call::Call;
use crate::base::token::Token;
use crate::wire::ipc::tokens::{ValidateAuthorizationTokenRequest, ValidateAuthorizationTokenResponse};
use crate::wire::ipc::{ErrorKind, IpcError};

/// The only one who may ask; no policy gives it to another.
const STREAM_MANAGER: &str = "aws.greengrass.StreamManager";

/// Valid is any token in force. Where it was shown, and by whom, only the asker knows.
pub(super) async fn answer(
    call: &Call,
    request: ValidateAuthorizationTokenRequest,
) -> Result<ValidateAuthorizationTokenResponse, IpcError> {
    if call.principal.component().is_none_or(|name| name.as_str() != STREAM_MANAGER) {
        let message = format!("{} is not authorized to perform {}", call.principal, call.operation);
        tracing::warn!(component = %call.principal, "{message}.");
        return Err(IpcError::new(ErrorKind::Unauthorized, message));
    }
    let invalid = || IpcError::new(ErrorKind::InvalidToken, "the token is nobody's");
    let token = Token::shown(request.token.ok_or_else(invalid)?);
    if call.services.clients.knows(&token) {
        return Ok(ValidateAuthorizationTokenResponse { is_valid: true });
    }
    let component = call.services.supervisor.component_of(token).await;
    match component.map_err(|refused| IpcError::service(refused.to_string()))? {
        Some(_) => Ok(ValidateAuthorizationTokenResponse { is_valid: true }),
        None => Err(invalid()),
    }
}
