//! The errors of the model, as clients read them.

use serde_json::{Map, Value};

macro_rules! kinds {
    ($($kind:ident, $name:literal;)*) => {
        /// Which error of the model it is.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum ErrorKind {
            $($kind,)*
        }

        impl ErrorKind {
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The shape name, without namespace.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// `service-model-type` of the error message.
            pub const fn model_type(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!("aws.greengrass#", $name),)*
                }
            }
        }
    };
}

kinds! {
    ComponentNotFound, "ComponentNotFoundError";
    Conflict, "ConflictError";
    FailedUpdateConditionCheck, "FailedUpdateConditionCheckError";
    InvalidArguments, "InvalidArgumentsError";
    InvalidArtifactsDirectoryPath, "InvalidArtifactsDirectoryPathError";
    InvalidClientDeviceAuthToken, "InvalidClientDeviceAuthTokenError";
    InvalidCredential, "InvalidCredentialError";
    InvalidRecipeDirectoryPath, "InvalidRecipeDirectoryPathError";
    InvalidToken, "InvalidTokenError";
    ResourceNotFound, "ResourceNotFoundError";
    Service, "ServiceError";
    Unauthorized, "UnauthorizedError";
}

/// The answer to a call that was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}: {message}", kind.name())]
pub struct IpcError {
    pub kind: ErrorKind,
    /// A sentence for a person; never empty.
    pub message: String,
    /// `resourceType` and `resourceName` of [`ErrorKind::ResourceNotFound`].
    pub resource: Option<(String, String)>,
}

impl IpcError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), resource: None }
    }

    /// The error every operation declares.
    pub fn service(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Service, message)
    }

    pub fn invalid_arguments(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArguments, message)
    }

    pub fn not_found(message: impl Into<String>, resource_type: &str, resource_name: &str) -> Self {
        let resource = Some((resource_type.to_owned(), resource_name.to_owned()));
        Self { resource, ..Self::new(ErrorKind::ResourceNotFound, message) }
    }

    /// The payload: different clients read different members of it.
    pub fn to_json(&self) -> Vec<u8> {
        let mut body = Map::new();
        let mut put = |key: &str, value: &str| body.insert(key.into(), Value::from(value));
        put("message", &self.message);
        put("_message", &self.message);
        put("_errorCode", self.kind.name());
        put("_service", super::SERVICE);
        if let Some((resource_type, resource_name)) = &self.resource {
            put("resourceType", resource_type);
            put("resourceName", resource_name);
        }
        Value::Object(body).to_string().into_bytes()
    }
}
