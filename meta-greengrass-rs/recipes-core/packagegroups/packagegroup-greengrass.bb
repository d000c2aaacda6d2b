SUMMARY = "The Greengrass runtime, and what its components usually need"
SUMMARY:${PN}-python = "Interpreter and virtual environments for components in Python"
DESCRIPTION = "The daemon, its command line, settings, and the deployment of components that are part of the image."

inherit packagegroup

PACKAGES = "${PN} ${PN}-python"

RDEPENDS:${PN} = "\
    ca-certificates \
    greengrass-baked \
    greengrass-rs \
    greengrass-rs-cli \
    greengrass-rs-conf \
"

RDEPENDS:${PN}-python = "python3-modules python3-venv"
