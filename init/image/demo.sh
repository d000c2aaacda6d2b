#!/bin/sh
# Shows an update on the device of `make image`, without a hand: version 2 is installed, tried and kept; version 3 is
# installed, does not pass its health check, and the device goes back to version 2 by itself.
#
# It types into the serial console, as you would, and the console is shown as it is. Nothing of it stays: the disk is a copy.
#
# ARCH, INIT   of the image, as in build.sh
# CONSOLE      a file that keeps the console
#
# shellcheck disable=SC2016 # what is in single quotes, the device expands
set -eu
cd "$(dirname "$0")/../.."

arch=${ARCH:-x86_64}
image=target/image/$arch
[ "${INIT:-busybox}" = busybox ] || image=$image-$INIT
# Seconds for each thing that is waited for; an emulated processor on a busy machine is slow.
patience=${PATIENCE:-600}
console=${CONSOLE:-$image/console-demo.log}
disk=$image/demo.img
viewer=

explain() {
	printf '\n'
	printf '==> %s\n' "$@"
	printf '\n'
}
fail() {
	printf '\n==> FAILED: %s; see %s\n' "$*" "$console" >&2
	exit 1
}
# shellcheck source=init/image/console.sh
. init/image/console.sh
end() {
	leave_console
	[ -z "$viewer" ] || kill "$viewer" 2>/dev/null || true
	rm -f "$disk" "$image/board.cfg"
}
trap end EXIT
trap 'exit 130' INT TERM

# enter COMMAND: typed into the device, and waited for. The typed line does not hold the answer.
enter() {
	pass
	echo "$1; echo do\"\"ne=\$?" >&3
	await 'done=[0-9]'
	shows 'done=0' || fail "'$1' failed"
	pass
}

for file in disk.img updates.img; do
	[ -f "$image/$file" ] || fail "$image/$file is missing: make boot DEMO=update makes it"
done
cp --sparse=always "$image/disk.img" "$disk"
# An emulated processor on a busy machine stands still for longer than the kernel of a slot on trial forgives a real one,
# and its timer fails the test of the kernel.
esp=$disk@@$(sed -n '/partition gg-esp /,/}/s/.*offset = \([0-9]*\)M/\1/p' init/image/genimage.cfg)M
mcopy -n -o -i "$esp" ::gg/board.cfg "$image/board.cfg"
sed -i 's/ quiet/ quiet watchdog_thresh=60 no_timer_check/' "$image/board.cfg"
mcopy -n -o -i "$esp" "$image/board.cfg" ::gg/board.cfg

explain "A device is switched on. Its disk has two slots, a and b, with version 1 in each; slot a runs." \
	"GRUB, kernel and gg-init come first; the shell is there after some 20 seconds."
switch_on ARCH="$arch" INIT="${INIT:-busybox}" DISK="$disk" UPDATES="$image/updates.img"
tail -f -n +1 "$console" 2>/dev/null &
viewer=$!
booted
enter 'version && mount -o ro /dev/vdb /mnt && ls /mnt'

explain "Version 2 comes as a RAUC bundle. It is verified, written into slot b, which does not run, and read back;" \
	"then the boot loader is told to try slot b, and the device starts again." \
	"On a real device /etc/greengrass/ota.conf says whom to trust; here the certificate is named."
pass
echo 'greengrass ota install --keyring /mnt/root.pem --reboot /mnt/version-2.raucb' >&3
await 'grub: trial'
await 'grub: slot b'
explain "GRUB has spent a try of slot b. Should it never say that it is well, slot a boots again."
booted
enter 'version'
explain "Version 2 is on trial. The daemon watches: mounts, itself, the components, the programs of health.d." \
	"When all have been well for a while, the slot is confirmed; that is one write of 512 bytes."
enter 'until grep -q "The new system is kept" /data/greengrass/v2/logs/greengrass.log; do sleep 1; done'

explain "Version 2 is kept. Version 3 has a health check that fails: it goes into slot a, where version 1 was."
enter 'mount -o ro /dev/vdb /mnt'
pass
echo 'greengrass ota install --keyring /mnt/root.pem --reboot /mnt/version-3.raucb' >&3
await 'grub: trial'
await 'grub: slot a'
explain "Version 3 boots, and does not pass its check: nobody needs to come, the device goes back by itself."
await 'grub: slot b'
pass
booted
enter 'version; [ "$(cat /usr/share/greengrass/image-version)" = 2 ]'
enter 'grep "^fact.slot-state" /run/greengrass/boot'
tail -c 4000 "$console" | grep -q 'rolled-back a' || fail "the boot report does not say that slot a was rolled back"
explain "Version 2 runs, as before, and says why: its boot report has slot a as rolled back. That was all."
switch_off
