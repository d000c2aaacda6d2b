"""A client that is killed within a frame: killed.py BYTES, of the frame that are sent."""

import os
import signal
import sys

from raw import Raw

client = Raw()
client.call("SubscribeToTopic", topic="crowd/killed")
whole = client.request("PublishToTopic", topic="crowd/killed", publishMessage={"jsonMessage": {"message": {}}})
client.send(whole[: int(sys.argv[1])])
os.kill(os.getpid(), signal.SIGKILL)
