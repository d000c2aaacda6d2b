"""The service model, read from the SDKs that are installed: the one for Python says which operations there are, the one
for Node.js which errors each declares. `python model.py` writes them as JSON."""

import json
import os
import re
import sys

from awsiot.greengrasscoreipc import client as generated

# The SDK for Node.js lacks this one. It declares what all declare.
ONLY_IN_PYTHON = {"SubscribeToIoTCoreConnectionStatus": {"ServiceError"}}


def operations():
    classes = [name for name in dir(generated) if name.endswith("Operation") and not name.startswith("_")]
    return {name.removesuffix("Operation") for name in classes}


def declared():
    """The errors of each operation."""
    package = "../node/node_modules/aws-iot-device-sdk-v2/dist/greengrasscoreipc/model_utils.js"
    with open(os.path.join(sys.prefix, package), encoding="utf-8") as file:
        text = file.read()
    entry = r'\["aws\.greengrass#(\w+)", \{[^{}]*errorShapes: new Set\(\[([^\]]*)\]'
    errors = {name: set(re.findall(r"#(\w+)", shapes)) for name, shapes in re.findall(entry, text)}
    return {**errors, **ONLY_IN_PYTHON}


if __name__ == "__main__":
    print(json.dumps({name: sorted(errors) for name, errors in declared().items()}))
