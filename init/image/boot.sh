#!/bin/sh
# Boots target/image/<arch>/disk.img in QEMU, with the serial console on this terminal.
#
# ARCH   x86_64 (default) or aarch64
# INIT   busybox (default) or systemd, as it was built
# LOADER grub (default) or uboot, as it was built
# KEEP   1: what the device writes stays in the disk; otherwise it is gone with the machine
# DISK   another disk to boot
# FIRMWARE  another firmware to boot it with
# UPDATES  a second disk, which the device can only read
# LOG    a file for each write to the disk, as dm-log-writes has them; the disk as it was stays in LOG.base
# ACCEL  what QEMU computes with; default: the processor of this machine where it can, else TCG
set -eu
cd "$(dirname "$0")/../.."

arch=${ARCH:-x86_64}
image=target/image/$arch
[ "${INIT:-busybox}" = busybox ] || image=$image-$INIT
[ "${LOADER:-grub}" = grub ] || image=$image-$LOADER
disk=${DISK:-$image/disk.img}
snapshot=on
[ "${KEEP:-0}" != 1 ] || snapshot=off

say() { printf 'boot: %s\n' "$*" >&2; }
[ -f "$disk" ] || {
	say "$disk is missing: make image ARCH=$arch INIT=${INIT:-busybox}"
	exit 1
}

case $arch in
x86_64) set -- -machine q35 -cpu max ;;
# Of what `max` can do, pointer authentication alone takes longer than all the rest of a boot to compute.
aarch64) set -- -machine virt -cpu cortex-a72 ;;
*)
	say "ARCH is x86_64 or aarch64, not $arch"
	exit 1
	;;
esac
command -v "qemu-system-$arch" >/dev/null || {
	say "qemu-system-$arch is missing: make setup"
	exit 1
}

# A KVM that is there may still not work, as in some virtual machines.
kvm_works() {
	[ "$arch" = "$(uname -m)" ] && [ -w /dev/kvm ] &&
		echo quit | qemu-system-"$arch" "$@" -accel kvm -cpu host -nodefaults -display none -S -monitor stdio >/dev/null 2>&1
}

if [ -z "${ACCEL-}" ]; then
	ACCEL=tcg,thread=multi
	! kvm_works "$@" 2>/dev/null || ACCEL=kvm
fi

[ ! -t 0 ] || say "Ctrl-A X ends the machine, poweroff shuts it down. Firmware and kernel are quiet for some seconds."
# The last of two processors counts.
[ "$ACCEL" != kvm ] || set -- "$@" -cpu host
# The firmware and the kernel count disks as they come here: the device's own is the first.
if [ -n "${LOG-}" ]; then
	cp --sparse=always "$disk" "$LOG.base"
	: >"$LOG"
	set -- "$@" -blockdev "driver=file,node-name=log,filename=$LOG" -blockdev "driver=file,node-name=file,filename=$disk" \
		-blockdev driver=raw,node-name=raw,file=file -blockdev driver=blklogwrites,node-name=disk,file=raw,log=log
else
	set -- "$@" -drive "file=$disk,format=raw,if=none,id=disk,snapshot=$snapshot"
fi
case ${LOADER:-grub} in
uboot) set -- "$@" -device sdhci-pci -device sd-card,drive=disk ;;
*) set -- "$@" -device virtio-blk-pci,drive=disk ;;
esac
[ -z "${UPDATES-}" ] || set -- "$@" -drive "file=$UPDATES,format=raw,if=none,id=updates,readonly=on" \
	-device virtio-blk-pci,drive=updates
exec "qemu-system-$arch" "$@" -accel "$ACCEL" -smp 2 -m 256 -nodefaults -no-user-config -nographic \
	-bios "${FIRMWARE:-$image/firmware.fd}" -serial mon:stdio \
	-netdev user,id=net -device virtio-net-pci,netdev=net,romfile= -device virtio-rng-pci
