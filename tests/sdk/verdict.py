"""The verdicts of a scenario: one JSON line each, in the file `verdicts` of the component's working directory.

    with scenario():
        check("two and two are four", 2 + 2 == 4)
        refused("a call without permission", UnauthorizedError, lambda: client.publish_to_topic(...))
"""

import contextlib
import json
import os
import queue
import time
import traceback

# How long anything may take before a scenario calls it hung. Generous: a loaded machine is slow, not wrong.
PATIENCE = 150


def check(what, ok, detail=""):
    """One verdict. `detail` is shown when it is bad; True comes back when it is good."""
    line = json.dumps({"check": what, "ok": bool(ok), "detail": str(detail)})
    with open("verdicts", "a", encoding="utf-8") as verdicts:
        verdicts.write(line + "\n")
    return bool(ok)


def equal(what, got, want):
    return check(what, got == want, f"got {short(got)}, not {short(want)}")


def refused(what, error, call, *words):
    """The call raises exactly this error, whose message is not empty and holds the words; gives the error."""
    try:
        answer = call()
    except Exception as caught:  # any other error is the verdict
        message = getattr(caught, "message", None)
        good = type(caught) is error and message and all(word in message for word in words)
        check(what, good, f"{type(caught).__name__}: {caught} (message {message!r}, words {words})")
        return caught
    check(what, False, f"answered {short(answer)}, not {error.__name__}")
    return None


@contextlib.contextmanager
def scenario():
    """Around a whole script: an exception is a bad verdict, and the last line says that it has ended."""
    try:
        yield
    except BaseException:
        check("no exception", False, traceback.format_exc())
    check("ended", True)


def wait_for_cue(cue):
    """Until the test calls `stage.cue(component, cue)`."""
    eventually(f"cue {cue}", lambda: os.path.exists(f"cue-{cue}"))


def eventually(what, holds):
    """Waits until `holds()`; the time is only spent when it does not."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"never came true: {what}")
        time.sleep(0.01)


class Events:
    """What a subscription tells, in order of arrival. Give its methods as the three handlers.

    The client must have been made with `executor=None`: a pool of threads does not keep the order.
    """

    def __init__(self):
        self.events = queue.Queue()
        self.errors = queue.Queue()
        self.closed = queue.Queue()

    def handlers(self):
        return {
            "on_stream_event": self.events.put,
            "on_stream_error": self._on_error,
            "on_stream_closed": lambda: self.closed.put(True),
        }

    def _on_error(self, error):
        self.errors.put(error)
        return True

    def next(self):
        return self.events.get(timeout=PATIENCE)

    def none(self):
        """Nothing lies here. Say first why nothing can be on its way, as with a later message that has come."""
        return self.events.empty()


def short(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}... ({len(text)} characters)"
