SUMMARY = "Example: a component that is part of the image"
DESCRIPTION = "The component com.example.HelloShell of the repository's examples, deployed at the first start."
SECTION = "examples"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"
CVE_PRODUCT = "greengrass-rs"

inherit allarch greengrass_component

FILESEXTRAPATHS:prepend := "${GREENGRASS_RS_REPOSITORY}/docs/examples/recipes:${GREENGRASS_RS_REPOSITORY}:"
SRC_URI = "\
    file://LICENSE \
    file://com.example.HelloShell-${PV}.yaml \
"

S = "${UNPACKDIR}"
B = "${WORKDIR}/build"

GREENGRASS_COMPONENT_RECIPE = "${UNPACKDIR}/com.example.HelloShell-${PV}.yaml"
