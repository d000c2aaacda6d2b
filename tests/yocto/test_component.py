"""A component of an image is checked by the runtime when it is built, and deployed by the runtime when it boots."""

import json
import os
import signal
import subprocess
import unittest

import world
from test_install import install
from world import World

STAGED = "/usr/share/greengrass/components/"
GOOD = """RecipeFormatVersion: "2020-01-25"
ComponentName: com.example.Baked
ComponentVersion: "%s"
Manifests:
  - Platform: { os: linux }
    Lifecycle:
      Run: exec sleep 3600
"""


class Component(unittest.TestCase):
    def setUp(self):
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = world.greengrass() + ":" + path

    def test_example_is_staged_for_the_first_start(self):
        with World("systemd") as there:
            packages, left = world.packages(install(there, "greengrass-example-hello"))
        self.assertEqual(left, set())
        self.assertEqual(packages, {"greengrass-example-hello": {
            STAGED + "deploy/com.example.HelloShell", STAGED + "recipes/com.example.HelloShell-1.0.0.yaml"}})

    def test_artifacts_come_along(self):
        with World("systemd") as there:
            found = world.tree(install(there, "greengrass-example-python").getVar("D"))
        self.assertIn(STAGED + "artifacts/com.example.HelloPython/1.0.0/hello.py", found)

    def test_store_is_laid_out_as_the_daemon_does(self):
        with World("systemd", GREENGRASS_COMPONENT_MODE="store", GREENGRASS_ROOT="/greengrass/v2") as there:
            packages, left = world.packages(install(there, "greengrass-example-python"))
        store = "/greengrass/v2/packages/"
        self.assertEqual(left, set())
        # The name is what a daemon wrote when it was given this component.
        self.assertEqual(packages["greengrass-example-python"], {
            STAGED + "deploy/com.example.HelloPython",
            store + "recipes/JEBUdvLkcsoL4lqEsgNs8w9VbShv-aM7KgzYrLC_bbU@1.0.0.recipe.json",
            store + "artifacts/com.example.HelloPython/1.0.0/hello.py"})

    def test_refused_recipe_ends_the_build_and_says_where(self):
        recipe = GOOD % "1.0"
        with self.assertLogs("BitBake", "ERROR") as logs, self.assertRaises(bb.BBHandledException):
            self.build(recipe)
        self.assertIn("recipe.yaml:3:19: ComponentVersion", "\n".join(logs.output))

    def test_missing_artifact_ends_the_build(self):
        recipe = GOOD % "1.0.0" + "    Artifacts:\n      - Uri: s3://BUCKET/program.py\n"
        with self.assertLogs("BitBake", "ERROR") as logs, self.assertRaises(bb.BBHandledException):
            self.build(recipe)
        self.assertIn("names the artifact program.py", "\n".join(logs.output))

    def test_artifact_that_the_device_fetches_may_be_missing(self):
        self.build(GOOD % "1.0.0" + "    Artifacts:\n      - Uri: https://example.com/program.py\n")

    def test_missing_recipe_ends_the_build(self):
        with self.assertLogs("BitBake", "ERROR") as logs, self.assertRaises(bb.BBHandledException):
            self.build(None)
        self.assertIn("set GREENGRASS_COMPONENT_RECIPE", "\n".join(logs.output))

    def build(self, recipe):
        with World("systemd") as there:
            data = there.parse(world.recipe("greengrass-example-hello"))
            data.setVar("GREENGRASS_COMPONENT_RECIPE", "${UNPACKDIR}/recipe.yaml")
            bb.utils.mkdirhier(data.getVar("UNPACKDIR"))
            if recipe:
                with open(os.path.join(data.getVar("UNPACKDIR"), "recipe.yaml"), "w") as file:
                    file.write(recipe)
            world.run(data, "do_compile")


class FirstStart(unittest.TestCase):
    """The step that deploys the components of the image, on a real daemon."""

    def test_deploys_once_and_again_when_the_image_changes(self):
        with World("systemd") as there:
            self.top = there.directory
            self.components = os.path.join(self.top, "components")
            script = install(there, "greengrass-baked").getVar("D") + "/usr/bin/greengrass-deploy-baked"
            self.bake("com.example.Baked", "1.0.0", "first")
            self.bake("com.example.Other", "1.0.0", "first")
            root = os.path.join(self.top, "root")
            daemon = self.start(root)
            try:
                self.deploy(script, root)
                self.assertEqual(self.versions(root), {"com.example.Baked": "1.0.0", "com.example.Other": "1.0.0"})
                count = self.deployments(root)

                self.deploy(script, root)
                self.assertEqual(self.deployments(root), count, "nothing changed, and yet it deployed")

                self.bake("com.example.Baked", "1.1.0", "second")
                os.remove(os.path.join(self.components, "deploy", "com.example.Other"))
                self.deploy(script, root)
                self.assertEqual(self.versions(root), {"com.example.Baked": "1.1.0"})
            finally:
                daemon.send_signal(signal.SIGTERM)
                daemon.wait(60)

    def test_ptest_passes_on_a_real_daemon(self):
        with World("ptest") as there:
            self.top = there.directory
            self.components = ""
            with open(os.path.join(world.LAYER, "recipes-core/greengrass-rs/greengrass-rs/run-ptest")) as file:
                # Here is no user of the packages.
                script = file.read().replace("ggc_user:ggc_group", "nobody")
            environment = self.environment("")
            del environment["GGC_ROOT_PATH"]
            ran = subprocess.run(["busybox", "sh", "-c", script], env=environment, capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertEqual(len(ran.stdout.splitlines()), 9, ran.stdout)
        self.assertTrue(all(line.startswith("PASS: ") for line in ran.stdout.splitlines()), ran.stdout)

    def bake(self, name, version, digest):
        for directory in ("recipes", "deploy"):
            os.makedirs(os.path.join(self.components, directory), exist_ok=True)
        with open(os.path.join(self.components, "recipes", "%s-%s.yaml" % (name, version)), "w") as file:
            file.write(GOOD.replace("com.example.Baked", name) % version)
        with open(os.path.join(self.components, "deploy", name), "w") as file:
            file.write("%s=%s %s\n" % (name, version, digest))

    def environment(self, root):
        links = os.path.join(self.top, "bin")
        os.makedirs(links, exist_ok=True)
        for name in ("greengrass", "greengrassd", "greengrass-cli"):
            if not os.path.lexists(os.path.join(links, name)):
                os.symlink(os.path.join(world.greengrass(), "greengrass"), os.path.join(links, name))
        return dict(os.environ, PATH=links + ":" + os.environ["PATH"], GGC_ROOT_PATH=root,
                    GREENGRASS_COMPONENTS=self.components)

    def start(self, root):
        user = ["--component-default-user", "nobody"] if os.getuid() == 0 else []
        return subprocess.Popen(["greengrassd", "--root", root, "--cgroup-parent", "greengrass-yocto-%d" % os.getpid()] + user,
                                env=self.environment(root), stderr=subprocess.DEVNULL)

    def deploy(self, script, root):
        ran = subprocess.run(["busybox", "sh", script], env=self.environment(root), capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def cli(self, root, *arguments):
        return subprocess.run(["greengrass-cli", *arguments], env=self.environment(root), capture_output=True, text=True,
                              check=True).stdout

    def versions(self, root):
        found = {}
        for line in self.cli(root, "component", "list").splitlines():
            key, _, value = line.strip().partition(": ")
            if key == "Component Name":
                name = value
            elif key == "Version":
                found[name] = value
        return found

    def deployments(self, root):
        """How often the daemon wrote down what became of a deployment."""
        with open(os.path.join(root, "deployments", "docket.json")) as file:
            return json.load(file)["generation"]


import bb  # noqa: E402
import bb.utils  # noqa: E402

if __name__ == "__main__":
    unittest.main()
