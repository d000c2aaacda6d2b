#!/bin/sh
# On a simulated device after the installation: test.sh PACKAGE VERSION

case $1 in
greengrass-rs*)
	for name in greengrass greengrassd greengrass-cli; do
		"$name" --version | grep -F "${2%-r*}" || exit 1
	done
	;;
esac
