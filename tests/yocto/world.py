"""The layer, read by the real BitBake parser.

BitBake comes from PyPI without the metadata it reads, so `stub/` plays OE-core: the variables and classes that the
layer's recipes ask for. What only OE-core can judge (packaging, signatures) is not judged here.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
import types

# BitBake's hash equivalence server is not part of what PyPI has, and not needed to parse.
for name in ("hashserv", "hashserv.client"):
    sys.modules.setdefault(name, types.ModuleType(name))

import bb  # noqa: E402
import bb.build  # noqa: E402
import bb.cookerdata  # noqa: E402
import bb.data  # noqa: E402
import bb.event  # noqa: E402
import bb.fetch2  # noqa: E402
import bb.parse  # noqa: E402
import bb.siggen  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
LAYER = os.path.join(REPOSITORY, "meta-greengrass-rs")
STUB = os.path.join(HERE, "stub")


def files(suffix, top=LAYER):
    """Files of the layer that end so."""
    found = []
    for directory, _, names in os.walk(top):
        found += [os.path.join(directory, name) for name in names if name.endswith(suffix)]
    return sorted(found)


def recipe(name):
    """The layer's recipe with this name, whatever its version."""
    return next(path for path in files(".bb") if os.path.basename(path)[: -len(".bb")].split("_")[0] == name)


class World:
    """One configuration: distro features, machine, and what a local.conf would set. Use it as a context manager."""

    def __init__(self, features="", **settings):
        self.features = features
        self.settings = settings

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="greengrass-yocto-")
        os.chmod(self.directory, 0o755)
        stub = os.path.join(self.directory, "stub")
        shutil.copytree(STUB, stub)
        for name in inherited() - {os.path.basename(path)[: -len(".bbclass")] for path in files(".bbclass", STUB)}:
            if not any(os.path.basename(path) == name + ".bbclass" for path in files(".bbclass")):
                open(os.path.join(stub, "classes", name + ".bbclass"), "w").close()
        data = bb.data.init()
        data.setVar("TMPDIR", self.directory)
        data.setVar("BBPATH", stub)
        data.setVar("__bbclasstype", "global")
        data.setVar("LAYERDIR", LAYER)
        data = bb.parse.handle(os.path.join(LAYER, "conf", "layer.conf"), data, baseconfig=True)
        data.expandVarref("LAYERDIR")
        data = bb.parse.handle(os.path.join(stub, "conf", "bitbake.conf"), data, baseconfig=True)
        data.setVar("DISTRO_FEATURES", self.features)
        for key, value in self.settings.items():
            data.setVar(key, value)
        bb.parse.init_parser(data)
        bb.parse.siggen = bb.siggen.init(data)
        for name in ["base"] + data.getVar("INHERIT").split():
            bb.cookerdata._inherit(name, data)
        data.setVar("__bbclasstype", "recipe")
        self.data = data
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory)

    def parse(self, path, appends=(), variant=""):
        """The recipe; raises bb.parse.SkipRecipe where it takes itself out."""
        data = bb.data.createCopy(self.data)
        data.setVar("__BBAPPEND", " ".join(appends))
        data = bb.parse.handle(path, data)[variant]
        reason = data.getVar("__SKIPPED", False)
        if reason:
            raise bb.parse.SkipRecipe(reason)
        return data

    def stub(self, path):
        """Where a recipe of the stub lies in this world."""
        return os.path.join(self.directory, "stub", os.path.relpath(path, STUB))


def inherited():
    """Every class that the layer inherits."""
    names = set()
    for path in files(".bb") + files(".inc") + files(".bbclass") + files(".bbappend"):
        with open(path, encoding="utf-8") as file:
            for line in re.findall(r"(?m)^inherit (.*)$", file.read()):
                names |= set(line.split())
    return names


def run(data, *tasks):
    """Runs tasks of a recipe with what is run before and after each, as BitBake would, without its scheduler."""
    bb.utils.mkdirhier(data.getVar("T"))
    for task in tasks:
        flags = data.getVarFlags(task) or {}
        before, after = (data.expand(flags.get(flag, "")).split() for flag in ("prefuncs", "postfuncs"))
        for function in before + [task] + after:
            directory = (data.getVarFlag(function, "dirs", True) or data.getVar("WORKDIR")).split()[-1]
            bb.utils.mkdirhier(directory)
            # BitBake says what a function printed to its own log; a test wants it beside the failure.
            with working_in(directory):
                bb.build.exec_func(function, data, dirs=[directory])


def clean(data):
    """As do_clean."""
    shutil.rmtree(data.getVar("WORKDIR"), ignore_errors=True)


def said(data):
    """What shell functions told through bbnote, bbwarn and bbfatal."""
    path = os.path.join(data.getVar("T"), "said")
    return read(path) if os.path.exists(path) else ""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def greengrass():
    """The directory of a `greengrass` that runs here, which `make dist` or a build left."""
    places = [os.environ.get("GREENGRASS_BINARY"), "target/dist/%s-unknown-linux-musl/greengrass" % os.uname()[4],
              "target/debug/greengrass", "target/release/greengrass"]
    for place in filter(None, places):
        path = os.path.join(REPOSITORY, place)
        if os.access(path, os.X_OK):
            return os.path.dirname(path)
    raise AssertionError("there is no greengrass binary: make dist TARGETS=%s-unknown-linux-musl" % os.uname()[4])


def dist():
    """What `make dist` left, for the recipe of ready binaries."""
    path = os.path.join(REPOSITORY, os.environ.get("GREENGRASS_DIST", "target/dist"))
    if not os.path.exists(os.path.join(path, "SHA256SUMS")):
        raise AssertionError("there is no %s/SHA256SUMS: make dist TARGETS=%s-unknown-linux-musl" % (path, os.uname()[4]))
    return path


def arch():
    """The override of this machine."""
    return os.uname()[4].replace("_", "-")


@contextlib.contextmanager
def working_in(directory):
    before = os.getcwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def tree(top):
    """Every file below a directory: its path, and where it points to if it is a link, else its mode."""
    found = {}
    for directory, names, plain in os.walk(top):
        for name in plain + [name for name in names if os.path.islink(os.path.join(directory, name))]:
            path = os.path.join(directory, name)
            where = "/" + os.path.relpath(path, top)
            found[where] = os.readlink(path) if os.path.islink(path) else oct(os.stat(path).st_mode & 0o7777)
    return found


def packages(data):
    """Which package takes which file that do_install left, as do_package goes about it."""
    import fnmatch

    left = set(tree(data.getVar("D")))
    taken = {}
    for package in data.getVar("PACKAGES").split():
        for pattern in (data.getVar("FILES:" + package) or "").split():
            mine = {path for path in left if fnmatch.fnmatch(path, pattern) or path.startswith(pattern.rstrip("/") + "/")}
            taken.setdefault(package, set()).update(mine)
            left -= mine
    return {package: paths for package, paths in taken.items() if paths}, left
