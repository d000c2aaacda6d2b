#!/bin/sh
# Boots a machine some times and prints the boot report of each, a line of dashes behind each: bench.sh BOOTS
set -eu
cd "$(dirname "$0")/../.."

here=tests/boot
cache=target/boot
# shellcheck source=tests/boot/machine.sh
. "$here/machine.sh"

prepare
# The first boot formats the data; the others are what a device does every day.
machine report "" || fail "the machine did not end; see $cache/console.log"
boots=$1
while [ "$boots" -gt 0 ]; do
	boots=$((boots - 1))
	machine report "" || fail "the machine did not end; see $cache/console.log"
	tr -d '\r' <"$cache/checks.log"
	echo ---
done
