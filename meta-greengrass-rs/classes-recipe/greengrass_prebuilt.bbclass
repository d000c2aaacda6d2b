# Takes binaries from a directory, GREENGRASS_RS_DIST, and believes none that its SHA256SUMS does not vouch for.

# nooelint: oelint.task.noanonpython - only Python can look for a directory at parse time
python () {
    directory = d.getVar("GREENGRASS_RS_DIST")
    if not directory:
        raise bb.parse.SkipRecipe("GREENGRASS_RS_DIST is not set. Run `make dist` in the repository of greengrass-rs, "
                                  "then set it to the absolute path of target/dist")
    sums = os.path.join(directory, "SHA256SUMS")
    bb.parse.mark_dependency(d, sums)
    if not os.path.isfile(sums):
        raise bb.parse.SkipRecipe("GREENGRASS_RS_DIST: there is no %s. Run `make dist` again, for all machines of this "
                                  "build" % sums)
}

# Every file below the directory of the target that SRC_URI names.
GREENGRASS_RS_PREBUILT = "${@' '.join(uri[len('file://'):] for uri in d.getVar('SRC_URI').split() if uri.startswith('file://' + d.getVar('GREENGRASS_RS_TARGET') + '/'))}"

greengrass_verify () {
    for file in ${GREENGRASS_RS_PREBUILT}; do
        if ! grep "  $file\$" SHA256SUMS > ${WORKDIR}/expected; then
            bbfatal "SHA256SUMS in GREENGRASS_RS_DIST has no line for $file"
        fi
        if ! sha256sum -c ${WORKDIR}/expected; then
            bbfatal "$file is not the one that SHA256SUMS in GREENGRASS_RS_DIST names: run make dist again"
        fi
    done
}
greengrass_verify[dirs] = "${UNPACKDIR}"
do_unpack[postfuncs] += "greengrass_verify"
