#!/bin/sh
# Makes what tests/ota_power.rs cuts the power of, in target/power: an initramfs of gg-init, a disk, and for each fault
# that is named an update with it. ground.sh FAULT...
#
# The machine is that of tests/boot: firmware and GRUB are left out, because a thousand boots through them take a night;
# the test plays GRUB, by the rules of init/image/grub.cfg, on the same environment.
set -eu
cd "$(dirname "$0")/../.."

here=tests/boot
cache=target/power
# shellcheck source=tests/boot/machine.sh
. "$here/machine.sh"
export PATH="$PATH:/usr/sbin:/sbin"
keys=$cache/keys

make_keys() {
	rm -rf "$keys"
	mkdir -m 700 "$keys"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 20000 -subj /CN=signer \
		-keyout "$keys/key.pem" -out "$keys/cert.pem" 2>/dev/null
}

# The slot of tests/boot, living as tests/power/life.sh says.
make_tree() {
	make_slot
	rm -rf "$tree/test" "$tree/etc/inittab" "$tree/usr/bin/greengrassd"
	mkdir -p "$tree/test" "$tree/etc/greengrass"
	ln -s greengrass "$tree/usr/bin/greengrassd"
	cp tests/power/life.sh "$tree/test/"
	cp "$keys/cert.pem" "$tree/etc/greengrass/trusted.pem"
	printf '%s\n' '::sysinit:/bin/busybox --install -s /bin' '::once:/bin/busybox sh /test/life.sh' >"$tree/etc/inittab"
}

# The settings of the image; what is named differs.
settings() {
	printf '%s\n' '[system]' compatible=power '[keyring]' path=/etc/greengrass/trusted.pem '[greengrass]' \
		"$@" >"$tree/etc/greengrass/ota.conf"
}

# migration NUMBER: says that it runs, and takes its time, in which the power can be cut.
migration() {
	mkdir -p "$tree/etc/greengrass/migrations.d"
	cat >"$tree/etc/greengrass/migrations.d/$1" <<-MIGRATION
		#!/bin/busybox sh
		/bin/busybox echo "<2>migration $1 begins" >/dev/kmsg
		/bin/busybox echo $1 >>/etc/greengrass/migrated
		/bin/busybox sleep 1
		/bin/busybox echo "<2>migration $1 ends" >/dev/kmsg
	MIGRATION
	chmod +x "$tree/etc/greengrass/migrations.d/$1"
}

health_check() {
	mkdir -p "$tree/etc/greengrass/health.d/required"
	printf '#!/bin/sh\nexit %s\n' "$1" >"$tree/etc/greengrass/health.d/required/check"
	chmod +x "$tree/etc/greengrass/health.d/required/check"
}

# pack VERSION FAULT: target/power/slot-FAULT.
pack_slot() {
	version=$1
	fault=$2
	settings health-stable=1
	case $fault in
	init-exits | init-crashes)
		rm "$tree/sbin/init"
		ln -s "$([ "$fault" = init-exits ] && echo crashing-init || echo segfaulting-init)" "$tree/sbin/init"
		;;
	# A kernel panics when its first process ends, whatever options it has: here once the system is up, and not yet kept.
	panics)
		settings health-stable=120
		rm "$tree/sbin/init"
		printf '%s\n' '#!/bin/busybox sh' '/bin/busybox --install -s /bin' 'sh /test/life.sh' >"$tree/sbin/init"
		chmod +x "$tree/sbin/init"
		;;
	# gg-init is the init, and supervises what hangs.
	hangs-supervised)
		cp "$binary" "$tree/sbin/gg-init"
		ln -sf gg-init "$tree/sbin/init"
		rm "$tree/usr/bin/greengrassd"
		printf '%s\n' '#!/bin/busybox sh' '/bin/busybox --install -s /bin' 'exec sh /test/life.sh' >"$tree/usr/bin/greengrassd"
		chmod +x "$tree/usr/bin/greengrassd"
		;;
	no-network) settings health-network=required health-network-deadline=1 ;;
	unready) health_check 75 && settings health-deadline=1 ;;
	unhealthy) health_check 1 ;;
	# Longer than a daemon of it lives.
	crash-loop) settings health-starts=1 health-stable=120 ;;
	broken) settings health-stable=120 ;;
	migrates) for number in 10 20 30; do migration "$number"; done ;;
	esac
	echo "$version" >"$tree/etc/version"
	echo "$fault" >"$tree/etc/fault"
	rm -f "$cache/slot-$fault"
	mksquashfs "$tree" "$cache/slot-$fault" -all-root -noappend -quiet -no-progress -comp gzip >/dev/null
}

# bundle FAULT: target/power/update-FAULT, a disk with the bundle.
bundle() {
	folder=$cache/bundle
	rm -rf "$folder" "$cache/disk" "$cache/update-$1"
	mkdir "$folder" "$cache/disk"
	cp "$cache/slot-$1" "$folder/slot.squashfs"
	printf '[update]\ncompatible=power\nversion=%s\n[meta.greengrass]\ntries=2\n[image.rootfs]\nfilename=slot.squashfs\n' \
		"$version" >"$folder/manifest.raucm"
	"$daemon" ota bundle create --key "$keys/key.pem" --cert "$keys/cert.pem" "$folder" "$cache/disk/update.raucb" >/dev/null
	mksquashfs "$cache/disk" "$cache/update-$1" -noI -noD -noF -all-root -quiet -no-progress >/dev/null
	rm -rf "$folder" "$cache/disk"
}

# update VERSION FAULT: from the tree of the former one.
update() {
	former=$tree
	tree=$cache/changed
	rm -rf "$tree"
	cp -al "$former" "$tree"
	(cd "$tree/etc" && rm -f version fault greengrass/ota.conf)
	pack_slot "$@"
	bundle "$2"
	tree=$former
}

make_esp() {
	rm -f "$cache/esp" "$cache/grubenv"
	truncate -s 16M "$cache/esp"
	mformat -i "$cache/esp" ::
	mmd -i "$cache/esp" ::gg
	grub-editenv "$cache/grubenv" create
	grub-editenv "$cache/grubenv" set gg_ok=a gg_try= gg_left= gg_failed=
	mcopy -i "$cache/esp" "$cache/grubenv" ::gg/grubenv
}

# With something of a component's on it, which no update may touch.
make_data() {
	rm -rf "$cache/content" "$cache/data"
	mkdir -p "$cache/content/app/sub"
	for number in 1 2 3 4 5 6 7 8; do
		dd if=/dev/urandom of="$cache/content/app/$number" bs=1000 count=$((number * number)) status=none
	done
	mv "$cache/content/app/8" "$cache/content/app/sub/8"
	(cd "$cache/content" && find app -type f -exec sha256sum {} +) >"$cache/sums"
	mv "$cache/sums" "$cache/content/app.sums"
	truncate -s 48M "$cache/data"
	mke2fs -q -t ext4 -d "$cache/content" "$cache/data"
}

needs qemu-system-x86_64 busybox cpio genimage mksquashfs mke2fs mformat grub-editenv openssl
mkdir -p "$cache"
.ci/debian-kernel.sh
make_initramfs
make_keys
make_tree
pack_slot 1 former
make_esp
make_data
disk "$cache/disk.img" gg-esp 16M "$cache/esp" gg-state 1M - gg-a 16M "$cache/slot-former" gg-b 16M - gg-data 48M "$cache/data"
for fault in "$@"; do update 2 "$fault"; done
# For many updates in a row.
update 3 next
