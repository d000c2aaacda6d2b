"""A component that goes into the image: its verdict, and the places it is put in."""

import base64
import hashlib
import json
import os
import re
import subprocess


class Refused(Exception):
    """The runtime would not take the recipe; the text says where and why."""


def check(recipe):
    """Name and version of a recipe, asked of the runtime's own checker, and its warnings."""
    ran = subprocess.run(["greengrass", "recipe", "check", "--output", "json", recipe],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    try:
        verdict = json.loads(ran.stdout)[0]
    except (ValueError, IndexError):
        raise Refused("greengrass recipe check: %s" % (ran.stderr or ran.stdout).strip())
    if verdict["verdict"] != "accepted":
        raise Refused("\n".join(finding(verdict, error) for error in verdict["errors"]))
    return verdict["component"], verdict["version"], [finding(verdict, warning) for warning in verdict["warnings"]]


def finding(verdict, found):
    text = "%s:%s:%s: %s %s" % (verdict["file"], found["line"], found["column"], found["field"], found["reason"])
    return text + ("; " + found["hint"] if found.get("hint") else "")


def artifacts(recipe):
    """Names of the files a recipe wants beside it: what a device could not fetch for itself.

    The recipe was accepted, so what is read here is well formed: JSON or YAML, and both write a URI in one word."""
    with open(recipe, encoding="utf-8") as file:
        text = file.read()
    uris = re.findall(r"""(?im)^[\s{,-]*["']?uri["']?\s*:\s*["']?([^\s"',}#]+)""", text)
    return sorted({uri.rsplit("/", 1)[1] for uri in uris if re.match("(?i)(s3|greengrass):", uri)})


def stored_name(name, version, recipe):
    """What the runtime calls a recipe in its store."""
    hashed = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode().rstrip("=")
    extension = "json" if recipe.endswith(".json") else "yaml"
    return "%s@%s.recipe.%s" % (hashed, version, extension)


def digest(paths):
    """One number for the content of files and directories, and for their names."""
    whole = hashlib.sha256()
    for path in paths:
        for top, directories, files in os.walk(path):
            directories.sort()
            for name in sorted(files):
                add(whole, os.path.join(top, name), os.path.relpath(os.path.join(top, name), path))
        if os.path.isfile(path):
            add(whole, path, os.path.basename(path))
    return whole.hexdigest()


def add(whole, path, name):
    with open(path, "rb") as file:
        content = hashlib.sha256(file.read()).hexdigest()
    whole.update(("%s  %s\n" % (content, name)).encode())
