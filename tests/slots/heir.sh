#!/bin/sh
# Boots a virtual machine through an update, to see what the new system inherits of the former one's changes: with a
# migration that fails once, with a rollback, and with a second update into the same slot.
#
# The kernel, the initramfs and BusyBox are those of tests/boot; the slots are ours, and gg-init alone chooses them.
set -eu
cd "$(dirname "$0")/../.."

here=tests/boot
cache=target/heir
# shellcheck source=tests/boot/machine.sh
. "$here/machine.sh"

# MiB at which gg-state begins, on the disk of the data.
state=49
# Nobody but gg-init chooses the slot.
arguments=gg.backend=init-switch
slot_state() { target/debug/examples/slot-state "$data" "$state" - "$@" >"$cache/slot-state.log"; }

# The machine starts again before there is a root.
spends() {
	machine "$1" "$arguments" || true
	grep -aq "$2" "$cache/console.log" || fail "$1: not on the console: $2; see $cache/console.log"
	echo "ok - $1: $2"
}

update() {
	slot_state "$1" install "$2"
	slot_state "$1" written
	slot_state "$1" arm 3
}

prepare
mkdir -p "$cache/slot/etc/greengrass/migrations.d"
echo x >"$cache/slot/etc/greengrass/removed"
cp tests/slots/heir-tests.sh "$cache/slot/test/tests.sh"
cat >"$cache/slot/etc/greengrass/migrations.d/10-test" <<'MIGRATION'
#!/bin/busybox sh
# Sees the new root, with what was inherited, and fails as long as the data says so.
[ "$(/bin/busybox cat /etc/hostname)" = changed ] && [ -r /proc/self/status ] || exit 2
/bin/busybox echo run >>/data/migrations
/bin/busybox rm /data/fail 2>/dev/null && exit 1
/bin/busybox echo migrated >/etc/greengrass/layout
MIGRATION
chmod +x "$cache/slot/etc/greengrass/migrations.d/10-test"
rm -f "$cache/slot.squashfs"
mksquashfs "$cache/slot" "$cache/slot.squashfs" -all-root -noappend -quiet -no-progress -comp gzip >/dev/null
disk "$cache/disk.img" gg-a 12M "$cache/slot.squashfs" gg-b 12M "$cache/slot.squashfs"
disk "$cache/data.img" gg-data 48M - gg-state 1M -
cargo build --quiet -p gg-boot --example slot-state

boots former "$arguments"
update a 1
spends fails "migrate failed: cannot migrate by /etc/greengrass/migrations.d/10-test: exit code 1; this try is spent"
boots heir "$arguments"
slot_state b rollback
boots back "$arguments"
update a 2
boots again "$arguments"
echo "the new system inherits what it should"
