# Leaves a file for each program it was asked to build, with its name as the content.
B = "${WORKDIR}/build"
CARGO_TARGET_SUBDIR = "test/release"

oe_cargo_build() {
    mkdir -p ${B}/target/${CARGO_TARGET_SUBDIR}
    while [ $# -gt 0 ]; do
        case $1 in
        greengrass-rs) echo greengrass > ${B}/target/${CARGO_TARGET_SUBDIR}/greengrass ;;
        gg-init) echo gg-init > ${B}/target/${CARGO_TARGET_SUBDIR}/gg-init ;;
        esac
        shift
    done
}
