//! Operations whose services come later: what is wrong with a call is said before what is missing.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::{broadcast, mpsc, watch};

use super::dispatch;
use crate::api::ipc::Services;
use crate::api::ipc::call::Call;
use crate::base::clock::Timestamp;
use crate::service::{access, clients, config, deploy, pubsub, supervisor, telemetry};
use crate::store::tree::{Edit, Given, KeyPath, open};
use crate::wire::ipc::ErrorKind::{InvalidArguments, Service, Unauthorized};
use crate::wire::ipc::Operation::{
    AuthorizeClientDeviceAction, DeleteThingShadow, GetClientDeviceAuthToken, GetSecretValue, GetThingShadow,
    ListNamedShadowsForThing, PublishToIoTCore, SubscribeToCertificateUpdates, SubscribeToIoTCore,
    SubscribeToIoTCoreConnectionStatus, UpdateThingShadow, VerifyClientDeviceIdentity,
};
use crate::wire::ipc::{IpcError, Operation};
use crate::wire::name::ComponentName;
use crate::wire::principal::Principal;

/// Has policies for exactly one resource of each service.
const GRANTED: &str = "com.example.Granted";
/// Has none.
const STRANGER: &str = "com.example.Stranger";

/// Policies that are real; services behind the operations that do not answer.
async fn services(root: &Path) -> Services {
    let (config, _task) = config::spawn(open(root, &Given::Nothing).unwrap(), root.to_owned());
    let on = |resources: &[&str]| json!({"p": {"operations": ["*"], "resources": resources}});
    let value = json!({
        "aws.greengrass.ipc.mqttproxy": on(&["a/*", "b/+", "${$}aws/*"]),
        "aws.greengrass.ShadowManager": on(&["T", "$aws/things/T/shadow", "$aws/things/T/shadow/name/s"]),
        "aws.greengrass.SecretManager": on(&["secret"]),
        "aws.greengrass.clientdevices.Auth": on(&["*"]),
    });
    let at = KeyPath::service(GRANTED).join_all(["configuration", "accessControl"]);
    config.edit(vec![Edit::Replace { at, value, time: Timestamp(1) }]).await.unwrap();
    let (access, _task) = access::spawn(&config);
    let (telemetry, _task) = telemetry::spawn(root.to_owned());
    Services {
        access,
        clients: clients::Handle::default(),
        config,
        supervisor: supervisor::Handle::wired(mpsc::channel(1).0, broadcast::channel(1).0),
        deploy: deploy::Handle::wired(mpsc::channel(1).0, watch::channel(0).1),
        pubsub: pubsub::Handle::new(),
        telemetry,
    }
}

async fn refusal(services: &Arc<Services>, component: &str, operation: Operation, request: &str) -> IpcError {
    let principal = Principal::Component(ComponentName::parse(component).unwrap());
    let call = Call { services: Arc::clone(services), principal, operation };
    let answer = match dispatch(call, request.as_bytes()) {
        Ok(job) => job.await.map(|_| ()),
        Err(error) => Err(error),
    };
    answer.expect_err("the service is not there")
}

/// Calls with nothing wrong, with the resource that is authorised and a word of what is missing.
const SOUND: [(Operation, &str, &str, &str); 16] = [
    (PublishToIoTCore, r#"{"topicName":"a/b","qos":"1","payload":"aGk="}"#, "a/b", "MQTT link"),
    (PublishToIoTCore, r#"{"topicName":"$aws/rules/r/t","qos":"0","payload":""}"#, "$aws/rules/r/t", "MQTT link"),
    (SubscribeToIoTCore, r##"{"topicName":"a/#","qos":"0"}"##, "a/#", "MQTT link"),
    (SubscribeToIoTCore, r#"{"topicName":"b/c","qos":"0"}"#, "b/c", "MQTT link"),
    (GetThingShadow, r#"{"thingName":"T"}"#, "$aws/things/T/shadow", "shadow manager"),
    (GetThingShadow, r#"{"thingName":"T","shadowName":""}"#, "$aws/things/T/shadow", "shadow manager"),
    (GetThingShadow, r#"{"thingName":"T","shadowName":"s"}"#, "$aws/things/T/shadow/name/s", "shadow manager"),
    (DeleteThingShadow, r#"{"thingName":"T","shadowName":"s"}"#, "$aws/things/T/shadow/name/s", "shadow manager"),
    (UpdateThingShadow, r#"{"thingName":"T","payload":"e30="}"#, "$aws/things/T/shadow", "shadow manager"),
    (ListNamedShadowsForThing, r#"{"thingName":"T"}"#, "T", "shadow manager"),
    (ListNamedShadowsForThing, r#"{"thingName":"T","pageSize":100,"nextToken":"n"}"#, "T", "shadow manager"),
    (GetSecretValue, r#"{"secretId":"secret","versionId":"v"}"#, "secret", "secret manager"),
    (SubscribeToCertificateUpdates, r#"{"certificateOptions":{"certificateType":"SERVER"}}"#, "*", "client device"),
    (VerifyClientDeviceIdentity, r#"{"credential":{"clientDeviceCertificate":"p"}}"#, "*", "client device"),
    (GetClientDeviceAuthToken, r#"{"credential":{"mqttCredential":{}}}"#, "*", "client device"),
    (
        AuthorizeClientDeviceAction,
        r#"{"clientDeviceAuthToken":"t","operation":"mqtt:publish","resource":"mqtt:topic:a"}"#,
        "*",
        "client device",
    ),
];

#[tokio::test]
async fn sound_call_is_told_what_is_missing() {
    let scratch = tempfile::tempdir().unwrap();
    let services = Arc::new(services(scratch.path()).await);
    for (operation, request, _, missing) in SOUND {
        let error = refusal(&services, GRANTED, operation, request).await;
        assert_eq!(error.kind, Service, "{operation} {request}: {error}");
        assert!(error.message.contains(missing) && error.message.contains("not part of it yet"), "{error}");
    }
    // No policy guards this one.
    let error = refusal(&services, STRANGER, SubscribeToIoTCoreConnectionStatus, "{}").await;
    assert!(error.message.contains("MQTT link"), "{error}");
}

#[tokio::test]
async fn denial_names_the_resource_before_anything_is_missing() {
    let scratch = tempfile::tempdir().unwrap();
    let services = Arc::new(services(scratch.path()).await);
    for (operation, request, resource, _) in SOUND {
        let error = refusal(&services, STRANGER, operation, request).await;
        assert_eq!(error.kind, Unauthorized, "{operation} {request}: {error}");
        assert!(error.message.ends_with(&format!("{operation} on resource {resource}")), "{error}");
    }
    let other = r#"{"thingName":"T","shadowName":"other"}"#;
    assert_eq!(refusal(&services, GRANTED, GetThingShadow, other).await.kind, Unauthorized);
    let other = r#"{"topicName":"c","qos":"7"}"#;
    assert_eq!(refusal(&services, GRANTED, SubscribeToIoTCore, other).await.kind, Unauthorized);
}

#[tokio::test]
async fn argument_errors_come_before_anything_is_missing() {
    let scratch = tempfile::tempdir().unwrap();
    let services = Arc::new(services(scratch.path()).await);
    let deep = format!(r#"{{"topicName":"a/{}","qos":"0","payload":""}}"#, ["b"; 8].join("/"));
    let cases = [
        (PublishToIoTCore, r#"{"qos":"1","payload":""}"#, InvalidArguments, "no topicName"),
        (PublishToIoTCore, r#"{"topicName":"a/b","qos":"1"}"#, InvalidArguments, "no payload"),
        (PublishToIoTCore, r#"{"topicName":"a/b","payload":""}"#, InvalidArguments, "no qos"),
        (PublishToIoTCore, r#"{"topicName":"a/b","payload":"","qos":"2"}"#, InvalidArguments, "qos must be"),
        (PublishToIoTCore, r#"{"topicName":"a/b","payload":"","qos":1}"#, Service, "not valid"),
        (PublishToIoTCore, r#"{"topicName":"a/b","payload":"","qos":"0","payloadFormat":"2"}"#, Service, "not valid"),
        (PublishToIoTCore, r#"{"topicName":"a/+","payload":"","qos":"0"}"#, Service, "wildcards"),
        (PublishToIoTCore, &deep, Service, "7 slashes"),
        (
            PublishToIoTCore,
            r#"{"topicName":"a/b","payload":"","qos":"0","messageExpiryIntervalSeconds":-1}"#,
            Service,
            "messageExpiryIntervalSeconds",
        ),
        (SubscribeToIoTCore, r##"{"qos":"0"}"##, InvalidArguments, "no topicName"),
        (SubscribeToIoTCore, r##"{"topicName":"a/#"}"##, InvalidArguments, "no qos"),
        (SubscribeToIoTCore, r##"{"topicName":"a/#/b","qos":"0"}"##, Service, "'#' alone"),
        (GetThingShadow, "{}", InvalidArguments, "no thingName"),
        (GetThingShadow, r#"{"thingName":""}"#, InvalidArguments, "thing name"),
        (GetThingShadow, r#"{"thingName":"a/b"}"#, InvalidArguments, "thing name"),
        (DeleteThingShadow, r#"{"thingName":"T","shadowName":"*"}"#, InvalidArguments, "shadow name"),
        (UpdateThingShadow, r#"{"thingName":"T"}"#, InvalidArguments, "no payload"),
        (UpdateThingShadow, r#"{"thingName":"T","payload":""}"#, InvalidArguments, "no payload"),
        (UpdateThingShadow, r#"{"thingName":"T","payload":{"state":{}}}"#, InvalidArguments, "not valid"),
        (ListNamedShadowsForThing, r#"{"pageSize":25}"#, InvalidArguments, "no thingName"),
        (ListNamedShadowsForThing, r#"{"thingName":"T","pageSize":0}"#, InvalidArguments, "between 1 and 100"),
        (ListNamedShadowsForThing, r#"{"thingName":"T","pageSize":101}"#, InvalidArguments, "between 1 and 100"),
        (GetSecretValue, "{}", Service, "no secretId"),
        (GetSecretValue, r#"{"secretId":"secret","versionId":"v","versionStage":"s"}"#, Service, "not both"),
        (SubscribeToCertificateUpdates, "{}", InvalidArguments, "no certificateOptions"),
        (SubscribeToCertificateUpdates, r#"{"certificateOptions":{}}"#, InvalidArguments, "no certificateType"),
        (
            SubscribeToCertificateUpdates,
            r#"{"certificateOptions":{"certificateType":"CLIENT"}}"#,
            InvalidArguments,
            "not valid",
        ),
        (VerifyClientDeviceIdentity, "{}", InvalidArguments, "no credential"),
        (VerifyClientDeviceIdentity, r#"{"credential":{}}"#, InvalidArguments, "no clientDeviceCertificate"),
        (GetClientDeviceAuthToken, r#"{"credential":{}}"#, InvalidArguments, "no mqttCredential"),
        (
            AuthorizeClientDeviceAction,
            r#"{"clientDeviceAuthToken":"t","operation":"","resource":"r"}"#,
            InvalidArguments,
            "no operation",
        ),
    ];
    for (operation, request, kind, reason) in cases {
        let error = refusal(&services, GRANTED, operation, request).await;
        assert_eq!(error.kind, kind, "{operation} {request}: {error}");
        assert!(error.message.contains(reason), "{operation} {request}: {error}");
    }
}
