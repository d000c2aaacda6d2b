//! Secrets: `GetSecretValue`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::json::Blob;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetSecretValueRequest {
    /// An ARN, an ARN without its random suffix, or the name of the secret.
    pub secret_id: Option<String>,
    pub version_id: Option<String>,
    pub version_stage: Option<String>,
    /// Ask the cloud first.
    pub refresh: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetSecretValueResponse {
    pub secret_id: String,
    pub version_id: String,
    pub version_stage: Vec<String>,
    pub secret_value: SecretValue,
}

/// A union.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretValue {
    SecretString(String),
    SecretBinary(Blob),
}

impl fmt::Debug for SecretValue {
    /// Never the secret: what is printed may end in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretString(_) => "SecretString(..)",
            Self::SecretBinary(_) => "SecretBinary(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(secret_value: SecretValue) -> GetSecretValueResponse {
        let version_stage = vec!["AWSCURRENT".into()];
        GetSecretValueResponse { secret_id: "s".into(), version_id: "v".into(), version_stage, secret_value }
    }

    #[test]
    fn request_reads_every_member() {
        let json = r#"{"secretId":"s","versionId":"v","versionStage":"AWSPENDING","refresh":true}"#;
        let request: GetSecretValueRequest = serde_json::from_str(json).unwrap();
        assert_eq!(request.secret_id.as_deref(), Some("s"));
        assert_eq!(request.version_id.as_deref(), Some("v"));
        assert_eq!(request.version_stage.as_deref(), Some("AWSPENDING"));
        assert_eq!(request.refresh, Some(true));
        let nothing = r#"{"secretId":null,"versionId":null,"versionStage":null,"refresh":null}"#;
        let request: GetSecretValueRequest = serde_json::from_str(nothing).unwrap();
        assert!(request.secret_id.is_none() && request.refresh.is_none());
        assert!(serde_json::from_str::<GetSecretValueRequest>(r#"{"refresh":"true"}"#).is_err());
    }

    #[test]
    fn response_is_written_as_the_model_says() {
        let text = response(SecretValue::SecretString("hush".into()));
        assert_eq!(
            serde_json::to_string(&text).unwrap(),
            r#"{"secretId":"s","versionId":"v","versionStage":["AWSCURRENT"],"secretValue":{"secretString":"hush"}}"#
        );
        let binary = SecretValue::SecretBinary(Blob(vec![0, 255]));
        assert_eq!(serde_json::to_string(&binary).unwrap(), r#"{"secretBinary":"AP8="}"#);
    }

    #[test]
    fn secret_is_not_printed() {
        let printed = format!("{:?}", response(SecretValue::SecretString("hush".into())));
        assert!(!printed.contains("hush"), "{printed}");
        let printed = format!("{:?}", SecretValue::SecretBinary(Blob(vec![104])));
        assert!(!printed.contains("104"), "{printed}");
    }
}
