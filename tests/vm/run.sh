#!/bin/sh
# Runs the device binary on a machine that has control groups of version 2 alone: a virtual one, made for the moment.
#
# A kernel, an initramfs of BusyBox, the binary and the test components; QEMU without acceleration.
# SYSTEM is the kernel: `debian`, or `small`, made of the options in kernel-config/ alone.
# What happens inside is in checks.sh. The console and the daemon's log of the last run stay in target/vm.
set -eu
cd "$(dirname "$0")/../.."

here=tests/vm
system=${SYSTEM:-debian}
cache=target/vm
binary=target/dist/x86_64-unknown-linux-musl/greengrass
# Seconds; it takes some 30 on an idle machine.
patience=300

say() { printf 'vm: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

make_initramfs() {
	tree=$cache/tree
	rm -rf "$tree"
	mkdir -p "$tree/bin" "$tree/etc" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp" "$tree/test"
	cp "$(command -v busybox)" "$tree/bin/busybox"
	cp "$binary" "$tree/bin/greengrass"
	ln -s greengrass "$tree/bin/greengrassd"
	ln -s greengrass "$tree/bin/greengrass-cli"
	ln -s bin/busybox "$tree/init"
	mkdir "$tree/boot"
	# The small kernel shows its configuration itself.
	[ "$system" = small ] || cp target/debian-kernel/tree/boot/config-* "$tree/boot"
	cp "$here/checks.sh" "$tree/test/checks.sh"
	cp -R "$here/recipes" "$tree/test/recipes"
	cp -R docs/examples "$tree/test/examples"
	echo '::once:/bin/busybox sh /test/checks.sh' >"$tree/etc/inittab"
	printf '%s\n' root:x:0:0::/:/bin/sh ggc_user:x:990:990::/:/bin/sh other:x:991:991::/:/bin/sh >"$tree/etc/passwd"
	printf '%s\n' root:x:0: ggc_group:x:990: other:x:991: >"$tree/etc/group"
	(cd "$tree" && find . | cpio -o -H newc -R 0:0 2>/dev/null | gzip -1) >"$cache/initramfs.gz"
}

# The kernel speaks on the first port, the checks on the second; a kernel that panics ends the machine.
# On a busy host the kernel's test of the emulated timer fails, and it panics: it is told not to test.
boot() {
	rm -f "$cache/console.log" "$cache/checks.log"
	timeout "$patience" qemu-system-x86_64 -machine pc -accel tcg,thread=multi -cpu max -smp 2 -m 512 \
		-nodefaults -no-user-config -display none -no-reboot \
		-serial "file:$cache/console.log" -serial "file:$cache/checks.log" \
		-kernel "$kernel" -initrd "$cache/initramfs.gz" \
		-append "console=ttyS0 quiet panic=-1 oops=panic no_timer_check reboot=t rdinit=/init" </dev/null
}

for tool in qemu-system-x86_64 busybox cpio dpkg-deb; do
	command -v "$tool" >/dev/null || fail "$tool is missing: make setup"
done
[ -x "$binary" ] || fail "$binary is missing: make dist TARGETS=x86_64-unknown-linux-musl"
case $system in
small) kernel=target/kernel/bzImage && .ci/kernel.sh ;;
debian) kernel=target/debian-kernel/vmlinuz && .ci/debian-kernel.sh ;;
*) fail "no such system: $system" ;;
esac
mkdir -p "$cache"
make_initramfs
boot || fail "the machine did not end within $patience s, or QEMU failed; see $cache/console.log"
tr -d '\r' <"$cache/checks.log"
tail -n 1 "$cache/checks.log" | grep -q '^all [0-9]* checks passed' || fail "FAILED; see $cache/checks.log and $cache/console.log"
