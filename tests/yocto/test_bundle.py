"""The class that makes update bundles: its tasks make one with the real program, which devices and rauc take."""

import os
import shutil
import subprocess
import tempfile
import unittest

import world
from test_install import install
from world import World

IMAGE = "greengrass-image-ab-qemux86-64.rootfs.ext4"


def keys(top):
    """A root and a signer below it."""
    def openssl(command):
        subprocess.run(["openssl"] + command.split(), cwd=top, check=True, capture_output=True)

    with open(os.path.join(top, "usage"), "w") as file:
        file.write("basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n")
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -subj /CN=root -days 30 "
            "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign")
    openssl("req -newkey rsa:2048 -nodes -keyout signer.key -out signer.csr -subj /CN=signer")
    openssl("x509 -req -in signer.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 -extfile usage -out signer.pem")
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout lone.key -out lone.pem -subj /CN=lone -days 30")


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="greengrass-bundle-")
        cls.addClassCleanup(shutil.rmtree, cls.top)
        keys(cls.top)

    def setUp(self):
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = world.greengrass() + ":" + path

    def key(self, name):
        return os.path.join(self.top, name)

    def recipe(self, there, keyring="root.pem", key="signer", **settings):
        """The bundle's recipe, with an image where the image's recipe would leave it."""
        values = dict(GREENGRASS_KEY_FILE=self.key(key + ".key"), GREENGRASS_CERT_FILE=self.key(key + ".pem"),
                      GREENGRASS_KEYRING_FILE=self.key(keyring) if keyring else "", **settings)
        for name, value in values.items():
            variable, _, flag = name.partition("__")
            if flag:
                there.data.setVarFlag(variable, flag, value)
            else:
                there.data.setVar(variable, value)
        data = there.parse(world.recipe("greengrass-bundle-ab"))
        deployed = data.getVar("DEPLOY_DIR_IMAGE")
        bb.utils.mkdirhier(deployed)
        bb.utils.mkdirhier(data.getVar("DEPLOYDIR"))
        with open(os.path.join(deployed, IMAGE + "-1"), "wb") as file:
            # In whole blocks of 4096 bytes, as OE-core makes them.
            file.write(b"ext4" * 100_000 + os.urandom(200_000) + bytes(2112))
        # As OE-core leaves them: a link to a file that says when.
        os.symlink(IMAGE + "-1", os.path.join(deployed, IMAGE))
        return data

    def make(self, there, **settings):
        data = self.recipe(there, **settings)
        world.run(data, "do_bundle", "do_deploy")
        return data, os.path.join(data.getVar("DEPLOYDIR"), "greengrass-bundle-ab-qemux86-64.raucb")

    def info(self, bundle):
        return subprocess.run(["rauc", "--keyring", self.key("root.pem"), "info", bundle], capture_output=True, text=True,
                              check=True).stdout

    def test_bundle_of_the_image_is_taken_by_rauc_and_by_devices(self):
        with World("greengrass") as there:
            _, bundle = self.make(there, GREENGRASS_BUNDLE_VERSION="2.5", GREENGRASS_BUNDLE_FLOOR="7",
                                  GREENGRASS_BUNDLE_BUILD="job 12")
            self.assertEqual(os.readlink(bundle), "greengrass-bundle-ab-qemux86-64-2.5.raucb")
            info = self.info(bundle)
            for text in ("'qemux86-64'", "'2.5'", "'Update bundle of the A/B image'", "'job 12'", IMAGE, "verity"):
                self.assertIn(text, info)
            said = subprocess.run(["greengrass", "ota", "bundle", "verify", "--keyring", self.key("root.pem"), "-o", "json",
                                   bundle], capture_output=True, text=True, check=True).stdout
            for text in ("block-hash-index", '"floor"', "7"):
                self.assertIn(text, said)
            slot = os.path.join(there.directory, "slot")
            with open(slot, "wb") as file:
                file.truncate(4 << 20)
            subprocess.run(["greengrass", "ota", "install", "--keyring", self.key("root.pem"), "--compatible", "qemux86-64",
                            "--slot", "rootfs=" + slot, bundle], check=True, capture_output=True)
            with open(slot, "rb") as found, open(os.path.join(there.data.getVar("DEPLOY_DIR_IMAGE"), IMAGE), "rb") as image:
                expected = image.read()
                self.assertEqual(found.read()[: len(expected)], expected)

    def test_image_is_waited_for(self):
        with World("greengrass") as there:
            there.data.setVar("GREENGRASS_SLOT_rootfs:pn-greengrass-bundle-ab", "other-image")
            data = there.parse(world.recipe("greengrass-bundle-ab"))
            self.assertEqual(data.getVarFlag("do_bundle", "depends", True).split(), ["other-image:do_image_complete"])
            self.assertEqual(data.getVar("DEPENDS").split(), ["greengrass-rs-native"])

    def test_bundle_waits_for_no_toolchain(self):
        with World("greengrass") as there:
            data = there.parse(world.recipe("greengrass-bundle-ab"))
            for task in data.getVar("__BBTASKS", False):
                self.assertNotIn("cross", data.getVarFlag(task, "depends", True) or "", task)

    def test_several_slot_classes_and_hooks(self):
        with World("greengrass") as there:
            data = self.recipe(there, GREENGRASS_BUNDLE_SLOTS="rootfs firmware", GREENGRASS_SLOT_firmware="board-firmware",
                               GREENGRASS_SLOT_firmware__type="file", GREENGRASS_SLOT_firmware__file="firmware.bin",
                               GREENGRASS_BUNDLE_HOOKS__file="hook.sh",
                               GREENGRASS_BUNDLE_HOOKS__hooks="install-check")
            with open(os.path.join(data.getVar("DEPLOY_DIR_IMAGE"), "firmware.bin"), "wb") as file:
                file.write(b"firmware" * 1000)
            with open(self.key("hook.sh"), "w") as file:
                file.write("#!/bin/sh\n")
            data.setVar("FILESEXTRAPATHS", self.top)
            data.setVar("SRC_URI", "file://hook.sh")
            self.assertIn("board-firmware:do_deploy", data.getVarFlag("do_bundle", "depends", True).split())
            world.run(data, "do_unpack", "do_bundle", "do_deploy")
            info = self.info(os.path.join(data.getVar("DEPLOYDIR"), "greengrass-bundle-ab-qemux86-64.raucb"))
            # RAUC 1.15 takes no name whose ending it does not know, and no index of a part of a block.
            for text in ("firmware.bin.img", "rootfs", "install-check"):
                self.assertIn(text, info)
            self.assertEqual(info.count("block-hash-index"), 1)

    def test_image_that_cannot_be_indexed(self):
        settings = dict(GREENGRASS_SLOT_rootfs__fstype="tar.gz", GREENGRASS_SLOT_rootfs__rename="root.tar.gz")
        for adaptive in (None, "block-hash-index"):
            with self.subTest(adaptive), World("greengrass") as there:
                data = self.recipe(there, **settings)
                if adaptive:
                    data.setVarFlag("GREENGRASS_SLOT_rootfs", "adaptive", adaptive)
                with open(os.path.join(data.getVar("DEPLOY_DIR_IMAGE"), IMAGE.replace("ext4", "tar.gz")), "wb") as file:
                    file.write(bytes(5000))
                if adaptive:
                    with self.assertLogs("BitBake", "ERROR") as logs, self.assertRaises(bb.BBHandledException):
                        world.run(data, "do_bundle")
                    self.assertIn("no whole blocks of 4096", "\n".join(logs.output))
                    continue
                world.run(data, "do_bundle", "do_deploy")
                info = self.info(os.path.join(data.getVar("DEPLOYDIR"), "greengrass-bundle-ab-qemux86-64.raucb"))
                self.assertIn("root.tar.gz", info)
                self.assertNotIn("block-hash-index", info)

    def test_two_keys_sign(self):
        with World("greengrass") as there:
            both = lambda kind: "%s %s" % (self.key("signer." + kind), self.key("lone." + kind))  # noqa: E731
            data = self.recipe(there)
            data.setVar("GREENGRASS_KEY_FILE", both("key"))
            data.setVar("GREENGRASS_CERT_FILE", both("pem"))
            world.run(data, "do_bundle", "do_deploy")
            bundle = os.path.join(data.getVar("DEPLOYDIR"), "greengrass-bundle-ab-qemux86-64.raucb")
            subprocess.run(["greengrass", "ota", "bundle", "verify", "--keyring", self.key("root.pem"), "--keyring",
                            self.key("lone.pem"), "--require", "2", bundle], check=True, capture_output=True)

    def test_key_that_devices_do_not_trust_ends_the_build(self):
        with World("greengrass") as there, self.assertRaises(bb.process.ExecutionError):
            try:
                self.make(there, key="lone")
            finally:
                said = world.read(os.path.join(there.directory, "greengrass-bundle-ab/temp/said"))
        self.assertIn("devices would refuse the bundle", said)
        self.assertIn("GREENGRASS_KEYRING_FILE", said)

    def test_certificate_that_is_its_own_root_needs_no_keyring(self):
        with World("greengrass") as there:
            self.make(there, key="lone", keyring=None)

    def test_what_is_missing_is_named(self):
        rows = [
            (dict(GREENGRASS_KEY_FILE=""), "GREENGRASS_KEY_FILE is not set"),
            (dict(GREENGRASS_CERT_FILE="/nowhere/signer.pem"), "GREENGRASS_CERT_FILE names /nowhere/signer.pem"),
            (dict(GREENGRASS_SLOT_rootfs="no-image"), "no-image has left no "),
            (dict(GREENGRASS_BUNDLE_SLOTS="rootfs dtb"), "GREENGRASS_SLOT_dtb is not set"),
            (dict(GREENGRASS_BUNDLE_SLOTS=""), "names no slot class"),
            (dict(GREENGRASS_BUNDLE_VERSION="1\n[hooks]"), "GREENGRASS_BUNDLE_VERSION has more than one line"),
        ]
        for settings, message in rows:
            with self.subTest(settings), World("greengrass") as there:
                data = self.recipe(there)
                for name, value in settings.items():
                    data.setVar(name, value)
                with self.assertLogs("BitBake", "ERROR") as logs, self.assertRaises(bb.BBHandledException):
                    world.run(data, "do_bundle")
                self.assertIn(message, "\n".join(logs.output))

    def test_every_word_is_part_of_the_signature_and_no_path_of_a_key(self):
        with World("greengrass") as there:
            data = self.recipe(there)
            words = data.getVarFlag("do_bundle", "vardeps", True).split()
            for name in ("COMPATIBLE", "VERSION", "FLOOR", "TRIES", "SLOTS"):
                self.assertIn("GREENGRASS_BUNDLE_" + name, words)
            self.assertIn("GREENGRASS_SLOT_rootfs", words)
            for name in ("KEY", "CERT", "KEYRING"):
                self.assertEqual(data.getVarFlag("GREENGRASS_%s_FILE" % name, "vardepvalue"), "")
            self.assertIn(self.key("signer.pem") + ":True", data.getVarFlag("do_bundle", "file-checksums", True).split())

    def test_device_trusts_the_keyring_and_knows_what_it_is(self):
        with World("greengrass", GREENGRASS_KEYRING_FILE=self.key("root.pem"), GREENGRASS_BUNDLE_COMPATIBLE="my-board") as there:
            packages, left = world.packages(install(there, "greengrass-ota-conf"))
            self.assertEqual(left, set())
            self.assertEqual(packages, {"greengrass-ota-conf": {"/etc/greengrass/ota.conf", "/etc/greengrass/update-ca.pem"}})
            image = there.parse(world.recipe("greengrass-image-ab"))
            self.assertIn("greengrass-ota-conf", image.getVar("IMAGE_INSTALL").split())
            _, bundle = self.make(there)
            conf = os.path.join(there.directory, "greengrass-ota-conf/image/etc/greengrass/ota.conf")
            subprocess.run(["greengrass", "ota", "bundle", "verify", "--conf", conf, bundle], check=True, capture_output=True)

    def test_device_without_a_keyring_says_so(self):
        with World("greengrass") as there:
            data = install(there, "greengrass-ota-conf")
            self.assertIn("will take no update", world.said(data))
            self.assertNotIn("greengrass-ota-conf", there.parse(world.recipe("greengrass-image-ab")).getVar("IMAGE_INSTALL").split())

    def test_private_key_never_gets_onto_a_device(self):
        with open(self.key("both.pem"), "w") as both:
            for name in ("root.pem", "root.key"):
                both.write(world.read(self.key(name)))
        with World("greengrass", GREENGRASS_KEYRING_FILE=self.key("both.pem")) as there:
            with self.assertRaises(bb.process.ExecutionError):
                install(there, "greengrass-ota-conf")


import bb  # noqa: E402
import bb.process  # noqa: E402
import bb.utils  # noqa: E402

if __name__ == "__main__":
    unittest.main()
