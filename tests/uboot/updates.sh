# shellcheck shell=sh disable=SC2154
# Sourced by init/image/updates.sh: two updates that are installed well and do not boot.

spoil_kernel() { head -c 4194304 /dev/urandom | replace boot/vmlinuz; }

# Its first program cannot be started, and the kernel panics.
spoil_init() {
	mkdir -p "$work/broken"
	printf '#!/nowhere\n' >"$work/broken/init"
	chmod 755 "$work/broken/init"
	(cd "$work/broken" && echo init | cpio -o -H newc -R 0:0 --quiet | gzip -9n) | replace boot/initramfs
}

more_updates() {
	bundle 4 spoil_kernel
	bundle 5 spoil_init
}
