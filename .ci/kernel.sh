#!/bin/sh
# Builds a small kernel for QEMU's PC from kernel-config/ into target/kernel: bzImage, config.
#
# Debian's source, every option off but those of tests/boot/qemu.cfg (the machine) and of the fragments (what we need),
# merged by the kernel's own script. So a fragment that names an option whose dependencies nobody sets is found here:
# kconfig drops such an option without a word, and this script does not.
set -eu
cd "$(dirname "$0")/.."

into=$PWD/target/kernel
source=linux-source-6.1
machine=$PWD/tests/boot/qemu.cfg

say() { printf 'kernel: %s\n' "$*" >&2; }

# shellcheck source=init/image/packages.sh
. init/image/packages.sh

# What no part of this kernel is made of, a third of the source.
unneeded='drivers/gpu drivers/media drivers/net/ethernet drivers/net/wireless sound'

fetch_source() {
	[ ! -f "$into/linux/.unpacked" ] || return 0
	say "fetching $source into $into"
	unpacked "$into/debian" amd64 "$source"
	rm -rf "$into/linux"
	mkdir -p "$into/linux"
	for folder in $unneeded; do set -- "$@" "--exclude=*/$folder/*.[ch]"; done
	xz -dc "$into/debian/tree/usr/src/$source.tar.xz" |
		tar -x -C "$into/linux" --strip-components 1 --exclude='*/tools/testing/*' --exclude='*.dts*' "$@"
	rm -rf "$into/debian"
	touch "$into/linux/.unpacked"
}

configure() {
	(
		cd "$into/linux"
		# -n: what nobody names is off.
		scripts/kconfig/merge_config.sh -n kernel/configs/tiny.config arch/x86/configs/tiny.config \
			"$machine" "$OLDPWD"/kernel-config/*.cfg
	) >"$into/merge.log" 2>&1 || {
		cat "$into/merge.log" >&2
		return 1
	}
}

# Every line of every fragment, also those the architecture answers for.
assert_kept() {
	lost=$(sed -n -e 's/^# check: //' -e '/^CONFIG_/p' kernel-config/*.cfg "$machine" |
		while read -r option; do grep -qxF "$option" "$into/linux/.config" || echo "$option"; done)
	[ -z "$lost" ] || {
		say "the merge dropped what the fragments ask for, because something it depends on is not set:"
		printf '%s\n' "$lost" >&2
		return 1
	}
}

made_of=$(cat "$0" "$machine" kernel-config/*.cfg | sha256sum)
[ "$(cat "$into/made-of" 2>/dev/null)" != "$made_of" ] || exit 0
mkdir -p "$into"
fetch_source
configure
assert_kept
say "building it; messages go to $into/build.log"
nice make -C "$into/linux" -s -j"$(nproc)" bzImage >"$into/build.log" 2>&1 || {
	tail -n 30 "$into/build.log" >&2
	say "the kernel does not build"
	exit 1
}
cp "$into/linux/arch/x86/boot/bzImage" "$into/bzImage"
cp "$into/linux/.config" "$into/config"
echo "$made_of" >"$into/made-of"
say "$into/bzImage: $(wc -c <"$into/bzImage") bytes, $(grep -c '=y$' "$into/config") options on"
