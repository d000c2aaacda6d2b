"""Greets at an interval: hello.py WHO SECONDS."""

import sys
import time

who, every = sys.argv[1], float(sys.argv[2])
while True:
    print(f"hello {who}, from Python {sys.version.split()[0]}")
    time.sleep(every)
