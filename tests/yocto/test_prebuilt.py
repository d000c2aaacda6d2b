"""The recipe of ready binaries takes what SHA256SUMS vouches for, and says what is missing."""

import hashlib
import os
import tempfile
import unittest

import world
from test_install import DAEMON, PACKAGES, UNIT, install
from world import World

TARGETS = {
    ("x86-64", "qemux86-64"): "x86_64-unknown-linux-musl",
    ("aarch64", "qemuarm64"): "aarch64-unknown-linux-musl",
    ("arm", "armv7a:qemuarm"): "armv7-unknown-linux-musleabihf",
    ("arm", "armv7ve:beaglebone"): "armv7-unknown-linux-musleabihf",
    ("arm", "raspberrypi0"): "arm-unknown-linux-musleabihf",
}


def dist(top, targets=set(TARGETS.values())):
    """What `make dist` leaves, with a line of text for each binary."""
    with open(os.path.join(top, "SHA256SUMS"), "w") as sums:
        for target in targets:
            os.makedirs(os.path.join(top, target))
            for name in ("greengrass", "gg-init"):
                content = ("%s of %s\n" % (name, target)).encode()
                with open(os.path.join(top, target, name), "wb") as file:
                    file.write(content)
                sums.write("%s  %s/%s\n" % (hashlib.sha256(content).hexdigest(), target, name))
    return top


class Prebuilt(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="greengrass-dist-")
        self.addCleanup(holder.cleanup)
        self.top = holder.name

    def test_each_machine_gets_its_binaries(self):
        dist(self.top)
        for (arch, machine), target in TARGETS.items():
            with self.subTest(machine=machine), World(
                "systemd", GREENGRASS_RS_DIST=self.top, GG_TEST_ARCH=arch, MACHINEOVERRIDES=machine
            ) as there:
                data = install(there, "greengrass-rs-bin")
                for path in ("/usr/bin/greengrass", "/sbin/gg-init"):
                    with open(data.getVar("D") + path) as file:
                        self.assertEqual(file.read(), "%s of %s\n" % (os.path.basename(path), target))

    def test_packages_stand_in_for_those_of_the_source_recipe(self):
        dist(self.top)
        with World("systemd", GREENGRASS_RS_DIST=self.top) as there:
            data = install(there, "greengrass-rs-bin")
            packages, left = world.packages(data)
            stood_in = {data.getVar("RPROVIDES:" + name): paths for name, paths in packages.items()}
            self.assertEqual(data.getVar("PROVIDES").split(), ["greengrass-rs"])
        own = {path.replace("greengrass-rs", "greengrass-rs-bin") for path in DAEMON} | {UNIT}
        self.assertEqual(stood_in, dict(PACKAGES, **{"greengrass-rs": own, "greengrass-rs-rauc": {"/usr/bin/rauc"}}))
        self.assertEqual(left, set())

    def test_checker_of_the_build_machine_is_taken_too(self):
        dist(self.top)
        with World("systemd", GREENGRASS_RS_DIST=self.top) as there:
            data = install(there, "greengrass-rs-bin", variant="native")
            with open(data.getVar("D") + "/usr/bin/greengrass") as file:
                self.assertEqual(file.read(), "greengrass of %s-unknown-linux-musl\n" % os.uname()[4])
            # Nothing is downloaded there, and OpenSSL would be built for it.
            self.assertNotIn("ca-certificates", data.getVar("RDEPENDS:" + data.getVar("PN")) or "")
            device = there.parse(world.recipe("greengrass-rs-bin"))
            self.assertIn("ca-certificates", device.getVar("RDEPENDS:greengrass-rs-bin"))

    def test_unset_directory_skips_the_recipe_and_says_how_to_make_it(self):
        with World("systemd") as there, self.assertRaises(bb.parse.SkipRecipe) as skipped:
            there.parse(world.recipe("greengrass-rs-bin"))
        self.assertIn("GREENGRASS_RS_DIST is not set", str(skipped.exception))
        self.assertIn("make dist", str(skipped.exception))

    def test_directory_without_checksums_skips_the_recipe(self):
        with World("systemd", GREENGRASS_RS_DIST=self.top) as there, self.assertRaises(bb.parse.SkipRecipe) as skipped:
            there.parse(world.recipe("greengrass-rs-bin"))
        self.assertIn("SHA256SUMS", str(skipped.exception))

    def test_binary_that_was_changed_ends_the_build(self):
        dist(self.top)
        with open(os.path.join(self.top, "x86_64-unknown-linux-musl", "gg-init"), "a") as file:
            file.write("\n")
        self.assert_fails("x86_64-unknown-linux-musl/gg-init is not the one")

    def test_binary_without_a_checksum_ends_the_build(self):
        dist(self.top)
        with open(os.path.join(self.top, "SHA256SUMS"), "w") as file:
            file.write("")
        self.assert_fails("no line for x86_64-unknown-linux-musl/greengrass")

    def assert_fails(self, message):
        with World("systemd", GREENGRASS_RS_DIST=self.top) as there:
            data = there.parse(world.recipe("greengrass-rs-bin"))
            with self.assertRaises(bb.process.ExecutionError):
                world.run(data, "do_unpack")
            self.assertIn(message, world.said(data))

    def test_scarthgap_prefers_it(self):
        for series, expected in (("scarthgap", "greengrass-rs-bin"), ("wrynose", "greengrass-rs")):
            with World("systemd", LAYERSERIES_CORENAMES=series) as there:
                self.assertEqual(there.data.getVar("PREFERRED_PROVIDER_greengrass-rs"), expected)
                self.assertEqual(there.data.getVar("PREFERRED_PROVIDER_greengrass-rs-native"), expected + "-native")


import bb.parse  # noqa: E402
import bb.process  # noqa: E402

if __name__ == "__main__":
    unittest.main()
