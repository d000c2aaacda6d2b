# Does nothing without the distro feature.
# nooelint: oelint.spaces.lineend - the name of nothing is empty
require ${@bb.utils.contains('DISTRO_FEATURES', 'greengrass', 'grub-efi-greengrass.inc', '', d)}
