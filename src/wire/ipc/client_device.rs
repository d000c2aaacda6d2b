//! Client devices: `SubscribeToCertificateUpdates`, `VerifyClientDeviceIdentity`, `GetClientDeviceAuthToken`,
//! `AuthorizeClientDeviceAction`.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeToCertificateUpdatesRequest {
    pub certificate_options: Option<CertificateOptions>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateOptions {
    pub certificate_type: Option<CertificateType>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateType {
    Server,
}

#[derive(Debug, Serialize)]
pub struct SubscribeToCertificateUpdatesResponse {}

/// An event of `SubscribeToCertificateUpdates`; a union.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CertificateUpdateEvent {
    CertificateUpdate(CertificateUpdate),
}

/// All PEM.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateUpdate {
    pub private_key: String,
    pub public_key: String,
    pub certificate: String,
    pub ca_certificates: Vec<String>,
}

impl fmt::Debug for CertificateUpdate {
    /// Never the private key: what is printed may end in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateUpdate").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
pub struct VerifyClientDeviceIdentityRequest {
    pub credential: Option<ClientDeviceCredential>,
}

/// A union of one member, read as a structure so that its absence is an error of the operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientDeviceCredential {
    /// PEM, or the base64 text of it without its first and last line.
    pub client_device_certificate: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyClientDeviceIdentityResponse {
    pub is_valid_client_device: bool,
}

#[derive(Debug, Deserialize)]
pub struct GetClientDeviceAuthTokenRequest {
    pub credential: Option<CredentialDocument>,
}

/// A union of one member, read as [`ClientDeviceCredential`] is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialDocument {
    pub mqtt_credential: Option<MqttCredential>,
}

/// What a device said when it connected to the broker.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MqttCredential {
    pub client_id: Option<String>,
    pub certificate_pem: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
}

impl fmt::Debug for MqttCredential {
    /// Never the password: what is printed may end in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttCredential").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetClientDeviceAuthTokenResponse {
    pub client_device_auth_token: String,
}

impl fmt::Debug for GetClientDeviceAuthTokenResponse {
    /// Never the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetClientDeviceAuthTokenResponse").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizeClientDeviceActionRequest {
    pub client_device_auth_token: Option<String>,
    /// Such as `mqtt:publish`.
    pub operation: Option<String>,
    /// Such as `mqtt:topic:a/b`.
    pub resource: Option<String>,
}

impl fmt::Debug for AuthorizeClientDeviceActionRequest {
    /// Never the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeClientDeviceActionRequest")
            .field("operation", &self.operation)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizeClientDeviceActionResponse {
    pub is_authorized: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_their_members() {
        let json = r#"{"certificateOptions":{"certificateType":"SERVER"}}"#;
        let subscribe: SubscribeToCertificateUpdatesRequest = serde_json::from_str(json).unwrap();
        let options = subscribe.certificate_options.unwrap();
        assert_eq!(options.certificate_type, Some(CertificateType::Server));

        let json = r#"{"credential":{"clientDeviceCertificate":"pem"}}"#;
        let verify: VerifyClientDeviceIdentityRequest = serde_json::from_str(json).unwrap();
        assert_eq!(verify.credential.unwrap().client_device_certificate.as_deref(), Some("pem"));

        let json =
            r#"{"credential":{"mqttCredential":{"clientId":"c","certificatePem":"p","username":"u","password":"w"}}}"#;
        let token: GetClientDeviceAuthTokenRequest = serde_json::from_str(json).unwrap();
        assert!(!format!("{token:?}").contains("\"w\""));
        let credential = token.credential.unwrap().mqtt_credential.unwrap();
        assert_eq!(credential.client_id.as_deref(), Some("c"));
        assert_eq!(credential.certificate_pem.as_deref(), Some("p"));
        assert_eq!(credential.username.as_deref(), Some("u"));
        assert_eq!(credential.password.as_deref(), Some("w"));

        let json = r#"{"clientDeviceAuthToken":"hush","operation":"mqtt:publish","resource":"mqtt:topic:a"}"#;
        let authorize: AuthorizeClientDeviceActionRequest = serde_json::from_str(json).unwrap();
        assert!(!format!("{authorize:?}").contains("hush"));
        assert_eq!(authorize.client_device_auth_token.as_deref(), Some("hush"));
        assert_eq!(authorize.operation.as_deref(), Some("mqtt:publish"));
        assert_eq!(authorize.resource.as_deref(), Some("mqtt:topic:a"));
    }

    #[test]
    fn requests_take_null_as_absent_and_refuse_unknown_words() {
        let verify: VerifyClientDeviceIdentityRequest =
            serde_json::from_str(r#"{"credential":{"clientDeviceCertificate":null}}"#).unwrap();
        assert!(verify.credential.unwrap().client_device_certificate.is_none());
        assert!(serde_json::from_str::<GetClientDeviceAuthTokenRequest>(r#"{"credential":null}"#).is_ok());
        let json = r#"{"certificateOptions":{"certificateType":"CLIENT"}}"#;
        assert!(serde_json::from_str::<SubscribeToCertificateUpdatesRequest>(json).is_err());
    }

    #[test]
    fn answers_are_written_as_the_model_says() {
        let update = CertificateUpdate {
            private_key: "hush".into(),
            public_key: "p".into(),
            certificate: "c".into(),
            ca_certificates: vec!["a".into()],
        };
        assert!(!format!("{update:?}").contains("hush"));
        assert_eq!(
            serde_json::to_string(&CertificateUpdateEvent::CertificateUpdate(update)).unwrap(),
            r#"{"certificateUpdate":{"privateKey":"hush","publicKey":"p","certificate":"c","caCertificates":["a"]}}"#
        );
        let verified = VerifyClientDeviceIdentityResponse { is_valid_client_device: true };
        assert_eq!(serde_json::to_string(&verified).unwrap(), r#"{"isValidClientDevice":true}"#);
        let token = GetClientDeviceAuthTokenResponse { client_device_auth_token: "t".into() };
        assert_eq!(serde_json::to_string(&token).unwrap(), r#"{"clientDeviceAuthToken":"t"}"#);
        let authorized = AuthorizeClientDeviceActionResponse { is_authorized: false };
        assert_eq!(serde_json::to_string(&authorized).unwrap(), r#"{"isAuthorized":false}"#);
    }
}
