SUMMARY = "A/B disk image with the Greengrass runtime and an example component"
DESCRIPTION = "A read-only root in two slots, gg-init in the initramfs, state on a data partition. Made to be copied: an \
image of your own is this file with other packages."
LICENSE = "Apache-2.0"

inherit core-image greengrass_ab_image

IMAGE_INSTALL += "greengrass-example-hello packagegroup-greengrass"

# Whom the device takes updates from; without the certificates of anybody, it takes none.
IMAGE_INSTALL += "${@'greengrass-ota-conf' if d.getVar('GREENGRASS_KEYRING_FILE') else ''}"
