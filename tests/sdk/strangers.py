"""Connects that are refused, and hear so: each must end in AccessDeniedError, not in a closed socket."""

import collections
import os

import awsiot.greengrasscoreipc
from awsiot.eventstreamrpc import AccessDeniedError
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2

from verdict import PATIENCE, check, equal, eventually, scenario


def outcome(token):
    try:
        awsiot.greengrasscoreipc.connect(authtoken=token)
    except Exception as error:
        return type(error)
    return None


with scenario():
    outcomes = collections.Counter(outcome("ABCDEFGHIJKLMNOP") for _ in range(100))
    equal("a wrong token is refused 100 times of 100", outcomes, {AccessDeniedError: 100})
    for token in ("A", "A" * 8000, "\u00e4", " "):
        equal(f"token of {len(token)} characters", outcome(token), AccessDeniedError)
    stolen = "../com.example.Partner/token"
    eventually("the partner's token lies about", lambda: os.path.exists(stolen) and os.path.getsize(stolen) == 16)
    with open(stolen, encoding="ascii") as token:
        equal("another component's token is no use", outcome(token.read()), AccessDeniedError)
    check("the right token still opens the door", GreengrassCoreIPCClientV2().close().result(PATIENCE) is None)
