"""Shows what is said on the topics below `example`, until the core hangs up."""

import threading

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2

closed = threading.Event()


def show(event):
    if event.json_message:
        print(f"heard {event.json_message.message} on {event.json_message.context.topic}")
    else:
        message = event.binary_message
        print(f"heard {len(message.message)} bytes on {message.context.topic}")


def complain(error):
    print(f"a message did not arrive: {error}")
    return False  # the subscription goes on


client = GreengrassCoreIPCClientV2()
client.subscribe_to_topic(
    topic="example/#", on_stream_event=show, on_stream_error=complain, on_stream_closed=closed.set
)
print("listening on example/#")
closed.wait()
