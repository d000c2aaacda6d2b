"""Calls every operation that needs a policy, without having one."""

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import UnauthorizedError

from calls import CALLS
from verdict import PATIENCE, refused, scenario

with scenario():
    client = GreengrassCoreIPCClientV2(executor=None)
    for call in CALLS:
        # The last is for one component of the vendor alone, whatever a policy says.
        if call.service or call.name == "ValidateAuthorizationToken":
            words = ("com.example.Denied", call.name)
            refused(f"{call.name}: UnauthorizedError", UnauthorizedError, lambda call=call: call(client), *words)
    client.close().result(PATIENCE)
