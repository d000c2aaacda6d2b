"""Outcomes, as in `outcomes.py`, that only a client of the command line sees, because it is no component."""

import json
import sys

import awsiot.greengrasscoreipc
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import ResourceNotFoundError
from calls import CALLS
from verdict import refused, scenario

with scenario():
    with open(sys.argv[1], encoding="utf-8") as file:
        info = json.load(file)
    connection = awsiot.greengrasscoreipc.connect(
        ipc_socket=info["domain_socket_path"], authtoken=info["cli_auth_token"]
    )
    client = GreengrassCoreIPCClientV2(client=connection)
    for call in CALLS:
        if call.name in ("SubscribeToComponentUpdates", "UpdateState"):
            refused(f"{call.name}: ResourceNotFoundError", ResourceNotFoundError, lambda call=call: call(client))
