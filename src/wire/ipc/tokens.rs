//! Tokens of others: `ValidateAuthorizationToken`.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub struct ValidateAuthorizationTokenRequest {
    pub token: Option<String>,
}

/// Never shows the token.
impl fmt::Debug for ValidateAuthorizationTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateAuthorizationTokenRequest").finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateAuthorizationTokenResponse {
    pub is_valid: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_keeps_its_token_to_itself() {
        let request: ValidateAuthorizationTokenRequest =
            serde_json::from_str(r#"{"token":"SECRET","more":1}"#).unwrap();
        assert_eq!(request.token.as_deref(), Some("SECRET"));
        assert!(!format!("{request:?}").contains("SECRET"));
        let absent: ValidateAuthorizationTokenRequest = serde_json::from_str("{}").unwrap();
        assert_eq!(absent.token, None);
        let response = ValidateAuthorizationTokenResponse { is_valid: true };
        assert_eq!(serde_json::to_string(&response).unwrap(), r#"{"isValid":true}"#);
    }
}
