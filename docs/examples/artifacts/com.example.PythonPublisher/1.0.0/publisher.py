"""Says how warm it is, at the interval of its configuration."""

import itertools
import time

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import JsonMessage, PublishMessage

TOPIC = "example/temperature"

# Socket and token come from the environment that the core gives each component.
client = GreengrassCoreIPCClientV2()
every = client.get_configuration(key_path=["everySeconds"]).value["everySeconds"]
for number in itertools.count():
    reading = {"celsius": 20 + number % 10, "number": number}
    client.publish_to_topic(topic=TOPIC, publish_message=PublishMessage(json_message=JsonMessage(message=reading)))
    print(f"said {reading} on {TOPIC}")
    time.sleep(every)
