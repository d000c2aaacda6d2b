//! The errors of the model, as clients read them.

use std::borrow::Cow;

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

    /// Characters of a text that are sent: a request that is quoted back must not come back whole. A client of the C
    /// component SDK reads 10,000 bytes at most.
    const SHOWN: usize = 500;

    /// The payload: different clients read different members of it.
    pub fn to_json(&self) -> Vec<u8> {
        let mut body = Map::new();
        let mut put = |key: &str, value: &str| body.insert(key.into(), Value::from(value));
        let message = Self::shortened(&self.message);
        put("message", &message);
        put("_message", &message);
        put("_errorCode", self.kind.name());
        put("_service", super::SERVICE);
        if let Some((resource_type, resource_name)) = &self.resource {
            put("resourceType", resource_type);
            put("resourceName", &Self::shortened(resource_name));
        }
        Value::Object(body).to_string().into_bytes()
    }

    fn shortened(text: &str) -> Cow<'_, str> {
        match text.char_indices().nth(Self::SHOWN) {
            Some((end, _)) => format!("{}\u{2026}", &text[..end]).into(),
            None => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_quotes_a_long_text_only_in_part() {
        for character in ["x", "\0", "\u{1f600}"] {
            let long = character.repeat(100_000);
            let body = IpcError::not_found(long.clone(), "T", &long).to_json();
            assert!(body.len() < 10_000, "{} bytes of {character:?}", body.len());
        }
        let body: Value = serde_json::from_slice(&IpcError::service("short").to_json()).unwrap();
        assert_eq!(body["message"], "short");
    }
}
