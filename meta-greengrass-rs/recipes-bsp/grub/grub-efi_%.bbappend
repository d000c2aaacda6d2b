# What the boot script of the A/B image (init/image/grub.cfg) needs beyond OE-core's list.
# nooelint: oelint.vars.inconspaces - without the feature not even a space is appended
GRUB_BUILDIN:append = "${@bb.utils.contains('DISTRO_FEATURES', 'greengrass', ' echo sleep reboot', '', d)}"
