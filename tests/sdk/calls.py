"""Every operation of the service model: how to call it, and the service of its policy."""

import datetime
import re
import uuid

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
    """One operation, called with nothing wrong unless it is told other arguments."""

    def __init__(self, name, arguments, service=None):
        self.name, self.arguments, self.service = name, arguments, service

    def __call__(self, client, **others):
        """The answer, or the error raised."""
        arguments = self.arguments() if callable(self.arguments) else self.arguments
        arguments = {**arguments, **others}
        method = getattr(client, snake(self.name) + "_async")
        if self.name.startswith("SubscribeTo"):
            answer, _ = method(**arguments, **Events().handlers())
        else:
            answer = method(**arguments)
        return answer.result(PATIENCE)


def snake(name):
    name = name.replace("IoT", "Iot")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


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
    Call("PublishToTopic", {"topic": "calls", "publish_message": PublishMessage(json_message=JsonMessage(message={}))}, PUBSUB),
    Call("SubscribeToTopic", {"topic": "calls"}, PUBSUB),
    Call("GetConfiguration", {"key_path": []}),
    Call("UpdateConfiguration", {"key_path": [], "timestamp": now, "value_to_merge": {"called": True}}),
    Call("SubscribeToConfigurationUpdate", {"key_path": []}),
    Call("SubscribeToValidateConfigurationUpdates", {}),
    Call("SendConfigurationValidityReport", lambda: {"configuration_validity_report": ConfigurationValidityReport(status="ACCEPTED", **deployment())}),
    Call("UpdateState", {"state": "RUNNING"}),
    Call("SubscribeToComponentUpdates", {}),
    Call("DeferComponentUpdate", lambda: {"recheck_after_ms": 1, **deployment()}),
    Call("ListComponents", {}, CLI),
    Call("GetComponentDetails", component, CLI),
    Call("PauseComponent", component, LIFECYCLE),
    Call("ResumeComponent", component, LIFECYCLE),
    Call("RestartComponent", component, CLI),
    Call("StopComponent", component, CLI),
    Call("CreateLocalDeployment", {"root_component_versions_to_add": {OTHER: "1.0.0"}}, CLI),
    Call("GetLocalDeploymentStatus", deployment, CLI),
    Call("CancelLocalDeployment", deployment, CLI),
    Call("ListLocalDeployments", {}, CLI),
    Call("CreateDebugPassword", {}, CLI),
    Call("ValidateAuthorizationToken", {"token": "x"}),
    Call("PutComponentMetric", {"metrics": [Metric(name="m", unit="COUNT", value=1.0)]}, METRIC),
    Call("PublishToIoTCore", {"topic_name": "a/b", "qos": "1", "payload": b"hi"}, MQTT),
    Call("SubscribeToIoTCore", {"topic_name": "a/b", "qos": "1"}, MQTT),
    Call("SubscribeToIoTCoreConnectionStatus", {}),
    Call("GetSecretValue", {"secret_id": "a"}, SECRET),
    Call("GetThingShadow", shadow, SHADOW),
    Call("UpdateThingShadow", {**shadow, "payload": b"{}"}, SHADOW),
    Call("DeleteThingShadow", shadow, SHADOW),
    Call("ListNamedShadowsForThing", {"thing_name": "Thing"}, SHADOW),
    Call("SubscribeToCertificateUpdates", {"certificate_options": CertificateOptions(certificate_type="SERVER")}, DEVICES),
    Call("VerifyClientDeviceIdentity", {"credential": certificate}, DEVICES),
    Call("GetClientDeviceAuthToken", {"credential": credential}, DEVICES),
    Call("AuthorizeClientDeviceAction", {"client_device_auth_token": "a", "operation": "mqtt:connect", "resource": "mqtt:topic:a"}, DEVICES),
]
