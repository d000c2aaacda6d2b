#!/bin/sh
# Boots a machine some times and prints the boot report of each, a line of dashes behind each: bench.sh BOOTS
# Or has gg-init supervise, and prints its memory after a flood of orphans, in KiB of PSS: bench.sh memory
set -eu
cd "$(dirname "$0")/../.."

here=tests/boot
cache=target/boot
# shellcheck source=tests/boot/machine.sh
. "$here/machine.sh"

prepare
if [ "$1" = memory ]; then
	patience=300
	machine supervise "gg.init=greengrass" || fail "the machine did not end; see $cache/console.log"
	tr -d '\r' <"$cache/checks.log" | sed -n 's/^# PID 1 takes \([0-9]*\) KiB PSS$/\1/p'
	exit
fi
# The first boot formats the data; the others are what a device does every day.
machine report "" || fail "the machine did not end; see $cache/console.log"
boots=$1
while [ "$boots" -gt 0 ]; do
	boots=$((boots - 1))
	machine report "" || fail "the machine did not end; see $cache/console.log"
	tr -d '\r' <"$cache/checks.log"
	echo ---
done
