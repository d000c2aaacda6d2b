"""The kernel gets the options of kernel-config when it is asked for, and is not touched otherwise."""

import os
import unittest

import world
from world import LAYER, REPOSITORY, World

APPEND = os.path.join(LAYER, "recipes-kernel/linux/linux-yocto_%.bbappend")


class Kernel(unittest.TestCase):
    def parse(self, there, appends=(APPEND,)):
        return there.parse(os.path.join(there.directory, "stub/recipes-kernel/linux/linux-yocto_6.18.bb"), appends)

    def test_append_is_inert_without_the_distro_feature(self):
        with World("systemd") as there:
            with_it, without = ({key: data.getVar(key) for key in data.keys() if not key.startswith(("__", "BBINCLUDE", "FILE"))}
                                for data in (self.parse(there), self.parse(there, ())))
            self.assertEqual(with_it, without)

    def test_every_fragment_is_merged_with_the_feature(self):
        with World("systemd greengrass") as there:
            data = self.parse(there)
            fetch = bb.fetch2.Fetch(data.getVar("SRC_URI").split(), data)
            found = set()
            for url in fetch.urls:
                fetch.ud[url].setup_localpath(data)
                found.add(fetch.ud[url].localpath)
        directory = os.path.join(REPOSITORY, "kernel-config")
        expected = {os.path.join(directory, name) for name in os.listdir(directory) if name.endswith((".cfg", ".scc"))}
        self.assertEqual(found, expected)

    def test_board_may_take_a_part(self):
        with World("greengrass", GREENGRASS_KERNEL_FEATURES="cgroups.cfg") as there:
            self.assertEqual(self.parse(there).getVar("SRC_URI").split(), ["file://cgroups.cfg"])


class Check(unittest.TestCase):
    """The task that reads the finished configuration, with the runtime's own checker."""

    def check(self, config, **settings):
        with World("greengrass", PATH=world.greengrass() + ":" + os.environ["PATH"], **settings) as there:
            data = there.parse(os.path.join(there.directory, "stub/recipes-kernel/linux/linux-yocto_6.18.bb"), (APPEND,))
            bb.utils.mkdirhier(data.getVar("B"))
            with open(os.path.join(data.getVar("B"), ".config"), "w") as file:
                file.write(config)
            try:
                world.run(data, "do_greengrass_kernel_check")
            except bb.process.ExecutionError:
                return "failed", world.said(data)
            return "passed", world.said(data)

    def complete(self):
        """Every line of every fragment, and what an architecture sets."""
        lines = []
        for path in world.files(".cfg", os.path.join(REPOSITORY, "kernel-config")):
            with open(path, encoding="utf-8") as file:
                lines += [line.replace("# check: ", "") for line in file if line.startswith(("CONFIG_", "# check: "))]
        return "# Linux/x86 6.18.0 Kernel Configuration\n" + "".join(lines)

    def test_whole_configuration_passes(self):
        self.assertEqual(self.check(self.complete()), ("passed", ""))

    def test_option_that_degrades_is_a_warning(self):
        verdict, said = self.check(self.complete().replace("CONFIG_MEMCG=y\n", ""))
        self.assertEqual(verdict, "passed")
        self.assertIn("WARNING", said)
        self.assertIn("CONFIG_MEMCG", said)
        verdict, said = self.check(self.complete().replace("CONFIG_MEMCG=y\n", ""), GREENGRASS_KERNEL_CHECK="strict")
        self.assertEqual(verdict, "failed", said)

    def test_missing_option_ends_the_build_and_is_named(self):
        verdict, said = self.check(self.complete().replace("CONFIG_PROC_FS=y\n", ""))
        self.assertEqual(verdict, "failed")
        self.assertIn("CONFIG_PROC_FS", said)

    def test_missing_option_may_be_a_warning(self):
        verdict, said = self.check(self.complete().replace("CONFIG_PROC_FS=y\n", ""), GREENGRASS_KERNEL_CHECK="warn")
        self.assertEqual(verdict, "passed")
        self.assertIn("WARNING", said)
        self.assertIn("CONFIG_PROC_FS", said)


import bb.fetch2  # noqa: E402
import bb.process  # noqa: E402
import bb.utils  # noqa: E402

if __name__ == "__main__":
    unittest.main()
