# Says what is missing when the layer is there but its distro feature is not, instead of an image without cgroups.
# SKIP_GREENGRASS_SANITY_CHECK = "1" silences it.

addhandler greengrass_sanity
greengrass_sanity[eventmask] = "bb.event.SanityCheck"
python greengrass_sanity () {
    if bb.utils.to_boolean(d.getVar("SKIP_GREENGRASS_SANITY_CHECK")):
        return
    if not bb.utils.contains("DISTRO_FEATURES", "greengrass", True, False, d):
        bb.warn("meta-greengrass-rs is in bblayers.conf, but 'greengrass' is not in DISTRO_FEATURES: the kernel is left "
                "as it is. Add DISTRO_FEATURES:append = \" greengrass\" to the configuration of your distribution, "
                "or silence this with SKIP_GREENGRASS_SANITY_CHECK = \"1\".")
}
