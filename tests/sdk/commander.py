"""A client of the command line: it may steer every component, and is none itself."""

import json
import sys
from datetime import datetime, timezone

import awsiot.greengrasscoreipc
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    InvalidArgumentsError,
    Metric,
    ResourceNotFoundError,
    UnauthorizedError,
)
from verdict import Events, equal, eventually, refused, scenario

TARGET = "com.example.Target"
ME = "greengrass-cli#user-"

with scenario():
    with open(sys.argv[1], encoding="utf-8") as file:
        info = json.load(file)
    client = GreengrassCoreIPCClientV2(
        client=awsiot.greengrasscoreipc.connect(
            ipc_socket=info["domain_socket_path"], authtoken=info["cli_auth_token"]
        )
    )

    def state():
        return client.get_component_details(component_name=TARGET).component_details.state

    equal("lists", [c.state for c in client.list_components().components if c.component_name == TARGET], ["RUNNING"])
    equal("stops", client.stop_component(component_name=TARGET).stop_status, "SUCCEEDED")
    eventually("it has stopped", lambda: state() == "FINISHED")
    equal("restarts", client.restart_component(component_name=TARGET).restart_status, "SUCCEEDED")
    eventually("it runs", lambda: state() == "RUNNING")
    equal("gets a password", client.create_debug_password().username, "debug")

    answer = client.get_configuration(component_name=TARGET, key_path=["some", "thing"])
    equal("reads a component's configuration", (answer.component_name, answer.value), (TARGET, {"thing": 1}))
    refused("has none itself", ResourceNotFoundError, lambda: client.get_configuration(key_path=[]), ME)
    subscribe = client.subscribe_to_configuration_update
    refused("to watch", ResourceNotFoundError, lambda: subscribe(key_path=[], **Events().handlers()), ME)
    update = lambda: client.update_configuration(
        key_path=[], timestamp=datetime.now(timezone.utc), value_to_merge={"a": 1}
    )
    refused("to update", InvalidArgumentsError, update, ME)
    refused("is in no state", ResourceNotFoundError, lambda: client.update_state(state="RUNNING"), ME)
    frames = Metric(name="Frames", unit="COUNT", value=1.0)
    refused("measures nothing", UnauthorizedError, lambda: client.put_component_metric(metrics=[frames]), ME)
    refused("may not pause", UnauthorizedError, lambda: client.pause_component(component_name=TARGET), ME, TARGET)
