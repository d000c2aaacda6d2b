#!/bin/sh
# Builds a real U-Boot for QEMU from Debian's source package, into target/uboot: u-boot.bin, mkimage, what it knows when no
# environment was saved, and the version of the source. Built once for each version of the source and each configuration.
# With `bootcount-file` that of bootcount-file.config, of Debian trixie, into target/uboot-bootcount-file: what bookworm has
# counts in files on ext4 alone.
#
# Exit code 77: what it takes cannot be had here, and the last line says what.
set -eu
cd "$(dirname "$0")/../.."

root=$PWD
here=tests/uboot
variant=${1-}
out=$PWD/target/uboot${variant:+-$variant}
work=$out/work
machine=$(dpkg --print-architecture 2>/dev/null) || machine=

say() { printf 'uboot-build: %s\n' "$*" >&2; }
cannot() {
	say "$*"
	exit 77
}
# shellcheck source=init/image/packages.sh
. init/image/packages.sh

[ -n "$machine" ] || cannot "there is no dpkg, so there are no source packages"
mkdir -p "$work/sources.d"

# Of this machine's own sources of packages, those of source packages.
name_sources() {
	rm -f "$work/sources.d"/*
	newer=
	[ "$variant" != bootcount-file ] || newer='s/bookworm/trixie/g'
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -f "$file" ] || sed -n "$newer;s/^deb /deb-src /p" "$file" >"$work/sources.d/$(basename "$file" .list).list"
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		[ ! -f "$file" ] || sed "$newer;s/^Types:.*/Types: deb-src/" "$file" >"$work/sources.d/$(basename "$file")"
	done
}

source_apt() (
	export APT_CONFIG="$work/apt.conf"
	apt "$work" "$machine" "$@"
)

# The lists are a day old at most, where there is a network.
update() {
	[ -z "$(find "$work/updated" -mmin -1440 2>/dev/null)" ] || return 0
	name_sources
	cat >"$work/apt.conf" <<-END
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$work/sources.d";
	END
	source_apt apt-get update >"$work/apt.log" 2>&1 || true
	touch "$work/updated"
}

install_missing() {
	missing=
	while IFS='|' read -r package check; do
		sh -c "$check" >/dev/null 2>&1 || missing="$missing $package"
	done <<-'END'
		gcc-aarch64-linux-gnu|command -v aarch64-linux-gnu-gcc
		gcc|command -v gcc
		make|command -v make
		bison|command -v bison
		flex|command -v flex
		bc|command -v bc
		python3|command -v python3
		xz-utils|command -v xz
		bzip2|command -v bzip2
		libssl-dev|echo '#include <openssl/ssl.h>' | gcc -E -
	END
	[ -n "$missing" ] || return 0
	say "needs$missing"
	[ "$(id -u)" -eq 0 ] || cannot "install them as root, then try again: apt-get install$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q >"$work/apt.log" 2>&1 || true
	# shellcheck disable=SC2086 # a list of names
	apt-get install -q -y --no-install-recommends $missing >>"$work/apt.log" 2>&1 ||
		cannot "these cannot be installed, see $work/apt.log:$missing"
}

# The upstream sources: nothing of the distribution's own is needed.
unpack() {
	rm -rf "$work/source" "$work/build" "$work/download"
	mkdir -p "$work/download" "$work/source"
	(cd "$work/download" && source_apt apt-get source --download-only --tar-only "u-boot=$version") >>"$work/apt.log" 2>&1 ||
		cannot "the source of u-boot $version cannot be fetched, see $work/apt.log"
	tar -x -f "$work/download"/*.orig.tar.* -C "$work/source" --strip-components=1 >"$work/build.log" 2>&1
	rm -rf "$work/download"
}

compile() (
	cd "$work/source"
	export CROSS_COMPILE=aarch64-linux-gnu- ARCH=arm
	# The same source gives the same bytes.
	SOURCE_DATE_EPOCH=$(stat -c %Y Makefile)
	export SOURCE_DATE_EPOCH
	# A card on PCI is there before the environment is read, as any board's own is. This version has no option for it.
	set -- make -s "O=$work/build" KCPPFLAGS=-DCONFIG_SYS_EARLY_PCI_INIT=1
	"$@" qemu_arm64_defconfig
	[ -z "$variant" ] || cp "$root/init/image/$variant.env" .
	scripts/kconfig/merge_config.sh -m -O "$work/build" "$work/build/.config" "$work/config"
	"$@" olddefconfig
	# An option that the version does not know is dropped without a word.
	sed -n '/^CONFIG_/p' "$work/config" | while read -r line; do
		grep -qxF "$line" "$work/build/.config" || { say "u-boot $version does not take $line" && exit 1; }
	done || exit 1
	"$@" -j"$(nproc)" u-boot.bin u-boot-initial-env tools
)

update
version=$(source_apt apt-cache showsrc u-boot 2>/dev/null | sed -n 's/^Version: //p' | sort -V | tail -n 1)
[ -n "$version" ] || cannot "apt knows no source package of u-boot, see $work/apt.log"
# What is said again counts instead.
cat "$here/qemu.config" ${variant:+"$here/$variant.config"} | awk '
	{ name = $1 == "#" ? $2 : $1; sub("=.*", "", name) }
	name ~ /^CONFIG_/ { said[name] = $0 }
	END { for (name in said) print said[name] }' | sort >"$work/config"
key="$version $(cat "$work/config" ${variant:+"init/image/$variant.env"} "$here/build.sh" | sha256sum | cut -c 1-16)"
[ "$(cat "$out/version" 2>/dev/null)" != "$key" ] || {
	say "u-boot $version is built already"
	exit 0
}
install_missing
say "building u-boot $version, which takes some two minutes; see $work/build.log"
rm -f "$out/version"
unpack
compile >>"$work/build.log" 2>&1 || {
	say "FAILED: u-boot $version does not build; see $work/build.log"
	tail -n 5 "$work/build.log" >&2
	exit 1
}
cp "$work/build/u-boot.bin" "$work/build/u-boot-initial-env" "$work/build/tools/mkimage" "$out/"
rm -rf "$work/source" "$work/build"
echo "$key" >"$out/version"
say "$out/u-boot.bin: $(wc -c <"$out/u-boot.bin") bytes, u-boot $version"
