SUMMARY = "Whom a device takes updates from, and what it is"
DESCRIPTION = "/etc/greengrass/ota.conf, and the root certificates of GREENGRASS_KEYRING_FILE beside it. A product that \
says more brings a package of its own with the same file."
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"
CVE_PRODUCT = "greengrass-rs"

FILESEXTRAPATHS:prepend := "${GREENGRASS_RS_REPOSITORY}:"
SRC_URI = "file://LICENSE"

S = "${UNPACKDIR}"
B = "${WORKDIR}/build"

# What greengrass_bundle says of its bundles, set where both read it: in the distribution or local.conf.
GREENGRASS_BUNDLE_COMPATIBLE ??= "${MACHINE}"
GREENGRASS_KEYRING_FILE ??= ""
GREENGRASS_KEYRING_FILE[doc] = "Root certificates that devices trust"
GREENGRASS_KEYRING_FILE[vardepvalue] = ""
GREENGRASS_BOOTLOADER ??= "grub"
GREENGRASS_BOOTLOADER[doc] = "Who chooses the slot: grub, grub-rauc, uboot, uboot-map, bootcount-file or init-switch"

PACKAGE_ARCH = "${MACHINE_ARCH}"

do_install() {
    install -d ${D}${sysconfdir}/greengrass
    {
        echo '[system]'
        echo 'compatible=${GREENGRASS_BUNDLE_COMPATIBLE}'
        echo 'bootloader=${GREENGRASS_BOOTLOADER}'
    } > ${D}${sysconfdir}/greengrass/ota.conf
    if [ -z "${GREENGRASS_KEYRING_FILE}" ]; then
        bbwarn "GREENGRASS_KEYRING_FILE is not set: this device will take no update"
        return
    fi
    cat ${GREENGRASS_KEYRING_FILE} > ${D}${sysconfdir}/greengrass/update-ca.pem
    if grep -q 'PRIVATE KEY' ${D}${sysconfdir}/greengrass/update-ca.pem; then
        bbfatal "GREENGRASS_KEYRING_FILE holds a private key, which must never be on a device"
    fi
    {
        echo
        echo '[keyring]'
        echo 'path=update-ca.pem'
    } >> ${D}${sysconfdir}/greengrass/ota.conf
}
do_install[vardeps] += "GREENGRASS_BUNDLE_COMPATIBLE GREENGRASS_BOOTLOADER"
do_install[file-checksums] += "${@' '.join(path + ':True' for path in d.getVar('GREENGRASS_KEYRING_FILE').split())}"

CONFFILES:${PN} = "${sysconfdir}/greengrass/ota.conf"
