#!/bin/sh
# Makes the updates that `make boot DEMO=update` installs: target/image/<arch>/updates.img, a disk with two signed bundles.
# Version 2 is the image with another number; version 3 has a health check that fails. Each is there as a component, too,
# for a deployment to bring. From the tree that build.sh left; the keys are made here, for this once, and are worth nothing.
#
# ARCH, INIT, LOADER   of the image, as in build.sh
# MORE   a file of functions, one of which, more_updates, makes others
set -eu
cd "$(dirname "$0")/../.."

arch=${ARCH:-x86_64}
image=target/image/$arch
[ "${INIT:-busybox}" = busybox ] || image=$image-$INIT
[ "${LOADER:-grub}" = grub ] || image=$image-$LOADER
work=$image/work
keys=$image/update-keys
disk=$image/updates

say() { printf 'updates: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}
PATH=$PATH:/usr/sbin:/sbin
for tool in openssl mksquashfs; do
	command -v "$tool" >/dev/null || fail "$tool is missing: make setup"
done
[ -d "$work/slot" ] || fail "$work/slot is missing: make image ARCH=$arch INIT=${INIT:-busybox}"
# That of the image runs on its own architecture; the bundle is the same whoever makes it.
program=${GREENGRASS_BINARY:-target/dist/$(uname -m)-unknown-linux-musl/greengrass}
[ -x "$program" ] || fail "$program is missing: make dist TARGETS=$(uname -m)-unknown-linux-musl"

make_keys() {
	rm -rf "$keys"
	mkdir -m 700 "$keys"
	for name in root signer; do
		openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$keys/$name.key" 2>/dev/null ||
			openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$keys/$name.key" 2>/dev/null
	done
	openssl req -x509 -new -key "$keys/root.key" -out "$keys/root.pem" -subj "/CN=demo root" -days 3650 \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
	openssl req -new -key "$keys/signer.key" -out "$keys/signer.csr" -subj "/CN=demo signer"
	printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n' >"$keys/usage"
	openssl x509 -req -in "$keys/signer.csr" -CA "$keys/root.pem" -CAkey "$keys/root.key" -CAcreateserial -days 3650 \
		-extfile "$keys/usage" -out "$keys/signer.pem" 2>/dev/null
}

# replace FILE: with what comes in. The tree's files are linked to those of the image.
replace() {
	mkdir -p "$(dirname "$work/slot-$version/$1")"
	rm -f "$work/slot-$version/$1"
	cat >"$work/slot-$version/$1"
}

# bundle VERSION [COMMAND]: of the image with that number, after the command has changed its tree.
bundle() {
	version=$1
	rm -rf "$work/slot-$version" "$work/bundle-$version"
	cp -al "$work/slot" "$work/slot-$version"
	echo "$version" | replace usr/share/greengrass/image-version
	[ -z "${2-}" ] || "$2"
	mkdir "$work/bundle-$version"
	mksquashfs "$work/slot-$version" "$work/bundle-$version/slot.squashfs" -comp gzip -all-root -no-xattrs -no-progress -quiet \
		-processors "$(nproc)" >/dev/null
	cat >"$work/bundle-$version/manifest.raucm" <<-END
		[update]
		compatible=greengrass-image-$arch
		version=$version

		[bundle]
		format=verity

		[image.rootfs]
		filename=slot.squashfs
		adaptive=block-hash-index
	END
	"$program" ota bundle create --key "$keys/signer.key" --cert "$keys/signer.pem" "$work/bundle-$version" \
		"$disk/version-$version.raucb" >/dev/null
	component
	say "$disk/version-$version.raucb: $(stat -c %s "$disk/version-$version.raucb") bytes"
	rm -rf "$work/slot-$version" "$work/bundle-$version"
}

# The same bundle, which takes no more room, with the recipe of a component that brings it.
component() {
	artifacts=$disk/artifacts/com.example.System/$version.0.0
	mkdir -p "$artifacts" "$disk/recipes"
	ln "$disk/version-$version.raucb" "$artifacts/update.raucb"
	cat >"$disk/recipes/com.example.System-$version.0.0.yaml" <<-END
		RecipeFormatVersion: "2020-01-25"
		ComponentName: com.example.System
		ComponentVersion: "$version.0.0"
		Manifests:
		  - Platform: { os: linux }
		    Lifecycle:
		      SystemUpdate:
		        Bundle: "{artifacts:path}/update.raucb"
		        Timeout: 3600
	END
}

fail_a_check() {
	replace etc/greengrass/health.d/required/sensor <<-'END'
		#!/bin/sh
		echo "the sensor does not answer" >&2
		exit 1
	END
	chmod 755 "$work/slot-$version/etc/greengrass/health.d/required/sensor"
}

make_keys
rm -rf "$disk"
mkdir -p "$disk"
bundle 2
bundle 3 fail_a_check
if [ -n "${MORE-}" ]; then
	# shellcheck source=tests/uboot/updates.sh
	. "$MORE"
	more_updates
fi
cp "$keys/root.pem" "$disk/root.pem"
# Bundles do not pack; a squashfs needs no root to be made, and the device can mount it.
rm -f "$image/updates.img"
mksquashfs "$disk" "$image/updates.img" -noI -noD -noF -all-root -no-xattrs -no-progress -quiet >/dev/null
rm -rf "$disk"
