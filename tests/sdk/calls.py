"""Every operation of the service model: how to call it, and what it may answer."""

import datetime
import re
import uuid

from awsiot.greengrasscoreipc import client as generated
from awsiot.greengrasscoreipc.model import (
    CertificateOptions,
    ClientDeviceCredential,
    ConfigurationValidityReport,
    CredentialDocument,
    JsonMessage,
    Metric,
    MQTTCredential,
    PublishMessage,
)

from verdict import PATIENCE, Events

# A component that is there for being asked about, restarted, stopped.
OTHER = "com.example.Sleeper"


class Call:
    """One operation: arguments, the errors that its model declares without `Error`, and the service of its policy."""

    def __init__(self, name, arguments, errors, service=None):
        self.name, self.arguments, self.service = name, arguments, service
        self.errors = {f"{error}Error" for error in errors.split()}

    def __call__(self, client):
        """The answer, or the error raised."""
        arguments = self.arguments() if callable(self.arguments) else self.arguments
        method = getattr(client, snake(self.name) + "_async")
        if self.name.startswith("SubscribeTo"):
            answer, _ = method(**arguments, **Events().handlers())
        else:
            answer = method(**arguments)
        return answer.result(PATIENCE)


def snake(name):
    name = name.replace("IoT", "Iot")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def names_in_sdk():
    """The operations the SDK has."""
    classes = [name for name in dir(generated) if name.endswith("Operation") and not name.startswith("_")]
    return {name.removesuffix("Operation") for name in classes}


def deployment():
    return {"deployment_id": str(uuid.uuid4())}


PUBSUB, MQTT, LIFECYCLE = (f"aws.greengrass.ipc.{name}" for name in ("pubsub", "mqttproxy", "lifecycle"))
METRIC, SECRET = "aws.greengrass.ipc.componentmetric", "aws.greengrass.SecretManager"
SHADOW, DEVICES, CLI = (f"aws.greengrass.{name}" for name in ("ShadowManager", "clientdevices.Auth", "Cli"))

component = {"component_name": OTHER}
shadow = {"thing_name": "Thing", "shadow_name": ""}
credential = CredentialDocument(mqtt_credential=MQTTCredential(client_id="a", certificate_pem="b"))
certificate = ClientDeviceCredential(client_device_certificate="certificate")
now = datetime.datetime.now(datetime.timezone.utc)

CALLS = [
    Call("PublishToTopic", {"topic": "calls", "publish_message": PublishMessage(json_message=JsonMessage(message={}))}, "Service Unauthorized", PUBSUB),
    Call("SubscribeToTopic", {"topic": "calls"}, "InvalidArguments Service Unauthorized", PUBSUB),
    Call("GetConfiguration", {"key_path": []}, "Service ResourceNotFound"),
    Call("UpdateConfiguration", {"key_path": [], "timestamp": now, "value_to_merge": {"called": True}}, "Service Unauthorized Conflict FailedUpdateConditionCheck InvalidArguments"),
    Call("SubscribeToConfigurationUpdate", {"key_path": []}, "Service ResourceNotFound"),
    Call("SubscribeToValidateConfigurationUpdates", {}, "Service"),
    Call("SendConfigurationValidityReport", lambda: {"configuration_validity_report": ConfigurationValidityReport(status="ACCEPTED", **deployment())}, "InvalidArguments Service"),
    Call("UpdateState", {"state": "RUNNING"}, "Service ResourceNotFound"),
    Call("SubscribeToComponentUpdates", {}, "Service ResourceNotFound"),
    Call("DeferComponentUpdate", lambda: {"recheck_after_ms": 1, **deployment()}, "Service ResourceNotFound InvalidArguments"),
    Call("ListComponents", {}, "Service", CLI),
    Call("GetComponentDetails", component, "Service ResourceNotFound InvalidArguments", CLI),
    Call("PauseComponent", component, "Unauthorized Service ResourceNotFound", LIFECYCLE),
    Call("ResumeComponent", component, "Unauthorized Service ResourceNotFound", LIFECYCLE),
    Call("RestartComponent", component, "Service ComponentNotFound InvalidArguments", CLI),
    Call("StopComponent", component, "Service ComponentNotFound InvalidArguments", CLI),
    Call("CreateLocalDeployment", {"root_component_versions_to_add": {OTHER: "1.0.0"}}, "Service InvalidRecipeDirectoryPath InvalidArtifactsDirectoryPath InvalidArguments", CLI),
    Call("GetLocalDeploymentStatus", deployment, "Service ResourceNotFound", CLI),
    Call("CancelLocalDeployment", deployment, "Service ResourceNotFound InvalidArguments", CLI),
    Call("ListLocalDeployments", {}, "Service", CLI),
    Call("CreateDebugPassword", {}, "Unauthorized Service", CLI),
    Call("ValidateAuthorizationToken", {"token": "x"}, "InvalidToken Unauthorized Service"),
    Call("PutComponentMetric", {"metrics": [Metric(name="m", unit="COUNT", value=1.0)]}, "Unauthorized Service InvalidArguments", METRIC),
    Call("PublishToIoTCore", {"topic_name": "a/b", "qos": "1", "payload": b"hi"}, "Service Unauthorized", MQTT),
    Call("SubscribeToIoTCore", {"topic_name": "a/b", "qos": "1"}, "Service Unauthorized", MQTT),
    Call("SubscribeToIoTCoreConnectionStatus", {}, "Service"),
    Call("GetSecretValue", {"secret_id": "a"}, "Unauthorized ResourceNotFound Service", SECRET),
    Call("GetThingShadow", shadow, "InvalidArguments ResourceNotFound Service Unauthorized", SHADOW),
    Call("UpdateThingShadow", {**shadow, "payload": b"{}"}, "InvalidArguments Conflict Service Unauthorized", SHADOW),
    Call("DeleteThingShadow", shadow, "InvalidArguments ResourceNotFound Service Unauthorized", SHADOW),
    Call("ListNamedShadowsForThing", {"thing_name": "Thing"}, "InvalidArguments ResourceNotFound Service Unauthorized", SHADOW),
    Call("SubscribeToCertificateUpdates", {"certificate_options": CertificateOptions(certificate_type="SERVER")}, "Service Unauthorized InvalidArguments", DEVICES),
    Call("VerifyClientDeviceIdentity", {"credential": certificate}, "Unauthorized Service InvalidArguments", DEVICES),
    Call("GetClientDeviceAuthToken", {"credential": credential}, "Unauthorized Service InvalidArguments InvalidCredential", DEVICES),
    Call("AuthorizeClientDeviceAction", {"client_device_auth_token": "a", "operation": "mqtt:connect", "resource": "mqtt:topic:a"}, "Unauthorized Service InvalidArguments InvalidClientDeviceAuthToken", DEVICES),
]
