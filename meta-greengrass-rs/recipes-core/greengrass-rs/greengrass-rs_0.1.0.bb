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

do_compile() {
    oe_cargo_build --bins --package greengrass-rs ${GREENGRASS_INIT_BUILD}
}
GREENGRASS_INIT_BUILD = "--package gg-init"
# On the build machine there is nothing to boot.
GREENGRASS_INIT_BUILD:class-native = ""

do_install() {
    greengrass_install_binaries ${B}/target/${CARGO_TARGET_SUBDIR}
}

do_install:append:class-target() {
    greengrass_install_init ${B}/target/${CARGO_TARGET_SUBDIR}
    greengrass_install_services
}

# The checker of components and kernel configurations at build time.
BBCLASSEXTEND = "native"
