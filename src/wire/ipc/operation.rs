//! The 35 operations: their names, the service that guards each, and the errors each declares.

use std::fmt;

use super::error::ErrorKind;

macro_rules! operations {
    ($($name:ident, $service:expr, $call:ident, [$($error:ident)*];)*) => {
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

            /// Whether events follow the response.
            pub const fn is_streaming(self) -> bool {
                match self {
                    $(Self::$name => matches!(Call::$call, Call::Stream),)*
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

#[derive(Clone, Copy)]
enum Call {
    Once,
    Stream,
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
    AuthorizeClientDeviceAction, DEVICES, Once, [Unauthorized Service InvalidArguments InvalidClientDeviceAuthToken];
    CancelLocalDeployment, CLI, Once, [Service ResourceNotFound InvalidArguments];
    CreateDebugPassword, CLI, Once, [Unauthorized Service];
    CreateLocalDeployment, CLI, Once, [Service InvalidRecipeDirectoryPath InvalidArtifactsDirectoryPath InvalidArguments];
    DeferComponentUpdate, None, Once, [Service ResourceNotFound InvalidArguments];
    DeleteThingShadow, SHADOWS, Once, [InvalidArguments ResourceNotFound Service Unauthorized];
    GetClientDeviceAuthToken, DEVICES, Once, [Unauthorized Service InvalidArguments InvalidCredential];
    GetComponentDetails, CLI, Once, [Service ResourceNotFound InvalidArguments];
    GetConfiguration, None, Once, [Service ResourceNotFound];
    GetLocalDeploymentStatus, CLI, Once, [Service ResourceNotFound];
    GetSecretValue, SECRETS, Once, [Unauthorized ResourceNotFound Service];
    GetThingShadow, SHADOWS, Once, [InvalidArguments ResourceNotFound Service Unauthorized];
    ListComponents, CLI, Once, [Service];
    ListLocalDeployments, CLI, Once, [Service];
    ListNamedShadowsForThing, SHADOWS, Once, [InvalidArguments ResourceNotFound Service Unauthorized];
    PauseComponent, LIFECYCLE, Once, [Unauthorized Service ResourceNotFound];
    PublishToIoTCore, MQTT, Once, [Service Unauthorized];
    PublishToTopic, PUBSUB, Once, [Service Unauthorized];
    PutComponentMetric, METRIC, Once, [Unauthorized Service InvalidArguments];
    RestartComponent, CLI, Once, [Service ComponentNotFound InvalidArguments];
    ResumeComponent, LIFECYCLE, Once, [Unauthorized Service ResourceNotFound];
    SendConfigurationValidityReport, None, Once, [InvalidArguments Service];
    StopComponent, CLI, Once, [Service ComponentNotFound InvalidArguments];
    SubscribeToCertificateUpdates, DEVICES, Stream, [Service Unauthorized InvalidArguments];
    SubscribeToComponentUpdates, None, Stream, [Service ResourceNotFound];
    SubscribeToConfigurationUpdate, None, Stream, [Service ResourceNotFound];
    SubscribeToIoTCore, MQTT, Stream, [Service Unauthorized];
    SubscribeToIoTCoreConnectionStatus, None, Stream, [Service];
    SubscribeToTopic, PUBSUB, Stream, [InvalidArguments Service Unauthorized];
    SubscribeToValidateConfigurationUpdates, None, Stream, [Service];
    UpdateConfiguration, None, Once, [Service Unauthorized Conflict FailedUpdateConditionCheck InvalidArguments];
    UpdateState, None, Once, [Service ResourceNotFound];
    UpdateThingShadow, SHADOWS, Once, [InvalidArguments Conflict Service Unauthorized];
    ValidateAuthorizationToken, None, Once, [InvalidToken Unauthorized Service];
    VerifyClientDeviceIdentity, DEVICES, Once, [Unauthorized Service InvalidArguments];
}

impl Operation {
    const NAMESPACE: &str = "aws.greengrass#";

    /// Reads the `operation` header, `aws.greengrass#<name>`.
    pub fn parse(header: &str) -> Option<Self> {
        let name = header.strip_prefix(Self::NAMESPACE)?;
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// `service-model-type` of its response.
    pub fn response_type(self) -> String {
        format!("{}{}Response", Self::NAMESPACE, self.name())
    }

    /// The name as policies spell it: `aws.greengrass#<name>`.
    pub fn policy_name(self) -> String {
        format!("{}{}", Self::NAMESPACE, self.name())
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
            assert_eq!(Operation::parse(&operation.policy_name()), Some(operation));
            assert!(operation.errors().contains(&ErrorKind::Service), "{operation}: every operation declares it");
        }
        assert_eq!(Operation::parse("PublishToTopic"), None);
        assert_eq!(Operation::parse("aws.greengrass#publishToTopic"), None);
        assert_eq!(Operation::ALL.into_iter().filter(|operation| operation.is_streaming()).count(), 7);
    }
}
