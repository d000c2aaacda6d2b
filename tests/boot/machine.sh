# Makes and starts the machines of run.sh: a kernel, an initramfs of gg-init, two slots and a data disk; QEMU without
# acceleration. Sourced, with $here and $cache set.
#
# $system is the kernel: `small`, made of kernel-config/ alone with everything built in, as firmware has it; or `debian`,
# whose drivers are modules.
# shellcheck shell=sh disable=SC2154

binary=${GG_INIT:-target/dist/x86_64-unknown-linux-musl/gg-init}
daemon=target/dist/x86_64-unknown-linux-musl/greengrass
system=${SYSTEM:-small}
# Seconds; a boot takes some four on an idle machine.
patience=120

say() { printf 'boot: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

# In the order of their dependencies, which is how gg-init loads them.
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk squashfs overlay
	watchdog softdog"

# Initramfs without a single directory of their own: gg-init makes what it needs.
make_initramfs() {
	tree=$cache/initramfs
	rm -rf "$tree"
	mkdir -p "$tree/etc"
	cp "$binary" "$tree/init"
	printf '# of the test\nretry-delay=1\n' >"$tree/etc/gg-init.conf"
	pack "$tree" "$cache/small.gz"
	mkdir "$tree/modules"
	for module in $modules; do
		cp "$(find target/debian-kernel/tree/lib/ -name "$module.ko" | head -n 1)" "$tree/modules/"
		echo "/modules/$module.ko"
	done >"$tree/etc/gg-modules"
	pack "$tree" "$cache/debian.gz"
}

pack() { (cd "$1" && find . | cpio -o -H newc -R 0:0 2>/dev/null | gzip -1) >"$2"; }

# BusyBox as init, the tools that mend data with their libraries, and the checks.
make_slot() {
	tree=$cache/slot
	rm -rf "$tree"
	mkdir -p "$tree"
	(cd "$tree" && mkdir -p bin sbin usr/bin etc proc sys dev run data tmp test)
	cp "$daemon" "$tree/usr/bin/greengrass"
	ln -s greengrass "$tree/usr/bin/greengrass-cli"
	cp -R docs/examples "$tree/test/examples"
	cp "$(command -v busybox)" "$tree/bin/busybox"
	for applet in sh mount umount sync poweroff reboot; do ln -s busybox "$tree/bin/$applet"; done
	ln -s ../bin/busybox "$tree/sbin/init"
	for tool in e2fsck mke2fs; do
		path=$(PATH="$PATH:/usr/sbin:/sbin" command -v "$tool")
		cp -L "$path" "$tree/sbin/$tool"
		ldd "$path" | sed -n 's/[^/]*\(\/[^ ]*\) .*/\1/p' | while read -r library; do
			mkdir -p "$tree$(dirname "$library")"
			cp -L "$library" "$tree$library"
		done
	done
	cp "$here/checks.sh" "$here/tests.sh" "$here/daemon.sh" "$here/device.sh" "$tree/test/"
	printf '#!/bin/sh\nexec /bin/busybox sh /test/daemon.sh\n' >"$tree/usr/bin/greengrassd"
	printf '#!/bin/sh\nexit 3\n' >"$tree/sbin/crashing-init"
	echo 'void _start(void) { *(volatile int *)8 = 0; }' |
		cc -x c - -static -nostdlib -fno-pic -no-pie -o "$tree/sbin/segfaulting-init"
	chmod +x "$tree/usr/bin/greengrassd" "$tree"/sbin/*-init "$tree/test/device.sh"
	printf '%s\n' '::sysinit:/bin/busybox --install -s /bin' '::once:/bin/busybox sh /test/checks.sh' >"$tree/etc/inittab"
	printf '%s\n' root:x:0:0::/:/bin/sh ggc_user:x:990:990::/:/bin/sh >"$tree/etc/passwd"
	printf '%s\n' root:x:0: ggc_group:x:990: >"$tree/etc/group"
	rm -f "$cache/slot.squashfs"
	mksquashfs "$tree" "$cache/slot.squashfs" -all-root -noappend -quiet -no-progress -comp gzip >/dev/null
}

# Lays out a disk with labels: disk OUTPUT, then LABEL SIZE IMAGE (or - for a blank one) for each partition.
disk() {
	output=$1
	shift
	work=$cache/genimage
	rm -rf "$work"
	mkdir -p "$work/root" "$work/in"
	{
		echo "image $(basename "$output") {"
		printf 'hdimage {\npartition-table-type = "gpt"\nalign = 1M\n}\n'
		while [ $# -gt 0 ]; do
			if [ "$3" = - ]; then
				truncate -s "$2" "$work/in/$1"
			else
				cp "$3" "$work/in/$1"
			fi
			printf 'partition %s {\nimage = "%s"\nsize = %s\npartition-type-uuid = L\n}\n' "$1" "$1" "$2"
			shift 3
		done
		echo '}'
	} >"$work/config"
	genimage --config "$work/config" --rootpath "$work/root" --tmppath "$work/tmp" --inputpath "$work/in" \
		--outputpath "$(dirname "$output")" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "genimage failed"; }
}

make_disks() {
	disk "$cache/disk.img" gg-a 12M "$cache/slot.squashfs" gg-b 12M "$cache/slot.squashfs"
	disk "$cache/data.img" gg-data 48M -
}

# machine TEST KERNEL_ARGUMENTS [QEMU_ARGUMENTS...]: boots once; the checks' words end in $cache/checks.log.
# The data disk is given by $data, the slots' by $slots; either may be empty.
machine() {
	name=$1
	words=$2
	shift 2
	rm -f "$cache/console.log" "$cache/checks.log"
	[ -z "$slots" ] || set -- "$@" -drive "file=$slots,format=raw,if=virtio,readonly=on"
	[ -z "$data" ] || set -- "$@" -drive "file=$data,format=raw,if=virtio${data_options:+,$data_options}"
	case $system in
	small) image=target/kernel/bzImage ;;
	*) image=target/debian-kernel/vmlinuz ;;
	esac
	timeout "$patience" qemu-system-x86_64 -machine pc -accel tcg,thread=multi -cpu max -smp 1 -m "${memory:-192}" \
		-nodefaults -no-user-config -display none -no-reboot \
		-serial "file:$cache/console.log" -serial "file:$cache/checks.log" \
		-kernel "$image" -initrd "$cache/$system.gz" "$@" \
		-append "console=ttyS0 quiet no_timer_check reboot=t panic=-1 test=$name $words" </dev/null
}

# needs TOOL...: they are there, and what is tested.
needs() {
	for tool in "$@"; do
		command -v "$tool" >/dev/null || fail "$tool is missing: make setup"
	done
	for program in "$binary" "$daemon"; do
		[ -x "$program" ] || fail "$program is missing: make dist TARGETS=x86_64-unknown-linux-musl"
	done
}

prepare() {
	needs qemu-system-x86_64 busybox cpio dpkg-deb genimage mksquashfs
	mkdir -p "$cache"
	.ci/debian-kernel.sh
	.ci/kernel.sh
	make_initramfs
	make_slot
	make_disks
	slots=$cache/disk.img
	data=$cache/data.img
	data_options=
}

# boots TEST KERNEL_ARGUMENTS [QEMU_ARGUMENTS...]: the machine ends by itself, and all its checks pass.
boots() {
	machine "$@" || fail "$1: the machine did not end within $patience s, or QEMU failed; see $cache/console.log"
	tr -d '\r' <"$cache/checks.log"
	if grep -q '^not ok' "$cache/checks.log" || ! tail -n 3 "$cache/checks.log" | grep -q '^all .*checks passed'; then
		fail "$1: FAILED; see $cache/checks.log and $cache/console.log"
	fi
}
