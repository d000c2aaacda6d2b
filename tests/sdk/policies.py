"""A component whose policy is changed by deployments while it listens."""

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import JsonMessage, PublishMessage, UnauthorizedError
from verdict import Events, PATIENCE, check, equal, refused, scenario, wait_for_cue

TOPIC = "house/door"


def main():
    client = GreengrassCoreIPCClientV2(executor=None)

    def say(number):
        client.publish_to_topic(
            topic=TOPIC, publish_message=PublishMessage(json_message=JsonMessage(message={"number": number}))
        )

    def listen():
        events = Events()
        client.subscribe_to_topic(topic=TOPIC, receive_mode="RECEIVE_ALL_MESSAGES", **events.handlers())
        return events

    events = listen()
    say(1)
    equal("allowed at first", events.next().json_message.message["number"], 1)
    check("listens", True)

    error = events.errors.get(timeout=PATIENCE)
    check("told that it may not any more", type(error) is UnauthorizedError and TOPIC in error.message, repr(error))
    events.closed.get(timeout=PATIENCE)
    say(2)
    check("hears nothing more", events.none())
    refused("listen again", UnauthorizedError, listen, "SubscribeToTopic", TOPIC)
    check("went deaf", True)

    wait_for_cue("allowed again")
    events = listen()
    say(3)
    equal("allowed again, without a restart", events.next().json_message.message["number"], 3)


with scenario():
    main()
