"""The boot script of the A/B image, read by a real GRUB out of real firmware on a real kernel, slot by slot.

The disk has the partitions of the .wks and the GRUB modules that OE-core builds in; a slot holds a kernel and an
initramfs that says what it was started with.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import world
from world import REPOSITORY, World

KERNEL = os.path.join(REPOSITORY, "target/debian-kernel/vmlinuz")
FIRMWARE = "/usr/share/ovmf/OVMF.fd"
# GRUB_BUILDIN of OE-core's grub-efi, what the layer appends to it, and the script that OE-core puts into the image.
MODULES = "boot linux ext2 fat serial part_msdos part_gpt normal efi_gop iso9660 configfile search loadenv test".split()
APPEND = os.path.join(world.LAYER, "recipes-bsp/grub/grub-efi-greengrass.inc")
SEARCH = "search --file --set=root --hint-efi=$cmdpath /EFI/BOOT/grub.cfg\nset prefix=($root)/EFI/BOOT\n"
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo "started with: $(/bin/busybox cat /proc/cmdline)"
/bin/busybox poweroff -f
"""
MIB = 1024 * 1024


class Boot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(KERNEL):
            raise AssertionError("there is no %s: .ci/debian-kernel.sh fetches it" % KERNEL)
        cls.top = tempfile.mkdtemp(prefix="greengrass-boot-")
        cls.addClassCleanup(shutil.rmtree, cls.top)
        cls.make_slot()
        with World("greengrass", DEPLOY_DIR_IMAGE=cls.top, GREENGRASS_SLOT_SIZE="32", GREENGRASS_DATA_SIZE="8") as there:
            data = there.parse(world.recipe("greengrass-image-ab"))
            cls.grub(os.path.join(cls.top, "grub-efi-bootx64.efi"))
            world.run(data, "greengrass_make_esp")
            cls.esp = os.path.join(cls.top, "esp")
            shutil.copytree(data.getVar("GREENGRASS_ESP"), cls.esp)
            with open(bb.utils.which(data.getVar("WKS_SEARCH_PATH"), data.getVar("WKS_FILE")), encoding="utf-8") as file:
                cls.parts = re.findall(r"(?m)^part --part-name (\S+) .*--fixed-size (\d+)M", data.expand(file.read()))

    @classmethod
    def make_slot(cls):
        tree = os.path.join(cls.top, "initramfs")
        for directory in ("bin", "proc", "dev"):
            os.makedirs(os.path.join(tree, directory))
        shutil.copy(shutil.which("busybox"), os.path.join(tree, "bin/busybox"))
        with open(os.path.join(tree, "init"), "w") as file:
            file.write(INIT)
        os.chmod(os.path.join(tree, "init"), 0o755)
        boot = os.path.join(cls.top, "root/boot")
        os.makedirs(boot)
        shutil.copy(KERNEL, os.path.join(boot, "bzImage"))
        subprocess.run("find . | cpio --quiet -o -H newc -R 0:0 | gzip -1 >%s/greengrass-initramfs" % boot, cwd=tree, shell=True,
                       check=True)
        cls.slot = os.path.join(cls.top, "slot.ext4")
        with open(cls.slot, "wb") as file:
            file.truncate(32 * MIB)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", os.path.dirname(boot), cls.slot], check=True, env=sbin())

    @classmethod
    def grub(cls, target):
        script = os.path.join(cls.top, "search.cfg")
        with open(script, "w") as file:
            file.write(SEARCH)
        subprocess.run(["grub-mkimage", "-O", "x86_64-efi", "-p", "/EFI/BOOT", "-c", script, "-o", target] + MODULES + appended(), check=True)

    def disk(self, environment="gg_ok=a", broken=None):
        """The disk of the .wks, with what the environment block of GRUB says, and rubbish in place of a slot."""
        esp = os.path.join(self.top, "esp.img")
        with open(os.path.join(self.esp, "gg/grubenv"), "w") as file:
            file.write(("# GRUB Environment Block\n%s\n" % environment).ljust(1024, "#"))
        with open(esp, "wb") as file:
            file.truncate(64 * MIB)
        subprocess.run(["mformat", "-i", esp, "-F", "::"], check=True)
        subprocess.run(["mcopy", "-s", "-i", esp, os.path.join(self.esp, "EFI"), os.path.join(self.esp, "gg"), "::"], check=True)
        path = os.path.join(self.top, "disk.img")
        contents = {"gg-esp": esp, "gg-a": self.slot, "gg-b": self.slot}
        arguments, start = [], 1
        with open(path, "wb") as disk:
            for number, (name, size) in enumerate(self.parts, 1):
                arguments += ["-n", "%d:%dM:+%sM" % (number, start, size), "-c", "%d:%s" % (number, name)]
                if name == "gg-esp":
                    arguments += ["-t", "%d:ef00" % number]
                disk.seek(start * MIB)
                if name == broken:
                    disk.write(os.urandom(MIB))
                elif name in contents:
                    with open(contents[name], "rb") as file:
                        shutil.copyfileobj(file, disk)
                start += int(size)
            disk.truncate((start + 1) * MIB)
        subprocess.run(["sgdisk"] + arguments + [path], check=True, stdout=subprocess.DEVNULL, env=sbin())
        return path

    def boot(self, disk):
        """What the kernel was started with, and all that was on the console."""
        ran = subprocess.run(
            ["qemu-system-x86_64", "-m", "256", "-nographic", "-no-reboot", "-net", "none", "-bios", FIRMWARE,
             "-drive", "file=%s,format=raw,if=virtio" % disk],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=300)
        console = ran.stdout.decode(errors="replace").replace("\r", "")
        started = re.findall("started with: (.*)", console)
        self.assertEqual(len(started), 1, console)
        return started[0], console

    def test_partitions_of_the_wks_are_on_the_disk(self):
        self.assertEqual([name for name, _ in self.parts], ["gg-esp", "gg-state", "gg-a", "gg-b", "gg-data"])

    def test_environment_names_the_slot(self):
        started, _ = self.boot(self.disk("gg_ok=b"))
        self.assertIn("gg.loaded=b", started)
        self.assertIn("(hd0,gpt4)/boot/bzImage", started)

    def test_slot_that_cannot_be_read_gives_way_to_the_other(self):
        started, console = self.boot(self.disk("gg_ok=a", broken="gg-a"))
        self.assertIn("gg.loaded=b", started)
        self.assertRegex(console, "grub: slot a does not boot\\s+grub: slot b")

    def test_environment_that_is_rubbish_means_the_first_slot(self):
        started, _ = self.boot(self.disk("gg_ok=\x01\x02\x03"))
        self.assertIn("gg.loaded=a", started)

    def environment(self, disk):
        """The variables that GRUB left on the disk."""
        with open(disk, "rb") as file:
            file.seek(MIB)
            with open(os.path.join(self.top, "esp-after.img"), "wb") as esp:
                esp.write(file.read(64 * MIB))
        after = os.path.join(self.top, "grubenv-after")
        subprocess.run(["mcopy", "-n", "-o", "-i", os.path.join(self.top, "esp-after.img"), "::gg/grubenv", after], check=True)
        listed = subprocess.run(["grub-editenv", after, "list"], capture_output=True, text=True, check=True).stdout
        return dict(line.split("=", 1) for line in listed.splitlines())

    def test_trial_ends_after_its_tries_and_is_told(self):
        disk = self.disk("gg_ok=a\ngg_try=b\ngg_left=2\ngg_failed=")
        for slot, left in (("b", "1"), ("b", "0")):
            started, _ = self.boot(disk)
            self.assertIn("gg.loaded=" + slot, started)
            self.assertIn("panic=5 oops=panic softlockup_panic=1 hung_task_panic=1", started)
            self.assertEqual(self.environment(disk), {"gg_ok": "a", "gg_try": "b", "gg_left": left, "gg_failed": ""})
        for _ in range(2):
            started, _ = self.boot(disk)
            self.assertIn("gg.loaded=a", started)
            self.assertNotIn("oops", started)
            self.assertEqual(self.environment(disk), {"gg_ok": "a", "gg_try": "", "gg_left": "", "gg_failed": "b"})

    def test_slot_on_trial_that_cannot_be_read_ends_its_trial_in_the_same_boot(self):
        disk = self.disk("gg_ok=a\ngg_try=b\ngg_left=3\ngg_failed=", broken="gg-b")
        started, _ = self.boot(disk)
        self.assertIn("gg.loaded=a", started)
        self.assertEqual(self.environment(disk), {"gg_ok": "a", "gg_try": "", "gg_left": "", "gg_failed": "b"})

    def test_ordinary_boot_writes_nothing(self):
        disk = self.disk("gg_ok=b\ngg_try=\ngg_left=\ngg_failed=")
        with open(disk, "rb") as file:
            before = file.read()
        self.boot(disk)
        with open(disk, "rb") as file:
            self.assertTrue(file.read() == before)


def appended():
    """The modules of GRUB that the layer adds."""
    with open(APPEND, encoding="utf-8") as file:
        return re.search('GRUB_BUILDIN:append = "([^"]+)"', file.read())[1].split()


def sbin():
    """mke2fs and sgdisk are not on the path of an ordinary user."""
    return dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")


import bb.utils  # noqa: E402

if __name__ == "__main__":
    unittest.main()
