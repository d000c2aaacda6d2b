#!/bin/sh
# Boots virtual machines through gg-init, well and with every fault of the boot, and cuts their power: run.sh [CUTS]
#
# ONLY="well cut_power" picks parts; SEED picks the instants of the cuts.
# What a machine says is in checks.sh. The console and the words of the last boot stay in target/boot.
# shellcheck disable=SC2317 # parts are called by name
set -eu
cd "$(dirname "$0")/../.."

here=tests/boot
cache=target/boot
cuts=${1:-5}
# shellcheck source=tests/boot/machine.sh
. "$here/machine.sh"

# boots TEST KERNEL_ARGUMENTS [QEMU_ARGUMENTS...]: the machine ends by itself, and all its checks pass.
boots() {
	machine "$@" || fail "$1: the machine did not end within $patience s, or QEMU failed; see $cache/console.log"
	tr -d '\r' <"$cache/checks.log"
	if grep -q '^not ok' "$cache/checks.log" || ! tail -n 3 "$cache/checks.log" | grep -q '^all .*checks passed'; then
		fail "$1: FAILED; see $cache/checks.log and $cache/console.log"
	fi
}

# console TEXT: the console has it.
console() { grep -aq "$1" "$cache/console.log" || fail "not on the console: $1; see $cache/console.log"; }

# spoil FILE OFFSET COUNT [SOURCE]: overwrites KiB.
spoil() { dd if="${4:-/dev/urandom}" of="$1" bs=1024 seek="$2" count="$3" conv=notrunc status=none; }

well() {
	boots first "gg.slot=q"
	boots other_slot "gg.init=/no/such/init" -rtc base=1970-01-02T00:00:00
	boots second ""
	boots well ""
	boots erased ""
	boots version_1 "gg.cgroup=v1 gg.overlay=none gg.watchdog-handover=keep"
}

faults() {
	boots full ""
	data_options=readonly=on boots read_only ""
	data='' boots missing "gg.wait=1"
	# The first superblock of the data, and the first of the two slots.
	spoil "$data" 1025 1
	cp "$slots" "$cache/broken.img"
	spoil "$cache/broken.img" 1024 4096
	slots=$cache/broken.img boots repaired ""
	spoil "$data" 1024 40960
	cp "$cache/disk.img" "$cache/broken.img"
	spoil "$cache/broken.img" 2048 11264 /dev/zero
	slots=$cache/broken.img boots garbage ""
	boots never "gg.data=never"
	boots formatted "gg.data=format"
}

# Machines without a word of the checks: what they did is on the console.
ends() {
	slots='' machine dead_end "gg.wait=0"
	console "cannot go on: no slot can be mounted"
	console "reboot in 1 s"
	echo "ok - dead_end: the machine says why, and reboots"
	machine crash "gg.init=/sbin/crashing-init"
	console "Attempted to kill init"
	echo "ok - crash: a next init that ends is a panic, and the machine reboots"
}

supervised() {
	patience=300 boots supervise "gg.init=greengrass"
	# Read-only in time: the journal has nothing to replay.
	dd if="$data" of="$cache/partition" bs=1M skip=1 count=48 status=none
	PATH="$PATH:/usr/sbin:/sbin" dumpe2fs -h "$cache/partition" 2>/dev/null | grep -q '^Filesystem state: *clean' ||
		fail "data is not clean after an ordered end"
	PATH="$PATH:/usr/sbin:/sbin" dumpe2fs -h "$cache/partition" 2>/dev/null | grep -q needs_recovery &&
		fail "the journal of data needs a replay after an ordered end"
	echo "ok - supervise: data is clean after an ordered end"
}

# Numbers from a seed, so that a failure can be had again.
random() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	echo $((seed / 65536 % $1))
}

# survives NUMBER: what was told to be synced before the last cut is there, if the machine came so far as to look.
survives() {
	found=$(tr -d '\r' <"$cache/checks.log" 2>/dev/null | sed -n 's/^found //p')
	[ -z "$found" ] || [ "$found" -ge "$1" ] ||
		fail "cut $cut (SEED=${SEED:-4}): $1 was synced, and $found is there; see $cache/console.log"
}

# Cuts the power at some instant of the boot or of what follows. How long a boot takes here is measured first, so that
# the instants lie where something happens on slow machines too.
cut_power() {
	seed=${SEED:-4}
	disk "$data" gg-data 48M -
	began=$(date +%s)
	machine report "" || fail "the machine did not end; see $cache/console.log"
	boot=$(($(date +%s) - began + 1))
	disk "$data" gg-data 48M -
	told=0
	cut=0
	while [ "$cut" -lt "$cuts" ]; do
		cut=$((cut + 1))
		seed=$(((seed * 1103515245 + 12345) % 2147483648))
		# From a third of a boot to two boots, in hundredths of a second.
		instant=$((boot * 33 + seed / 65536 % (boot * 167)))
		patience=$((instant / 100)).$((instant / 10 % 10)) machine cut "" && fail "the machine ended by itself"
		survives "$told"
		now=$(tr -d '\r' <"$cache/checks.log" 2>/dev/null | sed -n 's/^synced \([0-9]*\)$/\1/p' | tail -n 1)
		told=${now:-$told}
		say "cut $cut after $((instant / 100)) s: found ${found:-no time to look}, synced $told"
	done
	boots survived ""
	survives "$told"
	echo "ok - cut: $cuts cuts, and $told synced writes are there"
}

prepare
for part in ${ONLY:-well faults ends supervised cut_power}; do
	"$part"
done
echo "all boots went as they should"
