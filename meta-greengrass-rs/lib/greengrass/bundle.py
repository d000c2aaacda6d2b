"""The folder that an update bundle is made of: its manifest, and the images that it names."""

import os
import shutil

POLICY = ["floor", "key_epoch", "data_min_reader", "tries", "health_profile"]

# What an index has a hash of.
BLOCK = 4096


class Unfit(Exception):
    """What the variables ask for cannot be a bundle; the text says which one."""


class Draft:
    """What the variables of greengrass_bundle say."""

    def __init__(self, d):
        def value(name):
            text = (d.getVar("GREENGRASS_BUNDLE_" + name) or "").strip()
            if "\n" in text:
                raise Unfit("GREENGRASS_BUNDLE_%s has more than one line" % name)
            return text

        self.update = [(name, value(name.upper())) for name in ("compatible", "version", "description", "build")]
        self.policy = [(name, value(name.upper())) for name in POLICY]
        self.hooks = d.getVarFlag("GREENGRASS_BUNDLE_HOOKS", "hooks", True) or ""
        self.hook = d.getVarFlag("GREENGRASS_BUNDLE_HOOKS", "file", True) or ""
        self.hook_path = os.path.join(d.getVar("UNPACKDIR"), self.hook)
        self.slots = [Slot(d, name) for name in value("SLOTS").split()]
        if not self.slots:
            raise Unfit("GREENGRASS_BUNDLE_SLOTS names no slot class")
        for name in ("GREENGRASS_KEY_FILE", "GREENGRASS_CERT_FILE"):
            require_files(d, name)
        require_files(d, "GREENGRASS_KEYRING_FILE", needed=False)

    def manifest(self):
        groups = [("update", self.update), ("bundle", [("format", "verity")])]
        if self.hook:
            groups.append(("hooks", [("filename", os.path.basename(self.hook)), ("hooks", self.hooks)]))
        groups += [("image." + slot.name, slot.keys()) for slot in self.slots]
        groups.append(("meta.greengrass", self.policy))
        return "\n".join(group(name, keys) for name, keys in groups if any(value for _, value in keys))


class Slot:
    """A slot class, and the image for it."""

    def __init__(self, d, name):
        self.name = name
        variable = "GREENGRASS_SLOT_" + name
        self.recipe = (d.getVar(variable) or "").strip()

        def flag(flag, default=""):
            text = d.getVarFlag(variable, flag, True)
            return default if text is None else text.strip()

        kind = flag("type", "image")
        fstype = flag("fstype", "ext4")
        image = "%s%s%s.%s" % (self.recipe, suffix(d, "IMAGE_MACHINE_SUFFIX", "-" + d.getVar("MACHINE")),
                               suffix(d, "IMAGE_NAME_SUFFIX", ".rootfs"), fstype)
        self.file = flag("file", image if kind == "image" else "")
        # RAUC knows no other ending of a name for what is written as it is.
        self.bundled = os.path.basename(flag("rename") or (self.file if kind == "image" else self.file + ".img"))
        # A device that has most of an image fetches the rest alone.
        self.adaptive = flag("adaptive", "block-hash-index" if kind == "image" else "")
        self.chosen = d.getVarFlag(variable, "adaptive", False) is not None
        self.hooks = flag("hooks")
        self.task = flag("depends") or self.recipe + (":do_image_complete" if kind == "image" else ":do_deploy")
        self.path = os.path.join(d.getVar("DEPLOY_DIR_IMAGE"), self.file)
        if not self.recipe:
            raise Unfit("%s is not set: it names the recipe that makes the image for the slot class %s" % (variable, name))
        if kind not in ("image", "file"):
            raise Unfit("%s[type] is \"%s\"; it can be image or file" % (variable, kind))
        if not self.file:
            raise Unfit("%s[file] is not set: it names a file in DEPLOY_DIR_IMAGE" % variable)

    def keys(self):
        return [("filename", self.bundled), ("hooks", self.hooks), ("adaptive", self.adaptive if self.indexed() else "")]

    def indexed(self):
        """RAUC refuses an index of anything but whole blocks."""
        size = os.path.getsize(self.path)
        if size % BLOCK and self.chosen and "block-hash-index" in self.adaptive:
            raise Unfit("%s has %d bytes, which are no whole blocks of %d: set GREENGRASS_SLOT_%s[adaptive] = \"\""
                        % (self.path, size, BLOCK, self.name))
        return self.chosen or size % BLOCK == 0


def suffix(d, name, default):
    """Set by bitbake.conf; scarthgap and wrynose have the same."""
    value = d.getVar(name)
    return default if value is None else value


def require_files(d, name, needed=True):
    files = (d.getVar(name) or "").split()
    if needed and not files:
        raise Unfit("%s is not set: a bundle is signed with a key that lies outside the layers. The guide, "
                    "docs/guide/updates.md, says how to make one" % name)
    for path in files:
        if not os.path.isfile(path):
            raise Unfit("%s names %s, which is not there" % (name, path))


def group(name, keys):
    return "[%s]\n%s" % (name, "".join("%s=%s\n" % key for key in keys if key[1]))


def fill(folder, draft):
    for slot in draft.slots:
        if not os.path.isfile(slot.path):
            raise Unfit("%s has left no %s: check IMAGE_FSTYPES there, or set the flag fstype or file of GREENGRASS_SLOT_%s"
                        % (slot.recipe, slot.path, slot.name))
        os.symlink(os.path.realpath(slot.path), os.path.join(folder, slot.bundled))
    with open(os.path.join(folder, "manifest.raucm"), "w", encoding="utf-8") as out:
        out.write(draft.manifest())
    if draft.hook:
        if not os.path.isfile(draft.hook_path):
            raise Unfit("GREENGRASS_BUNDLE_HOOKS[file] names %s, which is not there" % draft.hook_path)
        path = os.path.join(folder, os.path.basename(draft.hook))
        shutil.copy(draft.hook_path, path)
        os.chmod(path, 0o755)


def slots(d):
    """Those that can be used; what is wrong with the others is said when the bundle is made."""
    for name in (d.getVar("GREENGRASS_BUNDLE_SLOTS") or "").split():
        try:
            yield Slot(d, name)
        except Unfit:
            pass


def depends(d):
    return " ".join(slot.task for slot in slots(d))


def variables(d):
    """They are read by name, which BitBake does not see."""
    names = ["GREENGRASS_BUNDLE_" + name.upper() for name in ["compatible", "version", "description", "build", "slots"] + POLICY]
    names += ["GREENGRASS_BUNDLE_HOOKS", "GREENGRASS_BUNDLE_HOOKS[file]", "GREENGRASS_BUNDLE_HOOKS[hooks]"]
    for name in (d.getVar("GREENGRASS_BUNDLE_SLOTS") or "").split():
        name = "GREENGRASS_SLOT_" + name
        names += [name] + ["%s[%s]" % (name, flag) for flag in ("type", "fstype", "file", "rename", "adaptive", "hooks")]
    return " ".join(names)


def checksums(d):
    """Another key or certificate makes another bundle, wherever it lies."""
    names = ("GREENGRASS_KEY_FILE", "GREENGRASS_CERT_FILE", "GREENGRASS_KEYRING_FILE")
    return " ".join(path + ":" + str(os.path.exists(path)) for name in names for path in (d.getVar(name) or "").split())
