require greengrass-rs.inc

inherit cargo greengrass_crates

# The workspace, as it lies beside this layer. Cargo wants every member of it, built or not.
SRC_URI += "\
    file://Cargo.lock;subdir=${BP} \
    file://Cargo.toml;subdir=${BP} \
    file://init;subdir=${BP} \
    file://kernel-config;subdir=${BP} \
    file://src;subdir=${BP} \
    file://tests/bench;subdir=${BP} \
"

# Static with musl. With glibc, users and groups are looked up through shared objects, so there it stays dynamic.
RUSTFLAGS:append:libc-musl:class-target = " -Ctarget-feature=+crt-static"
# do_package takes the symbols away, and keeps them in -dbg.
export CARGO_PROFILE_RELEASE_STRIP = "none"
export CARGO_PROFILE_RELEASE_DEBUG = "1"

# Parts that a device may leave out; all but `init` are features of Cargo by the same name.
PACKAGECONFIG ??= "check cli download init ota uplink"
# On the build machine it checks components and kernel configurations, and makes bundles.
PACKAGECONFIG:class-native = "check ota"
# `greengrass check` and `greengrass recipe check`.
PACKAGECONFIG[check] = "--features check"
# `greengrass-cli`; greengrass-baked and the ptest need it.
PACKAGECONFIG[cli] = "--features cli"
# `greengrass dev`, for machines that components are written on.
PACKAGECONFIG[dev] = "--features dev"
# Artifacts from http: and https:, which trusts the certificates of the system.
PACKAGECONFIG[download] = "--features download,,,ca-certificates"
# gg-init, the first process.
PACKAGECONFIG[init] = ""
# `greengrass ota`: updates of the system image.
PACKAGECONFIG[ota] = "--features ota"
# The name `rauc`, for scripts that call it: `greengrass ota` in the words of RAUC. Not on a device that has RAUC itself.
PACKAGECONFIG[rauc] = ""
# The link to the cloud: MQTT over TLS.
PACKAGECONFIG[uplink] = "--features uplink"

do_compile() {
    oe_cargo_build --bins --package greengrass-rs --no-default-features ${PACKAGECONFIG_CONFARGS}
    if ${@bb.utils.contains('PACKAGECONFIG', 'init', 'true', 'false', d)}; then
        # Apart from the daemon, whose crates ask more of those they share; and small before fast, as Cargo.toml has it.
        export CARGO_PROFILE_RELEASE_OPT_LEVEL=z
        oe_cargo_build --bins --package gg-init
    fi
}

do_install() {
    greengrass_install_binaries ${B}/target/${CARGO_TARGET_SUBDIR}
}

do_install:append:class-target() {
    if ${@bb.utils.contains('PACKAGECONFIG', 'cli', 'true', 'false', d)}; then
        greengrass_install_cli
    fi
    if ${@bb.utils.contains('PACKAGECONFIG', 'rauc', 'true', 'false', d)}; then
        greengrass_install_rauc
    fi
    if ${@bb.utils.contains('PACKAGECONFIG', 'init', 'true', 'false', d)}; then
        greengrass_install_init ${B}/target/${CARGO_TARGET_SUBDIR}
    fi
    greengrass_install_services
}

# What checks components and kernel configurations at build time, and makes bundles.
BBCLASSEXTEND = "native"
