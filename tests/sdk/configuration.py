"""A component reads, changes and watches configuration."""

import os
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    FailedUpdateConditionCheckError,
    InvalidArgumentsError,
    ResourceNotFoundError,
    ServiceError,
)
from verdict import PATIENCE, Events, check, equal, refused, scenario, wait_for_cue

ME = "com.example.Configured"
NEIGHBOUR = "com.example.Neighbour"
NUCLEUS = "aws.greengrass.Nucleus"


def now():
    return datetime.now(timezone.utc)


class Store:
    """Configuration in few words."""

    def __init__(self):
        self.client = GreengrassCoreIPCClientV2(executor=None)

    def get(self, *keys, of=None):
        return self.client.get_configuration(component_name=of, key_path=list(keys)).value

    def put(self, value, *keys, time=None):
        return self.client.update_configuration(key_path=list(keys), timestamp=time or now(), value_to_merge=value)

    def watch(self, *keys, of=None):
        events = Events()
        _, watch = self.client.subscribe_to_configuration_update(
            component_name=of, key_path=list(keys), **events.handlers()
        )
        return events, watch


def path(events):
    event = events.next().configuration_update_event
    return event.component_name, event.key_path


def reading(store):
    whole = store.get()
    equal("own configuration", whole["values"]["list"], [1, "two", {"three": [3.5, None]}])
    answer = store.client.get_configuration(key_path=[])
    equal("the caller is named", answer.component_name, ME)
    equal("a leaf comes under its key", store.get("leaf"), {"leaf": "text"})
    equal("keys have no case", store.get("VALUES", "Integer"), {"integer": 42})
    for key, value in whole["values"].items():
        if value != {}:
            equal(f"value {key}", store.get("values", key), value if isinstance(value, dict) else {key: value})
    equal("an empty node", store.get("values", "empty"), {})
    answer = store.client.get_configuration(component_name=NEIGHBOUR, key_path=["greeting"])
    equal("a neighbour's", (answer.component_name, answer.value), (NEIGHBOUR, {"greeting": "hello"}))
    check("the core's own", "runWithDefault" in store.get(of=NUCLEUS))
    get = store.client.get_configuration
    for what, named, keys in [
        ("unknown key", None, ["nothing"]),
        ("key below a leaf", None, ["leaf", "below"]),
        ("element of a list", None, ["values", "list", "0"]),
        ("unknown component", "com.example.Nobody", []),
        ("no component", "", []),
        ("our own part without configuration", "DeploymentService", []),
        ("no way out of services", "..", ["system"]),
        ("very many keys", None, ["k"] * 5000),
    ]:
        refused(what, ResourceNotFoundError, lambda: get(component_name=named, key_path=keys))


def updating(store):
    put, get = store.put, store.get
    put({"integer": 43, "new": {"a": {"b": 1}}}, "values")
    equal("merged", (get("values", "integer"), get("values", "new")), ({"integer": 43}, {"a": {"b": 1}}))
    equal("siblings stay", get("values", "text"), {"text": "Grüße, 世界 🌍"})
    for value in [None, True, -7, 2**53, 0.1, 1e300, "", "a\u0000b\n\"", [], [[{"x": None}]], {}, {"deep": {"er": [1]}}]:
        put({"any": value})
        equal(f"round trip of {value!r}", get("any"), value if isinstance(value, dict) else {"any": value})
    put({"x": 1}, "leaf")
    equal("a leaf is replaced by an object", get("leaf"), {"x": 1})
    put("again", "leaf", "x")
    equal("a leaf is replaced by a value", get("leaf", "x"), {"x": "again"})
    put({"LEAF": {"X": 3}})
    equal("spelled as at first", get("leaf"), {"x": 3})
    put({"c": 1}, "made", "on", "the", "way", time=now() - timedelta(days=9))
    equal("what is new takes any time", get("made"), {"on": {"the": {"way": {"c": 1}}}})
    put({"epoch": 1}, time=datetime.fromtimestamp(0, timezone.utc))
    equal("the time 0 is now, as the C SDK means it", get("epoch"), {"epoch": 1})
    put({"_secret": 1, "shown": {"_too": 2}})
    equal("what begins with _ is read by name", get("_secret"), {"_secret": 1})
    check("and by name only", "_secret" not in get() and get("shown") == {})
    big = "x" * (1 << 20)
    put({"big": big})
    check("a megabyte", get("big")["big"] == big)
    put({"big": None})
    nested = value = {}
    for _ in range(100):
        value["n"] = {}
        value = value["n"]
    put({"nested": nested})
    equal("a hundred levels", get("nested"), nested)


def refusals(store):
    before = store.get()
    update = store.client.update_configuration
    invalid = lambda what, *words, **request: refused(what, InvalidArgumentsError, lambda: update(**request), *words)
    invalid("no timestamp", "timestamp", key_path=[], value_to_merge={"a": 1})
    invalid("no value", "valueToMerge", key_path=[], timestamp=now())
    for keys, value in [
        ([], {"accessControl": {}}),
        ([], {"fine": 1, "ACCESScontrol": None}),
        (["accessControl"], {"x": 1}),
        (["AccessControl", "aws.greengrass.Cli"], {"x": {"operations": ["*"], "resources": ["*"]}}),
    ]:
        invalid(f"policies {keys} {value}", "accessControl", key_path=keys, timestamp=now(), value_to_merge=value)
    invalid("one value for all", "object", key_path=[], timestamp=now(), value_to_merge=5)
    invalid("one value for a node", "object", key_path=["values"], timestamp=now(), value_to_merge=[1])
    invalid("through a leaf", key_path=["values", "integer", "below"], timestamp=now(), value_to_merge={"a": 1})
    invalid("too much", "4 MiB", key_path=["large"], timestamp=now(), value_to_merge={"k": "x" * (5 << 20)})
    invalid("too many keys", "deep", key_path=["k"] * 300, timestamp=now(), value_to_merge={"a": 1})
    old = now() - timedelta(hours=1)
    for keys, value in [([], {"values": {"integer": 1}, "fresh": 1}), (["values"], {"fresh": 1}), (["leaf", "x"], 9)]:
        late = lambda: update(key_path=keys, timestamp=old, value_to_merge=value)
        refused(f"too late at {keys}", FailedUpdateConditionCheckError, late, "later")
    equal("nothing of it happened", store.get(), before)
    moment = now()
    store.put({"t": 1}, "times", time=moment)
    moment = now()
    store.put({"t": 2}, "times", time=moment)
    store.put({"t": 3}, "times", time=moment)
    equal("the same time wins", store.get("times", "t"), {"t": 3})


def watching(store):
    store.put({"watched": {"a": 1, "b": 1}, "other": 1})
    events, watch = store.watch("watched")
    leaf, _ = store.watch("WATCHED", "A")
    everything, _ = store.watch()
    for value, keys in [
        ({"a": 2}, ["watched", "a"]),
        ({"a": 2}, None),  # a newer time only
        ({"new": {"c": 1}}, ["watched", "new", "c"]),
        ({"hollow": {}}, None),  # a node without a value
        ({"B": 3}, ["watched", "b"]),
    ]:
        store.put(value, "watched")
        if keys:
            equal(f"event of {value}", path(events), (ME, keys))
    store.put({"b": {"inner": 1}}, "watched")
    equal("a leaf goes", path(events), (ME, ["watched", "b"]))
    equal("a node comes", path(events), (ME, ["watched", "b", "inner"]))
    store.put(3, "watched", "a")
    equal("the last", path(events), (ME, ["watched", "a"]))
    check("no event of anything else", events.none())
    equal("the leaf's first", path(leaf), (ME, ["watched", "a"]))
    equal("the leaf's last", path(leaf), (ME, ["watched", "a"]))
    check("the leaf's only", leaf.none())
    keys = [path(everything)[1] for _ in range(6)]
    equal("in order for who sees all", keys[0], ["watched", "a"])
    equal("up to the last", keys[-1], ["watched", "a"])

    watch.close().result(PATIENCE)
    check("closed", events.closed.get(timeout=PATIENCE))
    store.put({"a": 4}, "watched")
    path(everything)
    check("no event after the close", events.none())

    store.put({f"k{number}": number for number in range(200)}, "many")
    lagged = path(everything)[1]
    while lagged != []:
        lagged = path(everything)[1]
    equal("who lags reads again", len(store.get("many")), 200)

    subscribe = store.client.subscribe_to_configuration_update
    for what, named, at in [("unknown key", None, ["nothing"]), ("unknown component", "com.example.Nobody", [])]:
        watch_it = lambda: subscribe(component_name=named, key_path=at, **Events().handlers())
        refused(f"watch of {what}", ResourceNotFoundError, watch_it)

    neighbour, _ = store.watch("greeting", of=NEIGHBOUR)
    check("watches the neighbour", True)
    equal("a deployment is an event", path(neighbour), (NEIGHBOUR, ["greeting"]))
    equal("and has happened", store.get("greeting", of=NEIGHBOUR), {"greeting": "good bye"})


def together(store):
    """Clients change one leaf at once, and each a leaf of its own."""
    store.put({"race": {"shared": None}})
    base = now()
    won, lost, errors = [], [], []

    def client(number):
        try:
            mine = Store()
            for turn in range(20):
                moment = base + timedelta(milliseconds=1 + (turn * 4 + number) * 7919 % 101)
                try:
                    mine.put(f"{number}.{turn}", "race", "shared", time=moment)
                    won.append((moment, f"{number}.{turn}"))
                except FailedUpdateConditionCheckError:
                    lost.append(moment)
                mine.put(turn, "race", f"own{number}")
        except Exception as error:  # it is the verdict
            errors.append(error)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    equal("nothing but late ones is refused", errors, [])
    newest = max(won)
    equal("every update was answered", len(won) + len(lost), 80)
    check("the newest of all is among those that won", newest[0] > max(lost, default=base))
    equal("the newest has won", store.get("race", "shared"), {"shared": newest[1]})
    for number in range(4):
        equal(f"own of client {number}", store.get("race", f"own{number}"), {f"own{number}": 19})


def surviving(store):
    """The core is killed after the acknowledgement; the second life of this script sees what the first was told."""
    if os.path.exists("first-life"):
        equal("after SIGKILL", store.get("kept"), {"n": 99})
        equal("with its time", store.get("kept", "n"), {"n": 99})
        return
    open("first-life", "w").close()
    for number in range(100):
        store.put({"n": number}, "kept")
    check("acknowledged", True)
    time.sleep(100000)


def unstorable(store):
    """Somebody takes the disk away, and gives it back."""
    store.put({"kept": 1, "nested": {"a": 1}})
    events, _ = store.watch()
    check("ready", True)
    wait_for_cue("taken")
    lose = lambda: store.put({"kept": 2, "nested": {"a": 2}, "new": 1})
    refused("an update that cannot be stored", ServiceError, lose, "cannot be stored")
    equal("nothing of it happened", (store.get("kept"), store.get("nested")), ({"kept": 1}, {"a": 1}))
    check("refused", True)
    wait_for_cue("given back")
    store.put({"kept": 3})
    equal("stored", store.get("kept"), {"kept": 3})
    equal("the only event", path(events), (ME, ["kept"]))
    check("no other", events.none())


with scenario():
    part = sys.argv[1]
    if part in ("surviving", "unstorable"):
        globals()[part](Store())
    elif part == "neighbour":
        check("there", True)
        wait_for_cue("end")
    else:
        for play in [reading, updating, refusals, watching, together]:
            play(Store())
