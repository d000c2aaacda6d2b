#!/bin/sh
# Row X15 of the fault matrix with the newer RAUC: bundles of the `rauc` of Debian trixie (1.13) and sid (1.15) are
# installed by us, byte for byte, or refused by name; ours are read by it, byte for byte.
#
# Each rauc runs in a Debian of its own, which debootstrap makes in target/rauc-newer once; that takes root and the network,
# and without them nothing is tested, which is said. Slots are files, or loop devices where an archive is unpacked.
#
# SUITES  some of: trixie sid
# ROOTS   where their trees are, or are made
# MIRROR  where Debian is, if not where this machine's own packages come from
#
# shellcheck disable=SC2016 # what is in single quotes, the other Debian expands
# shellcheck disable=SC2015 # what is said last, ok or bad, never fails
# shellcheck disable=SC2115 # the directory was made before
set -u
cd "$(dirname "$0")/../.." || exit

PATH=$PATH:/usr/sbin:/sbin
program=$PWD/${GREENGRASS_BINARY:-target/debug/greengrass}
roots=${ROOTS:-$PWD/target/rauc-newer}
log=$PWD/target/rauc-newer.log
size=3145728
passed=0
failed=0

say() { printf 'rauc-newer: %s\n' "$*" >&2; }
ok() {
	passed=$((passed + 1))
	say "ok: $suite: $*"
}
bad() {
	failed=$((failed + 1))
	say "FAILED: $suite: $*; see $log"
}
skip() {
	say "skipped, and nothing was tested: $*"
	exit 0
}

# A Debian with rauc, in its place.
tree() {
	[ -x "$root/usr/bin/rauc" ] && return
	mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | head -n 1)}
	[ -n "$mirror" ] || skip "this machine's apt has no mirror; MIRROR= names one"
	say "making a Debian $suite of $mirror"
	rm -rf "$root"
	mkdir -p "$root"
	debootstrap --variant=minbase --include=rauc,rauc-service,squashfs-tools,openssl,dbus,fakeroot,erofs-utils \
		"$suite" "$root" "$mirror" >>"$log" 2>&1 || { rm -rf "$root" && skip "no Debian $suite can be made; see $log"; }
}

# Runs a command there, with a mount table of its own; what it makes is in $work.
there() {
	echo "== $*" >>"$log"
	unshare -m sh -c 'mount -t proc proc "$1/proc" && cd / && root=$1 && shift && exec chroot "$root" sh -c "cd /work && $*"' \
		sh "$root" "$*" >>"$log" 2>&1
}

keys() {
	there 'certificate() {
			printf "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\nbasicConstraints=CA:FALSE\n" >usage
			[ "$3" != ca ] || printf "keyUsage=critical,keyCertSign,cRLSign\nbasicConstraints=critical,CA:TRUE\n" >usage
			openssl req -new -key $1.key -subj /CN=$1 -out $1.csr && openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key \
				-CAcreateserial -days 2000 -extfile usage -out $1.pem
		}
		openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2000 \
			-addext keyUsage=critical,keyCertSign,cRLSign
		openssl genrsa -out rsa.key 2048 && certificate rsa ca
		openssl genrsa -out middle.key 2048 && certificate middle ca ca
		openssl genrsa -out far.key 2048 && certificate far middle && cat far.pem middle.pem >chain.pem
		openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key && certificate pss ca
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.key && certificate p256 ca
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.key && certificate p384 ca
		openssl genpkey -algorithm ed25519 -out ed25519.key && certificate ed25519 ca
		cp chain.pem far-chain.pem'
}

# folder NAME LINES: a manifest for the class rootfs, and the files that LINES name: those of $work, or rootfs.img as such.
folder() {
	rm -rf "$work/$1"
	mkdir "$work/$1"
	printf '[update]\ncompatible=board\nversion=1.2\ndescription=a b\nbuild=7\n%b' "$2" >"$work/$1/manifest.raucm"
	sed -n 's/^filename=//p' "$work/$1/manifest.raucm" | while read -r input; do
		cp "$work/$input" "$work/$1/$input" 2>/dev/null || cp "$work/rootfs.img" "$work/$1/$input"
	done
}

# theirs NAME LINES [SQUASHFS [KEY [CERTIFICATE]]]: a bundle that rauc makes; 1 if it does not.
theirs() {
	folder "$1" "$2"
	rm -f "$work/$1.raucb"
	there "rauc --cert ${5:-${4:-rsa}.pem} --key ${4:-rsa}.key ${3:+--mksquashfs-args='$3'} bundle $1 $1.raucb"
}

# Ours, of the same.
ours() {
	folder "$1" "$2"
	name=$1
	shift 2
	(cd "$work" && "$program" ota bundle create "$@" "$name" "$name.raucb") >>"$log" 2>&1
}

# A device whose slot a runs, as if nothing had ever been installed on it.
device() {
	rm -rf "$work/device"
	mkdir "$work/device"
	for class in rootfs esp app kernel dtb datafs; do
		truncate -s 9M "$work/device/$class-a" "$work/device/$class-b"
	done
	printf '# GRUB Environment Block\ngg_ok=a\n%0999d' 0 | tr 0 '#' | head -c 1024 >"$work/device/grubenv"
	app=$work/device/app
	[ -z "$loop" ] || { losetup -d "$loop" 2>>"$log" || true; }
	loop=$(losetup -f --show "$app-b" 2>>"$log") || loop=
	cat >"$work/device/ota.conf" <<-END
		[system]
		compatible=board
		bootloader=grub
		grubenv=$work/device/grubenv
		mountprefix=$work/device/mount
		variant-name=ti,bone
		[keyring]
		path=$work/ca.pem
		[greengrass]
		booted=a
		state=files
		data-directory=$work/device/data
		lock=$work/device/lock
		allow-hooks=$hooks
		[slot.rootfs.0]
		device=$work/device/rootfs-a
		bootname=a
		[slot.rootfs.1]
		device=$work/device/rootfs-b
		bootname=b
		[slot.app.0]
		device=$app-a
		type=ext4
		parent=rootfs.0
		[slot.app.1]
		device=${loop:-$app-b}
		type=ext4
		parent=rootfs.1
	END
	for class in esp kernel dtb datafs; do
		printf '[slot.%s]\ndevice=%s\nparent=%s\n' "$class.0" "$work/device/$class-a" rootfs.0 "$class.1" "$work/device/$class-b" rootfs.1
	done >>"$work/device/ota.conf"
}

install() {
	device
	"$program" ota install --conf "$work/device/ota.conf" "$work/$1.raucb" >"$work/said" 2>&1
	code=$?
	cat "$work/said" >>"$log"
	return $code
}

same() { cmp -n "$(stat -c %s "$work/$1")" "$work/$1" "$work/device/$2" >>"$log" 2>&1; }

# taken NAME [FILE SLOT]...: info, verify and install take the bundle, and each slot has the bytes of the file.
taken() {
	name=$1
	shift
	for word in info verify; do
		"$program" ota bundle $word --keyring "$work/ca.pem" "$work/$name.raucb" >>"$log" 2>&1 || {
			bad "$name: not read ($word)"
			return
		}
	done
	install "$name" || {
		bad "$name: not installed: $(tail -n 1 "$work/said")"
		return
	}
	while [ $# -gt 1 ]; do
		same "$1" "$2" || {
			bad "$name: $2 has other bytes than $1"
			return
		}
		shift 2
	done
	ok "$name is installed, byte for byte"
}

# refused NAME WORD: it is not installed, what is said has the word, and no slot is touched.
refused() {
	if install "$1"; then
		bad "$1: it was installed"
	elif ! grep -q "$2" "$work/said"; then
		bad "$1: refused for something else than $2: $(tail -n 1 "$work/said")"
	elif [ "$(cat "$work"/device/*-b | tr -d '\0' | wc -c)" -ne 0 ]; then
		bad "$1: refused, and a slot was touched"
	else
		ok "$1 is refused, and says $2"
	fi
}

# If rauc cannot make it, that is no fault of ours.
unless_rauc_cannot() { say "$suite: rauc makes no $1"; }

verity='\n[bundle]\nformat=verity\n'
rootfs='\n[image.rootfs]\nfilename=rootfs.img\n'

theirs_all() {
	hooks=false
	for args in '' '-comp gzip -Xcompression-level 9' '-comp xz' '-comp zstd' '-comp zstd -Xcompression-level 19' \
		'-comp gzip -b 64k' '-comp zstd -b 1M' '-comp xz -b 1M' '-noI -noD -noF -noX' '-no-fragments' '-always-use-fragments'; do
		name=squash$(printf %s "$args" | tr -d ' ')
		theirs "$name" "$verity$rootfs" "$args" && taken "$name" rootfs.img rootfs-b || unless_rauc_cannot "$name"
	done
	for args in lzo lz4; do
		theirs "$args" "$verity$rootfs" "-comp $args" && refused "$args" "$args" || unless_rauc_cannot "$args"
	done
	# An RSA-PSS key signs by PSS, and OpenSSL says that it was PKCS#1: neither rauc nor we take that.
	theirs key-pss "$verity$rootfs" '' pss && refused key-pss 'signature of "pss" is false'
	there 'rauc --keyring ca.pem info key-pss.raucb' && bad "key-pss: rauc takes it" || ok "key-pss is refused by rauc as well"
	for key in p256 p384 ed25519; do
		theirs "key-$key" "$verity$rootfs" '' $key && taken "key-$key" rootfs.img rootfs-b || unless_rauc_cannot "key-$key"
	done
	folder chain "$verity$rootfs"
	there 'rauc --cert far.pem --key far.key --intermediate middle.pem bundle chain chain.raucb' && taken chain rootfs.img rootfs-b
	theirs signing "$verity$rootfs" && there 'openssl req -x509 -newkey rsa:2048 -nodes -keyout next.key -out next.pem -subj /CN=next \
		-days 2000 && rauc resign --keyring ca.pem --signing-keyring next.pem --cert next.pem --key next.key signing.raucb again.raucb'
	refused again 'not trusted'
	theirs adaptive "$verity$rootfs"'adaptive=block-hash-index\n' && taken adaptive rootfs.img rootfs-b
	theirs adaptive-other "$verity$rootfs"'adaptive=block-hash-index;some-other\n' && taken adaptive-other rootfs.img rootfs-b ||
		unless_rauc_cannot adaptive-other
	theirs many "$verity$rootfs"'\n[image.esp]\nfilename=esp.vfat\n\n[image.app]\nfilename=app.ext4\n' &&
		taken many rootfs.img rootfs-b esp.vfat esp-b app.ext4 app-b
	theirs squash-in-squash "$verity"'\n[image.rootfs]\nfilename=root.squashfs\n' && taken squash-in-squash root.squashfs rootfs-b
	theirs policy "$verity$rootfs"'\n[meta.greengrass]\nfloor=7\ntries=2\n\n[meta.release]\nnotes=some text\n' &&
		taken policy rootfs.img rootfs-b
	"$program" ota bundle info --keyring "$work/ca.pem" "$work/policy.raucb" | grep -q 'floor 7.*2 tries' &&
		ok "policy is kept" || bad "policy: [meta.greengrass] was lost"
	theirs variant "$verity"'\n[image.rootfs]\nfilename=rootfs.bin\ntype=raw\n\n[image.rootfs.ti,bone]\nfilename=rootfs.img\n' ||
		theirs variant "$verity"'\n[image.rootfs]\nfilename=root.squashfs\n\n[image.rootfs.ti,bone]\nfilename=rootfs.img\n'
	taken variant rootfs.img rootfs-b
	theirs other-variant "$verity"'\n[image.rootfs.v9]\nfilename=rootfs.img\n' && refused other-variant 'ti,bone'
	theirs artifact "$verity$rootfs"'\n[image.files/app]\nfilename=app.tar\n' && refused artifact 'files/app'
	theirs handler "$verity$rootfs"'\n[handler]\nfilename=hook\nargs=--all\n' && refused handler 'handler'
	theirs plain '\n[bundle]\nformat=plain\n'"$rootfs" && refused plain 'plain'
	theirs none "$rootfs" && refused none 'plain'
	theirs crypt '\n[bundle]\nformat=crypt\n'"$rootfs" && refused crypt 'crypt' &&
		there 'rauc encrypt --keyring ca.pem --to rsa.pem crypt.raucb encrypted.raucb' && refused encrypted 'encrypted'
	theirs hooked "$verity$rootfs"'hooks=post-install\n\n[hooks]\nfilename=hook\nhooks=install-check\n' && refused hooked allow-hooks
	hooks=true
	theirs hooked "$verity$rootfs"'hooks=post-install\n\n[hooks]\nfilename=hook\nhooks=install-check\n\n[meta.release]\nnotes=x y\n'
	taken hooked rootfs.img rootfs-b
	[ "$(grep -c . "$work/device/hooked" 2>/dev/null)" = 2 ] && grep -q 'install-check ti,bone x y' "$work/device/hooked" &&
		ok "hooks were called with what RAUC tells them" || bad "hooks: $(cat "$work/device/hooked" 2>&1)"
	bbclass
	hooks=false
	theirs min "$verity$rootfs" && sed -i 's/^version=.*/&\nmin-rauc-version=1.15/' "$work/min/manifest.raucm" && rm -f "$work/min.raucb" &&
		there 'rauc --cert rsa.pem --key rsa.key bundle min min.raucb' && taken min rootfs.img rootfs-b || unless_rauc_cannot min-rauc-version
	theirs typed "$verity"'\n[image.rootfs]\nfilename=rootfs.bin\ntype=raw\n' && taken typed rootfs.bin rootfs-b || unless_rauc_cannot type=
	theirs casync "$verity"'\n[image.rootfs]\nfilename=rootfs.bin\ntype=raw-caibx\n' && refused casync raw-caibx || unless_rauc_cannot raw-caibx
	archives
}

# Manifests with the keys in the order in which meta-rauc's bundle.bbclass writes them, for each kind of RAUC_SLOT_...
bbclass() {
	image='[image.rootfs]\nadaptive=block-hash-index\nfilename=core-image-minimal-qemux86-64.rootfs.ext4\n\n'
	theirs bbclass-image "$verity\n$image" '-comp zstd -Xcompression-level 22' &&
		taken bbclass-image rootfs.img rootfs-b
	others='[hooks]\nfilename=hook\nhooks=install-check\n\n'$image
	others=$others'[image.kernel]\nfilename=zImage-qemux86-64.bin.img\n\n'
	others=$others'[image.dtb.ti,bone]\nfilename=qemu-variant1.dtb.img\n\n[image.dtb.other]\nfilename=esp.vfat\n\n'
	others=$others'[image.esp]\nhooks=pre-install;post-install\nfilename=esp.vfat\n\n[image.datafs]\nhooks=install\n\n'
	others=$others'[meta.release]\nrelease-type=beta\nnotes=a few notes\n\n[meta.foo]\nbar=baz\n'
	[ -n "$rauc_lacks" ] || others=$others'\n[rollout]\nkey=value\n'
	theirs bbclass-all "$verity\n$others" && taken bbclass-all rootfs.img rootfs-b rootfs.img kernel-b rootfs.img dtb-b esp.vfat esp-b
	[ "$(cut -d ' ' -f 1 "$work/device/hooked" | sort | tr '\n' ' ')" = 'install-check slot-install slot-post-install slot-pre-install ' ] &&
		ok "bbclass-all: each hook was called once" || bad "bbclass-all: hooks: $(cat "$work/device/hooked" 2>&1)"
	theirs bbclass-types "$verity"'\n[image.rootfs]\ntype=raw\nfilename=u-boot.bin\n\n' && taken bbclass-types rootfs.img rootfs-b ||
		unless_rauc_cannot bbclass-types
	theirs bbclass-artifact "$verity\n$image"'[image.containers/test]\nconvert=tar-extract\nfilename=app.tar.gz\n\n' &&
		refused bbclass-artifact containers/test || unless_rauc_cannot bbclass-artifact
}

# Unpacked into a device: by loop devices, where there are some.
archives() {
	device
	[ -n "$loop" ] && command -v mkfs.ext4 >/dev/null || {
		say "skipped: archives: no loop device, or no mkfs.ext4 (apt-get install e2fsprogs)"
		return
	}
	for archive in app.tar app.tar.gz app.tar.xz app.tar.zst; do
		theirs "of-$archive" "$verity$rootfs\n[image.app]\nfilename=$archive\n" || {
			bad "$archive: rauc does not make it"
			continue
		}
		taken "of-$archive" rootfs.img rootfs-b
		mkdir -p "$work/mounted"
		unshare -m sh -c 'mount -o ro "$1" "$2" && diff -r -x lost+found "$3" "$2"' sh "$loop" "$work/mounted" "$work/app" \
			>>"$log" 2>&1 && ok "$archive is unpacked" || bad "$archive: the slot has other files"
	done
	theirs of-bzip2 "$verity$rootfs\n[image.app]\nfilename=app.tar.bz2\n" && refused of-bzip2 'pack it by gzip, xz or zstd'
	theirs empty "$verity$rootfs"'\n[image.app]\ntype=emptyfs\n' && taken empty rootfs.img rootfs-b || unless_rauc_cannot emptyfs
}

# read_by_rauc NAME [FILE]...: info takes it, and extract gives the files.
read_by_rauc() {
	name=$1
	shift
	rm -rf "$work/out"
	there "rauc --keyring ca.pem info $name.raucb && rauc --keyring ca.pem info --output-format=json-pretty $name.raucb >$name.json &&
		rauc --keyring ca.pem extract $name.raucb out" || {
		bad "$name of ours: rauc does not read it"
		return
	}
	for file; do
		cmp "$work/$file" "$work/out/$file" >>"$log" 2>&1 || {
			bad "$name of ours: rauc reads other bytes of $file"
			return
		}
	done
	ok "$name of ours is read by rauc"
	"$program" rauc --keyring "$work/ca.pem" info --output-format=json-pretty "$work/$name.raucb" >"$work/$name.ours.json"
	for info in "$name" "$name.ours"; do
		jq -S "${rauc_lacks:-.}" "$work/$info.json" >"$work/$info.sorted" 2>>"$log"
	done
	diff "$work/$name.sorted" "$work/$name.ours.sorted" >>"$log" 2>&1 && ok "$name: our rauc info says the same" ||
		bad "$name: our rauc info says something else"
}

ours_all() {
	for compression in auto gzip none; do
		ours "made-$compression" "$verity$rootfs" --key rsa.key --cert rsa.pem --compression $compression
		read_by_rauc "made-$compression" rootfs.img
	done
	ours made-pss "$verity$rootfs" --key rsa.key --cert rsa.pem --pss && read_by_rauc made-pss rootfs.img
	for key in p256 p384 ed25519; do
		ours "made-$key" "$verity$rootfs" --key $key.key --cert $key.pem && read_by_rauc "made-$key" rootfs.img
	done
	ours made-chain "$verity$rootfs" --key far.key --cert far-chain.pem && read_by_rauc made-chain rootfs.img
	# Which rauc refuses, whoever made it; ours takes it.
	ours made-two "$verity$rootfs" --key rsa.key --cert rsa.pem --key p256.key --cert p256.pem
	taken made-two rootfs.img rootfs-b
	there 'rauc --keyring ca.pem info made-two.raucb' && bad "made-two: rauc knows bundles of two signers now" ||
		ok "made-two is refused by rauc, as the guide says"
	ours made-many "$verity$rootfs"'adaptive=block-hash-index\n\n[image.esp]\nfilename=esp.vfat\n\n[image.app]\nfilename=app.tar.xz\n
[image.app.ti,bone]\nfilename=app.ext4\nhooks=pre-install;post-install\n\n[hooks]\nfilename=hook\nhooks=install-check\n
[meta.greengrass]\nfloor=3\n\n[meta.release]\nnotes=some text\n' --key rsa.key --cert rsa.pem
	read_by_rauc made-many rootfs.img esp.vfat app.tar.xz app.ext4
	ours made-artifact "$verity"'\n[image.files/app]\nfilename=app.tar\n' --key rsa.key --cert rsa.pem && read_by_rauc made-artifact app.tar
	status
	[ -z "$rauc_lacks" ] || return 0
	ours made-typed "$verity"'\n[image.rootfs]\nfilename=rootfs.bin\ntype=raw\n\n[image.app]\ntype=emptyfs\n' --key rsa.key --cert rsa.pem
	read_by_rauc made-typed rootfs.bin
}

# rauc's service tells of slots like those of our device; every field of it is one of ours.
status() {
	cat >"$work/bus.conf" <<-'END'
		<busconfig><type>system</type><listen>unix:path=/work/bus</listen><auth>EXTERNAL</auth><policy context="default">
		<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>
	END
	printf '[system]\ncompatible=board\nbootloader=noop\nmountprefix=/work/out\nstatusfile=/work/rauc.status\n%b%b%b%b%b' \
		'variant-name=ti,bone\n[keyring]\npath=/work/ca.pem\n' '[slot.rootfs.0]\ndevice=/work/rootfs.img\nbootname=a\n' \
		'[slot.rootfs.1]\ndevice=/work/rootfs.bin\nbootname=b\n' '[slot.app.0]\ndevice=/work/app.ext4\nparent=rootfs.0\n' \
		'[slot.app.1]\ndevice=/work/esp.vfat\nparent=rootfs.1\n' >"$work/system.conf"
	printf '[slot.rootfs.1]\nbundle.%s\nbundle.%s\nbundle.%s\nbundle.%s\nbundle.%s\n%b' compatible=board version=1.2 description=d \
		build=7 hash=00 'status=ok\nsha256=00\nsize=5\ninstalled.timestamp=2026-01-01T00:00:00Z\ninstalled.count=1\n' >"$work/rauc.status"
	# What is in the background there ends with the shell that is process 1.
	echo "== rauc status" >>"$log"
	timeout "${PATIENCE:-400}" unshare -m --pid --fork --kill-child sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" sh -c "
		cd /work && rm -f bus && export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/work/bus
		dbus-daemon --config-file=bus.conf --nofork --nopidfile --nosyslog &
		until [ -S bus ]; do sleep 0.1; done
		rauc -c system.conf --override-boot-slot=a service &
		until rauc status >/dev/null || ! kill -0 \$!; do sleep 0.3; done
		rauc status --detailed --output-format=json-pretty >status.json
		rauc status --detailed --output-format=shell >status.shell"' "$root" >>"$log" 2>&1
	install made-auto || bad "made-auto: not installed"
	for format in json-pretty shell; do
		"$program" rauc -c "$work/device/ota.conf" status --detailed --output-format=$format >"$work/status.ours.${format%-pretty}"
	done
	for whose in '' .ours; do
		jq -r '(keys[]), (.slots[] | to_entries[] | .key as $slot | .value | paths | [$slot] + . | join("."))' \
			"$work/status$whose.json" | grep -v '^esp' | sort >"$work/status$whose.fields"
		sed 's/_[0-9]*=.*//; s/=.*//' "$work/status$whose.shell" | sort -u >"$work/status$whose.names"
	done
	# Nobody here counts installations.
	lost=$(comm -23 "$work/status.fields" "$work/status.ours.fields" | grep -v 'installed.count$')
	lost=$lost$(comm -23 "$work/status.names" "$work/status.ours.names")
	[ -s "$work/status.fields" ] && [ -z "$lost" ] && ok "our rauc status has every field of rauc's" ||
		bad "our rauc status lacks $lost"
	# What AWS's recipe for RAUC reads.
	hash=$("$program" rauc --keyring "$work/ca.pem" info --output-format=json "$work/made-auto.raucb" | jq -r .hash)
	[ "$(jq -r '.slots[] | .["rootfs.1"] // empty | .slot_status.bundle.hash' "$work/status.ours.json")" = "$hash" ] &&
		ok "the hash of info is that of the slot in status" || bad "the hash of info is not in status"
}

# rauc installs ours, which takes a kernel with device-mapper.
machine() {
	RAUC_ROOT=$root GREENGRASS_BINARY=$program tests/image/rauc.sh >"$work/machine" 2>&1 && ok "rauc installed bundles of ours in QEMU" ||
		bad "in QEMU: $(tail -n 1 "$work/machine")"
	cat "$work/machine" >>"$log"
}

files() {
	(
		cd "$work" || exit
		for image in rootfs.img rootfs.bin; do
			{ head -c $((size / 2)) /dev/urandom && yes "$image" "$image" | head -c $((size / 2)); } >"$work/$image"
		done
		# With data in them that a file system of this kind would have.
		truncate -s 2M app.ext4 esp.vfat
		head -c 500000 /dev/urandom | dd of=app.ext4 conv=notrunc bs=64k seek=2 status=none
		head -c 300000 /dev/urandom | dd of=esp.vfat conv=notrunc bs=64k seek=3 status=none
		mkdir -p app/bin && cp hook app/bin && head -c 700000 /dev/urandom >app/data && ln -s bin/hook app/link
		tar -cf app.tar -C app . && gzip -k app.tar && xz -k app.tar && zstd -q app.tar && bzip2 -k app.tar
		mksquashfs app root.squashfs -quiet >/dev/null
	) >>"$log" 2>&1
}

# Nothing stays behind.
leave() { [ -z "${loop:-}" ] || losetup -d "$loop"; }
trap leave EXIT
trap 'exit 1' INT TERM

mkdir -p "$(dirname "$log")"
: >"$log"
[ "$(id -u)" -eq 0 ] || skip "it takes root"
for tool in debootstrap mksquashfs xz zstd bzip2 losetup unshare jq; do
	command -v $tool >/dev/null || skip "$tool is missing"
done
[ -x "$program" ] || skip "there is no greengrass binary: cargo build"
for suite in ${SUITES:-trixie sid}; do
	root=$roots/$suite
	tree
	loop=
	work=$(cd "$root" && pwd -P)/work
	rm -rf "$work"
	mkdir "$work"
	printf '#!/bin/sh\necho "$1 $RAUC_SYSTEM_VARIANT $RAUC_META_RELEASE_NOTES" >>%s/device/hooked\n' "$work" >"$work/hook"
	chmod +x "$work/hook"
	files
	keys || bad "no keys"
	there 'rauc --version'
	say "$suite: $(tail -n 1 "$log")"
	# What 1.15 tells of an image and 1.13 does not.
	rauc_lacks=
	tail -n 1 "$log" | grep -q ' 1\.1[0-4]' && rauc_lacks='del(.images[][].type)'
	mkdir "$work/device"
	theirs_all
	ours_all
	leave
	loop=
	machine
done
say "$passed checks passed, $failed failed"
exit $((failed > 0))
