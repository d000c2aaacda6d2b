"""Provokes what an operation can answer: its response, and each error. A verdict is called `Operation: Outcome`; the
test holds those that were seen against the model. Plays in a component of AWS that may do everything, so that what is
refused here is not refused for want of permission."""

import os
import sys
import uuid
from datetime import datetime, timedelta, timezone

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import ConfigurationValidityReport
from calls import CALLS, OTHER
from verdict import Events, check, equal, eventually, scenario, short, wait_for_cue

ME = sys.argv[1]
NOBODY = "com.example.Nobody"
EMPTY = {"component_name": ""}
UNKNOWN = {"component_name": NOBODY}
# Of a type that the model does not have here.
WRONG = {"component_name": 5}
# Subscriptions of one kind that a component may have.
MOST = 64

client = GreengrassCoreIPCClientV2(executor=None)
calls = {call.name: call for call in CALLS}


def sees(expected, operation, words="", **arguments):
    """The operation answers with this: `Response` or an error, whose message holds the words."""
    try:
        answer = calls[operation](client, **arguments)
    except Exception as error:  # which one is the verdict
        answer = error
    message = getattr(answer, "message", None) or ""
    good = type(answer).__name__ == (f"{operation}Response" if expected == "Response" else expected)
    good = good and (expected == "Response" or words in message and message)
    check(f"{operation}: {expected}", good, f"{short(answer)} {message} (words {words!r})")
    return answer


def service(operation, words="", **arguments):
    sees("ServiceError", operation, words, **arguments)


def invalid(operation, words="", **arguments):
    sees("InvalidArgumentsError", operation, words, **arguments)


def not_found(operation, words="", **arguments):
    sees("ResourceNotFoundError", operation, words, **arguments)


def topics():
    sees("Response", "PublishToTopic")
    invalid("PublishToTopic", topic="a/#")
    service("PublishToTopic", "not valid", topic=5)
    sees("Response", "SubscribeToTopic")
    invalid("SubscribeToTopic", topic="")


def configuration():
    sees("Response", "GetConfiguration")
    not_found("GetConfiguration", NOBODY, **UNKNOWN)
    service("GetConfiguration", "not valid", **WRONG)
    sees("Response", "SubscribeToConfigurationUpdate")
    not_found("SubscribeToConfigurationUpdate", NOBODY, **UNKNOWN)
    service("SubscribeToConfigurationUpdate", "not valid", **WRONG)
    sees("Response", "UpdateConfiguration")
    late = datetime.now(timezone.utc) - timedelta(hours=1)
    sees("FailedUpdateConditionCheckError", "UpdateConfiguration", "later", timestamp=late)
    invalid("UpdateConfiguration", "accessControl", value_to_merge={"accessControl": {}})


def validation():
    invalid("SendConfigurationValidityReport", "not waiting")
    events = Events()
    client.subscribe_to_validate_configuration_updates(**events.handlers())
    change = {ME: {"MERGE": {"validated": True}}}
    deployment = calls["CreateLocalDeployment"](client, component_to_configuration=change).deployment_id
    asked = events.next().validate_configuration_update_event
    equal("asked about the deployment", asked.deployment_id, deployment)
    report = ConfigurationValidityReport(status="ACCEPTED", deployment_id=deployment)
    sees("Response", "SendConfigurationValidityReport", configuration_validity_report=report)
    ended(deployment)
    for _ in range(MOST - 1):
        sees("Response", "SubscribeToValidateConfigurationUpdates")
    service("SubscribeToValidateConfigurationUpdates", f"{MOST} subscriptions")


def updates():
    """The test deploys, with the policy that components are asked first."""
    invalid("DeferComponentUpdate", "not subscribed")
    events = Events()
    client.subscribe_to_component_updates(**events.handlers())
    not_found("DeferComponentUpdate")
    check("may be updated", True)
    deployment = events.next().pre_update_event.deployment_id
    sees("Response", "DeferComponentUpdate", deployment_id=deployment, recheck_after_ms=0)
    service("DeferComponentUpdate", deployment, deployment_id=deployment)
    equal("told of the end", events.next().post_update_event.deployment_id, deployment)
    for _ in range(MOST - 1):
        sees("Response", "SubscribeToComponentUpdates")
    service("SubscribeToComponentUpdates", f"{MOST} subscriptions")


def components(freezer):
    sees("Response", "UpdateState")
    service("UpdateState", "FINISHED", state="FINISHED")
    sees("Response", "ListComponents")
    sees("Response", "GetComponentDetails")
    for operation in ("GetComponentDetails", "RestartComponent", "StopComponent", "PauseComponent", "ResumeComponent"):
        not_found(operation, NOBODY, **UNKNOWN)
        invalid(operation, "no component", **EMPTY)
    for operation in ("PauseComponent", "ResumeComponent"):
        service(operation, "not valid", **WRONG)
    if freezer:
        sees("Response", "PauseComponent")
        sees("Response", "ResumeComponent")
    else:
        service("PauseComponent", "cannot be paused")
    sees("Response", "StopComponent")
    sees("Response", "RestartComponent")


def deployments():
    deployment = sees("Response", "CreateLocalDeployment").deployment_id
    nowhere = "/no/such/directory"
    sees("InvalidRecipeDirectoryPathError", "CreateLocalDeployment", nowhere, recipe_directory_path=nowhere)
    sees("InvalidArtifactsDirectoryPathError", "CreateLocalDeployment", nowhere, artifacts_directory_path=nowhere)
    invalid("CreateLocalDeployment", "a:b", group_name="a:b")
    ended(deployment)
    for operation in ("GetLocalDeploymentStatus", "CancelLocalDeployment"):
        sees("Response", operation, deployment_id=deployment)
        not_found(operation)
        invalid(operation, "UUID", deployment_id="one")
    sees("Response", "ListLocalDeployments")


def ended(deployment):
    def has_ended():
        status = client.get_local_deployment_status(deployment_id=deployment).deployment.status
        return status not in ("QUEUED", "IN_PROGRESS")

    eventually("the deployment has ended", has_ended)


def rest():
    sees("Response", "CreateDebugPassword")
    sees("Response", "ValidateAuthorizationToken", token=os.environ["SVCUID"])
    sees("InvalidTokenError", "ValidateAuthorizationToken", "nobody's")
    service("ValidateAuthorizationToken", "not valid", token=5)
    sees("Response", "PutComponentMetric")
    invalid("PutComponentMetric", metrics=[])


def later():
    """Their services come with later work."""
    missing = "not part of it yet"
    for operation in ("PublishToIoTCore", "SubscribeToIoTCore"):
        service(operation, missing)
        invalid(operation, "qos", qos="2")
    service("SubscribeToIoTCoreConnectionStatus", missing)
    service("GetSecretValue", missing)
    for operation in ("GetThingShadow", "UpdateThingShadow", "DeleteThingShadow", "ListNamedShadowsForThing"):
        service(operation, missing)
        invalid(operation, thing_name="")
    for operation, argument in (
        ("SubscribeToCertificateUpdates", "certificate_options"),
        ("VerifyClientDeviceIdentity", "credential"),
        ("GetClientDeviceAuthToken", "credential"),
        ("AuthorizeClientDeviceAction", "resource"),
    ):
        service(operation, missing)
        invalid(operation, **{argument: None})


def without_disks():
    check("disks may go", True)
    wait_for_cue("disks have gone")
    now = datetime.now(timezone.utc)
    service("UpdateConfiguration", "cannot be stored", timestamp=now, value_to_merge={"lost": 1})
    service("PutComponentMetric")
    check("disks may come back", True)
    wait_for_cue("disks are back")


def too_long():
    """A configuration that as JSON is longer than a message: no component can make it alone."""
    for key in "ab":
        large = {OTHER: {"MERGE": {key: "\0" * (9 << 18)}}}
        ended(calls["CreateLocalDeployment"](client, component_to_configuration=large).deployment_id)
    for operation in ("GetComponentDetails", "GetConfiguration"):
        service(operation, "longer than a message", component_name=OTHER)


def going_down():
    """The daemon stops, and with it first deployments, then components; this one holds it up until all is said."""
    check("may go down", True)

    def refused(call):
        try:
            call()
        except Exception as error:  # once it is this one, the operations below look at it closer
            return "shutting down" in getattr(error, "message", "")
        return False

    eventually("no deployment is taken", lambda: refused(client.list_local_deployments))
    service("ListLocalDeployments", "shutting down")
    service("CreateLocalDeployment", "shutting down")
    for operation in ("GetLocalDeploymentStatus", "CancelLocalDeployment"):
        service(operation, "shutting down", deployment_id=str(uuid.uuid4()))
    eventually("no component is steered", lambda: refused(lambda: client.restart_component(component_name=OTHER)))
    for operation in ("RestartComponent", "StopComponent"):
        service(operation, "shutting down")


with scenario():
    topics()
    configuration()
    validation()
    updates()
    components(freezer=sys.argv[2] == "freezer")
    deployments()
    rest()
    later()
    without_disks()
    too_long()
    going_down()
# The step Shutdown waits for this.
open("said", "w").close()
