# Reads the configuration that the kernel is built with, as `greengrass check` reads it on the device, and names each
# option that is missing, with what will not work without it. For any recipe that inherits kernel.

GREENGRASS_KERNEL_CHECK ?= "error"
GREENGRASS_KERNEL_CHECK[doc] = "error: a kernel that the runtime cannot work on ends the build, one on which something does \
not work is a warning; strict: both end it; warn: neither does"

do_greengrass_kernel_check () {
    strict=
    [ "${GREENGRASS_KERNEL_CHECK}" != strict ] || strict=--strict
    if greengrass check $strict --no-color --only kernel --kernel-config ${B}/.config > ${WORKDIR}/greengrass-kernel-check.txt 2>&1; then
        # Some things will not work, and the runtime copes.
        if grep -q '^ *degraded' ${WORKDIR}/greengrass-kernel-check.txt; then
            bbwarn "${PN}: $(cat ${WORKDIR}/greengrass-kernel-check.txt)"
        fi
        return
    fi
    message="${PN}: this kernel cannot run components as the runtime promises:
$(cat ${WORKDIR}/greengrass-kernel-check.txt)
Add the options to the configuration of the kernel (kernel-config/ has them as fragments), or accept it with GREENGRASS_KERNEL_CHECK = \"warn\""
    case "${GREENGRASS_KERNEL_CHECK}" in
    warn) bbwarn "$message" ;;
    *) bbfatal "$message" ;;
    esac
}
do_greengrass_kernel_check[depends] += "greengrass-rs-native:do_populate_sysroot"
do_greengrass_kernel_check[doc] = "Names the kernel options that the Greengrass runtime misses"
addtask greengrass_kernel_check after do_configure before do_compile
