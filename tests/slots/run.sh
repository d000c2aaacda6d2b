#!/bin/sh
# Boots the disk of `make image` through trials and lost state, with the real firmware, GRUB, kernel and gg-init; by our
# script, and by one that does as RAUC's.
#
# Between two boots the machine is cut off, as by a power cut; the state is changed as an installer would, by the same
# code, or destroyed. Consoles stay in target/image/<arch>.
set -eu
cd "$(dirname "$0")/../.."

arch=${ARCH:-x86_64}
image=target/image/$arch
disk=$image/slots.img
# Seconds from power-on until gg-init hands over; it takes some 10 on an idle machine.
patience=${PATIENCE:-240}
passed=0
boots=0
machine=
# That of our own script, unless it is said: `grub-rauc:`.
backend=

say() { printf 'slots-test: %s\n' "$*" >&2; }
fail() {
	say "FAILED: $*; see ${console-}"
	[ ! -f "${console-}" ] || tail -n 15 "$console" >&2
	exit 1
}
ok() {
	passed=$((passed + 1))
	say "ok: $*"
}
cut_power() {
	[ -z "$machine" ] || kill -9 "$machine" 2>/dev/null || true
	machine=
}
tidy() {
	cut_power
	rm -f "$disk" "$image/slots.keyboard" "$image/slots.env"
}
trap tidy EXIT

# Where a partition begins is in one place; in MiB.
offset() { sed -n "/partition $1 /,/}/s/.*offset = \\([0-9]*\\)M/\\1/p" init/image/genimage.cfg; }
state=$(offset gg-state)
esp=$(offset gg-esp)

# As it leaves the factory. An emulated processor on a busy machine stands still for longer than the kernel of a slot
# on trial forgives a real one.
fresh() {
	cp --sparse=always "$image/disk.img" "$disk"
	mcopy -n -o -i "$disk@@${esp}M" ::gg/board.cfg "$image/slots.env"
	sed -i 's/ quiet/ quiet watchdog_thresh=60 no_timer_check/' "$image/slots.env"
	mcopy -n -o -i "$disk@@${esp}M" "$image/slots.env" ::gg/board.cfg
}
slot_state() { target/debug/examples/slot-state "$disk" "$state" "$backend$esp" "$@"; }
garbage() { dd if=/dev/urandom of="$disk" bs=1M seek="$(offset "$1")" count=20 conv=notrunc status=none; }
# spoil SLOT FILE: garbage of the same size is all that differs.
spoil() {
	rm -rf "$image/spoiled" "$image/spoiled.img"
	dd if="$disk" of="$image/spoiled.img" bs=1M skip="$(offset "gg-$1")" count=96 status=none
	unsquashfs -quiet -no-progress -no-xattrs -d "$image/spoiled" "$image/spoiled.img" >/dev/null
	size=$(wc -c <"$image/spoiled/boot/$2")
	head -c "$size" /dev/urandom >"$image/spoiled/boot/$2.new"
	mv -f "$image/spoiled/boot/$2.new" "$image/spoiled/boot/$2"
	rm "$image/spoiled.img"
	mksquashfs "$image/spoiled" "$image/spoiled.img" -comp gzip -all-root -no-xattrs -no-progress -quiet >/dev/null
	dd if="$image/spoiled.img" of="$disk" bs=1M seek="$(offset "gg-$1")" conv=notrunc status=none
	rm -rf "$image/spoiled" "$image/spoiled.img"
}
environment() {
	mcopy -n -o -i "$disk@@${esp}M" ::gg/grubenv "$image/slots.env"
	grub-editenv "$image/slots.env" list | tr '\n' ' '
}
expect_environment() {
	found=$(environment)
	[ "$found" = "$1 " ] || fail "the environment is '$found', not '$1'"
	ok "environment: $1"
}
# has VARIABLE=VALUE...: whatever else there is.
has() {
	for pair in "$@"; do
		case " $(environment)" in
		*" $pair "*) ;;
		*) return 1 ;;
		esac
	done
}
expect() {
	has "$@" || fail "the environment is '$(environment)', without one of: $*"
	ok "environment: $*"
}
expect_status() {
	slot_state "$1" status >"$image/slots.status"
	grep -q "$2" "$image/slots.status" || fail "no '$2' in: $(cat "$image/slots.status")"
	ok "state: $2"
}

# boot NAME PATTERN: powers on, and off once the console shows the pattern.
boot() {
	power_on "$@"
	# What the console shows is later than what was written before it.
	cut_power
	exec 3>&-
	ok "$1: $2"
}

# power_on NAME PATTERN: until the console shows it.
power_on() {
	boots=$((boots + 1))
	console=$image/slots-$boots-$1.log
	# A console of the run before would say what is waited for.
	rm -f "$image/slots.keyboard" "$console"
	mkfifo "$image/slots.keyboard"
	ARCH=$arch DISK=$disk KEEP=1 init/image/boot.sh <"$image/slots.keyboard" >"$console" 2>&1 &
	machine=$!
	exec 3>"$image/slots.keyboard"
	patient=$((patience * 5))
	until grep -q "$2" "$console" 2>/dev/null; do
		[ "$patient" -gt 0 ] || fail "$1: no '$2' within $patience s"
		kill -0 "$machine" 2>/dev/null || { sleep 0.2; grep -q "$2" "$console" || fail "$1: ended without '$2'"; }
		patient=$((patient - 1))
		sleep 0.2
	done
}

# Until the shell asks, by which time everything is as it stays.
up() { boot "$1" "greengrass# "; }

# served NAME VARIABLE=VALUE...: up, and until the daemon has written that.
served() {
	power_on "$1" "greengrass# "
	name=$1
	shift
	patient=$((patience * 2))
	until has "$@"; do
		[ "$patient" -gt 0 ] || fail "$name: the environment is '$(environment)', without one of: $*"
		patient=$((patient - 1))
		sleep 0.5
	done
	cut_power
	exec 3>&-
	ok "$name: $*"
}
loaded() { grep -q "grub: slot $1" "$console" || fail "GRUB did not load slot $1"; }

[ -f "$image/disk.img" ] || {
	say "$image/disk.img is missing: make image ARCH=$arch"
	exit 1
}
cargo build --quiet -p gg-boot --example slot-state

say "a slot on trial that is never confirmed"
fresh
up first
loaded a
expect_status a 'record: ok=a try=- '
before=$(dd if="$disk" bs=1M skip=1 count=65 status=none | sha256sum)
up ordinary
[ "$before" = "$(dd if="$disk" bs=1M skip=1 count=65 status=none | sha256sum)" ] || fail "an ordinary boot wrote to gg-esp or gg-state"
ok "an ordinary boot writes nothing to gg-esp and gg-state"
slot_state a install >/dev/null
slot_state a written
slot_state a arm 3
expect_environment "gg_ok=a gg_try=b gg_left=3 gg_failed="
for left in 2 1 0; do
	up "trial-$left"
	loaded b
	expect_environment "gg_ok=a gg_try=b gg_left=$left gg_failed="
done
up spent
loaded a
expect_environment "gg_ok=a gg_try= gg_left= gg_failed="
expect_status a 'record: ok=a try=- reason=tries-spent'
expect_status a 'slot b: bad'
expect_status a 'event .*: tried b left=0'
expect_status a 'event .*: rolled-back b '
up after
loaded a

say "a slot on trial that is confirmed"
fresh
up first
slot_state a install >/dev/null
slot_state a written
slot_state a arm 3
up trial
slot_state b confirm
up confirmed
loaded b
expect_environment "gg_ok=b gg_try= gg_left= gg_failed="

say "an environment of zeros, when slot b is confirmed"
dd if=/dev/zero of="$image/slots.env" bs=1024 count=1 status=none
mcopy -n -o -i "$disk@@${esp}M" "$image/slots.env" ::gg/grubenv
boot zeroed "slot state: repaired; reboot"
loaded a
up repaired
loaded b
expect_environment "gg_ok=b gg_try= gg_left= gg_failed="

say "no environment file, when slot b is confirmed"
mdel -i "$disk@@${esp}M" ::gg/grubenv
boot lost "slot state: repaired; reboot"
loaded a
up made-anew
loaded b
expect_environment "gg_ok=b gg_try= gg_left= gg_failed="

say "a confirmed slot of garbage"
garbage gg-b
up fallen
loaded a
expect_status a 'record: ok=a try=- reason=unreadable'
expect_environment "gg_ok=a gg_try= gg_left= gg_failed="

say "a slot on trial of garbage"
slot_state a install >/dev/null
slot_state a written
slot_state a arm 3
up garbage
grep -q "grub: slot b does not boot" "$console" || fail "GRUB did not try slot b"
loaded a
expect_environment "gg_ok=a gg_try= gg_left= gg_failed="
expect_status a 'slot b: bad'

say "a confirmed slot whose kernel alone is garbage"
fresh
up first
slot_state a install >/dev/null
slot_state a written
slot_state a arm 3
up trial
slot_state b confirm
spoil b vmlinuz
up kernel-lost
grep -q "grub: slot b does not boot" "$console" || fail "GRUB did not try slot b"
loaded a
expect_status a 'record: ok=a try=- reason=unreadable'
expect_environment "gg_ok=a gg_try= gg_left= gg_failed="

say "a slot on trial whose kernel alone is garbage"
slot_state a install >/dev/null
slot_state a written
slot_state a arm 3
up kernel-garbage
grep -q "grub: slot b does not boot" "$console" || fail "GRUB did not try slot b"
loaded a
expect_environment "gg_ok=a gg_try= gg_left= gg_failed="
expect_status a 'slot b: bad'

say "a slot on trial whose initramfs alone is garbage"
fresh
up first
spoil b initramfs
slot_state a install >/dev/null
slot_state a written
slot_state a arm 2
# The kernel panics and starts the machine again, twice; then the tries are spent.
up initramfs-garbage
[ "$(grep -c "Kernel panic - not syncing" "$console")" = 2 ] || fail "the kernel of slot b did not panic twice"
loaded a
expect_environment "gg_ok=a gg_try= gg_left= gg_failed="
expect_status a 'record: ok=a try=- reason=tries-spent'
expect_status a 'slot b: bad'
say "RAUC's script, which counts every boot"
fresh
backend=grub-rauc:
mcopy -n -o -i "$disk@@${esp}M" tests/slots/rauc.cfg ::gg/grub.cfg
grub-editenv "$image/slots.env" create
grub-editenv "$image/slots.env" set "ORDER=A B" A_OK=1 A_TRY=0 B_OK=1 B_TRY=0
mcopy -n -o -i "$disk@@${esp}M" "$image/slots.env" ::gg/grubenv
boot first "grub: slot a"
expect A_TRY=1
boot tried "grub: slot b"
expect B_TRY=1
served defaults A_TRY=0
loaded a
expect gg_ok=a
slot_state a install >/dev/null
expect B_OK=0
slot_state a written
slot_state a arm 1
expect "ORDER=B A" A_OK=1 A_TRY=0 B_OK=1 B_TRY=0 gg_ok=a gg_try=b
up trial
loaded b
expect B_TRY=1
served spent A_TRY=0
loaded a
expect "ORDER=A B" B_OK=0 gg_ok=a
expect_status a 'record: ok=a try=- reason=tries-spent'
expect_status a 'slot b: bad'
slot_state a install 2 >/dev/null
slot_state a written
slot_state a arm 1
up again
slot_state b confirm
expect "ORDER=B A" A_OK=1 B_OK=1 B_TRY=0 gg_ok=b
served confirmed B_TRY=0
loaded b
# That says nothing about slot b.
boot cut "grub: slot b"
boot counted "slot state: repaired; reboot"
loaded a
served back B_TRY=0
loaded b

say "all $passed checks passed in $boots boots"
