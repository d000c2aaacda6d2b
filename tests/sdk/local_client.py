"""A client of the command line, no component: it deploys, and has nothing to say of updates."""

import json
import sys

import awsiot.greengrasscoreipc
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    ConfigurationValidityReport,
    InvalidArgumentsError,
    ResourceNotFoundError,
    ServiceError,
)
from verdict import Events, check, equal, eventually, refused, scenario

with scenario():
    with open(sys.argv[1], encoding="utf-8") as file:
        info = json.load(file)
    connection = awsiot.greengrasscoreipc.connect(
        ipc_socket=info["domain_socket_path"], authtoken=info["cli_auth_token"]
    )
    client = GreengrassCoreIPCClientV2(client=connection)
    me = "greengrass-cli#user-"
    handlers = Events().handlers()
    error = refused(
        "updates", ResourceNotFoundError, lambda: client.subscribe_to_component_updates(**handlers), me
    )
    equal("resource type", error.resource_type, "Component")
    refused("defer", InvalidArgumentsError, lambda: client.defer_component_update(deployment_id="d"), me)
    refused(
        "validation", ServiceError, lambda: client.subscribe_to_validate_configuration_updates(**handlers), me
    )
    report = ConfigurationValidityReport(status="ACCEPTED", deployment_id="d")
    refused(
        "report",
        InvalidArgumentsError,
        lambda: client.send_configuration_validity_report(configuration_validity_report=report),
    )

    deployment = client.create_local_deployment().deployment_id

    def status():
        return client.get_local_deployment_status(deployment_id=deployment).deployment.status

    eventually("the deployment has ended", lambda: status() not in ("QUEUED", "IN_PROGRESS"))
    equal("its status", status(), "SUCCEEDED")
    listed = client.list_local_deployments().local_deployments
    equal("listed", [d.deployment_id for d in listed], [deployment])
    check("cancelled too late", "ended" in client.cancel_local_deployment(deployment_id=deployment).message)
