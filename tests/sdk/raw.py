"""A client of our own, for what an SDK never does: frames by hand on a plain socket.

Standard library alone, and none of it imported that is slow: some scenarios start many of these.
"""

import json
import os
import socket
import struct
import zlib

MESSAGE, ERROR, PING, PING_RESPONSE, CONNECT, CONNECT_ACK, PROTOCOL_ERROR, INTERNAL_ERROR = range(8)
ACCEPTED, TERMINATE = 1, 2


def frame(kind, flags, stream, payload=b"", **strings):
    headers = b""
    for name, number in ((":message-type", kind), (":message-flags", flags), (":stream-id", stream)):
        headers += struct.pack(">B", len(name)) + name.encode() + struct.pack(">Bi", 4, number)
    for name, text in strings.items():
        name = ":version" if name == "version" else name
        headers += struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(text)) + text.encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    body = prelude + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


class Raw:
    """One connection; `accepted` says what became of it."""

    def __init__(self, token=None, timeout=50):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(os.environ["AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"])
        self.stream = 0
        payload = json.dumps({"authToken": os.environ["SVCUID"] if token is None else token}).encode()
        self.send(frame(CONNECT, 0, 0, payload, version="0.1.0"))
        kind, flags, _, _ = self.read()
        self.accepted = kind == CONNECT_ACK and flags == ACCEPTED

    def send(self, data):
        self.socket.sendall(data)

    def request(self, operation, **request):
        """The frame of a new request."""
        self.stream += 1
        payload = json.dumps(request).encode()
        return frame(MESSAGE, 0, self.stream, payload, operation=f"aws.greengrass#{operation}")

    def call(self, operation, **request):
        self.send(self.request(operation, **request))
        return self.read()

    def read(self):
        """The next message: type, flags, stream id, payload. EOFError when the other side has gone."""
        total, length, _ = struct.unpack(">III", self._exactly(12))
        rest = self._exactly(total - 12)
        numbers, place = {}, 0
        while place < length:
            name = rest[place + 1 : place + 1 + rest[place]]
            place += 1 + len(name)
            if rest[place] == 4:
                numbers[name] = struct.unpack_from(">i", rest, place + 1)[0]
                place += 5
            else:
                place += 3 + struct.unpack_from(">H", rest, place + 1)[0]
        return numbers[b":message-type"], numbers[b":message-flags"], numbers[b":stream-id"], rest[length:-4]

    def ping(self):
        """Whether the other side answers."""
        self.send(frame(PING, 0, 0, b"ping"))
        return self.read() == (PING_RESPONSE, 0, 0, b"ping")

    def _exactly(self, length):
        data = bytearray()
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError(f"{len(data)} of {length} bytes")
            data += more
        return bytes(data)
