"""Many things at once: two connections with interleaved calls, a thousand idle clients, one that never reads, some
that are killed within a frame."""

import os
import resource
import signal
import subprocess
import sys

import awsiot.greengrasscoreipc
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import BinaryMessage, JsonMessage, PublishMessage

from raw import Raw
from verdict import PATIENCE, Events, check, equal, scenario


def connect():
    return GreengrassCoreIPCClientV2(client=awsiot.greengrasscoreipc.connect(), executor=None)


def message(value):
    return PublishMessage(json_message=JsonMessage(message=value))


def two_connections():
    """Each call on one connection gets its own answer, each subscription its own messages."""
    clients = [connect(), connect()]
    heard = []
    for number in range(20):
        events = Events()
        clients[number % 2].subscribe_to_topic(topic=f"crowd/{number}", **events.handlers())
        heard.append(events)
    calls = []
    for number in range(200):
        client = clients[number // 2 % 2]
        if number % 2:
            topic = f"crowd/{number % 20}"
            calls.append((None, client.publish_to_topic_async(topic=topic, publish_message=message({"n": number}))))
        else:
            key = f"key{number % 10}"
            calls.append(({key: number % 10}, client.get_configuration_async(key_path=[key])))
    wrong = []
    for want, call in calls:
        answer = call.result(PATIENCE)
        if getattr(answer, "value", None) != want:
            wrong.append((want, answer))
    equal("200 interleaved calls have their own answers", wrong, [])
    got = [sorted(events.next().json_message.message["n"] for _ in range(10)) for events in heard[1::2]]
    equal("10 subscriptions have their own messages", got, [list(range(n, 200, 20)) for n in range(1, 20, 2)])
    check("the other 10 have none", all(events.none() for events in heard[0::2]))
    for client in clients:
        client.close().result(PATIENCE)


def thousand_idle(worker):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle = [Raw() for _ in range(1000)]
    equal("1000 clients are let in", sum(raw.accepted for raw in idle), 1000)
    events = Events()
    worker.subscribe_to_topic(topic="crowd/worker", **events.handlers())
    for number in range(50):
        worker.publish_to_topic(topic="crowd/worker", publish_message=message({"n": number}))
    equal("others work meanwhile", [events.next().json_message.message["n"] for _ in range(50)], list(range(50)))
    equal("1000 clients are still connected", sum(raw.ping() for raw in idle), 1000)
    for raw in idle:
        raw.socket.close()


def never_reads(worker):
    """More goes to it than a socket and a queue of any decent size hold; who reads gets all of it."""
    deaf, events = Raw(), Events()
    equal("a subscriber is answered", deaf.call("SubscribeToTopic", topic="crowd/flood")[0], 0)
    worker.subscribe_to_topic(topic="crowd/flood", **events.handlers())
    payload = os.urandom(100_000)
    for _ in range(300):
        flood = PublishMessage(binary_message=BinaryMessage(message=payload))
        worker.publish_to_topic(topic="crowd/flood", publish_message=flood)
    equal("who reads gets all", sum(events.next().binary_message.message == payload for _ in range(300)), 300)
    lost, read = False, 0
    deaf.socket.settimeout(1)
    try:
        while read < 300:
            deaf.read()
            read += 1
    except (EOFError, ConnectionError):
        lost = True
    except TimeoutError:
        pass
    check("the daemon kept a bounded part for who did not read", read < 300, f"{read} messages of 100 kB")
    print(f"the subscriber that did not read got {read} messages, and was {'hung up on' if lost else 'kept'}")
    deaf.socket.close()


def killed_within_a_frame(worker):
    script = os.path.join(os.path.dirname(__file__), "killed.py")
    events = Events()
    worker.subscribe_to_topic(topic="crowd/killed", **events.handlers())
    for cut in (1, 11, 12, 40, 100, 150):
        child = subprocess.run([sys.executable, "-B", script, str(cut)], check=False)
        equal(f"a client is killed after {cut} bytes", child.returncode, -signal.SIGKILL)
        worker.publish_to_topic(topic="crowd/killed", publish_message=message({"cut": cut}))
        equal(f"others go on after {cut} bytes", events.next().json_message.message, {"cut": cut})


with scenario():
    worker = connect()
    killed_within_a_frame(worker)
    never_reads(worker)
    thousand_idle(worker)
    worker.close().result(PATIENCE)
    two_connections()
