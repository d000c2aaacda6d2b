#!/bin/sh
# Makes, once, what the figure F16 installs: keys, images of 256 MiB, bundles of them by rauc, and, where there is swupdate,
# what that installs, in the directory $1.
set -eu
cd "$1"

bundle() { # FORMAT IMAGE OUT [OPTIONS OF mksquashfs]
	rm -rf content "$3"
	mkdir content
	ln "$2" content/rootfs.img
	printf '[update]\ncompatible=ota-bench\nversion=1\n\n[bundle]\nformat=%s\n\n[image.rootfs]\nfilename=rootfs.img\n' "$1" \
		>content/manifest.raucm
	rauc --cert=sign.pem --key=sign.key ${4:+"--mksquashfs-args=$4"} bundle content "$3" >/dev/null 2>&1
	rm -r content
}

# Its description, which is signed, names the device: a link that points to this run's.
swu() { # IMAGE
	rm -rf content
	mkdir content
	ln "$1.img" content/rootfs.img
	cat >content/sw-description <<END
software = {
	version = "1";
	hardware-compatibility: [ "1" ];
	images: ( {
		filename = "rootfs.img"; type = "raw"; installed-directly = true; device = "$PWD/slot";
		sha256 = "$(openssl dgst -sha256 -r "$1.img" | cut -d ' ' -f 1)";
	} );
};
END
	openssl cms -sign -in content/sw-description -out content/sw-description.sig -signer sign.pem -inkey sign.key \
		-outform DER -nosmimecap -binary
	(cd content && printf '%s\n' sw-description sw-description.sig rootfs.img | cpio -o -H crc -L --quiet) >"$1.swu"
	rm -r content
}

swus() {
	for program in swupdate cpio; do
		command -v "$program" >/dev/null || return 0
	done
	for image in squashfs ext4; do
		[ -f "$image.swu" ] || swu "$image"
	done
}

if [ -f complete ]; then
	swus
	exit 0
fi
for program in openssl rauc mksquashfs mke2fs zstd; do
	PATH=$PATH:/sbin:/usr/sbin command -v "$program" >/dev/null || { echo "bench: there is no $program" >&2 && exit 1; }
done
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj "/CN=bench" -days 3650 \
	-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout sign.key -out sign.csr -subj "/CN=bench signer" 2>/dev/null
printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection,codeSigning\nbasicConstraints=CA:FALSE\n' >ext
openssl x509 -req -in sign.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile ext -out sign.pem 2>/dev/null

# What a squashfs is to a packer: hardly anything to gain.
tar -cf - -C / usr/lib 2>/dev/null | zstd -q -3 | head -c 256M >squashfs.img
# A file system of programs, for six sevenths of its blocks.
find /usr/lib -xdev -type f -size -6M -printf '%s %p\n' | sort -k 2 |
	awk '{ sum += $1; if (sum > 217 * 1048576) exit; print $2 }' >files
rm -rf tree
mkdir tree
tar -cf - -T files 2>/dev/null | tar -xf - -C tree
truncate -s 256M ext4.img
PATH=$PATH:/sbin mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d tree ext4.img
rm -r tree files
for image in squashfs ext4; do
	for format in plain verity; do
		bundle "$format" "$image.img" "$image-gzip-$format.raucb"
		bundle "$format" "$image.img" "$image-stored-$format.raucb" "-noI -noD -noF -noX"
	done
done
swus
touch complete
