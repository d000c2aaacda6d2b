# Reads the configuration that the kernel is built with, as `greengrass check` reads it on the device, and names each
# option that is missing, with what will not work without it. For any recipe that inherits kernel.

GREENGRASS_KERNEL_CHECK ?= "error"
GREENGRASS_KERNEL_CHECK[doc] = "What a kernel that cannot run components does to the build: error or warn"

do_greengrass_kernel_check () {
    if greengrass check --kernel-config ${B}/.config > ${WORKDIR}/greengrass-kernel-check.txt 2>&1; then
        bbnote "$(cat ${WORKDIR}/greengrass-kernel-check.txt)"
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
