"""PACKAGECONFIG: each part that may be left out is a feature of Cargo, and every choice of them is asked for and installed."""

import itertools
import os
import re
import tomllib
import unittest

import world
from test_install import PACKAGES, install
from world import REPOSITORY, World

PARTS = ["check", "cli", "dev", "download", "init", "ota", "rauc", "uplink"]
# Packages of their own, and no features of Cargo.
APART = {"init", "rauc"}


def choices():
    return [list(parts) for count in range(len(PARTS) + 1) for parts in itertools.combinations(PARTS, count)]


class Parts(unittest.TestCase):
    def test_parts_are_the_features_of_cargo(self):
        with open(os.path.join(REPOSITORY, "Cargo.toml"), "rb") as file:
            features = tomllib.load(file)["features"]
        with World("systemd") as there:
            data = there.parse(world.recipe("greengrass-rs"))
            parts = {name for name in data.getVarFlags("PACKAGECONFIG") if name not in ("doc", "defaultval")}
            chosen = data.getVar("PACKAGECONFIG").split()
        self.assertEqual(parts, set(PARTS))
        self.assertEqual(parts - APART, set(features) - {"default"})
        # `dev` is for desks, `rauc` for devices that had it.
        self.assertEqual(set(chosen), set(PARTS) - {"dev", "rauc"})

    def test_every_choice_parses(self):
        with World("systemd ptest") as there:
            for parts in choices():
                there.data.setVar("PACKAGECONFIG:pn-greengrass-rs", " ".join(parts))
                data = there.parse(world.recipe("greengrass-rs"))
                self.assertEqual(data.getVar("PACKAGECONFIG_CONFARGS").split()[1::2], [part for part in parts if part not in APART])
                self.assertEqual("ca-certificates" in (data.getVar("RDEPENDS:greengrass-rs") or "").split(), "download" in parts)

    def test_each_part_is_built_and_installed(self):
        with World("systemd ptest") as there:
            for parts in [[]] + [[part] for part in PARTS] + [PARTS]:
                with self.subTest(parts=parts):
                    there.data.setVar("PACKAGECONFIG:pn-greengrass-rs", " ".join(parts))
                    data = install(there, "greengrass-rs")
                    self.addCleanup(world.clean, data)
                    daemon, *others = world.read(data.getVar("B") + "/asked").splitlines()
                    self.assertIn("--no-default-features", daemon)
                    self.assertEqual(re.findall(r" --features (\S+)", daemon), [part for part in parts if part not in APART])
                    self.assertEqual(others, ["--bins --package gg-init"] if "init" in parts else [])
                    packages, left = world.packages(data)
                    apart = {"greengrass-rs-" + part: part in parts for part in ("cli", "init", "rauc")}
                    expected = (set(PACKAGES) - set(apart)) | {name for name, there in apart.items() if there}
                    self.assertEqual(set(packages), expected)
                    self.assertEqual(left, set())
                    world.clean(data)

    def test_checker_of_the_build_machine_is_built_whatever_the_device_has(self):
        with World("systemd") as there:
            there.data.setVar("PACKAGECONFIG:pn-greengrass-rs", "")
            data = install(there, "greengrass-rs", variant="native")
            self.assertEqual(world.read(data.getVar("B") + "/asked"), "--bins --package greengrass-rs --no-default-features --features check --features ota\n")


if __name__ == "__main__":
    unittest.main()
