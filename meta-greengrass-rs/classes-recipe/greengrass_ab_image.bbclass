# Makes an image recipe an A/B disk: two slots with the same read-only root, gg-init before it, state on gg-data.
#
#   inherit core-image greengrass_ab_image

inherit features_check
# nooelint: oelint.file.requirenotfound - it is OE-core's
require conf/image-uefi.conf

REQUIRED_DISTRO_FEATURES = "greengrass"
REQUIRED_MACHINE_FEATURES = "${@'' if d.getVar('GREENGRASS_AB_BOOT') != 'grub-efi' else 'efi'}"

GREENGRASS_AB_BOOT ?= "grub-efi"
GREENGRASS_AB_BOOT[doc] = "grub-efi, or none for a board whose own WKS_FILE says how it boots"
GREENGRASS_SLOT_SIZE ?= "512"
GREENGRASS_SLOT_SIZE[doc] = "Size of each of the two slots in MiB; it can never be changed on a device"
GREENGRASS_DATA_SIZE ?= "256"
GREENGRASS_DATA_SIZE[doc] = "Size of the data partition in MiB; it is the last one, so a device may let it grow"
GREENGRASS_APPEND ?= "console=ttyS0,115200"
GREENGRASS_APPEND[doc] = "Arguments of the kernel; gg-init's are spelled gg.name=value"

IMAGE_FEATURES += "read-only-rootfs"
IMAGE_FSTYPES = "ext4 wic wic.bmap"
WKS_FILE ?= "greengrass-image-ab.wks.in"
# nooelint: oelint.vars.inconspaces - a list with colons
WKS_SEARCH_PATH:append = ":${GREENGRASS_RS_LAYER}/recipes-core/images"

# One file system for both slots and for updates: the same content gives the same bytes, which delta updates live from.
# nooelint: oelint.vars.specific - an image type
IMAGE_TYPEDEP:wic = "ext4"
GREENGRASS_SLOT_IMAGE = "${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.ext4"
GREENGRASS_SLOT_UUID ?= "6e7b1f60-5d0c-4a51-9d8e-67672d736c6f"
# nooelint: oelint.vars.specific - an image type
EXTRA_IMAGECMD:ext4 = "-i 4096 -b 4096 -U ${GREENGRASS_SLOT_UUID} -E hash_seed=${GREENGRASS_SLOT_UUID}"

# The kernel of a slot lies in it, with the initramfs: they are updated and rolled back with the root.
IMAGE_INSTALL:append = " kernel-image kernel-modules"
do_rootfs[depends] += "greengrass-initramfs:do_image_complete"

greengrass_finish_slot () {
    # The first type is the one that is for booting.
    for type in ${INITRAMFS_FSTYPES}; do
        install -D -m 0644 ${DEPLOY_DIR_IMAGE}/greengrass-initramfs-${MACHINE}.$type ${IMAGE_ROOTFS}/boot/greengrass-initramfs
        break
    done
    # Mount points of what gg-init moves here; nobody can make them later.
    for directory in data run proc sys dev tmp; do
        install -d ${IMAGE_ROOTFS}/$directory
    done
}
ROOTFS_POSTPROCESS_COMMAND += "greengrass_finish_slot"

# The partition that the firmware reads.
GREENGRASS_ESP = "${WORKDIR}/greengrass-esp"
do_image_wic[depends] += "${@'grub-efi:do_deploy' if d.getVar('GREENGRASS_AB_BOOT') == 'grub-efi' else ''}"
do_image_wic[prefuncs] += "${@'greengrass_make_esp' if d.getVar('GREENGRASS_AB_BOOT') == 'grub-efi' else ''}"
do_image_wic[file-checksums] += "${GREENGRASS_RS_REPOSITORY}/init/image/grub.cfg:True"

greengrass_make_esp () {
    rm -rf ${GREENGRASS_ESP}
    install -d ${GREENGRASS_ESP}/EFI/BOOT ${GREENGRASS_ESP}/gg
    install -m 0644 ${DEPLOY_DIR_IMAGE}/grub-efi-${EFI_BOOT_IMAGE} ${GREENGRASS_ESP}/EFI/BOOT/${EFI_BOOT_IMAGE}
    install -m 0644 ${GREENGRASS_RS_REPOSITORY}/init/image/grub.cfg ${GREENGRASS_ESP}/EFI/BOOT/grub.cfg
    # What the script asks of the board.
    {
        echo 'serial --unit=0 --speed=115200'
        echo 'terminal_input console serial'
        echo 'terminal_output console serial'
        echo 'set gg_kernel=${KERNEL_IMAGETYPE}'
        echo 'set gg_initramfs=greengrass-initramfs'
        echo 'set gg_arguments="${APPEND} ${GREENGRASS_APPEND}"'
    } > ${GREENGRASS_ESP}/gg/board.cfg
    # An environment block of GRUB: it is overwritten in place, so it has its whole size from the beginning.
    { printf '# GRUB Environment Block\ngg_ok=a\ngg_try=\ngg_left=\ngg_failed=\n'; printf '%1024s' | tr ' ' '#'; } | head -c 1024 > ${GREENGRASS_ESP}/gg/grubenv
}
