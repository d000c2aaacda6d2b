#!/bin/sh
# What gg-init supervises in place of an init: the real daemon, and beside it the checks.
/bin/busybox --install -s /bin
/bin/busybox sh /test/checks.sh &
exec /usr/bin/greengrass greengrassd --root /data/greengrass/v2 --component-default-user ggc_user:ggc_group \
	>/dev/ttyS0 2>&1
