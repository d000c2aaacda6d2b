"""The same conversation through the generated client of the first generation, as older components hold it."""

import awsiot.greengrasscoreipc
import awsiot.greengrasscoreipc.client as client
from awsiot.greengrasscoreipc.model import (
    BinaryMessage,
    GetConfigurationRequest,
    JsonMessage,
    PublishMessage,
    PublishToTopicRequest,
    PublishToTopicResponse,
    ResourceNotFoundError,
    SubscribeToTopicRequest,
    SubscribeToTopicResponse,
    UnauthorizedError,
)

from verdict import PATIENCE, Events, check, equal, refused, scenario


class Handler(client.SubscribeToTopicStreamHandler):
    def __init__(self):
        super().__init__()
        self.events = Events()

    def on_stream_event(self, event):
        self.events.events.put(event)

    def on_stream_error(self, error):
        self.events.errors.put(error)
        return True

    def on_stream_closed(self):
        self.events.closed.put(True)


def publish(topic, **message):
    operation = ipc.new_publish_to_topic()
    operation.activate(PublishToTopicRequest(topic=topic, publish_message=PublishMessage(**message))).result(PATIENCE)
    return operation.get_response().result(PATIENCE)


def subscribe(topic):
    handler = Handler()
    operation = ipc.new_subscribe_to_topic(handler)
    operation.activate(SubscribeToTopicRequest(topic=topic)).result(PATIENCE)
    return handler.events, operation.get_response().result(PATIENCE), operation


def configuration(*path):
    operation = ipc.new_get_configuration()
    operation.activate(GetConfigurationRequest(key_path=list(path))).result(PATIENCE)
    return operation.get_response().result(PATIENCE)


with scenario():
    ipc = awsiot.greengrasscoreipc.connect()
    message = JsonMessage(message={"a": [1, 2.5, None]})
    equal("a publish nobody hears", type(publish("g/nobody", json_message=message)), PublishToTopicResponse)
    events, response, operation = subscribe("g/1")
    equal("a subscription is answered", type(response), SubscribeToTopicResponse)
    publish("g/1", json_message=message)
    event = events.next().json_message
    equal("JSON arrives", (event.message, event.context.topic), ({"a": [1, 2.5, None]}, "g/1"))
    publish("g/1", binary_message=BinaryMessage(message=b"\x00\xff"))
    event = events.next().binary_message
    equal("bytes arrive", (event.message, event.context.topic), (b"\x00\xff", "g/1"))
    later, _, _ = subscribe("g/1")
    operation.close().result(PATIENCE)
    check("close tells on_stream_closed", events.closed.get(timeout=PATIENCE))
    publish("g/1", json_message=message)
    publish("g/1", json_message=message)
    later.next(), later.next()
    check("a closed subscription hears nothing", events.none())
    refused("a publish without permission", UnauthorizedError, lambda: publish("denied", json_message=message), "denied")
    refused("a subscription without permission", UnauthorizedError, lambda: subscribe("denied/+"), "denied/+")
    answer = configuration("k")
    equal("a leaf of the configuration", (answer.component_name, answer.value), ("com.example.Generated", {"k": 1}))
    refused("an unknown key", ResourceNotFoundError, lambda: configuration("unknown"))
    equal("the connection closes in order", ipc.close().result(PATIENCE), None)
