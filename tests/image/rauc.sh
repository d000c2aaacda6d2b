#!/bin/sh
# Row X15 of the fault matrix, the other way round: `rauc install` takes our bundles.
#
# RAUC mounts a bundle through dm-verity, which few kernels of build machines have, so it runs in QEMU: Debian's kernel,
# BusyBox, this machine's own rauc and dbus-daemon with their libraries. Slots are disks that are looked at from outside.
# The log of the last run stays in target/rauc.
#
# RAUC_ROOT  another Debian's tree, whose rauc it is then, such as target/rauc-newer/sid of tests/ota/rauc-newer.sh
#
# shellcheck disable=SC2012,SC2016 # names without spaces; what is in single quotes, the machine expands
set -eu
cd "$(dirname "$0")/../.."

program=${GREENGRASS_BINARY:-$(ls target/dist/x86_64-unknown-linux-musl/greengrass target/debug/greengrass 2>/dev/null | head -n 1)}
work=target/rauc${RAUC_ROOT:+-$(basename "$RAUC_ROOT")}
# Seconds; it takes some 20 on an idle machine.
patience=${PATIENCE:-400}
# Bytes of the image, and of a slot.
size=3145728
slot=8388608

say() { printf 'rauc-test: %s\n' "$*" >&2; }
fail() {
	say "FAILED: $*"
	exit 1
}

make_keys() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/ca.key" -out "$work/ca.pem" -subj /CN=ca -days 2000 \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
	openssl req -newkey rsa:2048 -nodes -keyout "$work/signer.key" -out "$work/signer.csr" -subj /CN=signer 2>/dev/null
	printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n' >"$work/usage"
	openssl x509 -req -in "$work/signer.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2000 \
		-extfile "$work/usage" -out "$work/signer.pem" 2>/dev/null
}

# bundle NAME LINES COMPRESSION: of a new image, half of which packs well.
bundle() {
	folder=$work/input-$1
	mkdir "$folder"
	{ head -c $((size / 2)) /dev/urandom && yes "$1" | head -c $((size / 2)); } >"$folder/rootfs.img"
	printf '[update]\ncompatible=board\nversion=%s\n\n[bundle]\nformat=verity\n\n[image.rootfs]\nfilename=rootfs.img\n%b' \
		"$1" "$2" >"$folder/manifest.raucm"
	printf '#!/bin/sh\necho "hook $1" >>/run/hooks\n' >"$folder/hook"
	chmod +x "$folder/hook"
	"$program" ota bundle create --key "$work/signer.key" --cert "$work/signer.pem" --compression "$3" \
		"$folder" "$work/tree/bundles/$1" >/dev/null || fail "bundle $1 cannot be made"
}

# take PROGRAM: with what it is linked to.
take() {
	root=${RAUC_ROOT:-}
	if [ -n "$root" ]; then file=/usr/bin/$1; else file=$(command -v "$1") || fail "$1 is missing: make setup"; fi
	for path in "$file" $(${root:+chroot "$root"} ldd "$file" | grep -o '/[^ ]*'); do
		mkdir -p "$work/tree$(dirname "$path")"
		cp -L "$root$path" "$work/tree$path"
	done
}

make_initramfs() {
	tree=$work/tree
	for directory in bin etc/rauc proc sys dev run tmp mnt/rauc bundles root usr/bin; do mkdir -p "$tree/$directory"; done
	cp "$(command -v busybox)" "$tree/bin/busybox"
	ln -s bin/busybox "$tree/init"
	take rauc
	take dbus-daemon
	kernel=$(basename target/debian-kernel/tree/lib/modules/*)
	for modules in drivers/block drivers/md drivers/virtio drivers/dax fs/squashfs crypto lib; do
		mkdir -p "$tree/lib/modules/$kernel/kernel/$modules"
		cp -R "target/debian-kernel/tree/lib/modules/$kernel/kernel/$modules/." "$tree/lib/modules/$kernel/kernel/$modules/" 2>/dev/null || true
	done
	cp target/debian-kernel/tree/lib/modules/"$kernel"/modules.order target/debian-kernel/tree/lib/modules/"$kernel"/modules.builtin* \
		"$tree/lib/modules/$kernel/"
	busybox depmod -b "$PWD/$tree" "$kernel" 2>/dev/null
	cp "$work/ca.pem" "$tree/etc/rauc/ca.pem"
	echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
	echo 'root:x:0:' >"$tree/etc/group"
	cat >"$tree/etc/rauc/system.conf" <<-'END'
		[system]
		compatible=board
		bootloader=noop
		mountprefix=/mnt/rauc
		statusfile=/run/rauc.status

		[keyring]
		path=ca.pem

		[slot.rootfs.0]
		device=/dev/vda
		type=raw
		bootname=A

		[slot.rootfs.1]
		device=/dev/vdb
		type=raw
		bootname=B
	END
	# A bus of its own on which everybody may do everything.
	cat >"$tree/etc/bus.conf" <<-'END'
		<busconfig>
		  <type>system</type>
		  <listen>unix:path=/run/bus</listen>
		  <auth>EXTERNAL</auth>
		  <policy context="default">
		    <allow send_destination="*" eavesdrop="true"/>
		    <allow eavesdrop="true"/>
		    <allow own="*"/>
		    <allow user="*"/>
		  </policy>
		</busconfig>
	END
	cat >"$tree/etc/inittab" <<-'END'
		::once:/bin/busybox sh /checks
	END
	cat >"$tree/checks" <<-'END'
		/bin/busybox --install -s /bin
		export PATH=/bin:/usr/bin DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus
		mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run
		exec >/dev/ttyS0 2>&1
		modprobe -a virtio_pci virtio_blk loop dm_mod dm_verity squashfs
		dbus-daemon --config-file=/etc/bus.conf --nofork --nopidfile --nosyslog &
		until [ -S /run/bus ]; do usleep 100000; done
		rauc --override-boot-slot=A service >/run/service 2>&1 &
		until rauc status >/run/status 2>&1; do usleep 200000; done
		cat /run/status
		for bundle in /bundles/*; do
			name=${bundle##*/}
			if rauc install $bundle >/run/install 2>&1; then echo "installed $name"; else cat /run/install /run/service; fi
			dd if=/dev/vdb bs=1M count=3 2>/dev/null | sha256sum | sed "s/^\([0-9a-f]*\).*/found $name \1/"
		done
		[ ! -e /run/hooks ] || cat /run/hooks
		echo checks are over
		sync
		poweroff -f
	END
	(cd "$tree" && find . | cpio -o -H newc -R 0:0 2>/dev/null | gzip -1) >"$work/initramfs.gz"
}

boot() {
	for disk in a b; do truncate -s "$slot" "$work/slot-$disk"; done
	timeout "$patience" qemu-system-x86_64 -machine pc -accel tcg,thread=multi -cpu max -smp 2 -m 512 -nodefaults \
		-no-user-config -display none -no-reboot -serial "file:$work/console" \
		-drive "file=$work/slot-a,format=raw,if=virtio" -drive "file=$work/slot-b,format=raw,if=virtio" \
		-kernel target/debian-kernel/vmlinuz -initrd "$work/initramfs.gz" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check reboot=t rdinit=/init" </dev/null || true
}

for tool in rauc dbus-daemon openssl qemu-system-x86_64 busybox cpio; do
	command -v "$tool" >/dev/null || fail "$tool is missing: make setup"
done
[ -x "$program" ] || fail "there is no greengrass binary: cargo build"
.ci/debian-kernel.sh
rm -rf "$work"
mkdir -p "$work/tree/bundles"
make_keys
bundle gzip '' gzip
bundle stored '' none
bundle adaptive 'adaptive=block-hash-index\n' auto
bundle policy '\n[meta.greengrass]\nfloor=3\ntries=2\n' auto
bundle hooked 'hooks=post-install\n\n[hooks]\nfilename=hook\nhooks=install-check\n' auto
make_initramfs
boot
console=$work/console
grep -q '^checks are over' "$console" || fail "the machine did not end by itself within $patience s; see $console"
for name in gzip stored adaptive policy hooked; do
	hash=$(sha256sum <"$work/input-$name/rootfs.img" | cut -d ' ' -f 1)
	grep -q "^installed $name" "$console" || fail "rauc did not install $name; see $console"
	grep -q "^found $name $hash" "$console" || fail "$name: the slot has other bytes; see $console"
	say "ok: rauc installed $name, byte for byte"
done
for hook in install-check slot-post-install; do
	grep -q "^hook $hook" "$console" || fail "rauc did not run the hook $hook; see $console"
done
say "ok: rauc ran the hooks of ours"
[ "$(head -c $size "$work/slot-a" | tr -d '\0' | wc -c)" -eq 0 ] || fail "rauc wrote the slot that was booted"
say "all 7 checks passed"
