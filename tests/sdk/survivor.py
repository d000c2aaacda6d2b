"""Loses its daemon, which is killed, and is started again by the next one."""

import os
import queue
import signal
import threading

import awsiot.greengrasscoreipc
from awsiot.eventstreamrpc import ConnectionClosedError, LifecycleHandler
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import JsonMessage, PublishMessage

from verdict import PATIENCE, Events, check, equal, scenario


class Life(LifecycleHandler):
    def __init__(self):
        super().__init__()
        self.disconnects = queue.Queue()

    def on_disconnect(self, reason):
        self.disconnects.put(reason)


def publish(value):
    message = PublishMessage(json_message=JsonMessage(message=value))
    return client.publish_to_topic(topic="survivor", publish_message=message)


def lose_the_core():
    """Says what it sees, then stays as it is: nobody here thinks of connecting again."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which a component gets when its daemon dies
    check("ready to lose", True)
    reason = life.disconnects.get(timeout=PATIENCE)
    check("the loss of the daemon is seen", "AWS_IO_SOCKET_CLOSED" in repr(reason), repr(reason))
    check("the stream is closed", events.closed.get(timeout=PATIENCE))
    try:
        publish({"too": "late"})
        check("a call on the lost connection fails", False)
    except ConnectionClosedError:
        check("a call on the lost connection fails", True)
    threading.Event().wait()


first = not os.path.exists("verdicts")
life, events = Life(), Events()
client = GreengrassCoreIPCClientV2(client=awsiot.greengrasscoreipc.connect(lifecycle_handler=life), executor=None)
client.subscribe_to_topic(topic="survivor", **events.handlers())
publish({"first": first})
equal("talks" if first else "talks again", events.next().json_message.message, {"first": first})
if first:
    lose_the_core()
with scenario():
    equal("configuration is still there", client.get_configuration(key_path=["k"]).value, {"k": 1})
    client.close().result(PATIENCE)
