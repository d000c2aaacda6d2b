#!/bin/sh
# Builds target/image/<arch>/disk.img: two slots, each with its own kernel, and a data partition. Needs no root: what
# is in it comes out of Debian packages and target/dist; nothing is mounted.
#
# ARCH  x86_64 (default) or aarch64
# INIT  whom gg-init hands over to: busybox (default) or systemd, whose disk is in target/image/<arch>-systemd
# LOADER  grub (default), or for aarch64 uboot, whose disk is an SD card in target/image/<arch>-uboot; see tests/uboot
# OUT   another place for the disk
set -eu
cd "$(dirname "$0")/../.."

here=init/image
arch=${ARCH:-x86_64}
init=${INIT:-busybox}
name=$arch
[ "$init" = busybox ] || name=$arch-$init
loader=${LOADER:-grub}
[ "$loader" = grub ] || name=$name-$loader
out=${OUT:-target/image/$name}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$out/work
# Of every file, and with fixed identifiers of everything else, so that the same input gives the same image.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)}
export SOURCE_DATE_EPOCH
umask 022
# FAT knows times of day, not when they were.
export TZ=UTC

say() { printf 'image: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}
# shellcheck source=init/image/packages.sh
. "$here/packages.sh"
# shellcheck source=init/image/slot.sh
. "$here/slot.sh"

case $arch in
x86_64)
	debian=amd64
	grub=x86_64-efi
	program=BOOTX64.EFI
	console=ttyS0
	firmware=ovmf
	firmware_file=usr/share/ovmf/OVMF.fd
	;;
aarch64)
	debian=arm64
	grub=arm64-efi
	program=BOOTAA64.EFI
	console=ttyAMA0
	firmware=qemu-efi-aarch64
	firmware_file=usr/share/qemu-efi-aarch64/QEMU_EFI.fd
	;;
*) fail "ARCH is x86_64 or aarch64, not $arch" ;;
esac
[ -f "$here/$init/slot.sh" ] || fail "INIT is busybox or systemd, not $init"
# Debian's kernel for clouds has no driver of SD cards.
linux="linux-image-cloud-$debian*"
packages=$PWD/target/image/packages/$arch
case $loader-$arch in
grub-*) ;;
uboot-aarch64)
	uboot=$PWD/target/uboot
	linux="linux-image-$debian*"
	packages=$packages-uboot
	;;
*) fail "LOADER is grub, or for aarch64 uboot, not $loader" ;;
esac
# shellcheck source=init/image/busybox/slot.sh
. "$here/$init/slot.sh"
binaries=target/dist/$arch-unknown-linux-musl
tree=$packages/tree

# What is in every image and what starts it; a library of e2fsprogs is a package of its own.
fetch() {
	# shellcheck disable=SC2086 # names without spaces
	unpacked "$packages" "$debian" "$linux" busybox-static e2fsprogs libext2fs2 libcom-err2 \
		libblkid1 libuuid1 libc6 ca-certificates "grub-efi-$debian-bin" $firmware
	release=$(basename "$tree"/lib/modules/*)
	fetch_init
}

# The modules of the list, each after those it depends on, as paths below / of the device.
# list [early]
modules() {
	busybox depmod -n -b "$tree" "$release" 2>/dev/null | sed '/^#/d; /^alias/d; /^$/d' >"$work/depends"
	awk -v early="${1-}" -v release="$release" '
		FNR == NR {
			sub(":", "", $1)
			name = $1; sub(".*/", "", name); sub("\\.ko.*", "", name); gsub("-", "_", name)
			path[name] = $1; line[name] = $0
			next
		}
		function add(file) { if (!(file in done)) { done[file] = 1; print "/lib/modules/" release "/" file } }
		/^#/ || NF == 0 || (early != "" && $1 != "early") { next }
		($NF in path) {
			# Dependencies stand with the nearest first; they are loaded from the farthest on.
			n = split(line[$NF], files, " ")
			for (i = n; i > 1; i--) { sub("^/*(lib/modules/" release "/)?", "", files[i]); add(files[i]) }
			add(path[$NF])
		}' "$work/depends" "$here/modules"
}

copy_modules() {
	modules "${2-}" | while read -r file; do
		mkdir -p "$1$(dirname "$file")"
		cp "$tree$file" "$1$file"
	done
}

make_initramfs() {
	root=$work/initramfs
	mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/run" "$root/etc"
	cp "$binaries/gg-init" "$root/init"
	copy_modules "$root" early
	modules early >"$root/etc/gg-modules"
	add_environment "$root"
	date_everything "$root"
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --reproducible 2>/dev/null | gzip -9n) >"$work/initramfs.gz"
}

date_everything() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# add_environment TREE: where U-Boot's environment lies, for whoever reads and writes it there.
add_environment() {
	[ "$loader" = uboot ] || return 0
	mkdir -p "$1/etc/greengrass"
	cp "$here/fw_env.config" "$uboot/u-boot-initial-env" "$1/etc/"
	# Of the backend uboot-map; that of the other looks at no table.
	cp openwrt-feed/greengrass-rs/files/boot-maps/bootcount.map "$1/etc/greengrass/boot.map"
}

fill_esp_grub() {
	mkdir -p "$esp/EFI/BOOT"
	grub-mkimage -O "$grub" -d "$tree/usr/lib/grub/$grub" -p /gg -o "$esp/EFI/BOOT/$program" \
		normal configfile linux loadenv test echo sleep reboot minicmd part_gpt fat squash4
	cp "$here/grub.cfg" "$esp/gg/grub.cfg"
	echo "set gg_arguments=\"console=$console quiet panic=10\"" >"$esp/gg/board.cfg"
	# 1024 bytes for good: GRUB and whoever else writes it must never move it.
	grub-editenv "$esp/gg/grubenv" create
	grub-editenv "$esp/gg/grubenv" set gg_ok=a gg_try= gg_left= gg_failed=
}

fill_esp_uboot() {
	"$uboot/mkimage" -A arm64 -O linux -T script -C none -n greengrass -d "$here/uboot.cmd" "$esp/boot.scr" >/dev/null
	# A card is found later than a disk of a virtual machine.
	echo "gg_arguments=console=$console quiet panic=10 gg.wait=30" >"$esp/gg/board.env"
}

make_esp() {
	esp=$work/esp
	mkdir -p "$esp/gg"
	"fill_esp_$loader"
	date_everything "$esp"
	truncate -s 64M "$work/input/esp.img"
	mformat -i "$work/input/esp.img" -F -N 67726565 -v GG-ESP ::
	mcopy -i "$work/input/esp.img" -s -m "$esp"/* ::
}

make_data() {
	truncate -s 256M "$work/input/data.img"
	E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext4 -L gg-data -U 67726565-6e67-4721-a55b-697464617461 -m 1 \
		-E hash_seed=67726565-6e67-4721-a55b-697468617368,root_owner=0:0 "$work/input/data.img"
}

make_disk() {
	mkdir -p "$work/empty" "$work/tmp"
	genimage --loglevel 1 --config "$here/genimage.cfg" --inputpath "$work/input" --outputpath "$work/output" \
		--rootpath "$work/empty" --tmppath "$work/tmp" >"$work/genimage.log" 2>&1 ||
		fail "genimage failed; see $work/genimage.log"
	cp --sparse=always "$work/output/disk.img" "$out/disk.img.new"
	case $loader in
	grub) cp "$tree/$firmware_file" "$out/firmware.fd" ;;
	uboot)
		# Cards of QEMU have a power of two; the second copy of the table is at the end.
		truncate -s 1G "$out/disk.img.new"
		sgdisk -e "$out/disk.img.new" >/dev/null
		cp "$uboot/u-boot.bin" "$out/firmware.fd"
		;;
	esac
	mv "$out/disk.img.new" "$out/disk.img"
}

sizes() {
	say "$out/disk.img: $(stat -c %s "$out/disk.img") bytes, $(du -k "$out/disk.img" | cut -f 1) KiB of them used"
	for file in input/slot.img slot/boot/vmlinuz initramfs.gz initramfs/init slot/usr/bin/greengrass; do
		say "  $(basename "$file"): $(stat -c %s "$work/$file") bytes"
	done
}

PATH=$PATH:/usr/sbin:/sbin
for tool in genimage mformat mksquashfs mke2fs grub-mkimage busybox cpio dpkg-deb apt-get readelf; do
	command -v "$tool" >/dev/null || fail "$tool is missing: make setup"
done
for binary in greengrass gg-init; do
	[ -x "$binaries/$binary" ] || fail "$binaries/$binary is missing: make dist TARGETS=$arch-unknown-linux-musl"
done
[ "$loader" != uboot ] || [ -x "$uboot/mkimage" ] || fail "$uboot/mkimage is missing: tests/uboot/build.sh"
fetch
rm -rf "$work"
mkdir -p "$work/input" "$work/output"
make_initramfs
make_slot
make_esp
make_data
make_disk
sizes
