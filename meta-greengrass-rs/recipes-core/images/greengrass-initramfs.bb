SUMMARY = "Initramfs with gg-init as the first process"
DESCRIPTION = "What the boot loader hands the kernel: it checks the kernel, mounts slot, overlay and data, and executes \
the init of the slot."
LICENSE = "Apache-2.0"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "greengrass"

# Kernel modules that slot and data need before they are mounted, in the order to load them, each after those it needs,
# such as "mmc_core mmc_block"; none where they are built in.
GREENGRASS_INITRAMFS_MODULES ??= ""
# What gg-init mends a data partition with.
GREENGRASS_INITRAMFS_TOOLS ??= "e2fsprogs-e2fsck e2fsprogs-mke2fs"
# Lines of /etc/gg-init.conf, name=value, separated by \n; the kernel's arguments say the same as gg.name=value.
GREENGRASS_INIT_CONF ??= ""

PACKAGE_INSTALL = "greengrass-rs-init ${GREENGRASS_INITRAMFS_TOOLS} \
    ${@' '.join('kernel-module-' + name.replace('_', '-') for name in d.getVar('GREENGRASS_INITRAMFS_MODULES').split())}"
PACKAGE_EXCLUDE = "kernel-image-*"
IMAGE_FEATURES = ""
IMAGE_LINGUAS = ""
IMAGE_NAME_SUFFIX ?= ""
IMAGE_FSTYPES = "${INITRAMFS_FSTYPES}"
IMAGE_ROOTFS_SIZE = "8192"
IMAGE_ROOTFS_EXTRA_SPACE = "0"

greengrass_finish_initramfs () {
    ln -sf ${base_sbindir}/gg-init ${IMAGE_ROOTFS}/init
    # The kernel opens /dev/console before anybody mounts anything.
    for directory in dev proc run sys ${sysconfdir}; do
        install -d ${IMAGE_ROOTFS}/$directory
    done
    for name in ${GREENGRASS_INITRAMFS_MODULES}; do
        path=$(find ${IMAGE_ROOTFS}${nonarch_base_libdir}/modules -name $name.ko | head -n 1)
        if [ -z "$path" ]; then
            bbfatal "GREENGRASS_INITRAMFS_MODULES names $name, and there is no $name.ko; gg-init loads no compressed modules"
        fi
        echo "${path#${IMAGE_ROOTFS}}" >> ${IMAGE_ROOTFS}${sysconfdir}/gg-modules
    done
    printf '${GREENGRASS_INIT_CONF}\n' > ${IMAGE_ROOTFS}${sysconfdir}/gg-init.conf
}
ROOTFS_POSTPROCESS_COMMAND += "greengrass_finish_initramfs"
