"""The disk of the A/B image is the one that gg-init, the update and the guide speak of."""

import os
import re
import subprocess
import unittest

import world
from world import LAYER, REPOSITORY, World

GUIDE = os.path.join(REPOSITORY, "docs/guide/yocto.md")


class Image(unittest.TestCase):
    def disk(self, there):
        """The partitions of the .wks, in order, with variables filled in."""
        data = there.parse(world.recipe("greengrass-image-ab"))
        name = data.getVar("WKS_FILE")
        path = bb.utils.which(data.getVar("WKS_SEARCH_PATH"), name)
        self.assertTrue(path, "%s is not on WKS_SEARCH_PATH" % name)
        with open(path, encoding="utf-8") as file:
            text = data.expand(file.read())
        self.assertNotIn("${", text)
        return data, [dict(re.findall(r"--([a-z-]+)(?:[ =]([^\s]+))?", line)) for line in text.splitlines() if line.startswith("part ")]

    def test_partitions_are_those_of_the_guide(self):
        with open(GUIDE, encoding="utf-8") as file:
            rows = re.findall(r"(?m)^\| (\d) \| `(gg-[a-z]+)` \|", file.read())
        with World("greengrass") as there:
            _, disk = self.disk(there)
        self.assertEqual([(str(number + 1), part["part-name"]) for number, part in enumerate(disk)], rows)
        self.assertEqual([name for _, name in rows], ["gg-esp", "gg-state", "gg-a", "gg-b", "gg-data"])

    def test_slots_are_the_same_and_never_grow(self):
        with World("greengrass", GREENGRASS_SLOT_SIZE="300") as there:
            data, disk = self.disk(there)
            slots = [part for part in disk if part["part-name"] in ("gg-a", "gg-b")]
            self.assertEqual(len(slots), 2)
            for part in slots:
                self.assertEqual(part["fixed-size"], "300M")
                self.assertIn(data.getVar("GREENGRASS_SLOT_IMAGE"), part["sourceparams"])
                self.assertIn("no-fstab-update", part)
            # What an update writes a block at a time begins and ends on one.
            self.assertTrue(all(int(part["align"]) % 4 == 0 for part in disk))

    def test_state_partition_begins_as_zeros(self):
        with World("greengrass") as there:
            _, disk = self.disk(there)
        self.assertEqual((disk[1]["source"], disk[1]["sourceparams"]), ("empty", '"fill"'))

    def test_root_is_read_only(self):
        with World("greengrass") as there:
            data, _ = self.disk(there)
        self.assertIn("read-only-rootfs", data.getVar("IMAGE_FEATURES").split())

    def test_boot_partition_is_made(self):
        with World("greengrass", APPEND="quiet", GREENGRASS_APPEND="console=ttyS9 gg.data=ram") as there:
            data = there.parse(world.recipe("greengrass-image-ab"))
            bb.utils.mkdirhier(data.getVar("DEPLOY_DIR_IMAGE"))
            open(os.path.join(data.getVar("DEPLOY_DIR_IMAGE"), "grub-efi-bootx64.efi"), "w").close()
            self.assertEqual(data.getVarFlag("do_image_wic", "prefuncs", True).split(), ["greengrass_make_esp"])
            world.run(data, "greengrass_make_esp")
            esp = data.getVar("GREENGRASS_ESP")
            self.assertEqual(set(world.tree(esp)), {"/EFI/BOOT/bootx64.efi", "/EFI/BOOT/grub.cfg", "/gg/board.cfg", "/gg/grubenv"})
            with open(os.path.join(esp, "gg/grubenv"), "rb") as file:
                environment = file.read()
            self.assertEqual(len(environment), 1024)
            self.assertTrue(environment.startswith(b"# GRUB Environment Block\ngg_ok=a\ngg_try=\ngg_left=\ngg_failed=\n#"))
            with open(os.path.join(REPOSITORY, "init/image/grub.cfg"), encoding="utf-8") as file:
                script = file.read()
            with open(os.path.join(esp, "EFI/BOOT/grub.cfg"), encoding="utf-8") as file:
                self.assertEqual(file.read(), script)
            with open(os.path.join(esp, "gg/board.cfg"), encoding="utf-8") as file:
                board = file.read()
            self.assertIn("set gg_kernel=bzImage\nset gg_initramfs=greengrass-initramfs\n", board)
            self.assertIn('set gg_arguments="quiet console=ttyS9 gg.data=ram"\n', board)
            for text in (script, board):
                checked = subprocess.run(["grub-script-check"], input=text, capture_output=True, text=True)
                self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_other_boot_loaders_need_no_grub(self):
        with World("greengrass", GREENGRASS_AB_BOOT="none", MACHINE_FEATURES="") as there:
            data = there.parse(world.recipe("greengrass-image-ab"))
            self.assertEqual(data.getVar("REQUIRED_MACHINE_FEATURES"), "")
            self.assertEqual(data.getVarFlag("do_image_wic", "prefuncs", True).strip(), "")

    def test_slot_holds_its_initramfs_and_mount_points(self):
        with World("greengrass") as there:
            data = there.parse(world.recipe("greengrass-image-ab"))
            bb.utils.mkdirhier(data.getVar("DEPLOY_DIR_IMAGE"))
            with open(os.path.join(data.getVar("DEPLOY_DIR_IMAGE"), "greengrass-initramfs-qemux86-64.cpio.gz"), "w") as file:
                file.write("initramfs")
            data.setVar("MACHINE", "qemux86-64")
            world.run(data, "greengrass_finish_slot")
            root = data.getVar("IMAGE_ROOTFS")
            self.assertEqual(set(world.tree(root)), {"/boot/greengrass-initramfs"})
            self.assertTrue({"data", "run", "proc", "sys", "dev"} <= set(os.listdir(root)))

    def test_initramfs_begins_with_gg_init(self):
        with World("greengrass", GREENGRASS_INIT_CONF="watchdog=10\\ndata=format") as there:
            data = there.parse(world.recipe("greengrass-initramfs"))
            root = data.getVar("IMAGE_ROOTFS")
            bb.utils.mkdirhier(root)
            world.run(data, "greengrass_finish_initramfs")
            self.assertEqual(os.readlink(root + "/init"), "/sbin/gg-init")
            with open(root + "/etc/gg-init.conf") as file:
                self.assertEqual(file.read(), "watchdog=10\ndata=format\n")
            self.assertIn("greengrass-rs-init", data.getVar("PACKAGE_INSTALL").split())

    def test_initramfs_lists_its_modules_in_order(self):
        with World("greengrass", GREENGRASS_INITRAMFS_MODULES="mmc_core mmc_block") as there:
            data = there.parse(world.recipe("greengrass-initramfs"))
            self.assertTrue({"kernel-module-mmc-core", "kernel-module-mmc-block"} <= set(data.getVar("PACKAGE_INSTALL").split()))
            root = data.getVar("IMAGE_ROOTFS")
            bb.utils.mkdirhier(root + "/lib/modules/6.18/kernel")
            for name in ("mmc_block", "mmc_core"):
                open(root + "/lib/modules/6.18/kernel/%s.ko" % name, "w").close()
            world.run(data, "greengrass_finish_initramfs")
            with open(root + "/etc/gg-modules") as file:
                self.assertEqual(file.read(), "/lib/modules/6.18/kernel/mmc_core.ko\n/lib/modules/6.18/kernel/mmc_block.ko\n")

    def test_missing_module_ends_the_build(self):
        with World("greengrass", GREENGRASS_INITRAMFS_MODULES="mmc_block") as there:
            data = there.parse(world.recipe("greengrass-initramfs"))
            bb.utils.mkdirhier(data.getVar("IMAGE_ROOTFS") + "/lib/modules")
            with self.assertRaises(bb.process.ExecutionError):
                world.run(data, "greengrass_finish_initramfs")
            self.assertIn("there is no mmc_block.ko", world.said(data))


import bb.process  # noqa: E402
import bb.utils  # noqa: E402

if __name__ == "__main__":
    unittest.main()
