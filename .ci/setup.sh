#!/bin/sh
# Makes a fresh Debian machine ready for `make test` and `make dist`: installs what is missing as root, and
# says what to install otherwise.
set -eu

say() { printf 'setup: %s\n' "$*" >&2; }

# Package, a check that it is there, why it is needed.
needs() {
	cat <<-'END'
		gcc|command -v cc|links programs that run on this machine
		g++|command -v c++|builds libFuzzer
		binutils|command -v readelf|reads the binaries made by `make dist`
		file|command -v file|reads the binaries made by `make dist`
		qemu-user-static|command -v qemu-aarch64-static|starts binaries of other machines
		qemu-system-x86|command -v qemu-system-x86_64|boots the machines of `make vm` and of tests/boot
		busybox-static|busybox >/dev/null && ! ldd "$(command -v busybox)"|is the userland of `make vm`
		cpio|command -v cpio|packs the initramfs of `make vm`
		systemd|command -v systemd-analyze|checks the unit and its hardening
		genimage|command -v genimage|makes the disk of `make image`
		grub-common|command -v grub-mkimage|makes the boot loader of `make image`, checks that of Yocto
		libubootenv-tool|command -v fw_printenv|reads the environments of U-Boot that we write
		mtools|command -v mformat|makes its first partition
		grub-efi-amd64-bin|ls /usr/lib/grub/x86_64-efi/normal.mod|boots the disk of the Yocto image
		ovmf|ls /usr/share/ovmf/OVMF.fd|is the firmware it boots from
		dosfstools|PATH=$PATH:/sbin:/usr/sbin command -v fsck.fat|checks the first partition where we made a file in it
		gdisk|PATH=$PATH:/sbin:/usr/sbin command -v sgdisk|makes its partitions
		squashfs-tools|command -v mksquashfs|makes its slots
		rauc|command -v rauc|makes bundles for `greengrass ota` to read
		dbus-daemon|command -v dbus-daemon|lets `rauc install` of ours be tested
		nginx-light|PATH=$PATH:/usr/sbin command -v nginx|serves bundles to `greengrass ota`
		mosquitto|PATH=$PATH:/usr/sbin command -v mosquitto|is the cloud that the link reaches in tests
		openssl|command -v openssl|makes RSA keys and broken signatures in tests
		xz-utils|command -v xz|packs blocks for tests
		zstd|command -v zstd|packs blocks for tests
		e2fsprogs|PATH=$PATH:/sbin command -v mke2fs|makes its data partition
		qemu-system-arm|command -v qemu-system-aarch64|boots it for aarch64
		flex|command -v flex|reads the options of the kernel that tests/boot boots
		bison|command -v bison|reads them too
		bc|command -v bc|builds that kernel
		make|command -v make|builds it too
		libelf-dev|ls /usr/include/libelf.h|checks its objects
		xz-utils|command -v xz|unpacks its source
		shellcheck|command -v shellcheck|checks the scripts
		python3|command -v python3|runs the Python sample components
		python3-venv|python3 -c "import ensurepip"|holds the linker of `make dist` and the SDK for Python
		nodejs|command -v node|runs the SDK for Node.js
		npm|command -v npm|fetches the SDK for Node.js
		procps|command -v ps|lists processes in tests
	END
}

add_rust_component() {
	cargo "$1" --version >/dev/null 2>&1 && return
	say "adding $2 to the Rust toolchain"
	rustup component add "$2"
}

command -v cargo >/dev/null || {
	say "no Rust toolchain: install one from https://rustup.rs"
	exit 1
}
add_rust_component fmt rustfmt
add_rust_component clippy clippy

missing=
list=$(needs)
while IFS='|' read -r package check reason; do
	if ! sh -c "$check" >/dev/null 2>&1; then
		say "needs $package: $reason"
		missing="$missing $package"
	fi
done <<END
$list
END
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	say "install them as root, then try again: apt-get install$missing"
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >&2
# shellcheck disable=SC2086 # a list of names
apt-get install -q -y --no-install-recommends $missing >&2
