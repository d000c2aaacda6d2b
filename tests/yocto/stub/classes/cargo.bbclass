# Leaves a file for each program it was asked to build, with its name as the content, and writes down how it was asked.
# With GG_TEST_CARGO, a command such as `cargo build`, it builds for real: from the crates that do_unpack left alone.
B = "${WORKDIR}/build"
GG_TEST_CARGO ?= ""
RUST_HOST_SYS ?= "test"
CARGO_TARGET_SUBDIR = "${RUST_HOST_SYS}/${@'debug' if d.getVar('GG_TEST_CARGO') else 'release'}"
export CARGO_HOME = "${UNPACKDIR}/cargo_home"

cargo_do_configure() {
    mkdir -p ${CARGO_HOME}
    {
        echo '[source.crates-io]'
        echo 'replace-with = "unpacked"'
        echo '[source.unpacked]'
        echo 'directory = "${CARGO_HOME}/bitbake"'
    } > ${CARGO_HOME}/config.toml
}

oe_cargo_build() {
    mkdir -p ${B}/target/${CARGO_TARGET_SUBDIR}
    echo "$*" >> ${B}/asked
    if [ -n "${GG_TEST_CARGO}" ]; then
        export RUSTFLAGS="${RUSTFLAGS}"
        ${GG_TEST_CARGO} --frozen --target ${RUST_HOST_SYS} --manifest-path ${S}/Cargo.toml --target-dir ${B}/target "$@"
        return
    fi
    while [ $# -gt 0 ]; do
        case $1 in
        greengrass-rs) echo greengrass > ${B}/target/${CARGO_TARGET_SUBDIR}/greengrass ;;
        gg-init) echo gg-init > ${B}/target/${CARGO_TARGET_SUBDIR}/gg-init ;;
        esac
        shift
    done
}

EXPORT_FUNCTIONS do_configure
