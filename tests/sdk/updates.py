"""A component that is told of updates, and answers as its argument says."""

import os
import sys
import time

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import InvalidArgumentsError, ResourceNotFoundError, ServiceError
from verdict import PATIENCE, Events, check, equal, refused, scenario

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def main(part):
    client = GreengrassCoreIPCClientV2(executor=None)
    defer = client.defer_component_update
    if part == "killed" and os.path.exists("asked"):
        return
    if part != "killed":
        refused("defer before subscribing", InvalidArgumentsError, lambda: defer(deployment_id=UNKNOWN), "subscribed")
    # Another connection of the component speaks for it as well; made now, so that the answer is not late.
    other = GreengrassCoreIPCClientV2()
    events = Events()
    _, subscription = client.subscribe_to_component_updates(**events.handlers())
    check("subscribed", True)
    asked = events.next().pre_update_event
    received = time.monotonic()
    deployment = asked.deployment_id

    if part == "killed":
        open("asked", "w").close()
        check("asked", True)
        time.sleep(100000)

    check("no restart ahead", asked.is_ggc_restarting is False)
    if part == "outlasted":
        defer(deployment_id=deployment, recheck_after_ms=3600_000)
        check("deferred", True)
        equal("told of the end", events.next().post_update_event.deployment_id, deployment)
        deployment = events.next().pre_update_event.deployment_id
        defer(deployment_id=deployment, recheck_after_ms=0)
        equal("told of the next end", events.next().post_update_event.deployment_id, deployment)
        return

    refused("no deployment", InvalidArgumentsError, defer, "deploymentId")
    unknown = refused("unknown deployment", ResourceNotFoundError, lambda: defer(deployment_id=UNKNOWN), UNKNOWN)
    equal("resource type", unknown.resource_type, "LocalDeployment")
    equal("resource name", unknown.resource_name, UNKNOWN)
    other.defer_component_update(deployment_id=deployment, message="busy", recheck_after_ms=int(part))
    refused("second answer", ServiceError, lambda: defer(deployment_id=deployment), deployment)
    again = events.next().pre_update_event
    equal("the same deployment", again.deployment_id, deployment)
    check("the longest deferral counts", time.monotonic() - received > 1, time.monotonic() - received)
    check("nothing between", events.none())
    defer(deployment_id=deployment)
    equal("told of the end", events.next().post_update_event.deployment_id, deployment)
    refused("answer after the end", ServiceError, lambda: defer(deployment_id=deployment), deployment)
    subscription.close().result(PATIENCE)
    refused("defer after the subscription", InvalidArgumentsError, lambda: defer(deployment_id=deployment))


with scenario():
    main(sys.argv[1])
