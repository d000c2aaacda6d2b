# Makes a signed update of images of this build: a RAUC bundle of the format `verity`, which `greengrass ota install` and
# `rauc install` both take. Made by greengrass-rs-native; rauc is not needed.
#
#   inherit greengrass_bundle
#   GREENGRASS_BUNDLE_COMPATIBLE = "my-board"
#   GREENGRASS_SLOT_rootfs = "my-image"
#
# The words are those of meta-rauc's bundle.bbclass where they mean the same, with GREENGRASS in the place of RAUC. Keys
# come from outside the layers: GREENGRASS_KEY_FILE and GREENGRASS_CERT_FILE name files.

GREENGRASS_BUNDLE_COMPATIBLE ??= "${MACHINE}"
GREENGRASS_BUNDLE_COMPATIBLE[doc] = "What devices must be to take the bundle: compatible= in their ota.conf"
GREENGRASS_BUNDLE_VERSION ??= "${PV}"
GREENGRASS_BUNDLE_VERSION[doc] = "Version that `greengrass ota status` and `rauc info` show"
GREENGRASS_BUNDLE_DESCRIPTION ??= "${SUMMARY}"
GREENGRASS_BUNDLE_DESCRIPTION[doc] = "One line about the bundle"
GREENGRASS_BUNDLE_BUILD ??= ""
GREENGRASS_BUNDLE_BUILD[doc] = "Identifier of the build, such as the number of the CI job"
GREENGRASS_BUNDLE_SLOTS ??= "rootfs"
GREENGRASS_BUNDLE_SLOTS[doc] = "Slot classes that the bundle has an image for; for each one a GREENGRASS_SLOT_<class>"
GREENGRASS_SLOT_rootfs ??= "greengrass-image-ab"
GREENGRASS_SLOT_rootfs[doc] = "Recipe that makes the image of the class. Flags: type (image, or file: any deployed one), \
fstype (ext4), file (its name in DEPLOY_DIR_IMAGE), rename (its name in the bundle), adaptive (block-hash-index, or empty), hooks"
GREENGRASS_BUNDLE_HOOKS[doc] = "Flags: file, a program below UNPACKDIR; hooks, such as install-check. Devices need allow-hooks"
GREENGRASS_BUNDLE_COMPRESSION ??= "auto"
GREENGRASS_BUNDLE_COMPRESSION[doc] = "auto, gzip or none, as in greengrass ota bundle create"

# [meta.greengrass] of the manifest; what is empty is not said. docs/manual/greengrass-ota.md explains them.
GREENGRASS_BUNDLE_FLOOR ??= ""
GREENGRASS_BUNDLE_FLOOR[doc] = "Security number: once committed, nothing lower is installed any more"
GREENGRASS_BUNDLE_KEY_EPOCH ??= ""
GREENGRASS_BUNDLE_KEY_EPOCH[doc] = "Counts the key ceremonies; floors count within one"
GREENGRASS_BUNDLE_DATA_MIN_READER ??= ""
GREENGRASS_BUNDLE_DATA_MIN_READER[doc] = "Layout of the data that the image writes"
GREENGRASS_BUNDLE_TRIES ??= ""
GREENGRASS_BUNDLE_TRIES[doc] = "Boots that the trial gets, 1 to 9"
GREENGRASS_BUNDLE_HEALTH_PROFILE ??= ""
GREENGRASS_BUNDLE_HEALTH_PROFILE[doc] = "Health profile of the trial"

GREENGRASS_KEY_FILE ??= ""
GREENGRASS_KEY_FILE[doc] = "Private key (PEM, PKCS#8) that signs bundles; several with spaces between, for k of n"
GREENGRASS_KEY_FILE[vardepvalue] = ""
GREENGRASS_CERT_FILE ??= ""
GREENGRASS_CERT_FILE[doc] = "Certificate of each key, with those of authorities below the root behind it"
GREENGRASS_CERT_FILE[vardepvalue] = ""
GREENGRASS_KEYRING_FILE ??= ""
GREENGRASS_KEYRING_FILE[doc] = "Root certificates that devices trust; the bundle is verified against them. Unset: the certificate itself"
GREENGRASS_KEYRING_FILE[vardepvalue] = ""

BUNDLE_BASENAME ??= "${PN}"
BUNDLE_BASENAME[doc] = "Name of the bundle without machine and version"
BUNDLE_NAME ??= "${BUNDLE_BASENAME}-${MACHINE}-${GREENGRASS_BUNDLE_VERSION}"
BUNDLE_NAME[doc] = "Name of the deployed file without its extension"
BUNDLE_LINK_NAME ??= "${BUNDLE_BASENAME}-${MACHINE}"
BUNDLE_LINK_NAME[doc] = "Name of a link to it that stays the same"
BUNDLE_EXTENSION ??= ".raucb"
BUNDLE_EXTENSION[doc] = "Extension of both"

inherit deploy nopackages

INHIBIT_DEFAULT_DEPS = "1"
DEPENDS += "greengrass-rs-native"
# For recipes that fetch a hook.
S = "${UNPACKDIR}"
B = "${WORKDIR}/build"
PACKAGE_ARCH = "${MACHINE_ARCH}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"
# Nobody links with a bundle, and the task would wait for the cross toolchain.
deltask do_populate_sysroot

GREENGRASS_BUNDLE_FOLDER = "${WORKDIR}/bundle"

# Writes the manifest, and puts the images beside it.
python greengrass_bundle_folder () {
    try:
        greengrass.bundle.fill(d.getVar("GREENGRASS_BUNDLE_FOLDER"), greengrass.bundle.Draft(d))
    except greengrass.bundle.Unfit as cause:
        bb.fatal(str(cause))
}
greengrass_bundle_folder[cleandirs] = "${GREENGRASS_BUNDLE_FOLDER}"

do_bundle () {
    set --
    for key in ${GREENGRASS_KEY_FILE}; do
        set -- "$@" --key $key
    done
    for certificate in ${GREENGRASS_CERT_FILE}; do
        set -- "$@" --cert $certificate
    done
    # The time in a signature is when it was made: RAUC can be told to judge certificates by it.
    if ! env -u SOURCE_DATE_EPOCH greengrass ota bundle create "$@" --compression ${GREENGRASS_BUNDLE_COMPRESSION} \
        ${GREENGRASS_BUNDLE_FOLDER} ${WORKDIR}/bundle${BUNDLE_EXTENSION} > ${WORKDIR}/said 2>&1; then
        bbfatal "the bundle cannot be made: $(cat ${WORKDIR}/said)"
    fi
    # As a device reads it: signatures, every block, every image.
    set --
    for keyring in ${@d.getVar('GREENGRASS_KEYRING_FILE') or d.getVar('GREENGRASS_CERT_FILE')}; do
        set -- "$@" --keyring $keyring
    done
    if ! greengrass ota bundle verify "$@" ${WORKDIR}/bundle${BUNDLE_EXTENSION} > ${WORKDIR}/said 2>&1; then
        bbfatal "devices would refuse the bundle: $(cat ${WORKDIR}/said)
GREENGRASS_KEYRING_FILE must name the root certificates that they trust"
    fi
    bbnote "$(cat ${WORKDIR}/said)"
}
do_bundle[doc] = "Makes and verifies the signed update bundle"
do_bundle[prefuncs] += "greengrass_bundle_folder"
do_bundle[depends] += "${@greengrass.bundle.depends(d)}"
do_bundle[vardeps] += "${@greengrass.bundle.variables(d)}"
do_bundle[file-checksums] += "${@greengrass.bundle.checksums(d)}"
addtask bundle after do_unpack do_prepare_recipe_sysroot before do_build

do_deploy () {
    install -m 0644 ${WORKDIR}/bundle${BUNDLE_EXTENSION} ${DEPLOYDIR}/${BUNDLE_NAME}${BUNDLE_EXTENSION}
    ln -sf ${BUNDLE_NAME}${BUNDLE_EXTENSION} ${DEPLOYDIR}/${BUNDLE_LINK_NAME}${BUNDLE_EXTENSION}
}
addtask deploy after do_bundle before do_build
