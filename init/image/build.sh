#!/bin/sh
# Builds target/image/<arch>/disk.img for ARCH (x86_64, aarch64): two slots, each with its own kernel, and a data
# partition. Needs no root: what is in it comes out of Debian packages and target/dist; nothing is mounted.
set -eu
cd "$(dirname "$0")/../.."

here=init/image
arch=${ARCH:-x86_64}
out=target/image/$arch
work=$out/work
# Of every file, and with fixed identifiers of everything else, so that the same input gives the same image.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)}
export SOURCE_DATE_EPOCH

say() { printf 'image: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}
# shellcheck source=init/image/packages.sh
. "$here/packages.sh"

case $arch in
x86_64)
	debian=amd64
	grub=x86_64-efi
	loader=BOOTX64.EFI
	console=ttyS0
	firmware=ovmf
	firmware_file=usr/share/ovmf/OVMF.fd
	;;
aarch64)
	debian=arm64
	grub=arm64-efi
	loader=BOOTAA64.EFI
	console=ttyAMA0
	firmware=qemu-efi-aarch64
	firmware_file=usr/share/qemu-efi-aarch64/QEMU_EFI.fd
	;;
*) fail "ARCH is x86_64 or aarch64, not $arch" ;;
esac
binaries=target/dist/$arch-unknown-linux-musl
packages=$PWD/target/image/packages/$arch
tree=$packages/tree

# What is in the image and what starts it; a library of e2fsprogs is a package of its own.
fetch() {
	# shellcheck disable=SC2086 # names without spaces
	unpacked "$packages" "$debian" "linux-image-cloud-$debian*" busybox-static e2fsprogs libext2fs2 libcom-err2 \
		libblkid1 libuuid1 libc6 ca-certificates "grub-efi-$debian-bin" $firmware
	release=$(basename "$tree"/lib/modules/*)
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
	find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --reproducible 2>/dev/null | gzip -9n) >"$work/initramfs.gz"
}

make_slot() {
	slot=$work/slot
	mkdir -p "$slot/bin" "$slot/sbin" "$slot/usr/bin" "$slot/usr/sbin" "$slot/etc/init.d" "$slot/etc/ssl/certs" \
		"$slot/etc/greengrass" "$slot/boot" "$slot/lib" "$slot/dev" "$slot/proc" "$slot/sys" "$slot/run" "$slot/tmp" \
		"$slot/root" "$slot/data" "$slot/mnt" "$slot/var/lib" "$slot/var/log" "$slot/usr/share/greengrass"
	ln -s ../run "$slot/var/run"
	# The classic root, for programs that look for it there.
	ln -s data/greengrass "$slot/greengrass"
	ln -s ../run/resolv.conf "$slot/etc/resolv.conf"
	ln -s ../proc/self/mounts "$slot/etc/mtab"

	cp "$tree/bin/busybox" "$slot/bin/busybox"
	# The same version is on this machine, and can say what it contains.
	busybox --list-full | while read -r applet; do
		[ "$applet" = bin/busybox ] || link_busybox "$applet"
	done
	link_busybox bin/sh
	link_busybox sbin/init

	cp -R "$here/root/." "$slot/"
	cp "$binaries/greengrass" "$slot/usr/bin/greengrass"
	ln -s greengrass "$slot/usr/bin/greengrassd"
	ln -s greengrass "$slot/usr/bin/greengrass-cli"
	for file in init.d/S90greengrass:greengrass.sysv greengrass/greengrassd.conf:greengrassd.conf; do
		sed 's,@BINDIR@,/usr/bin,g; s,@CONFDIR@,/etc/greengrass,g; s,@ROOT@,/data/greengrass/v2,g' \
			"init/services/${file#*:}" >"$slot/etc/${file%%:*}"
	done
	chmod +x "$slot/etc/init.d/S90greengrass"
	cat "$tree"/usr/share/ca-certificates/mozilla/*.crt >"$slot/etc/ssl/certs/ca-certificates.crt"

	copy_modules "$slot"
	cp "$tree"/lib/modules/*/modules.order "$tree"/lib/modules/*/modules.builtin* "$slot/lib/modules/$release/"
	busybox depmod -b "$PWD/$slot" "$release"
	add_e2fsprogs
	add_components

	cp "$tree"/boot/vmlinuz-* "$slot/boot/vmlinuz"
	cp "$tree"/boot/config-* "$slot/boot/"
	cp "$work/initramfs.gz" "$slot/boot/initramfs"

	# GRUB 2.06 reads no zstd, and xz slowly; kernel and initramfs are compressed as they are.
	rm -f "$work/input/slot.img"
	mksquashfs "$slot" "$work/input/slot.img" -comp gzip -all-root -no-xattrs -no-progress -quiet \
		-processors "$(nproc)" >/dev/null
}

# Links stay relative: an absolute one would lead out of the tree, into this machine.
link_busybox() {
	mkdir -p "$slot/$(dirname "$1")"
	case $1 in
	bin/*) ln -sf busybox "$slot/$1" ;;
	usr/*/*) ln -sf ../../bin/busybox "$slot/$1" ;;
	*) ln -sf ../bin/busybox "$slot/$1" ;;
	esac
}

# To repair and to make the data partition, with the libraries that Debian links them to.
add_e2fsprogs() {
	# In place of BusyBox's link, not through it.
	cp --remove-destination "$tree/sbin/e2fsck" "$tree/sbin/mke2fs" "$slot/sbin/"
	ln -sf e2fsck "$slot/sbin/fsck.ext4"
	ln -sf mke2fs "$slot/sbin/mkfs.ext4"
	cp "$tree/etc/mke2fs.conf" "$slot/etc/"
	for program in e2fsck mke2fs; do
		readelf -p .interp "$slot/sbin/$program" | sed -n 's/.*\(\/lib[^ ]*\)$/\1/p'
		echo libc.so.6
		needed "$slot/sbin/$program"
	done | sort -u | while read -r library; do
		found=$(find "$tree/lib" "$tree/lib64" "$tree/usr/lib" -name "$(basename "$library")" 2>/dev/null | head -n 1)
		[ -n "$found" ] || fail "no package has $library"
		case $library in
		/*) ;;
		*) library=/lib/$library ;;
		esac
		mkdir -p "$slot$(dirname "$library")"
		cp -L "$found" "$slot$library"
	done
}

# The libraries that a file needs, and those that they need.
needed() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r library; do
		echo "$library"
		case $library in
		libc.so.* | ld-linux*) ;;
		*) needed "$(find "$tree/lib" "$tree/usr/lib" -name "$library" | head -n 1)" ;;
		esac
	done
}

# Those of the examples that need nothing but a shell; put your own here.
add_components() {
	mkdir -p "$slot/usr/share/greengrass/recipes" "$slot/usr/share/greengrass/artifacts"
	while read -r name version; do
		cp docs/examples/recipes/"$name-$version".* "$slot/usr/share/greengrass/recipes/"
		[ ! -d "docs/examples/artifacts/$name" ] || cp -R "docs/examples/artifacts/$name" "$slot/usr/share/greengrass/artifacts/"
	done <"$here/components"
	awk '{ print $1 "=" $2 }' "$here/components" >"$slot/usr/share/greengrass/components"
}

make_esp() {
	esp=$work/esp
	mkdir -p "$esp/EFI/BOOT" "$esp/gg"
	grub-mkimage -O "$grub" -d "$tree/usr/lib/grub/$grub" -p /gg -o "$esp/EFI/BOOT/$loader" \
		normal configfile linux loadenv test echo sleep reboot minicmd part_gpt fat squash4
	cp "$here/grub.cfg" "$esp/gg/grub.cfg"
	echo "set gg_arguments=\"console=$console quiet panic=10\"" >"$esp/gg/board.cfg"
	# 1024 bytes for good: GRUB and whoever else writes it must never move it.
	grub-editenv "$esp/gg/grubenv" create
	grub-editenv "$esp/gg/grubenv" set gg_ok=a gg_try= gg_left= gg_failed=
	find "$esp" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
	truncate -s 64M "$work/input/esp.img"
	mformat -i "$work/input/esp.img" -F -N 67726565 -v GG-ESP ::
	mcopy -i "$work/input/esp.img" -s -m "$esp/EFI" "$esp/gg" ::
}

make_data() {
	truncate -s 256M "$work/input/data.img"
	mke2fs -q -t ext4 -L gg-data -U 67726565-6e67-4721-a55b-697464617461 -m 1 \
		-E hash_seed=67726565-6e67-4721-a55b-697468617368,root_owner=0:0 "$work/input/data.img"
}

make_disk() {
	mkdir -p "$work/empty" "$work/tmp"
	genimage --loglevel 1 --config "$here/genimage.cfg" --inputpath "$work/input" --outputpath "$work/output" \
		--rootpath "$work/empty" --tmppath "$work/tmp" >"$work/genimage.log" 2>&1 ||
		fail "genimage failed; see $work/genimage.log"
	cp --sparse=always "$work/output/disk.img" "$out/disk.img.new"
	mv "$out/disk.img.new" "$out/disk.img"
	cp "$tree/$firmware_file" "$out/firmware.fd"
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
fetch
rm -rf "$work"
mkdir -p "$work/input" "$work/output"
make_initramfs
make_slot
make_esp
make_data
make_disk
sizes
