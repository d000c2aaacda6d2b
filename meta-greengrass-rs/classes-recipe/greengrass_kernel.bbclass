# Adds the options of the runtime to a kernel recipe that merges fragments (kernel-yocto), and checks what came of them.
#
# The fragments are those of kernel-config/ at the top of the repository, which `greengrass check` is compiled from, too.
# greengrass.scc lists them; a board that wants only some names those in its place:
#   GREENGRASS_KERNEL_FEATURES = "cgroups.cfg namespaces.cfg"

FILESEXTRAPATHS:prepend := "${GREENGRASS_RS_REPOSITORY}/kernel-config:"

GREENGRASS_KERNEL_FEATURES ?= "greengrass.scc ${@greengrass_kernel_fragments(d)}"
GREENGRASS_KERNEL_FEATURES[doc] = "Files of kernel-config that are merged into the configuration of the kernel"

SRC_URI:append = " ${@' '.join('file://' + name for name in d.getVar('GREENGRASS_KERNEL_FEATURES').split())}"

# The .scc names them, and they must lie beside it.
def greengrass_kernel_fragments(d):
    directory = os.path.join(d.getVar("GREENGRASS_RS_REPOSITORY"), "kernel-config")
    bb.parse.mark_dependency(d, directory)
    return " ".join(sorted(name for name in os.listdir(directory) if name.endswith(".cfg")))

inherit greengrass_kernel_check
