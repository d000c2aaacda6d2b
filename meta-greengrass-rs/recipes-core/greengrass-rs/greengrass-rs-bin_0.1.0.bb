require greengrass-rs.inc

inherit greengrass_prebuilt

SUMMARY += "(static binaries built elsewhere)"

# In the place of the source recipe, chosen by PREFERRED_PROVIDER_greengrass-rs.
PROVIDES = "greengrass-rs"

# For releases whose Rust is too old. The directory is what `make dist` wrote: <target>/greengrass, <target>/gg-init
# and SHA256SUMS. It may be a copy elsewhere; it is not looked for.
GREENGRASS_RS_DIST ??= ""
GREENGRASS_RS_DIST[doc] = "Directory with the static binaries of greengrass-rs and their SHA256SUMS"
GREENGRASS_RS_DIST[vardepvalue] = ""

GREENGRASS_RS_TARGET = "unsupported"
GREENGRASS_RS_TARGET:x86-64 = "x86_64-unknown-linux-musl"
GREENGRASS_RS_TARGET:aarch64 = "aarch64-unknown-linux-musl"
# An override of bitbake.conf for every 32-bit ARM.
# nooelint: oelint.vars.specific
GREENGRASS_RS_TARGET:arm = "arm-unknown-linux-musleabihf"
GREENGRASS_RS_TARGET:armv7a = "armv7-unknown-linux-musleabihf"
GREENGRASS_RS_TARGET:armv7ve = "armv7-unknown-linux-musleabihf"
GREENGRASS_RS_TARGET:class-native = "${BUILD_ARCH}-unknown-linux-musl"

FILESEXTRAPATHS:prepend := "${GREENGRASS_RS_DIST}:"
SRC_URI += "\
    file://${GREENGRASS_RS_TARGET}/greengrass \
    file://SHA256SUMS \
"
SRC_URI:append:class-target = " file://${GREENGRASS_RS_TARGET}/gg-init"

# HTTPS trusts the certificates of the system. On the build machine nothing is downloaded.
RDEPENDS:${PN}:append:class-target = " ca-certificates"

RPROVIDES:${PN} = "greengrass-rs"
RPROVIDES:${PN}-cli = "greengrass-rs-cli"
RPROVIDES:${PN}-conf = "greengrass-rs-conf"
RPROVIDES:${PN}-init = "greengrass-rs-init"
RPROVIDES:${PN}-rauc = "greengrass-rs-rauc"
RCONFLICTS:${PN} = "greengrass-rs"
RCONFLICTS:${PN}-cli = "greengrass-rs-cli"
RCONFLICTS:${PN}-conf = "greengrass-rs-conf"
RCONFLICTS:${PN}-init = "greengrass-rs-init"
RCONFLICTS:${PN}-rauc += "greengrass-rs-rauc"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    greengrass_install_binaries ${UNPACKDIR}/${GREENGRASS_RS_TARGET}
}

do_install:append:class-target() {
    greengrass_install_cli
    greengrass_install_rauc
    greengrass_install_init ${UNPACKDIR}/${GREENGRASS_RS_TARGET}
    greengrass_install_services
}

# The files are stripped where they are built; their symbols stay there.
# nooelint: oelint.vars.insaneskip
INSANE_SKIP:${PN} += "already-stripped"
# nooelint: oelint.vars.insaneskip
INSANE_SKIP:${PN}-init += "already-stripped"
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_SYSROOT_STRIP = "1"

BBCLASSEXTEND = "native"
