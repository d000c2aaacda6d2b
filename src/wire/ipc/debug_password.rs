//! The password of the local debug console: `CreateDebugPassword`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::json::Seconds;

#[derive(Debug, Deserialize)]
pub struct CreateDebugPasswordRequest {}

/// The hashes are those of the console's certificate; absent while no console serves TLS.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateDebugPasswordResponse {
    pub password: String,
    pub username: String,
    pub password_expiration: Seconds,
    #[serde(rename = "certificateSHA256Hash", skip_serializing_if = "Option::is_none")]
    pub certificate_sha256_hash: Option<String>,
    #[serde(rename = "certificateSHA1Hash", skip_serializing_if = "Option::is_none")]
    pub certificate_sha1_hash: Option<String>,
}

/// Never shows the password.
impl fmt::Debug for CreateDebugPasswordResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateDebugPasswordResponse").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_names_the_hashes_as_the_model_does() {
        let response = CreateDebugPasswordResponse {
            password: "secret".into(),
            username: "debug".into(),
            password_expiration: Seconds { milliseconds: 1500 },
            certificate_sha256_hash: Some("a".into()),
            certificate_sha1_hash: None,
        };
        assert_eq!(
            serde_json::to_string(&response).unwrap(),
            r#"{"password":"secret","username":"debug","passwordExpiration":1.5,"certificateSHA256Hash":"a"}"#
        );
        assert!(!format!("{response:?}").contains("secret"));
    }
}
