"""do_compile for real, as BitBake would run it: the crates are those of SRC_URI, each with its checksum, unpacked by
BitBake's own fetcher; there is no network; the compiler makes a static program for musl.

What is built stays in target/yocto-build, so that the next run is quicker.
"""

import glob
import os
import shutil
import subprocess
import unittest

import world
from world import REPOSITORY, World

BUILD = os.path.join(REPOSITORY, "target/yocto-build")
TARGET = "%s-unknown-linux-musl" % os.uname()[4]
# zig is C compiler, linker and musl, as in `make dist`.
TOOLS = os.path.join(REPOSITORY, "target/tools/zig/bin")


def without_network():
    """A command that runs another where no interface is up, or none where the machine gives no namespaces."""
    command = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--user", "--map-current-user", "--net"]
    return command if subprocess.run(command + ["true"], capture_output=True).returncode == 0 else []


class Compile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.access(os.path.join(TOOLS, "cargo-zigbuild"), os.X_OK):
            raise AssertionError("there is no cargo-zigbuild in %s: make dist fetches it" % TOOLS)
        subprocess.run(["cargo", "fetch", "--quiet", "--locked"], cwd=REPOSITORY, check=True)
        cls.downloads = os.path.join(BUILD, "downloads")
        os.makedirs(cls.downloads, exist_ok=True)
        home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
        for path in glob.glob(os.path.join(home, "registry/cache/*/*.crate")):
            if not os.path.exists(os.path.join(cls.downloads, os.path.basename(path))):
                shutil.copy(path, cls.downloads)

    def world(self, verb):
        network = without_network()
        if not network:
            print("SKIPPED: this machine gives no namespace, so Cargo could see the network; --frozen forbids it", flush=True)
        return World(
            "systemd sysvinit", TCLIBC="musl", DL_DIR=self.downloads, WORKDIR=os.path.join(BUILD, "${PN}-%s" % verb),
            RUST_HOST_SYS=TARGET, GG_TEST_CARGO=" ".join(network + ["cargo-zigbuild", verb]),
            PATH=TOOLS + ":" + os.environ["PATH"],
            # Cargo is rustup's, which looks for its toolchains here.
            HOME=os.path.expanduser("~"))

    def compile(self, there, *then):
        data = there.parse(world.recipe("greengrass-rs"))
        for directory in ("UNPACKDIR", "D", "T"):
            shutil.rmtree(data.getVar(directory), ignore_errors=True)
        world.run(data, "do_fetch", "do_unpack", "do_configure", "do_compile", *then)
        return data

    @unittest.skipUnless(os.environ.get("LONG"), "LONG=1 compiles it, for minutes")
    def test_static_program_comes_out_of_the_listed_crates_alone(self):
        with self.world("zigbuild") as there:
            data = self.compile(there, "do_install")
            for name, path in (("greengrass", "/usr/bin/greengrass"), ("gg-init", "/sbin/gg-init")):
                path = data.getVar("D") + path
                with self.subTest(program=name):
                    headers = subprocess.run(["readelf", "-dlW", path], capture_output=True, text=True, check=True).stdout
                    self.assertNotIn("NEEDED", headers)
                    self.assertNotIn("INTERP", headers)
            said = subprocess.run([data.getVar("D") + "/usr/bin/greengrass", "--version"], capture_output=True, text=True)
            self.assertEqual(said.stdout, "greengrass %s (%s)\n" % (data.getVar("PV"), TARGET), said.stderr)

    @unittest.skipUnless(os.environ.get("LONG"), "LONG=1 compiles it, for minutes")
    def test_program_without_its_parts_compiles(self):
        with self.world("check") as there:
            there.data.setVar("PACKAGECONFIG:pn-greengrass-rs", "init")
            self.compile(there)

    def test_crate_with_other_content_is_refused(self):
        with self.world("check") as there:
            data = there.parse(world.recipe("greengrass-rs"))
            data.setVar("DL_DIR", os.path.join(there.directory, "downloads"))
            shutil.copytree(self.downloads, data.getVar("DL_DIR"), ignore=shutil.ignore_patterns("*.done"))
            uri = next(uri for uri in data.getVar("SRC_URI").split() if uri.startswith("crate://"))
            data.setVar("SRC_URI", uri)
            with open(os.path.join(data.getVar("DL_DIR"), "-".join(uri.split("/")[-2:]) + ".crate"), "ab") as file:
                file.write(b"\n")
            with self.assertLogs("BitBake", "WARNING") as logs, self.assertRaises(bb.BBHandledException):
                world.run(data, "do_fetch")
            self.assertIn("Checksum mismatch", "\n".join(logs.output))


import bb  # noqa: E402

if __name__ == "__main__":
    unittest.main()
