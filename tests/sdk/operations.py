"""Calls every operation of the SDK and counts those that answer as their model says: with the operation's response, or
with an error that it declares."""

from awsiot.eventstreamrpc import ErrorShape
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import ServiceError

from calls import CALLS, DEVICES, MQTT, SECRET, SHADOW
from model import declared, operations
from verdict import PATIENCE, check, equal, scenario, short

# Their services come with later work; until then they say so.
LATER = {MQTT, SECRET, SHADOW, DEVICES}

# What the reference nucleus answers beyond its model: nothing is paused where there are no control groups.
BEYOND = {("ResumeComponent", "InvalidArgumentsError")}

DECLARED = declared()


def modelled(call, client):
    """Calls; the verdict, and what came."""
    try:
        answer = call(client)
    except ErrorShape as error:
        name = type(error).__name__
        return error.message and (name in DECLARED[call.name] or (call.name, name) in BEYOND), error
    if isinstance(answer, Exception):
        return False, answer
    return type(answer).__name__ == f"{call.name}Response", answer


with scenario():
    client = GreengrassCoreIPCClientV2(executor=None)
    equal("every operation of the SDK is called", {call.name for call in CALLS}, operations())
    for call in CALLS:
        good, answer = modelled(call, client)
        print(f"{call.name}: {short(answer)} {getattr(answer, 'message', '')}")
        check(f"operation {call.name}", good, f"{short(answer)} {getattr(answer, 'message', '')}")
        if call.service in LATER or call.name == "SubscribeToIoTCoreConnectionStatus":
            check(f"{call.name} says what is missing", type(answer) is ServiceError, short(answer))
    client.close().result(PATIENCE)
