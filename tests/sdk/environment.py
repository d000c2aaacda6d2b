"""What the SDK reads from the environment, and that it is the unmodified one."""

import importlib.metadata
import os

from verdict import check, equal, scenario

with scenario():
    equal("version of the SDK", importlib.metadata.version("awsiotsdk"), "1.31.0")
    check("socket", os.environ["AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"].endswith("ipc.socket"))
    check("token", len(os.environ["SVCUID"]) == 16 and os.environ["SVCUID"].isascii())
    equal("working directory", os.path.basename(os.getcwd()), "com.example.PythonEnvironment")
