SUMMARY = "Deploys the Greengrass components that came with the image"
DESCRIPTION = "A step after the daemon's start that deploys the components of greengrass_component.bbclass, once for each \
set of them; it keeps its mark on the data partition, never in /etc."
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"
CVE_PRODUCT = "greengrass-rs"

inherit allarch systemd update-rc.d

FILESEXTRAPATHS:prepend := "${THISDIR}/greengrass-baked:${GREENGRASS_RS_REPOSITORY}:"
SRC_URI = "\
    file://LICENSE \
    file://greengrass-baked.init.in \
    file://greengrass-baked.service.in \
    file://greengrass-deploy-baked.in \
"

S = "${UNPACKDIR}"
B = "${WORKDIR}/build"

SYSTEMD_SERVICE:${PN} = "greengrass-baked.service"
INITSCRIPT_NAME = "greengrass-baked"
INITSCRIPT_PARAMS = "start 91 2 3 4 5 ."

do_configure[noexec] = "1"

do_compile() {
    for file in greengrass-deploy-baked greengrass-baked.service greengrass-baked.init; do
        sed -e 's|@BINDIR@|${bindir}|g' -e 's|@CONFDIR@|${sysconfdir}/greengrass|g' -e 's|@ROOT@|${GREENGRASS_ROOT}|g' \
            -e 's|@COMPONENTS@|${datadir}/greengrass/components|g' ${UNPACKDIR}/$file.in > ${B}/$file
    done
}

do_install() {
    install -D -m 0755 ${B}/greengrass-deploy-baked ${D}${bindir}/greengrass-deploy-baked
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -D -m 0644 ${B}/greengrass-baked.service ${D}${systemd_system_unitdir}/greengrass-baked.service
    fi
    if ${@bb.utils.contains('DISTRO_FEATURES', 'sysvinit', 'true', 'false', d)}; then
        install -D -m 0755 ${B}/greengrass-baked.init ${D}${sysconfdir}/init.d/greengrass-baked
    fi
}

RDEPENDS:${PN} = "greengrass-rs greengrass-rs-cli"
