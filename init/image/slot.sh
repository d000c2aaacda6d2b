# shellcheck shell=sh disable=SC2154
# Sourced: puts the tree of a slot together and packs it. What differs from init to init is in <init>/slot.sh.

make_slot() {
	slot=$work/slot
	mkdir -p "$slot"
	merge_usr "$slot"
	(cd "$slot" && mkdir -p etc/ssl/certs etc/greengrass boot dev proc sys run tmp root data mnt var/lib var/log \
		usr/share/greengrass)
	ln -s ../run "$slot/var/run"
	# The classic root, for programs that look for it there.
	ln -s data/greengrass "$slot/greengrass"
	ln -s ../run/resolv.conf "$slot/etc/resolv.conf"
	ln -s ../proc/self/mounts "$slot/etc/mtab"

	cp -R "$here/root/." "$slot/"
	cp "$binaries/greengrass" "$slot/usr/bin/greengrass"
	ln -s greengrass "$slot/usr/bin/greengrassd"
	ln -s greengrass "$slot/usr/bin/greengrass-cli"
	install_service greengrassd.conf etc/greengrass/greengrassd.conf
	sed "s,@ARCH@,$arch,g" "$here/ota.conf" >"$slot/etc/greengrass/ota.conf"
	# That of a product comes from its build.
	echo 1 >"$slot/usr/share/greengrass/image-version"
	add_init
	add_busybox
	cat "$tree"/usr/share/ca-certificates/mozilla/*.crt >"$slot/etc/ssl/certs/ca-certificates.crt"

	copy_modules "$slot"
	cp "$tree"/lib/modules/*/modules.order "$tree"/lib/modules/*/modules.builtin* "$slot/lib/modules/$release/"
	busybox depmod -b "$slot" "$release"
	add_e2fsprogs
	assert_libraries
	add_components
	add_environment "$slot"

	cp "$tree"/boot/vmlinuz-* "$slot/boot/vmlinuz"
	cp "$tree"/boot/config-* "$slot/boot/"
	cp "$work/initramfs.gz" "$slot/boot/initramfs"

	date_everything "$slot"
	# GRUB 2.06 reads no zstd, and xz slowly; kernel and initramfs are compressed as they are.
	rm -f "$work/input/slot.img"
	mksquashfs "$slot" "$work/input/slot.img" -comp gzip -all-root -no-xattrs -no-progress -quiet \
		-processors "$(nproc)" >/dev/null
}

# install_service FILE TO: one of init/services.
install_service() {
	mkdir -p "$slot/$(dirname "$2")"
	sed 's,@BINDIR@,/usr/bin,g; s,@CONFDIR@,/etc/greengrass,g; s,@ROOT@,/data/greengrass/v2,g' \
		"init/services/$1" >"$slot/$2"
}

# Where no other program has the name. The same version is on this machine, and can say what it contains.
add_busybox() {
	cp "$tree/bin/busybox" "$slot/bin/busybox"
	{
		busybox --list-full | grep /
		printf '%s\n' bin/sh sbin/init
	} | while read -r applet; do
		# Links stay relative: an absolute one would lead out of the tree, into this machine.
		case $applet in
		bin/* | usr/bin/*) link=busybox ;;
		*) link=../bin/busybox ;;
		esac
		[ -e "$slot/$applet" ] || [ -L "$slot/$applet" ] || ln -s "$link" "$slot/$applet"
	done
}

# To repair and to make the data partition, with the libraries that Debian links them to.
add_e2fsprogs() {
	# In place of BusyBox's link, not through it.
	cp --remove-destination "$tree/sbin/e2fsck" "$tree/sbin/mke2fs" "$slot/sbin/"
	ln -sf e2fsck "$slot/sbin/fsck.ext4"
	ln -sf mke2fs "$slot/sbin/mkfs.ext4"
	cp "$tree/etc/mke2fs.conf" "$slot/etc/"
	for program in e2fsck mke2fs; do
		echo libc.so.6
		needed "$slot/sbin/$program"
	done | sort -u | while read -r library; do
		add_library "$library"
	done
	add_interpreter "$(readelf -p .interp "$slot/sbin/e2fsck" | sed -n 's/.*\(\/lib[^ ]*\)$/\1/p')"
}

# add_interpreter PATH: what loads the libraries of a program; PATH is a link to where the libraries lie.
add_interpreter() {
	add_library "${1##*/}"
	found=$(library "$slot" "${1##*/}")
	ln -sf "../${found#"$slot/usr/"}" "$slot$1"
}

# library TREE NAME: its file there. A link by that name in lib64 may lead out of the tree.
library() { find "$1/usr/lib" -name "$2" -path '*-linux-gnu*' | head -n 1; }

# To the place where Debian has it, which is where it is looked for.
add_library() {
	found=$(library "$tree" "$1")
	[ -n "$found" ] || fail "no package has $1"
	directory=$slot/${found#"$tree/"}
	directory=${directory%/*}
	mkdir -p "$directory"
	cp -L "$found" "$directory/$1"
}

# The libraries that a file needs, and those that they need.
needed() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r library; do
		echo "$library"
		case $library in
		libc.so.* | ld-linux*) ;;
		*) needed "$(library "$tree" "$library")" ;;
		esac
	done
}

# Each library that a program or a library of the slot names is there: a package may have gained a dependency.
assert_libraries() {
	find "$slot/usr/bin" "$slot/usr/sbin" "$slot/usr/lib" -type f ! -name '*.ko' \( -perm -100 -o -name '*.so*' \) \
		-exec readelf -d {} + 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u | while read -r name; do
		[ -n "$(library "$slot" "$name")" ] || fail "the slot has no $name: name its package in $here/$init/slot.sh"
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
