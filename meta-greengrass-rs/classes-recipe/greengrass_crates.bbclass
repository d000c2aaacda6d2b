# Gives a recipe the crates of a Cargo.lock as sources, each with its checksum, when the recipe is parsed.
#
# Other layers keep a generated list of them beside the recipe. Here Cargo.lock lies in the same repository, so the list
# would only be a second copy of it that can be wrong. To see it: bitbake-getvar -r greengrass-rs SRC_URI

GREENGRASS_CARGO_LOCK ?= "${GREENGRASS_RS_REPOSITORY}/Cargo.lock"
GREENGRASS_CARGO_LOCK[doc] = "The Cargo.lock whose crates are sources of the recipe"

# nooelint: oelint.task.noanonpython - only Python can read a file at parse time
python () {
    path = d.getVar("GREENGRASS_CARGO_LOCK")
    bb.parse.mark_dependency(d, path)
    try:
        with open(path, encoding="utf-8") as file:
            crates = greengrass.lock.crates(file)
    except (OSError, greengrass.lock.Unfit) as cause:
        raise bb.parse.SkipRecipe("%s: %s" % (path, cause))
    for name, checksum, uri in crates:
        d.appendVar("SRC_URI", " " + uri)
        d.setVarFlag("SRC_URI", name + ".sha256sum", checksum)
}
