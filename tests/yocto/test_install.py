"""do_install is run, and what it leaves is what the packages say and an init system finds."""

import os
import subprocess
import unittest

import world
from world import World

DAEMON = {"/usr/bin/greengrass", "/usr/bin/greengrassd", "/usr/share/doc/greengrass-rs/greengrassd.md", "/greengrass/v2"}
UNIT = "/usr/lib/systemd/system/greengrass.service"
SCRIPT = "/etc/init.d/greengrass"
PACKAGES = {
    "greengrass-rs": DAEMON,
    "greengrass-rs-cli": {"/usr/bin/greengrass-cli"},
    "greengrass-rs-conf": {"/etc/greengrass/greengrassd.conf"},
    "greengrass-rs-init": {"/sbin/gg-init"},
}
SERVICES = {"systemd": {UNIT}, "sysvinit": {SCRIPT}, "systemd sysvinit": {UNIT, SCRIPT}, "": set()}


def install(there, name, variant=""):
    """Unpacks, builds and installs a recipe, without its crates: the stub of cargo needs none."""
    data = there.parse(world.recipe(name), variant=variant)
    data.setVar("SRC_URI", " ".join(uri for uri in data.getVar("SRC_URI").split() if uri.startswith("file://")))
    world.run(data, "do_unpack", "do_compile", "do_install")
    return data


class SourceRecipe(unittest.TestCase):
    def test_packages_hold_what_their_init_system_needs(self):
        for features, services in SERVICES.items():
            with self.subTest(features=features), World(features) as there:
                packages, left = world.packages(install(there, "greengrass-rs"))
                expected = dict(PACKAGES, **{"greengrass-rs": DAEMON | services})
                self.assertEqual(packages, expected)
                self.assertEqual(left, set(), "files that no package takes")

    def test_links_and_modes(self):
        with World("systemd sysvinit") as there:
            found = world.tree(install(there, "greengrass-rs").getVar("D"))
        self.assertEqual(found["/usr/bin/greengrassd"], "greengrass")
        self.assertEqual(found["/usr/bin/greengrass-cli"], "greengrass")
        for path, mode in {"/usr/bin/greengrass": "0o755", "/sbin/gg-init": "0o755", SCRIPT: "0o755", UNIT: "0o644",
                           "/etc/greengrass/greengrassd.conf": "0o644"}.items():
            self.assertEqual(found[path], mode, path)

    def test_classic_place_leads_to_the_root_directory(self):
        for root, expected in (("/data/greengrass/v2", "/data/greengrass/v2"), ("/greengrass/v2", None)):
            with World("systemd", GREENGRASS_ROOT=root) as there:
                self.assertEqual(world.tree(install(there, "greengrass-rs").getVar("D")).get("/greengrass/v2"), expected)

    def test_services_name_the_places_of_the_distribution(self):
        with World("systemd sysvinit", GREENGRASS_ROOT="/srv/greengrass", sysconfdir="/usr/etc") as there:
            top = install(there, "greengrass-rs").getVar("D")
            for path in (UNIT, "/usr/etc/init.d/greengrass"):
                with open(top + path, encoding="utf-8") as file:
                    text = file.read()
                self.assertIn("/usr/bin/greengrassd", text)
                self.assertIn("/srv/greengrass", text)
                self.assertIn("/usr/etc/greengrass/greengrassd.conf", text)
                self.assertNotRegex(text, "@[A-Z]+@")
            script = top + "/usr/etc/init.d/greengrass"
            self.assertEqual(subprocess.run(["busybox", "sh", "-n", script]).returncode, 0)

    def test_unknown_placeholder_ends_the_build(self):
        with World("systemd") as there:
            data = there.parse(world.recipe("greengrass-rs"))
            data.setVar("SRC_URI", " ".join(uri for uri in data.getVar("SRC_URI").split() if uri.startswith("file://")))
            world.run(data, "do_unpack", "do_compile")
            with open(os.path.join(data.getVar("S"), "init/services/greengrass.service"), "a") as file:
                file.write("# @SURPRISE@\n")
            with self.assertRaises(bb.process.ExecutionError):
                world.run(data, "do_install")
            self.assertIn("placeholder", world.said(data))

    def test_native_recipe_is_the_binary_alone(self):
        with World("systemd sysvinit") as there:
            found = world.tree(install(there, "greengrass-rs", variant="native").getVar("D"))
        self.assertEqual(set(found), {"/usr/bin/greengrass", "/usr/bin/greengrassd"})

    def test_static_with_musl_alone(self):
        for libc, expected in (("musl", True), ("glibc", False)):
            with World("systemd", TCLIBC=libc) as there:
                flags = there.parse(world.recipe("greengrass-rs")).getVar("RUSTFLAGS") or ""
                self.assertEqual("+crt-static" in flags, expected, libc)


class Baked(unittest.TestCase):
    def test_services_follow_the_distro_features(self):
        for features, services in {
            "systemd": {"/usr/lib/systemd/system/greengrass-baked.service"},
            "sysvinit": {"/etc/init.d/greengrass-baked"},
        }.items():
            with self.subTest(features=features), World(features) as there:
                packages, left = world.packages(install(there, "greengrass-baked"))
                self.assertEqual(packages, {"greengrass-baked": {"/usr/bin/greengrass-deploy-baked"} | services})
                self.assertEqual(left, set())

    def test_systemd_takes_the_unit(self):
        with World("systemd") as there:
            top = install(there, "greengrass-baked").getVar("D")
            unit = os.path.join(there.directory, "greengrass-baked.service")
            with open(unit, "w", encoding="utf-8") as file:
                # systemd wants the program to be there.
                text = world.read(top + "/usr/lib/systemd/system/greengrass-baked.service")
                file.write(text.replace("ExecStart=", "ExecStart=" + top))
            ran = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
        self.assertEqual((ran.returncode, ran.stdout + ran.stderr), (0, ""))


import bb.process  # noqa: E402

if __name__ == "__main__":
    unittest.main()
