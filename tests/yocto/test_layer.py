"""What the Yocto Project asks of a layer, as far as its files tell; lint; and the schema of kas."""

import json
import os
import re
import subprocess
import sys
import unittest

import jsonschema
import kas
import yaml

import world
from world import LAYER, REPOSITORY, World

SUPPRESSED = [
    # It would ask the network.
    "oelint.vars.homepageping",
    # The project has none yet, and an invented one would be worse.
    "oelint.var.mandatoryvar.HOMEPAGE",
    "oelint.var.suggestedvar.BUGTRACKER",
    # The sources are the repository that the layer lies in: there is no other way to find files beside the layer.
    "oelint.vars.fileextrapaths",
    "oelint.vars.outofcontext",
    # It knows the variables of OE-core alone, not those of this layer.
    "oelint.vars.mispell",
    # It follows the append of the kernel into the classes; that the append is inert is tested in test_kernel.py.
    "oelint.vars.noncoreoverride",
]


class Layer(unittest.TestCase):
    def test_lint_finds_nothing(self):
        paths = [path for suffix in (".bb", ".bbappend", ".bbclass", ".inc") for path in world.files(suffix)]
        for release in ("wrynose", "scarthgap"):
            ran = subprocess.run(
                [os.path.join(os.path.dirname(sys.executable), "oelint-adv"), "--release", release, "--mode", "all", "--relpaths",
                 "--hide", "info"] + [word for rule in SUPPRESSED for word in ("--suppress", rule)] + paths,
                cwd=REPOSITORY, capture_output=True, text=True)
            found = [line for line in (ran.stdout + ran.stderr).splitlines() if re.search(":(error|warning):", line)]
            self.assertEqual(found, [], release)

    def test_readme_tells_whom_to_write_to(self):
        with open(os.path.join(LAYER, "README.md"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("maintainer", text.lower())
        self.assertIn("patch", text.lower())
        self.assertRegex(text, r"[^@\s]+@[^@\s]+")

    def test_layer_has_security_and_licence(self):
        for name in ("SECURITY.md", "LICENSE"):
            self.assertTrue(os.path.exists(os.path.join(LAYER, name)), name)

    def test_no_directory_that_new_releases_refuse(self):
        self.assertFalse(os.path.exists(os.path.join(LAYER, "wic")))

    def test_layer_names_what_it_needs(self):
        with World() as there:
            self.assertEqual(there.data.getVar("LAYERDEPENDS_greengrass-rs"), "core")
            self.assertEqual(there.data.getVar("LAYERSERIES_COMPAT_greengrass-rs").split(), ["scarthgap", "wrynose"])

    def test_nothing_chooses_a_machine_or_distribution(self):
        for suffix in (".conf", ".bb", ".bbclass", ".inc", ".bbappend"):
            for path in world.files(suffix):
                with open(path, encoding="utf-8") as file:
                    self.assertNotRegex(file.read(), r"(?m)^(MACHINE|DISTRO|DISTRO_FEATURES)\s*[?:+.]*=", path)

    def test_sanity_check_speaks_once_and_can_be_silenced(self):
        for features, silent, expected in (("", None, 1), ("greengrass", None, 0), ("", "1", 0)):
            with World(features, SKIP_GREENGRASS_SANITY_CHECK=silent) as there:
                with self.assertLogs("BitBake", "WARNING") as logs:
                    bb.warn("the end")
                    bb.utils.better_exec(bb.utils.better_compile(
                        "def greengrass_sanity(d):\n%s\ngreengrass_sanity(d)" % there.data.getVar("greengrass_sanity", False),
                        "greengrass_sanity", "greengrass_sanity"), {"d": there.data}, "", "greengrass_sanity")
                self.assertEqual(len(logs.output) - 1, expected, (features, silent))

    def test_scripts_are_clean(self):
        scripts = world.files("run-ptest") + world.files("greengrass-deploy-baked.in") + world.files(".init.in")
        ran = subprocess.run(["shellcheck", "--shell=sh", "--exclude=SC2317"] + scripts, capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stdout)


class Kas(unittest.TestCase):
    def test_every_file_fits_the_schema_and_names_what_exists(self):
        with open(os.path.join(os.path.dirname(kas.__file__), "schema-kas.json"), encoding="utf-8") as file:
            schema = json.load(file)
        paths = world.files(".yml", os.path.join(LAYER, "kas"))
        self.assertTrue(paths)
        for path in paths:
            with open(path, encoding="utf-8") as file:
                build = yaml.safe_load(file)
            jsonschema.validate(build, schema)
            for include in build["header"].get("includes", []):
                self.assertTrue(os.path.exists(os.path.join(os.path.dirname(path), include)), include)
            targets = build.get("target", [])
            for target in [targets] if isinstance(targets, str) else targets:
                world.recipe(target)


import bb  # noqa: E402
import bb.utils  # noqa: E402

if __name__ == "__main__":
    unittest.main()
