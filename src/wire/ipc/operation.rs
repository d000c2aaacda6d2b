//! The 35 operations: their names, the service that guards each, and the errors each declares.

use std::fmt;

use super::error::ErrorKind;

macro_rules! operations {
    ($($name:ident, $service:expr, [$($error:ident)*];)*) => {
        /// An operation of service `aws.greengrass#GreengrassCoreIPC`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Operation {
            $($name,)*
        }

        impl Operation {
            pub const ALL: [Self; 35] = [$(Self::$name,)*];

            /// The shape name, without namespace.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The `accessControl` service that guards it; `None` when no policy is needed.
            pub const fn service(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => $service,)*
                }
            }

            /// `service-model-type` of its response.
            pub const fn response_type(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("aws.greengrass#", stringify!($name), "Response"),)*
                }
            }

            /// The name as policies and the `operation` header spell it.
            pub const fn policy_name(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("aws.greengrass#", stringify!($name)),)*
                }
            }

            /// The errors the model declares for it; a client may not know others.
            pub const fn errors(self) -> &'static [ErrorKind] {
                match self {
                    $(Self::$name => &[$(ErrorKind::$error,)*],)*
                }
            }
        }
    };
}

const PUBSUB: Option<&str> = Some("aws.greengrass.ipc.pubsub");
const MQTT: Option<&str> = Some("aws.greengrass.ipc.mqttproxy");
const LIFECYCLE: Option<&str> = Some("aws.greengrass.ipc.lifecycle");
const METRIC: Option<&str> = Some("aws.greengrass.ipc.componentmetric");
const SECRETS: Option<&str> = Some("aws.greengrass.SecretManager");
const SHADOWS: Option<&str> = Some("aws.greengrass.ShadowManager");
const DEVICES: Option<&str> = Some("aws.greengrass.clientdevices.Auth");
const CLI: Option<&str> = Some("aws.greengrass.Cli");

operations! {
    AuthorizeClientDeviceAction, DEVICES, [Unauthorized Service InvalidArguments InvalidClientDeviceAuthToken];
    CancelLocalDeployment, CLI, [Service ResourceNotFound InvalidArguments];
    CreateDebugPassword, CLI, [Unauthorized Service];
    CreateLocalDeployment, CLI, [Service InvalidRecipeDirectoryPath InvalidArtifactsDirectoryPath InvalidArguments];
    DeferComponentUpdate, None, [Service ResourceNotFound InvalidArguments];
    DeleteThingShadow, SHADOWS, [InvalidArguments ResourceNotFound Service Unauthorized];
    GetClientDeviceAuthToken, DEVICES, [Unauthorized Service InvalidArguments InvalidCredential];
    GetComponentDetails, CLI, [Service ResourceNotFound InvalidArguments];
    GetConfiguration, None, [Service ResourceNotFound];
    GetLocalDeploymentStatus, CLI, [Service ResourceNotFound];
    GetSecretValue, SECRETS, [Unauthorized ResourceNotFound Service];
    GetThingShadow, SHADOWS, [InvalidArguments ResourceNotFound Service Unauthorized];
    ListComponents, CLI, [Service];
    ListLocalDeployments, CLI, [Service];
    ListNamedShadowsForThing, SHADOWS, [InvalidArguments ResourceNotFound Service Unauthorized];
    PauseComponent, LIFECYCLE, [Unauthorized Service ResourceNotFound];
    PublishToIoTCore, MQTT, [Service Unauthorized];
    PublishToTopic, PUBSUB, [Service Unauthorized];
    PutComponentMetric, METRIC, [Unauthorized Service InvalidArguments];
    RestartComponent, CLI, [Service ComponentNotFound InvalidArguments];
    ResumeComponent, LIFECYCLE, [Unauthorized Service ResourceNotFound];
    SendConfigurationValidityReport, None, [InvalidArguments Service];
    StopComponent, CLI, [Service ComponentNotFound InvalidArguments];
    SubscribeToCertificateUpdates, DEVICES, [Service Unauthorized InvalidArguments];
    SubscribeToComponentUpdates, None, [Service ResourceNotFound];
    SubscribeToConfigurationUpdate, None, [Service ResourceNotFound];
    SubscribeToIoTCore, MQTT, [Service Unauthorized];
    SubscribeToIoTCoreConnectionStatus, None, [Service];
    SubscribeToTopic, PUBSUB, [InvalidArguments Service Unauthorized];
    SubscribeToValidateConfigurationUpdates, None, [Service];
    UpdateConfiguration, None, [Service Unauthorized Conflict FailedUpdateConditionCheck InvalidArguments];
    UpdateState, None, [Service ResourceNotFound];
    UpdateThingShadow, SHADOWS, [InvalidArguments Conflict Service Unauthorized];
    ValidateAuthorizationToken, None, [InvalidToken Unauthorized Service];
    VerifyClientDeviceIdentity, DEVICES, [Unauthorized Service InvalidArguments];
}

impl Operation {
    const NAMESPACE: &str = "aws.greengrass#";

    /// Reads the `operation` header, `aws.greengrass#<name>`.
    pub fn parse(header: &str) -> Option<Self> {
        let name = header.strip_prefix(Self::NAMESPACE)?;
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// `service-model-type` of its events: the name of a union.
    pub const fn event_type(self) -> Option<&'static str> {
        match self {
            Self::SubscribeToCertificateUpdates => Some("aws.greengrass#CertificateUpdateEvent"),
            Self::SubscribeToComponentUpdates => Some("aws.greengrass#ComponentUpdatePolicyEvents"),
            Self::SubscribeToConfigurationUpdate => Some("aws.greengrass#ConfigurationUpdateEvents"),
            Self::SubscribeToIoTCore => Some("aws.greengrass#IoTCoreMessage"),
            Self::SubscribeToIoTCoreConnectionStatus => Some("aws.greengrass#IoTCoreConnectionStatusEvent"),
            Self::SubscribeToTopic => Some("aws.greengrass#SubscriptionResponseMessage"),
            Self::SubscribeToValidateConfigurationUpdates => Some("aws.greengrass#ValidateConfigurationUpdateEvents"),
            _ => None,
        }
    }

    /// Whether the model declares this error for it.
    pub fn declares(self, error: ErrorKind) -> bool {
        self.errors().contains(&error)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_by_their_header() {
        for operation in Operation::ALL {
            assert_eq!(Operation::parse(operation.policy_name()), Some(operation));
            assert!(operation.errors().contains(&ErrorKind::Service), "{operation}: every operation declares it");
        }
        assert_eq!(Operation::parse("PublishToTopic"), None);
        assert_eq!(Operation::parse("aws.greengrass#publishToTopic"), None);
        assert_eq!(Operation::ALL.into_iter().filter(|operation| operation.event_type().is_some()).count(), 7);
    }
}
