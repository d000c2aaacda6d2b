"""Local publish and subscribe through the client of the second generation, `clientv2`."""

import time

import awsiot.greengrasscoreipc
from awsiot.eventstreamrpc import LifecycleHandler
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    BinaryMessage,
    InvalidArgumentsError,
    JsonMessage,
    PublishMessage,
    PublishToTopicResponse,
    SubscribeToTopicResponse,
    UnauthorizedError,
)

from verdict import PATIENCE, Events, check, equal, refused, scenario

OTHERS, ALL = "RECEIVE_MESSAGES_FROM_OTHERS", "RECEIVE_ALL_MESSAGES"


class Life(LifecycleHandler):
    connected = 0

    def on_connect(self):
        self.connected += 1


def publish(topic, message):
    if isinstance(message, bytes):
        message = PublishMessage(binary_message=BinaryMessage(message=message))
    else:
        message = PublishMessage(json_message=JsonMessage(message=message))
    return client.publish_to_topic(topic=topic, publish_message=message)


def subscribe(topic, mode=None):
    events = Events()
    response, operation = client.subscribe_to_topic(topic=topic, receive_mode=mode, **events.handlers())
    return events, response, operation


def json_of(event):
    """What came as JSON, and on which topic."""
    return event.json_message.message, event.json_message.context.topic


def connecting():
    life = Life()
    other = awsiot.greengrasscoreipc.connect(lifecycle_handler=life)
    equal("on_connect is called once", life.connected, 1)
    equal("an orderly close has no error", other.close().result(PATIENCE), None)


def talking():
    equal("a publish nobody hears is answered", type(publish("t/nobody", {"a": 1})), PublishToTopicResponse)
    events, response, operation = subscribe("t/#", ALL)
    equal("a subscription is answered", type(response), SubscribeToTopicResponse)
    publish("t/1", {"a": 1})
    event = events.next()
    equal("JSON arrives with its topic", json_of(event), ({"a": 1}, "t/1"))
    equal("JSON arrives as nothing else", event.binary_message, None)
    publish("t/2", b"\x00\xff")
    event = events.next()
    equal("bytes arrive", event.binary_message.message, b"\x00\xff")
    equal("bytes arrive with their topic", event.binary_message.context.topic, "t/2")
    odd = {"text": "\u00e4\u20ac\U0001f600\u0000\"\\", "number": 1.5e300, "list": [None, True, [], {}], "": {"": ""}}
    publish("t/3/4/5", odd)
    equal("odd JSON arrives unchanged", json_of(events.next()), (odd, "t/3/4/5"))
    publish("t", {"to": "the parent"})
    publish("t/empty", b"")
    event = events.next().binary_message
    equal("t/# does not hear t; no bytes arrive as no bytes", (event.message, event.context.topic), (b"", "t/empty"))
    for size in (10, 17):  # 18 MiB are more than the SDK puts into a frame
        large = bytes(range(256)) * (size * 1024 * 1024 // 256)
        publish("t/large", large)
        check(f"{size} MiB arrive unchanged", events.next().binary_message.message == large)
    long = {"text": "\u00e4" * 1_000_000}
    publish("t/long", long)
    check("2 MB of JSON arrive unchanged", json_of(events.next()) == (long, "t/long"))
    for number in range(200):
        publish("t/order", {"n": number})
    equal("200 messages keep their order", [events.next().json_message.message["n"] for _ in range(200)], list(range(200)))

    later, _, _ = subscribe("t/+", ALL)
    operation.close().result(PATIENCE)
    check("close tells on_stream_closed", events.closed.get(timeout=PATIENCE))
    for number in range(2):
        publish("t/after", {"n": number})
    equal("another subscription goes on", [json_of(later.next())[0]["n"] for _ in range(2)], [0, 1])
    check("a closed subscription hears nothing", events.none() and events.errors.empty())


def filters():
    subscribed = {topic: subscribe(topic, ALL)[0] for topic in ("f/+/c", "f/#", "f/b/c", "+/b/c", "f/b/+", "f/+", "f/B/c")}
    publish("f/b/c", {"to": "f/b/c"})
    publish("f/end", {"to": "f/end"})
    heard = {}
    # Both go to f/#, so that what the others were sent is here, too.
    while len(heard.setdefault("f/#", [])) < 2:
        heard["f/#"].append(json_of(subscribed["f/#"].next())[1])
    time_out = time.monotonic() + 50
    while subscribed["f/+"].none() and time.monotonic() < time_out:
        time.sleep(0.01)
    for topic, events in subscribed.items():
        while not events.none():
            heard.setdefault(topic, []).append(json_of(events.next())[1])
    both, first = ["f/b/c", "f/end"], ["f/b/c"]
    equal(
        "filters hear what they match",
        heard,
        {"f/#": both, "f/+/c": first, "f/b/c": first, "+/b/c": first, "f/b/+": first, "f/+": ["f/end"]},
    )


def modes():
    """The partner publishes on `partner/...` what it hears on `to-partner/...`, under the same last level."""
    own = {
        "of others": subscribe("partner/talk", OTHERS)[0],
        "of all": subscribe("partner/talk", ALL)[0],
        "by default, no wildcard": subscribe("partner/talk")[0],
        "by default, wildcard": subscribe("partner/+")[0],
    }
    ready = subscribe("partner/ready", OTHERS)[0]
    while ready.none():
        publish("to-partner/ready", {"from": "partner"})
        time.sleep(0.05)
    while not own["by default, wildcard"].none():
        own["by default, wildcard"].next()
    publish("partner/talk", {"from": "self"})
    publish("to-partner/talk", {"from": "partner"})
    heard = {name: [] for name in own}
    for name, events in own.items():
        # A late answer to the question whether the partner is ready is none of this.
        while heard[name][-1:] != ["partner"]:
            message, topic = json_of(events.next())
            if topic == "partner/talk":
                heard[name].append(message["from"])
    both, others = ["self", "partner"], ["partner"]
    equal(
        "receive modes",
        heard,
        {"of others": others, "of all": both, "by default, no wildcard": both, "by default, wildcard": others},
    )


def refusals():
    words = ("com.example.Conversation", "PublishToTopic", "denied/topic")
    refused("a publish without permission", UnauthorizedError, lambda: publish("denied/topic", {}), *words)
    words = ("com.example.Conversation", "SubscribeToTopic", "denied/#")
    refused("a subscription without permission", UnauthorizedError, lambda: subscribe("denied/#"), *words)
    refused("a subscription without a topic", InvalidArgumentsError, lambda: subscribe(""))
    refused("a publish on a wildcard", InvalidArgumentsError, lambda: publish("t/#", {}))
    equal("the connection goes on", type(publish("t/nobody", {})), PublishToTopicResponse)


with scenario():
    client = GreengrassCoreIPCClientV2(executor=None)
    connecting()
    talking()
    filters()
    modes()
    refusals()
    client.close().result(PATIENCE)
