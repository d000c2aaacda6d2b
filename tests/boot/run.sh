#!/bin/sh
# Boots virtual machines through gg-init, well and with every fault of the boot, and cuts their power: run.sh [CUTS]
#
# ONLY="well cut_power" picks parts; SEED picks the instants of the cuts.
# What a machine says is in tests.sh. The console and the words of the last boot stay in target/boot.
# shellcheck disable=SC2317 # parts are called by name
set -eu
cd "$(dirname "$0")/../.."

here=tests/boot
cache=target/boot
cuts=${1:-5}
# shellcheck source=tests/boot/machine.sh
. "$here/machine.sh"

# console TEXT: the console has it.
console() { grep -aq "$1" "$cache/console.log" || fail "not on the console: $1; see $cache/console.log"; }

# spoil FILE OFFSET COUNT [SOURCE]: overwrites KiB.
spoil() { dd if="${4:-/dev/urandom}" of="$1" bs=1024 seek="$2" count="$3" conv=notrunc status=none; }

# With drivers as modules, then with everything built in.
well() {
	system=debian boots first "gg.slot=q"
	system=debian boots other_slot "gg.init=/no/such/init" -rtc base=1970-01-02T00:00:00
	boots second ""
	boots well ""
	boots erased ""
	system=debian boots version_1 "gg.cgroup=v1 gg.overlay=none gg.watchdog-handover=keep"
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

# Each field of the data's superblock in turn, all bits of it set; for `make test-long`. The field's offset, in hex.
fields() {
	disk "$data" gg-data 48M -
	boots marked ""
	cp "$data" "$cache/marked.img"
	for offset in 00 04 08 14 18 20 28 38 3a 3c 48 4c 54 58 5c 60 64 e0 fe 150 174 3fc; do
		cp "$cache/marked.img" "$data"
		printf '\377\377' | dd of="$data" bs=1 seek=$((1024 * 1025 + 0x$offset)) conv=notrunc status=none
		boots field ""
	done
}

# A kernel that lacks one option each: what would register the thing is not called.
options() {
	disk "$data" gg-data 48M -
	boots marked ""
	boots no_overlay "initcall_blacklist=ovl_init"
	boots no_ext4 "initcall_blacklist=ext4_init_fs gg.data=format"
	boots no_watchdog "initcall_blacklist=softdog_init"
	slots=$cache/disk.img machine no_squashfs "initcall_blacklist=init_squashfs_fs"
	console "slot failed: cannot mount .* as squashfs: No such device"
	console "cannot go on: no slot can be mounted"
	echo "ok - no_squashfs: the machine says why, and reboots"
	boots field ""
}

# The device itself: gg-init, the daemon, a component; with every kind of control groups, and with little memory.
device() {
	disk "$data" gg-data 48M -
	us="gg.init=greengrass gg.supervise=/test/device.sh"
	memory=48 patience=300 boots component "$us cgroup_no_v1=all"
	patience=300 boots component "$us gg.cgroup=v1"
	patience=300 boots component "$us gg.cgroup=none"
}

# Machines without a word of the checks: what they did is on the console.
ends() {
	slots='' machine dead_end "gg.wait=0"
	console "cannot go on: no slot can be mounted"
	console "reboot in 1 s"
	echo "ok - dead_end: the machine says why, and reboots"
	disk "$data" gg-data 48M -
	for end in crashing-init segfaulting-init crashing-init; do
		machine crash "gg.init=/sbin/$end"
		console "Attempted to kill init"
	done
	echo "ok - crash: a next init that ends is a panic, and the machine reboots"
	boots unsettled "gg.unsettled=3 gg.supervise=/test/device.sh"
	echo "ok - unsettled: after three of them gg-init stays"
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

# Numbers below $1 from a seed, so that a failure can be had again.
random() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	drawn=$((seed / 65536 % $1))
}

# What the machine said until the cut, but for a line that was cut itself.
whole_lines() { sed -n 's/\r$//p' "$cache/checks.log" 2>/dev/null || true; }

# survives NUMBER: what was told to be synced before the last cut is there, if the machine came so far as to look; and
# the device is in the state it should be in.
survives() {
	found=$(whole_lines | sed -n 's/^found \([0-9]*\)$/\1/p')
	[ -n "$found" ] || return 0
	[ "$found" -ge "$1" ] ||
		fail "cut $cut (SEED=${SEED:-4}): $1 was synced, and $found is there; see $cache/console.log"
	state=$(whole_lines | grep '^state ') || return 0
	[ "$state" = "state kept, overlay on data" ] || fail "cut $cut (SEED=${SEED:-4}): $state; see $cache/checks.log"
}

# Cuts the power between the start of PID 1 and as long after the boot as the boot takes. How long that is here is
# measured first, and from then on learned from every cut: a busy host is slow now and then. The whole range is cut into
# as many parts as there are cuts, and each is cut once, at a random place.
cut_power() {
	seed=${SEED:-4}
	disk "$data" gg-data 48M -
	began=$(date +%s)
	machine report "" || fail "the machine did not end; see $cache/console.log"
	# Hundredths of a second until the slot's init runs; per mille of them that are the kernel's.
	boot=$((($(date +%s) - began + 1) * 100))
	early=$(tr -d '\r' <"$cache/checks.log" |
		awk -F '\t' '$1 == "step" && !first { first = $3 } $1 == "end" { print int(first * 1000 / $2) }')
	disk "$data" gg-data 48M -
	told=0 cut=0 in_boot=0 in_use=0
	while [ "$cut" -lt "$cuts" ]; do
		cut=$((cut + 1))
		random 1000
		share=$(((cut * 7 % cuts * 1000 + drawn) / cuts))
		start=$((boot * early / 1000))
		instant=$((start + (2 * boot - 2 * start + 200) * share / 1000))
		# After some boots the daemon would be started in place of the init that checks.
		patience=$((instant / 100)).$((instant / 10 % 10))$((instant % 10)) machine cut gg.unsettled=0 &&
			fail "the machine ended by itself"
		survives "$told"
		now=$(whole_lines | sed -n 's/^synced \([0-9]*\)$/\1/p' | tail -n 1)
		told=${now:-$told}
		if [ -n "$found" ]; then
			in_use=$((in_use + 1))
			[ "$instant" -ge "$boot" ] || boot=$((boot - (boot - instant) / 3))
		else
			in_boot=$((in_boot + 1))
			[ "$instant" -le "$boot" ] || boot=$((boot + (instant - boot) / 3))
		fi
		say "cut $cut after $((instant / 100)) s: found ${found:-no time to look}, synced $told"
	done
	boots survived gg.unsettled=0
	survives "$told"
	[ -n "$found" ] || fail "the last boot did not look for what was synced; see $cache/checks.log"
	echo "ok - cut: $cuts cuts, $in_boot of them while it boots, and $told synced writes are there"
}

prepare
for part in ${ONLY:-well faults options device ends supervised cut_power}; do
	"$part"
done
echo "all boots went as they should"
