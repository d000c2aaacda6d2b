#!/bin/sh
# Packs what dist.sh built for each target triple into target/packages: .tar.gz with installer, .deb, .ipk, and the
# SHA-256 of each. The same program gives the same bytes: sorted, numeric owners, one time for all.
#
# PACKAGES_IN and PACKAGES_OUT are other places for target/dist and target/packages.
set -eu
cd "$(dirname "$0")/.."

in=${PACKAGES_IN:-target/dist}
out=${PACKAGES_OUT:-target/packages}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
export LC_ALL=C

say() { printf 'package: %s\n' "$*" >&2; }

name=greengrass-rs
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
revision=1
maintainer='greengrass-rs maintainers <maintainers@greengrass-rs.example>'
summary='AWS IoT Greengrass Core runtime'
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date -r Cargo.lock +%s)}
export SOURCE_DATE_EPOCH

# What the archive formats call the machine: Debian's name, OpenWrt's, and what follows Debian's version.
machine() {
	case $1 in
	x86_64-*) echo amd64 x86_64 ;;
	aarch64-*) echo arm64 aarch64_generic ;;
	armv7-*) echo armhf arm_cortex-a9_vfpv3-d16 ;;
	# Raspberry Pi OS for the first Raspberry Pis has Debian's name for a newer machine.
	arm-*) echo armhf arm_arm1176jzf-s_vfp +armv6 ;;
	*)
		say "$1: no packages for this machine; add it to .ci/package.sh"
		return 1
		;;
	esac
}

# Everything below directory $1 as a tar, the same bytes whenever and by whomever.
archive() {
	tar -C "$1" --format=gnu --numeric-owner --owner=0 --group=0 --sort=name --mtime="@$SOURCE_DATE_EPOCH" -cf - "$2"
}

# Program, service files, installer, and what the feed's prebuilt package takes from here.
make_tar() {
	top=$work/tar/$name-$version-$triple
	mkdir -p "$top/bin" "$top/init" "$top/openwrt-feed/greengrass-rs"
	cp "$in/$triple/greengrass" "$top/bin/"
	[ ! -x "$in/$triple/gg-init" ] || cp "$in/$triple/gg-init" "$top/bin/"
	cp -R init/services "$top/init/"
	cp -R openwrt-feed/greengrass-rs/files "$top/openwrt-feed/greengrass-rs/"
	cp init/install.sh LICENSE "$top/"
	cp docs/guide/packages.md "$top/README.md"
	chmod -R u=rwX,go=rX "$top"
	archive "$work/tar" "$name-$version-$triple" | gzip -n9 >"$out/$name-$version-$triple.tar.gz"
	say "$out/$name-$version-$triple.tar.gz"
}

make_deb() {
	command -v dpkg-deb >/dev/null || {
		say "no .deb: this machine has no dpkg-deb"
		return 0
	}
	root=$work/deb
	# What the installer does to a system is what the package holds, but for what the scripts below do there.
	mkdir -p "$root/etc/init.d"
	"$work/tar/$name-$version-$triple/install.sh" --root "$root" --init systemd >/dev/null 2>&1
	"$work/tar/$name-$version-$triple/install.sh" --root "$root" --init sysv >/dev/null 2>&1
	rm -rf "$root/etc/passwd" "$root/etc/group" "$root/etc/init.d/S90greengrass" "$root/etc/systemd/system/"*.wants
	mkdir -p "$root/usr/lib/systemd" "$root/usr/share/doc/$name" "$root/DEBIAN"
	mv "$root/etc/systemd/system" "$root/usr/lib/systemd/system"
	rmdir "$root/etc/systemd"
	cp LICENSE "$root/usr/share/doc/$name/copyright"
	gzip -n9 <docs/CHANGELOG.md >"$root/usr/share/doc/$name/changelog.gz"
	cp docs/manual/*.md "$root/usr/share/doc/$name/"
	cp .ci/deb/* "$root/DEBIAN/"
	printf '%s\n' /etc/greengrass/greengrassd.conf /etc/init.d/greengrass >"$root/DEBIAN/conffiles"
	cat >"$root/DEBIAN/control" <<-END
		Package: $name
		Version: $version-$revision${suffix-}
		Architecture: $deb_machine
		Maintainer: $maintainer
		Installed-Size: $(du -sk --apparent-size "$root" | cut -f 1)
		Section: net
		Priority: optional
		Depends: passwd
		Recommends: ca-certificates
		Description: $summary
		 Runs components written for AWS IoT Greengrass V2, deployed locally, as one
		 static program: recipes, lifecycle, IPC, command line.
	END
	(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | sort | xargs md5sum >DEBIAN/md5sums)
	chmod -R u=rwX,go=rX "$root"
	chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
	file=$out/${name}_$version-$revision${suffix-}_$deb_machine.deb
	DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group --build "$root" "$file" >/dev/null
	say "$file"
}

# The feed's own Makefile stages the files and says what the package is.
feed() {
	make -s -C openwrt-feed/greengrass-rs-bin TOPDIR="$PWD/openwrt-feed/buildroot" OUT="$work/$package" ARCH="${triple%%-*}" \
		GREENGRASS_TARGET="$triple" GREENGRASS_DIST="$out" "$@"
}

# Package $1, from the feed's prebuilt one.
make_ipk() {
	package=$1
	at=$work/$package
	mkdir -p "$at/CONTROL" "$at/pack"
	feed prepare "stage-$package-bin"
	feed "metadata-$package-bin" >"$at/metadata"
	about() { sed -n "s/^$1=//p" "$at/metadata"; }
	# A line of the control file, where there is something to say.
	line() { [ -z "$2" ] || printf '%s: %s\n' "$1" "$2"; }
	[ -z "$(about conffiles)" ] || about conffiles | tr ' ' '\n' >"$at/CONTROL/conffiles"
	# shellcheck disable=SC2016 # the device expands it
	for when in postinst prerm; do
		printf '%s\n' '#!/bin/sh' '[ "${IPKG_NO_SCRIPT}" = 1 ] && exit 0' \
			'[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0' \
			'. "${IPKG_INSTROOT}/lib/functions.sh"' "default_$when \"\$0\" \"\$@\"" >"$at/CONTROL/$when"
		chmod 755 "$at/CONTROL/$when"
	done
	archive "$at/root" . | gzip -n9 >"$at/pack/data.tar.gz"
	{
		line Package "$package"
		line Version "$version-r$revision"
		line Depends "$(about DEPENDS | tr ' ' '\n' | sed -n 's/^+//p' | paste -sd ,)"
		line Section "$(about SECTION)"
		line License "$(about PKG_LICENSE)"
		line Require-User "$(about USERID)"
		line SourceDateEpoch "$SOURCE_DATE_EPOCH"
		line Maintainer "$maintainer"
		line Architecture "$openwrt_machine"
		line Installed-Size "$(gzip -dc "$at/pack/data.tar.gz" | wc -c)"
		line Description " $(about description)"
	} >"$at/CONTROL/control"
	archive "$at/CONTROL" . | gzip -n9 >"$at/pack/control.tar.gz"
	echo 2.0 >"$at/pack/debian-binary"
	tar -C "$at/pack" --format=gnu --numeric-owner --owner=0 --group=0 --mtime="@$SOURCE_DATE_EPOCH" -cf - \
		./debian-binary ./data.tar.gz ./control.tar.gz | gzip -n9 >"$out/${package}_$version-r${revision}_$openwrt_machine.ipk"
	say "$out/${package}_$version-r${revision}_$openwrt_machine.ipk"
}

for triple in "$@"; do
	[ -x "$in/$triple/greengrass" ] || {
		say "$in/$triple/greengrass is missing: make dist TARGETS=$triple"
		exit 1
	}
	# shellcheck disable=SC2046 # words
	set -- $(machine "$triple")
	deb_machine=$1 openwrt_machine=$2 suffix=${3-}
	make_tar
	make_deb
	make_ipk greengrass-rs
	[ ! -x "$in/$triple/gg-init" ] || make_ipk gg-init
	rm -rf "${work:?}"/*
done
(cd "$out" && find . -name '*.tar.gz' -o -name '*.deb' -o -name '*.ipk' | sed 's,^\./,,' | sort | xargs sha256sum >SHA256SUMS)
# What the feed's prebuilt package compares its download with.
sed -n "s/^\([0-9a-f]*\)  $name-$version-\(.*\)\.tar\.gz$/GREENGRASS_HASH_\2:=\1/p" "$out/SHA256SUMS" >"$out/hashes.mk"
