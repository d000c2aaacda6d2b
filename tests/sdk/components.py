"""Components that look at, steer and report on components; one role per argument."""

import os
import sys
import time
from datetime import datetime, timedelta, timezone

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import (
    InvalidArgumentsError,
    Metric,
    ResourceNotFoundError,
    ServiceError,
    UnauthorizedError,
)
from verdict import check, equal, eventually, refused, scenario, wait_for_cue

TARGET = "com.example.Target"
BROKEN = "com.example.Broken"
NOBODY = "com.example.Nobody"
OWN = "DeploymentService"


def operator(client, me):
    """May do everything."""
    wait_for_cue("begin")
    components = {component.component_name: component for component in client.list_components().components}
    check("lists itself and the others", {me, TARGET, BROKEN} <= components.keys(), components.keys())
    states = {name: component.state for name, component in components.items()}
    equal("state of the target", states[TARGET], "RUNNING")
    equal("state of the broken one", states[BROKEN], "BROKEN")
    equal("version of the target", components[TARGET].version, "1.2.3")
    equal("configuration of the target", components[TARGET].configuration, {"some": {"thing": 1}})
    equal("an empty configuration", components[BROKEN].configuration, {})
    equal("no configuration", components[OWN].configuration, None)
    equal("the core is FINISHED", states["aws.greengrass.Nucleus"], "FINISHED")
    equal("its parts run", (states[OWN], components[OWN].version), ("RUNNING", "0.0.0"))
    check("no main", "main" not in components)

    details = lambda name: client.get_component_details(component_name=name).component_details
    equal("details of the target", details(TARGET), components[TARGET])
    equal("details of the core", details("aws.greengrass.Nucleus"), components["aws.greengrass.Nucleus"])
    state = lambda: details(TARGET).state

    stop, restart = client.stop_component, client.restart_component
    pause, resume = client.pause_component, client.resume_component
    for what, call in [("details", details), ("stop", stop), ("restart", restart), ("pause", pause), ("resume", resume)]:
        call_it = call if call is details else lambda name: call(component_name=name)
        unknown = refused(f"{what} of an unknown one", ResourceNotFoundError, lambda: call_it(NOBODY), NOBODY)
        equal("what is missing", (unknown.resource_type, unknown.resource_name), ("Component", NOBODY))
        refused(f"{what} of no name", ResourceNotFoundError, lambda: call_it("../x/" * 1000))
        refused(f"{what} of an empty name", InvalidArgumentsError, lambda: call_it(""))
        refused(f"{what} without a name", InvalidArgumentsError, lambda: call_it(None))

    answer = stop(component_name=TARGET)
    equal("stop is taken up", (answer.stop_status, answer.message), ("SUCCEEDED", None))
    eventually("the target has stopped", lambda: state() == "FINISHED")
    refused("pause of a stopped one", InvalidArgumentsError, lambda: pause(component_name=TARGET), "FINISHED")
    refused("resume of a stopped one", InvalidArgumentsError, lambda: resume(component_name=TARGET), "not paused")
    answer = restart(component_name=TARGET)
    equal("restart is taken up", (answer.restart_status, answer.message), ("SUCCEEDED", None))
    eventually("the target runs again", lambda: state() == "RUNNING")

    for name in [OWN, BROKEN]:
        answer = restart(component_name=name)
        equal(f"restart of {name}", answer.restart_status, "FAILED")
        check("says why", name in answer.message, answer.message)
        answer = stop(component_name=name)
        equal(f"stop of {name}", answer.stop_status, "FAILED")
        check("says why", name in answer.message, answer.message)
    refused("pause of the core", InvalidArgumentsError, lambda: pause(component_name=OWN), OWN)
    refused("resume of the core", InvalidArgumentsError, lambda: resume(component_name=OWN), OWN)
    refused("pause of a broken one", InvalidArgumentsError, lambda: pause(component_name=BROKEN), "BROKEN")
    refused("resume of a running one", InvalidArgumentsError, lambda: resume(component_name=TARGET), "not paused")
    if sys.argv[3] == "freezer":
        pause(component_name=TARGET)
        check("paused", True)
        wait_for_cue("is frozen")
        resume(component_name=TARGET)
        check("resumed", True)
        wait_for_cue("goes on")
        pause(component_name=TARGET)
        stop(component_name=TARGET)
        eventually("a paused one can be stopped", lambda: state() == "FINISHED")
    else:
        refused("pause without a freezer", ServiceError, lambda: pause(component_name=TARGET), "cannot be paused")

    made = client.create_debug_password()
    equal("user of the console", made.username, "debug")
    equal("length of the password", len(made.password), 43)
    ends = made.password_expiration.astimezone(timezone.utc) - datetime.now(timezone.utc)
    check("eight hours", timedelta(hours=7, minutes=55) < ends <= timedelta(hours=8), ends)
    check("another each time", client.create_debug_password().password != made.password)
    with open("password", "w", encoding="ascii") as file:
        file.write(made.password)


def stranger(client, me):
    """May do nothing."""
    for operation, call, resource in [
        ("ListComponents", client.list_components, "*"),
        ("GetComponentDetails", lambda: client.get_component_details(component_name=TARGET), TARGET),
        ("RestartComponent", lambda: client.restart_component(component_name=TARGET), TARGET),
        ("StopComponent", lambda: client.stop_component(component_name=NOBODY), NOBODY),
        ("PauseComponent", lambda: client.pause_component(component_name=TARGET), TARGET),
        ("ResumeComponent", lambda: client.resume_component(component_name=TARGET), TARGET),
        ("CreateDebugPassword", client.create_debug_password, "*"),
        ("PutComponentMetric", lambda: client.put_component_metric(metrics=[metric("Frames")]), "*"),
    ]:
        refused(f"denied {operation}", UnauthorizedError, call, me, f"aws.greengrass#{operation}", resource)


def metric(name, value=1.0, unit="COUNT"):
    return Metric(name=name, unit=unit, value=value)


def meter(client, me):
    """Of AWS by its name, with a policy for some metrics."""
    put = lambda *metrics: client.put_component_metric(metrics=list(metrics))
    put(metric("Frames", 3), metric("BytesIn", 0.5, "BYTES_PER_SECOND"))
    put(metric("B" * 32, 0, "Seconds"))
    for what, bad, words in [
        ("a long name", metric("B" * 33), ["32"]),
        ("no name", metric(""), []),
        ("below zero", metric("Frames", -1), ["below 0"]),
        ("an unknown unit", metric("Frames", 1, "KILOS"), ["KILOS"]),
        ("no unit", metric("Frames", 1, None), []),
        ("no value", metric("Frames", None), []),
    ]:
        refused(what, InvalidArgumentsError, lambda: put(metric("Frames", 99), bad), *words)
    refused("no metrics", InvalidArgumentsError, put)
    refused("too many", InvalidArgumentsError, lambda: put(*[metric("Frames")] * 1001))
    refused("no policy for it", UnauthorizedError, lambda: put(metric("Frames", 99), metric("Other")), me, "Other")


def reporter(client, _):
    """Runs once it says so, then says that it has failed, and is started again."""
    if sys.argv[3] == "errored":
        if os.path.exists("first-life"):
            return check("started again", True)
        open("first-life", "w").close()
        client.update_state(state="ERRORED")
        check("reported", True)
        time.sleep(100000)
    check("not yet running", state_of_mine(client) == "STARTING", state_of_mine(client))
    client.update_state(state="RUNNING")
    check("running", state_of_mine(client) == "RUNNING", state_of_mine(client))
    client.update_state(state="RUNNING")
    refused("another state", ServiceError, lambda: client.update_state(state="FINISHED"))
    refused("no state", ServiceError, lambda: client.update_state(state=None))
    check("said", True)
    wait_for_cue("end")


def state_of_mine(client):
    return client.get_component_details(component_name=sys.argv[2]).component_details.state


def phoenix(client, me):
    if os.path.exists("first-life"):
        return check("restarted itself", True)
    open("first-life", "w").close()
    client.restart_component(component_name=me)
    time.sleep(100000)


with scenario():
    globals()[sys.argv[1]](GreengrassCoreIPCClientV2(executor=None), sys.argv[2])
