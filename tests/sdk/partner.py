"""Says on `partner/<word>` what it hears on `to-partner/<word>`; runs until it is ended."""

import os
import queue

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import JsonMessage, PublishMessage

# Careless: it leaves its token lying about, for strangers.py to find.
with open("token", "w", encoding="ascii") as token:
    token.write(os.environ["SVCUID"])
heard = queue.Queue()
client = GreengrassCoreIPCClientV2(executor=None)
client.subscribe_to_topic(topic="to-partner/+", on_stream_event=heard.put)
while True:
    message = heard.get().json_message
    word = message.context.topic.removeprefix("to-partner/")
    answer = PublishMessage(json_message=JsonMessage(message=message.message))
    client.publish_to_topic(topic=f"partner/{word}", publish_message=answer)
