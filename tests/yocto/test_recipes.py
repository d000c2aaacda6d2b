"""Every recipe parses in every configuration, every source is there, and nothing is fetched that Cargo.lock lacks."""

import os
import subprocess
import tomllib
import unittest

import world
from world import LAYER, REPOSITORY, World

FEATURES = ["systemd", "sysvinit", "systemd sysvinit", "", "systemd greengrass", "sysvinit greengrass ptest"]
MACHINES = [("x86-64", "qemux86-64"), ("aarch64", "qemuarm64"), ("arm", "armv7a:qemuarm"), ("arm", "raspberrypi0")]


class Recipes(unittest.TestCase):
    def test_every_recipe_parses_in_every_configuration(self):
        for features in FEATURES:
            for libc in ("glibc", "musl"):
                with self.subTest(features=features, libc=libc), World(features, TCLIBC=libc) as there:
                    self.expand_all(there)

    def test_every_recipe_parses_for_every_machine(self):
        for arch, machine in MACHINES:
            with self.subTest(machine=machine), World(
                "systemd greengrass", GG_TEST_ARCH=arch, MACHINEOVERRIDES=machine
            ) as there:
                self.expand_all(there)

    def expand_all(self, there):
        for path in world.files(".bb"):
            if "greengrass-rs-bin" in path:
                continue
            data = there.parse(path)
            for key in data.keys():
                # An error in inline Python surfaces when the variable is expanded.
                if not data.getVarFlag(key, "func", False):
                    data.getVar(key)
            fetch = bb.fetch2.Fetch((data.getVar("SRC_URI") or "").split(), data)
            for found in fetch.ud.values():
                found.setup_localpath(data)
                if found.type == "file":
                    self.assertTrue(os.path.exists(found.localpath), "%s: there is no %s" % (path, found.url))

    def test_crates_are_those_of_cargo_lock(self):
        with open(os.path.join(REPOSITORY, "Cargo.lock"), "rb") as file:
            locked = {
                ("%s-%s" % (package["name"], package["version"]), package["checksum"])
                for package in tomllib.load(file)["package"]
                if "source" in package
            }
        with World("systemd") as there:
            data = there.parse(world.recipe("greengrass-rs"))
            fetch = bb.fetch2.Fetch(data.getVar("SRC_URI").split(), data)
            crates = {("%s" % found.parm["name"], found.sha256_expected) for found in fetch.ud.values() if found.type == "crate"}
        self.assertEqual(crates, locked)

    def test_sources_are_a_whole_workspace(self):
        """Cargo reads the manifest of every member, built or not."""
        with World("systemd", INHERIT="") as there:
            data = there.parse(world.recipe("greengrass-rs"))
            data.setVar("SRC_URI", " ".join(uri for uri in data.getVar("SRC_URI").split() if uri.startswith("file://")))
            world.run(data, "do_unpack")
            source = data.getVar("S")
            ran = subprocess.run(
                ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1", "--quiet"],
                cwd=source, capture_output=True, text=True,
            )
            self.assertEqual(ran.returncode, 0, ran.stderr)
            for path in world.files(".rs", os.path.join(source, "src")) + world.files(".rs", os.path.join(source, "init")):
                with open(path, encoding="utf-8") as file:
                    for line in file:
                        if "include_str!(\"" in line or "include_bytes!(\"" in line:
                            included = os.path.join(os.path.dirname(path), line.split('!("')[1].split('"')[0])
                            self.assertTrue(os.path.exists(included), "%s includes %s" % (path, included))

    def test_versions_agree(self):
        with open(os.path.join(REPOSITORY, "Cargo.toml"), "rb") as file:
            version = tomllib.load(file)["workspace"]["package"]["version"]
        with World("systemd", GREENGRASS_RS_DIST="") as there:
            for name in ("greengrass-rs", "greengrass-baked"):
                self.assertEqual(there.parse(world.recipe(name)).getVar("PV"), version)
        self.assertTrue(os.path.exists(os.path.join(LAYER, "recipes-core/greengrass-rs/greengrass-rs-bin_%s.bb" % version)))

    def test_no_source_lies_in_a_network_but_crates(self):
        with World("systemd greengrass") as there:
            for path in world.files(".bb"):
                if "greengrass-rs-bin" not in path:
                    for uri in (there.parse(path).getVar("SRC_URI") or "").split():
                        self.assertIn(uri.split("://")[0], ("file", "crate"), path)

    def test_place_of_the_repository_is_in_no_signature(self):
        with World("systemd greengrass") as there:
            for name in ("GREENGRASS_RS_REPOSITORY", "GREENGRASS_RS_LAYER"):
                self.assertEqual(there.data.getVarFlag(name, "vardepvalue"), "", name)


import bb.fetch2  # noqa: E402

if __name__ == "__main__":
    unittest.main()
