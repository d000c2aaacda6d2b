"""A component that deploys: what a local deployment takes, follows, lists, cancels, and every refusal."""

import os
import re
import sys

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    InvalidArgumentsError,
    InvalidArtifactsDirectoryPathError,
    InvalidRecipeDirectoryPathError,
    ResourceNotFoundError,
    RunWithInfo,
    ServiceError,
    SystemResourceLimits,
)
from verdict import Events, check, equal, eventually, refused, scenario

UNKNOWN = "00000000-0000-4000-8000-000000000000"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

client = GreengrassCoreIPCClientV2(executor=None)
create = client.create_local_deployment
cancel = client.cancel_local_deployment
get = client.get_local_deployment_status


def status(deployment):
    return get(deployment_id=deployment).deployment.status


def ended(deployment):
    eventually("the deployment has ended", lambda: status(deployment) not in ("QUEUED", "IN_PROGRESS"))
    return get(deployment_id=deployment).deployment


def listed():
    return {d.deployment_id: d for d in client.list_local_deployments().local_deployments}


def succeeds(what, **request):
    deployment = create(**request).deployment_id
    end = ended(deployment)
    equal(what, end.status, "SUCCEEDED")
    return deployment, end


def deploying(root):
    recipes = os.path.join(os.path.dirname(root), "recipes")
    deployment, end = succeeds(
        "deployment",
        recipe_directory_path=recipes,
        root_component_versions_to_add={"com.example.Made": "1.0.0"},
        component_to_configuration={"com.example.Made": {"MERGE": {"a": {"b": 1}, "c": 2}}},
        component_to_run_with_info={
            "com.example.Made": RunWithInfo(system_resource_limits=SystemResourceLimits(memory=1 << 20, cpus=1.5))
        },
        failure_handling_policy="ROLLBACK",
    )
    check("its id is a UUID", re.fullmatch(UUID, deployment), deployment)
    check("its date", re.fullmatch(r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d UTC", end.created_on), end.created_on)
    equal("its details", end.deployment_status_details.detailed_deployment_status, "SUCCESSFUL")
    equal("found by capitals, too", get(deployment_id=deployment.upper()).deployment.deployment_id, deployment)
    equal("listed", listed()[deployment].status, "SUCCEEDED")
    equal("listed with its date", listed()[deployment].created_on, end.created_on)
    succeeds("reset", component_to_configuration={"com.example.Made": {"RESET": ["/a/b"], "MERGE": {"c": 3}}})
    succeeds("for a group", group_name="g", root_component_versions_to_add={"com.example.Made": "1.0.0"})
    succeeds("removal", root_components_to_remove=["com.example.Made"])
    succeeds("nothing at all")

    failed = ended(create(root_component_versions_to_add={"com.example.Made": "9.9.9"}).deployment_id)
    equal("a version that is nowhere", failed.status, "FAILED")
    details = failed.deployment_status_details
    equal("detailed status", details.detailed_deployment_status, "FAILED_NO_STATE_CHANGE")
    stack = details.deployment_error_stack
    equal("error stack", stack[:2], ["DEPLOYMENT_FAILURE", "NO_AVAILABLE_COMPONENT_VERSION"])
    equal("error types", details.deployment_error_types, ["REQUEST_ERROR"])
    check("failure cause", "com.example.Made" in details.deployment_failure_cause, details.deployment_failure_cause)


def refusals(root):
    def no(what, error, *words, **request):
        refused(what, error, lambda: create(**request), *words)

    before = len(listed())
    no("group with a colon", InvalidArgumentsError, "a:b", group_name="a:b")
    no("component without a name", InvalidArgumentsError, root_component_versions_to_add={"": "1.0.0"})
    no("version that is none", InvalidArgumentsError, "one", root_component_versions_to_add={"A": "one"})
    no("removal of no name", InvalidArgumentsError, "a/b", root_components_to_remove=["a/b"])
    no("misspelt update", InvalidArgumentsError, "MREGE", component_to_configuration={"A": {"MREGE": {}}})
    no("update that is none", InvalidArgumentsError, component_to_configuration={"A": {"MERGE": 1}})
    no(
        "added and removed",
        InvalidArgumentsError,
        root_component_versions_to_add={"A": "1.0.0"},
        root_components_to_remove=["A"],
    )
    no("user that is none", InvalidArgumentsError, component_to_run_with_info={"A": RunWithInfo(posix_user="a b")})
    no("policy that is none", InvalidArgumentsError, failure_handling_policy="PERHAPS")
    for path in ["/no/such/directory", "relative", "/etc/passwd"]:
        no(f"recipes in {path}", InvalidRecipeDirectoryPathError, path, recipe_directory_path=path)
        no(f"artifacts in {path}", InvalidArtifactsDirectoryPathError, path, artifacts_directory_path=path)
    store = os.path.join(root, "packages/artifacts")
    for path in ["/", root, store, f"{root}/work/../packages"]:
        no(f"artifacts in {path}", InvalidArtifactsDirectoryPathError, path, artifacts_directory_path=path)
    equal("none of them is queued", len(listed()), before)

    for call in [get, cancel]:
        refused(f"{call.__name__}: no id", InvalidArgumentsError, call)
        refused(f"{call.__name__}: no UUID", InvalidArgumentsError, lambda: call(deployment_id="one"))
        error = refused(f"{call.__name__}: unknown", ResourceNotFoundError, lambda: call(deployment_id=UNKNOWN), UNKNOWN)
        equal("resource type", error.resource_type, "LocalDeployment")
        equal("resource name", error.resource_name, UNKNOWN)


def cancelling():
    events = Events()
    client.subscribe_to_validate_configuration_updates(**events.handlers())
    mine = {"com.example.Deployer": {"MERGE": {"k": 1}}}
    held = create(component_to_configuration=mine).deployment_id
    equal("held up", events.next().validate_configuration_update_event.deployment_id, held)
    waiting = create().deployment_id
    equal("in progress", status(held), "IN_PROGRESS")
    equal("queued", status(waiting), "QUEUED")
    equal("both are listed", [listed()[d].status for d in (held, waiting)], ["IN_PROGRESS", "QUEUED"])
    for deployment in (waiting, held):
        check("cancelled", deployment in cancel(deployment_id=deployment).message)
        equal("its status", status(deployment), "CANCELED")
        check("has ended", "ended" in cancel(deployment_id=deployment).message)

    slow = create(root_component_versions_to_add={"com.example.Slow": "1.0.0"}).deployment_id
    eventually("the slow one starts", lambda: os.path.exists("../com.example.Slow/started"))
    refused("cancel in mid-change", ServiceError, lambda: cancel(deployment_id=slow), slow)
    open("../com.example.Slow/go", "w").close()
    equal("which goes on", ended(slow).status, "SUCCEEDED")


with scenario():
    deploying(sys.argv[1])
    refusals(sys.argv[1])
    cancelling()
