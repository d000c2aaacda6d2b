# nooelint: oelint.var.mandatoryvar.SRC_URI - it is made of images of this build
SUMMARY = "Update bundle of the A/B image"
DESCRIPTION = "The root file system of greengrass-image-ab, signed for devices that run it. Made to be copied: a bundle of \
your own is this file with another image, and the version of your product as its own."
LICENSE = "Apache-2.0"

inherit greengrass_bundle

GREENGRASS_SLOT_rootfs = "greengrass-image-ab"
