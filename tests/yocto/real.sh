#!/bin/sh
# Bundles of BitBake itself: by the bundle.bbclass of meta-rauc and by our greengrass_bundle.bbclass. Ours are read by
# `rauc`; both are installed by us, byte for byte. The image in them is made by OE-core's image.bbclass.
#
#   BITBAKE=../bitbake OECORE=../openembedded-core META_RAUC=../meta-rauc tests/yocto/real.sh
#
# The checkouts are yours, of branches that belong together. Nothing is downloaded and no toolchain is built: every recipe
# of OE-core is masked, and rauc, mksquashfs and mkfs.ext4 are those of this machine. Takes a minute or two.
#
# WORK             folder for the build and the log; it is emptied first
# GREENGRASS_DIST  what `make dist` left
#
# shellcheck disable=SC2015 # what is said last, ok or bad, never fails
# shellcheck disable=SC2016 # what is in single quotes, BitBake expands
set -u
cd "$(dirname "$0")/../.." || exit

PATH=$PATH:/usr/sbin:/sbin
export LC_ALL="${LC_ALL:-C.UTF-8}"
top=$PWD
dist=$(realpath -m "${GREENGRASS_DIST:-target/dist}")
program=$dist/$(uname -m)-unknown-linux-musl/greengrass
work=$(realpath -m "${WORK:-target/yocto-real}")
log=$work/log
images=$work/images
passed=0
failed=0

say() { printf 'yocto-real: %s\n' "$*" >&2; }
ok() {
	passed=$((passed + 1))
	say "ok: $*"
}
bad() {
	failed=$((failed + 1))
	say "FAILED: $*; see $log"
}
skip() {
	say "skipped, and nothing was tested: $*"
	exit 0
}

# NAME FOLDER FILE: a checkout, which has to have the file.
checkout() {
	[ -n "$2" ] || skip "$1 is not set: BITBAKE=... OECORE=... META_RAUC=... name folders of your own checkouts"
	[ -e "$2/$3" ] || skip "$1=$2 has no $3"
}

make_keys() {
	mkdir "$work/keys"
	(
		cd "$work/keys" || exit
		openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -subj /CN=root -days 2000 \
			-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
		openssl req -newkey rsa:2048 -nodes -keyout signer.key -out signer.csr -subj /CN=signer
		printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n' >usage
		openssl x509 -req -in signer.csr -CA root.pem -CAkey root.key -CAcreateserial -days 2000 -extfile usage -out signer.pem
	) >>"$log" 2>&1
}

# A layer with what this machine has, an image, a file of another recipe, and bundles of both.
make_layer() {
	layer=$work/layer
	mkdir -p "$layer/conf" "$layer/recipes-tests/tests/files"
	cat >"$layer/conf/layer.conf" <<-'END'
		BBPATH .= ":${LAYERDIR}"
		BBFILES += "${LAYERDIR}/recipes-*/*/*.bb"
		BBFILE_COLLECTIONS += "tests"
		BBFILE_PATTERN_tests = "^${LAYERDIR}/"
		BBFILE_PRIORITY_tests = "20"
	END
	sed -n 's/^LAYERSERIES_CORENAMES/LAYERSERIES_COMPAT_tests/p' "$oecore/meta/conf/layer.conf" >>"$layer/conf/layer.conf"
	cd "$layer/recipes-tests/tests" || exit
	cat >rauc-native_99.bb <<-'END'
		SUMMARY = "The rauc of this machine"
		LICENSE = "CLOSED"
		INHIBIT_DEFAULT_DEPS = "1"
		inherit native
		do_install() {
		    install -d ${D}${bindir}
		    printf '#!/bin/sh\nexec ${HOSTTOOLS_DIR}/rauc "$@"\n' > ${D}${bindir}/rauc
		    chmod 0755 ${D}${bindir}/rauc
		}
	END
	cat >test-image.bb <<-'END'
		SUMMARY = "An image without packages"
		LICENSE = "MIT"
		inherit image
		PACKAGE_INSTALL = ""
		IMAGE_FEATURES = ""
		IMAGE_INSTALL = ""
		IMAGE_LINGUAS = ""
		IMAGE_FSTYPES = "ext4 squashfs"
		IMAGE_ROOTFS_SIZE = "16384"
		python do_rootfs() {
		    bb.utils.mkdirhier(d.expand("${IMAGE_ROOTFS}/usr"))
		    with open(d.expand("${IMAGE_ROOTFS}/usr/data"), "wb") as file:
		        file.write(os.urandom(3000000) + b"text\n" * 100000)
		}
		# Neither packages nor a kernel are waited for.
		python () {
		    for task in d.getVar("__BBTASKS", False):
		        for flag in ("depends", "rdepends", "rdeptask", "recrdeptask"):
		            d.delVarFlag(task, flag)
		    d.setVar("DEPENDS", "")
		}
		deltask do_populate_sdk
		deltask do_populate_sdk_ext
	END
	cat >test-firmware_1.0.bb <<-'END'
		SUMMARY = "Deploys files"
		LICENSE = "CLOSED"
		INHIBIT_DEFAULT_DEPS = "1"
		PACKAGE_ARCH = "${MACHINE_ARCH}"
		inherit deploy nopackages
		deltask do_populate_sysroot
		do_configure[noexec] = "1"
		do_compile[noexec] = "1"
		do_install[noexec] = "1"
		do_deploy() {
		    head -c 300001 /dev/urandom > ${DEPLOYDIR}/board-v2.dtb
		    head -c 400000 /dev/urandom > ${DEPLOYDIR}/u-boot.bin
		}
		addtask deploy after do_compile before do_build
	END
	cat >theirs.inc <<-'END'
		SUMMARY = "A bundle of meta-rauc's class"
		LICENSE = "CLOSED"
		inherit bundle
		SRC_URI = "file://hook.sh"
		RAUC_BUNDLE_COMPATIBLE = "thermostat-1"
		RAUC_BUNDLE_FORMAT = "verity"
		RAUC_BUNDLE_HOOKS[file] = "hook.sh"
		RAUC_BUNDLE_HOOKS[hooks] = "install-check"
		RAUC_BUNDLE_SLOTS = "rootfs app dtb esp"
		RAUC_SLOT_rootfs = "test-image"
		RAUC_SLOT_rootfs[fstype] = "ext4"
		RAUC_SLOT_rootfs[adaptive] = "block-hash-index"
		RAUC_SLOT_rootfs[hooks] = "post-install"
		RAUC_SLOT_app = "test-image"
		RAUC_SLOT_app[fstype] = "squashfs"
		RAUC_SLOT_app[rename] = "app.squashfs"
		RAUC_SLOT_dtb = "test-firmware"
		RAUC_SLOT_dtb[name] = "dtb.mine,board-v2"
		RAUC_SLOT_dtb[type] = "file"
		RAUC_SLOT_dtb[file] = "board-v2.dtb"
		RAUC_SLOT_esp = "test-firmware"
		RAUC_SLOT_esp[type] = "boot"
		RAUC_SLOT_esp[file] = "u-boot.bin"
		RAUC_SLOT_esp[rename] = "u-boot.img"
		RAUC_SLOT_esp[offset] = "1024"
		RAUC_BUNDLE_SLOTS:append = "${IMAGES_WITHOUT_A_FILE}"
		RAUC_SLOT_datafs[type] = "none"
		RAUC_SLOT_datafs[hooks] = "install"
		RAUC_META_SECTIONS = "greengrass release"
		RAUC_META_greengrass[floor] = "4"
		RAUC_META_release[notes] = "a few notes"
	END
	echo 'require theirs.inc' >theirs-default_1.3.bb
	printf 'require theirs.inc\nBUNDLE_ARGS += '\'' --mksquashfs-args="%s" '\''\n' '-comp gzip -Xcompression-level 6' >theirs-gzip_1.3.bb
	printf 'require theirs.inc\nBUNDLE_ARGS += '\'' --mksquashfs-args="%s" '\''\n' '-comp zstd -b 256k' >theirs-zstd_1.3.bb
	printf 'require theirs.inc\nRAUC_BUNDLE_FORMAT = "plain"\n' >theirs-plain_1.3.bb
	cat >ours_1.0.bb <<-'END'
		SUMMARY = "Update of the thermostat"
		LICENSE = "CLOSED"
		inherit greengrass_bundle
		SRC_URI = "file://hook.sh"
		GREENGRASS_BUNDLE_VERSION = "${OUR_VERSION}"
		GREENGRASS_BUNDLE_FLOOR = "4"
		GREENGRASS_BUNDLE_HOOKS[file] = "hook.sh"
		GREENGRASS_BUNDLE_HOOKS[hooks] = "install-check"
		GREENGRASS_BUNDLE_SLOTS = "rootfs dtb"
		GREENGRASS_SLOT_rootfs = "test-image"
		GREENGRASS_SLOT_rootfs[hooks] = "post-install"
		GREENGRASS_SLOT_rootfs[rename] = "rootfs.ext4"
		GREENGRASS_SLOT_dtb = "test-firmware"
		GREENGRASS_SLOT_dtb[type] = "file"
		GREENGRASS_SLOT_dtb[file] = "board-v2.dtb"
	END
	printf '#!/bin/sh\necho "$1" >>%s/device/hooked\n' "$work" >files/hook.sh
	cd "$top" || exit
}

configure() {
	mkdir -p "$work/build/conf"
	# A program that gets another owner of files by pseudo gets its own.
	printf '#!/bin/sh\n[ "$1" = -S ] || exec "$@"\n' >"$work/no-pseudo"
	chmod +x "$work/no-pseudo"
	cat >"$work/build/conf/bblayers.conf" <<-END
		LCONF_VERSION = "7"
		BBPATH = "\${TOPDIR}"
		BBFILES ?= ""
		BBLAYERS = "$oecore/meta $meta_rauc $top/meta-greengrass-rs $work/layer"
	END
	cat >"$work/build/conf/local.conf" <<-END
		CONF_VERSION = "2"
		MACHINE = "qemux86-64"
		DISTRO = "nodistro"
		INIT_MANAGER = "systemd"
		MACHINE_FEATURES:append = " efi"
		DISTRO_FEATURES:append = " greengrass rauc"
		BB_NO_NETWORK = "1"
		CONNECTIVITY_CHECK_URIS = ""
		BB_SIGNATURE_HANDLER = "OEBasicHash"
		BB_HASHSERVE = ""
		INHERIT:remove = "create-spdx uninative"
		FAKEROOTCMD = "$work/no-pseudo"
		DEPLOY_DIR_IMAGE = "$images"
		HOSTTOOLS += "fsck.ext4 mkfs.ext4 mksquashfs rauc"
		GREENGRASS_RS_DIST = "$dist"
		PREFERRED_PROVIDER_greengrass-rs = "greengrass-rs-bin"
		PREFERRED_PROVIDER_greengrass-rs-native = "greengrass-rs-bin-native"
		GREENGRASS_BUNDLE_COMPATIBLE = "thermostat-1"
		GREENGRASS_KEYRING_FILE = "$work/keys/root.pem"
		GREENGRASS_KEY_FILE = "$work/keys/signer.key"
		GREENGRASS_CERT_FILE = "$work/keys/signer.pem"
		RAUC_KEY_FILE = "$work/keys/signer.key"
		RAUC_CERT_FILE = "$work/keys/signer.pem"
		OUR_VERSION ?= "1.4"
		IMAGES_WITHOUT_A_FILE = "$images_without_a_file"
	END
}

# Only our own recipes and those of the tests are built; what OE-core would build for them, this machine has.
mask() {
	cat >>"$work/build/conf/local.conf" <<-'END'
		BBMASK += "/meta/recipes- /greengrass-rs_0[.] [.]bbappend$"
		BBFILE_PATTERN_IGNORE_EMPTY_core = "1"
		ASSUME_PROVIDED += "e2fsprogs-native gnu-config-native patch-replacement-native pseudo-native quilt-native \
		    squashfs-tools-native virtual/fakeroot-native"
		GREENGRASS_SLOT_rootfs:pn-greengrass-bundle-ab = "test-image"
	END
}

run_bitbake() {
	echo "== bitbake $*" >>"$log"
	(
		cd "$work/build" || exit
		unset BBPATH BUILDDIR
		PATH=$bitbake/bin:$oecore/scripts:$PATH exec bitbake "$@"
	) >"$work/said" 2>&1
	code=$?
	cat "$work/said" >>"$log"
	return $code
}

# A device whose slot a runs, as if nothing had ever been installed on it.
make_device() {
	rm -rf "$work/device"
	mkdir "$work/device"
	printf '# GRUB Environment Block\ngg_ok=a\n%0999d' 0 | tr 0 '#' | head -c 1024 >"$work/device/grubenv"
	cat >"$work/device/ota.conf" <<-END
		[system]
		compatible=thermostat-1
		bootloader=grub
		grubenv=$work/device/grubenv
		mountprefix=$work/device/mount
		variant-name=mine,board-v2
		[keyring]
		path=$work/keys/root.pem
		[greengrass]
		booted=a
		state=files
		data-directory=$work/device/data
		lock=$work/device/lock
		allow-hooks=true
	END
	for class in rootfs app dtb esp datafs; do
		for slot in 0 1; do
			truncate -s 20M "$work/device/$class.$slot"
			printf '[slot.%s.%s]\ndevice=%s\n' $class $slot "$work/device/$class.$slot"
			[ $class = rootfs ] && printf 'bootname=%s\n' "$(echo $slot | tr 01 ab)" || echo "parent=rootfs.$slot"
		done
	done >>"$work/device/ota.conf"
}

# taken BUNDLE [FILE SLOT]...: info, verify and install take it, and each slot has the bytes of the file, and nothing more.
taken() {
	name=$1
	bundle=$images/$1.raucb
	shift
	hooks=
	make_device
	for word in info verify; do
		"$program" ota bundle $word --keyring "$work/keys/root.pem" "$bundle" >"$work/$word" 2>&1 || {
			bad "$name: not read ($word): $(tail -n 1 "$work/$word")"
			return
		}
		cat "$work/$word" >>"$log"
	done
	"$program" ota install --conf "$work/device/ota.conf" "$bundle" >"$work/said" 2>&1 || {
		cat "$work/said" >>"$log"
		bad "$name: not installed: $(tail -n 1 "$work/said")"
		return
	}
	while [ $# -gt 1 ]; do
		cmp -n "$(stat -L -c %s "$1")" "$1" "$work/device/$2.1" >>"$log" 2>&1 || {
			bad "$name: the slot $2 has other bytes than $1"
			return
		}
		shift 2
	done
	ok "$name is installed, byte for byte"
	hooks=$(sort "$work/device/hooked" 2>/dev/null | tr '\n' ' ')
}

theirs() {
	# In front of a boot loader its class puts zeros.
	{ head -c 1024 /dev/zero && cat "$images/u-boot.bin"; } >"$work/u-boot.img"
	called='install-check slot-post-install '
	[ -z "$images_without_a_file" ] || called='install-check slot-install slot-post-install '
	for packed in default gzip zstd; do
		taken theirs-$packed-qemux86-64 "$images/test-image-qemux86-64.rootfs.ext4" rootfs \
			"$images/test-image-qemux86-64.rootfs.squashfs" app "$images/board-v2.dtb" dtb "$work/u-boot.img" esp
		[ "$hooks" = "$called" ] && ok "theirs-$packed: each hook was called once" ||
			bad "theirs-$packed: hooks: $hooks"
	done
	grep -q 'adaptive block-hash-index' "$work/info" && ok "adaptive is kept" || bad "adaptive was lost"
	if rauc --version | grep -q ' 1\.[0-8]$'; then
		say "not tested: RAUC_META_SECTIONS: $(rauc --version) drops them"
	else
		grep -q 'floor 4' "$work/info" && ok "RAUC_META_greengrass is the policy" || bad "RAUC_META_greengrass was lost"
	fi
	run_bitbake theirs-plain || bad "bitbake theirs-plain"
	make_device
	"$program" ota install --conf "$work/device/ota.conf" "$images/theirs-plain-qemux86-64.raucb" >"$work/said" 2>&1 &&
		bad "theirs-plain: it was installed" || grep -q plain "$work/said" && ok "theirs-plain is refused" ||
		bad "theirs-plain: $(cat "$work/said")"
}

# read_by_rauc BUNDLE [FILE NAME]...: with the bytes of each deployed file, which has a name of its own in the bundle.
read_by_rauc() {
	name=$1
	bundle=$images/$1.raucb
	shift
	rm -rf "$work/out"
	rauc --keyring "$work/keys/root.pem" info "$bundle" >>"$log" 2>&1 &&
		rauc --keyring "$work/keys/root.pem" extract "$bundle" "$work/out" >>"$log" 2>&1 || {
		bad "$name: rauc does not read it"
		return
	}
	while [ $# -gt 1 ]; do
		cmp "$images/$1" "$work/out/$2" >>"$log" 2>&1 || {
			bad "$name: rauc reads other bytes of $2"
			return
		}
		shift 2
	done
	ok "$name is read by rauc, byte for byte"
}

ours() {
	taken ours-qemux86-64 "$images/test-image-qemux86-64.rootfs.ext4" rootfs "$images/board-v2.dtb" dtb
	[ "$hooks" = "install-check slot-post-install " ] && ok "ours: each hook was called once" || bad "ours: hooks: $hooks"
	grep -q 'floor 4' "$work/info" && ok "ours: the floor is kept" || bad "ours: the floor was lost"
	taken greengrass-bundle-ab-qemux86-64 "$images/test-image-qemux86-64.rootfs.ext4" rootfs
	read_by_rauc ours-qemux86-64 test-image-qemux86-64.rootfs.ext4 rootfs.ext4 board-v2.dtb board-v2.dtb.img
	read_by_rauc greengrass-bundle-ab-qemux86-64 test-image-qemux86-64.rootfs.ext4 test-image-qemux86-64.rootfs.ext4
	# One that nothing of was changed is not made again; another version is another bundle.
	run_bitbake ours && ! grep -q 'Running task.*/ours_1.0.bb:do_bundle' "$work/said" && ok "ours is made once" ||
		bad "ours is made again, and nothing was changed"
	echo 'OUR_VERSION = "1.5"' >>"$work/build/conf/local.conf"
	run_bitbake ours && "$program" ota bundle info --keyring "$work/keys/root.pem" "$images/ours-qemux86-64.raucb" |
		grep -q '^Version  *1\.5$' && ok "another version is another bundle" || bad "another version is not another bundle"
}

[ "$(id -u)" -ne 0 ] || skip "BitBake refuses to be run by root"
checkout BITBAKE "${BITBAKE:-}" bin/bitbake
checkout OECORE "${OECORE:-}" meta/conf/bitbake.conf
checkout META_RAUC "${META_RAUC:-}" classes-recipe/bundle.bbclass
bitbake=$(realpath "$BITBAKE")
oecore=$(realpath "$OECORE")
meta_rauc=$(realpath "$META_RAUC")
# The class of scarthgap knows no such ones.
images_without_a_file=
! grep -q "== 'none'" "$meta_rauc/classes-recipe/bundle.bbclass" || images_without_a_file=' datafs'
for tool in chrpath diffstat fsck.ext4 gawk lz4c mkfs.ext4 mksquashfs openssl rauc unsquashfs zstd; do
	command -v $tool >/dev/null || skip "$tool is missing"
done
[ -x "$program" ] || skip "there is no $program: make dist TARGETS=$(uname -m)-unknown-linux-musl"

rm -rf "$work"
mkdir -p "$work"
: >"$log"
make_keys
make_layer
configure
mask
if run_bitbake theirs-default theirs-gzip theirs-zstd ours greengrass-bundle-ab; then
	grep -qE '^(WARNING|ERROR)' "$work/said" && bad "BitBake warns: $(grep -m 1 -E '^(WARNING|ERROR)' "$work/said")" ||
		ok "BitBake made the bundles, without a warning"
	theirs
	ours
else
	bad "bitbake: $(grep -m 1 '^ERROR' "$work/said")"
fi
say "$passed checks passed, $failed failed"
exit $((failed > 0))
