"""Publishes with 32 messages in flight through the unmodified SDK, hears them all, and says what that took.

Says `ready` when it is warm, begins when a line comes on its standard input.
"""

import collections
import json
import sys
import threading
import time

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import JsonMessage, PublishMessage

IN_FLIGHT = 32
TOPIC, WARM_UP, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
MESSAGE = PublishMessage(json_message=JsonMessage(message={"data": "x" * 88}))


def publish(client, count):
    waiting = collections.deque()
    for _ in range(count):
        if len(waiting) == IN_FLIGHT:
            waiting.popleft().result()
        waiting.append(client.publish_to_topic_async(topic=TOPIC, publish_message=MESSAGE))
    for answer in waiting:
        answer.result()
    for _ in range(count):
        heard.acquire()


heard = threading.Semaphore(0)
client = GreengrassCoreIPCClientV2(executor=None)
client.subscribe_to_topic(topic=TOPIC, on_stream_event=lambda event: heard.release())
publish(client, WARM_UP)
print("ready", flush=True)
sys.stdin.readline()
begun, cpu = time.monotonic(), time.process_time()
publish(client, COUNT)
print(json.dumps({"seconds": time.monotonic() - begun, "cpu_seconds": time.process_time() - cpu}), flush=True)
client.close()
