"""A component without permission learns nothing of deployments; one with some, no more than that."""

import sys

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import ResourceNotFoundError, UnauthorizedError
from verdict import refused, scenario

ME, MINE = sys.argv[1:]
OTHER = "00000000-0000-4000-8000-000000000000"

client = GreengrassCoreIPCClientV2()


def denied(operation, resource, call):
    refused(f"{operation} of {resource}", UnauthorizedError, call, ME, f"aws.greengrass#{operation}", resource)


with scenario():
    # The path would be refused to those who may ask.
    denied("CreateLocalDeployment", "*", lambda: client.create_local_deployment(recipe_directory_path="/nowhere"))
    denied("CancelLocalDeployment", "*", lambda: client.cancel_local_deployment(deployment_id=OTHER))
    denied("ListLocalDeployments", "*", client.list_local_deployments)
    denied("GetLocalDeploymentStatus", OTHER, lambda: client.get_local_deployment_status(deployment_id=OTHER))
    # This one deployment is allowed, though there is none.
    refused("allowed", ResourceNotFoundError, lambda: client.get_local_deployment_status(deployment_id=MINE), MINE)
