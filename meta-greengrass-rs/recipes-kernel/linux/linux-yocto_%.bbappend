# Does nothing without the distro feature. A kernel recipe of your own requires the same file.
# nooelint: oelint.spaces.lineend - the name of nothing is empty
require ${@bb.utils.contains('DISTRO_FEATURES', 'greengrass', 'linux-greengrass.inc', '', d)}
