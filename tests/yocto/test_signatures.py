"""Adding the layer changes no task of another layer: BitBake's own signatures, with the appends and without."""

import fnmatch
import os
import unittest

import world
from world import LAYER, World


def appends():
    """Every append of the layer, with the recipe of the stub that it is for."""
    found = []
    for path in world.files(".bbappend"):
        pattern = os.path.relpath(path, LAYER)[: -len(".bbappend")].replace("%", "*") + ".bb"
        found += [(path, recipe) for recipe in world.files(".bb", world.STUB) if fnmatch.fnmatch(recipe, "*/" + pattern)]
    return found


def signatures(data):
    """The base hash of each task: what it does and every variable in it, before what it depends on."""
    ignored = set()
    tasks, dependencies, values = bb.data.generate_dependencies(data, ignored)
    return bb.data.generate_dependency_hash(tasks, dependencies, values, ignored, "recipe")[1]


class Signatures(unittest.TestCase):
    def signatures(self, there, recipe, append):
        return signatures(there.parse(there.stub(recipe), [append] if append else []))

    def test_every_append_has_a_recipe_to_be_tried_on(self):
        self.assertEqual({path for path, _ in appends()}, set(world.files(".bbappend")))

    def test_no_task_changes_without_the_distro_feature(self):
        with World("systemd") as there:
            for path, recipe in appends():
                with self.subTest(append=os.path.basename(path)):
                    self.assertEqual(self.signatures(there, recipe, path), self.signatures(there, recipe, None))

    def test_tasks_change_with_it(self):
        with World("systemd greengrass") as there:
            for path, recipe in appends():
                with self.subTest(append=os.path.basename(path)):
                    self.assertNotEqual(self.signatures(there, recipe, path), self.signatures(there, recipe, None))

    def test_append_that_asks_in_its_value_would_be_seen(self):
        """It adds nothing, and yet its text is part of the signature."""
        with World("systemd") as there:
            path = os.path.join(there.directory, "grub-efi_%.bbappend")
            with open(path, "w", encoding="utf-8") as file:
                file.write("GRUB_BUILDIN:append = \"${@bb.utils.contains('DISTRO_FEATURES', 'greengrass', ' echo', '', d)}\"\n")
            recipe = world.STUB + "/recipes-bsp/grub/grub-efi_2.12.bb"
            self.assertNotEqual(self.signatures(there, recipe, path), self.signatures(there, recipe, None))


import bb.data  # noqa: E402

if __name__ == "__main__":
    unittest.main()
