"""The root of an image, put together from what the recipes install, started: read-only, with BusyBox and a data partition.

The programs are those of `make dist`, which run on any Linux; what a package manager and an init system would do (users,
the order of the scripts) is done here.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import world
from test_install import install
from world import World

ENTER = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
# In a mount namespace of its own; only /data, /run and /tmp can be written.
START = """
set -e
mount --bind "$1" "$1"
mount --bind "$2" "$1/data"
mount -t tmpfs none "$1/run"
mount -t tmpfs none "$1/tmp"
mount -t proc none "$1/proc"
mount --rbind /dev "$1/dev"
mount -o remount,bind,ro "$1"
exec chroot "$1" /bin/sh -eu -c "$3"
"""
FUNCTIONS = """
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
eventually() {
    tries=600
    until "$@"; do tries=$((tries - 1)); [ "$tries" -gt 0 ] || { echo "never: $*"; exit 1; }; sleep 0.1; done
}
says() { grep -q "$1" /data/greengrass/v2/logs/com.example.HelloShell.log 2>/dev/null; }
deployed() { [ -e /data/greengrass/v2/baked ]; }
"""


class Device(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0 or subprocess.run(ENTER + ["true"], capture_output=True).returncode != 0:
            raise unittest.SkipTest("a root of its own needs root and namespaces")
        cls.top = tempfile.mkdtemp(prefix="greengrass-device-")
        cls.addClassCleanup(shutil.rmtree, cls.top)
        os.chmod(cls.top, 0o755)
        cls.root = os.path.join(cls.top, "root")
        path = os.environ["PATH"]
        cls.addClassCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = world.greengrass() + ":" + path
        with World("sysvinit ptest greengrass", GREENGRASS_RS_DIST=world.dist(), GG_TEST_ARCH=world.arch()) as there:
            for name in ("greengrass-rs-bin", "greengrass-baked", "greengrass-example-hello"):
                data = install(there, name)
                if name == "greengrass-rs-bin":
                    world.run(data, "do_install_ptest_base")
                    cls.ptest = data.getVar("PTEST_PATH") + "/run-ptest"
                    cls.users(data)
                shutil.copytree(data.getVar("D"), cls.root, symlinks=True, dirs_exist_ok=True)
            image = there.parse(world.recipe("greengrass-image-ab"))
            # Its initramfs is made elsewhere.
            image.setVar("INITRAMFS_FSTYPES", "")
            image.setVar("IMAGE_ROOTFS", cls.root)
            world.run(image, "greengrass_finish_slot")
        cls.busybox()

    @classmethod
    def users(cls, data):
        """What useradd.bbclass reads, as lines of the files."""
        group = data.getVar("GROUPADD_PARAM:" + data.getVar("PN")).split()[-1]
        user = data.getVar("USERADD_PARAM:" + data.getVar("PN")).split()
        home, shell = (user[user.index(option) + 1] for option in ("--home-dir", "--shell"))
        os.makedirs(os.path.join(cls.root, "etc"))
        with open(os.path.join(cls.root, "etc/group"), "w", encoding="utf-8") as file:
            file.write("root:x:0:\n%s:x:998:\n" % group)
        with open(os.path.join(cls.root, "etc/passwd"), "w", encoding="utf-8") as file:
            file.write("root:x:0:0:root:/:/bin/sh\n%s:x:998:998::%s:%s\n" % (user[-1], home, shell))

    @classmethod
    def busybox(cls):
        there = os.path.join(cls.root, "bin")
        os.makedirs(there)
        shutil.copy(shutil.which("busybox"), there)
        for name in subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name != "busybox":
                os.symlink("busybox", os.path.join(there, name))
        os.makedirs(os.path.join(cls.root, "var"))
        os.symlink("../run", os.path.join(cls.root, "var/run"))

    def on_device(self, data, script):
        ran = subprocess.run(ENTER + ["sh", "-c", START, "device", self.root, data, FUNCTIONS + script],
                             capture_output=True, text=True, timeout=300)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        return ran.stdout

    def data(self):
        directory = tempfile.mkdtemp(dir=self.top)
        os.chmod(directory, 0o755)
        return directory

    def test_component_of_the_image_runs_at_the_first_start_and_at_the_next(self):
        data = self.data()
        said = self.on_device(data, """
            ! touch /here 2>/dev/null
            /etc/init.d/greengrass start
            /etc/init.d/greengrass-baked start
            eventually deployed
            eventually says hello
            greengrass-cli component list
            /etc/init.d/greengrass stop
        """)
        self.assertIn("com.example.HelloShell", said)
        stamp = world.read(data + "/greengrass/v2/baked")
        self.assertTrue(stamp.startswith("com.example.HelloShell=1.0.0 "), stamp)
        docket = world.read(data + "/greengrass/v2/deployments/docket.json")

        self.on_device(data, """
            rm /data/greengrass/v2/logs/com.example.HelloShell.log
            /etc/init.d/greengrass start
            greengrass-deploy-baked
            eventually says hello
            /etc/init.d/greengrass stop
        """)
        self.assertEqual(world.read(data + "/greengrass/v2/deployments/docket.json"), docket, "it was deployed again")

    def test_ptest_of_the_image_passes(self):
        said = self.on_device(self.data(), self.ptest)
        verdicts = re.findall("(?m)^([A-Z]+): ", said)
        self.assertEqual(verdicts, ["PASS"] * 9, said)


if __name__ == "__main__":
    unittest.main()
