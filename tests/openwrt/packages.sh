# shellcheck shell=dash disable=SC2154,SC2013,SC2015 # lib.sh sets the variables; words, not lines
# The packages: the same bytes each time, the same files in each format, and dpkg takes its one.

one=$(packages)
# Another hour, another mask, another order of making.
(umask 077 && TZ=Asia/Tokyo PACKAGES_OUT=$scratch/two .ci/package.sh "$triple" 2>/dev/null) || fail "package.sh, again"
same "the packages, made twice" "$(cat "$one/SHA256SUMS")" "$(cat "$scratch/two/SHA256SUMS")"
(cd "$one" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS"
case $triple in
x86_64-*) deb=amd64 openwrt=x86_64 ;;
*) deb=arm64 openwrt=aarch64_generic ;;
esac
program=$(sha256sum <"target/dist/$triple/greengrass")

# .tar.gz
mkdir "$scratch/tar"
tar -C "$scratch/tar" -xzf "$one/greengrass-rs-$version-$triple.tar.gz"
top=$scratch/tar/greengrass-rs-$version-$triple
same "the archive's program" "$program" "$(sha256sum <"$top/bin/greengrass")"
same "the archive's service files" "$(contents init/services)" "$(contents "$top/init/services")"
same "the archive's owners" "0/0" "$(tar --numeric-owner -tvzf "$one/greengrass-rs-$version-$triple.tar.gz" | tr -s ' ' | cut -d ' ' -f 2 | sort -u)"
same "hashes.mk" "GREENGRASS_HASH_$triple:=$(sha256sum <"$one/greengrass-rs-$version-$triple.tar.gz" | cut -d ' ' -f 1)" \
	"$(cat "$one/hashes.mk")"

# .ipk: what the feed's package holds, in a tar of tars.
mkdir -p "$scratch/ipk/data" "$scratch/ipk/control"
tar -C "$scratch/ipk" -xzf "$one/greengrass-rs_$version-r1_$openwrt.ipk"
tar -C "$scratch/ipk/data" -xzpf "$scratch/ipk/data.tar.gz"
tar -C "$scratch/ipk/control" -xzf "$scratch/ipk/control.tar.gz"
same "the .ipk's format" "2.0" "$(cat "$scratch/ipk/debian-binary")"
same "the .ipk's members" "./debian-binary ./data.tar.gz ./control.tar.gz" \
	"$(tar -tzf "$one/greengrass-rs_$version-r1_$openwrt.ipk" | paste -sd ' ')"
same "the .ipk's files" "$(cat tests/openwrt/expected/package)" "$(tree "$scratch/ipk/data")"
same "the .ipk's program" "$program" "$(sha256sum <"$scratch/ipk/data/usr/bin/greengrass")"
same "the .ipk's control files" "conffiles control postinst prerm" "$(cd "$scratch/ipk/control" && echo *)"
for line in "Package: greengrass-rs" "Version: $version-r1" "Depends: ca-bundle" "Architecture: $openwrt" \
	"Require-User: ggc_user=8883:ggc_group=8883"; do
	grep -qxF "$line" "$scratch/ipk/control/control" || fail "the .ipk's control file lacks \"$line\""
done
shellcheck -s dash -e SC1091,SC1090 "$scratch/ipk/control/postinst" "$scratch/ipk/control/prerm"

mkdir -p "$scratch/ipk-init/data" "$scratch/ipk-init/control"
tar -C "$scratch/ipk-init" -xzf "$one/gg-init_$version-r1_$openwrt.ipk"
tar -C "$scratch/ipk-init/data" -xzpf "$scratch/ipk-init/data.tar.gz"
tar -C "$scratch/ipk-init/control" -xzf "$scratch/ipk-init/control.tar.gz"
same "the files of gg-init's .ipk" "d 755 sbin 
f 755 sbin/gg-init " "$(tree "$scratch/ipk-init/data")"
same "the control files of gg-init's .ipk" "control postinst prerm" "$(cd "$scratch/ipk-init/control" && echo *)"
! grep -E '^(Depends|Require-User):' "$scratch/ipk-init/control/control" || fail "gg-init's .ipk wants what it does not need"

# .deb
file=$one/greengrass-rs_$version-1_$deb.deb
dpkg-deb -x "$file" "$scratch/deb"
same "the .deb's program" "$program" "$(sha256sum <"$scratch/deb/usr/bin/greengrass")"
same "the .deb's version" "$version-1" "$(dpkg-deb -f "$file" Version)"
! grep -rn '@[A-Z]*@' "$scratch/deb/etc" "$scratch/deb/usr/lib" || fail "a placeholder is left"
(cd "$scratch/deb" && dpkg-deb -I "$file" md5sums | md5sum --quiet -c) || fail "the .deb's md5sums"

# The other machines' names, with something small in place of their programs.
for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf arm-unknown-linux-musleabihf; do
	mkdir -p "$scratch/dist/$target"
	for program in greengrass gg-init; do
		echo "$target" >"$scratch/dist/$target/$program"
		chmod 755 "$scratch/dist/$target/$program"
	done
done
# shellcheck disable=SC2046 # a list of names
PACKAGES_IN=$scratch/dist PACKAGES_OUT=$scratch/others .ci/package.sh $(ls "$scratch/dist") 2>/dev/null || fail "package.sh, all"
same "the names of all packages" "$(cat tests/openwrt/expected/packages)" "$(find "$scratch/others" -type f -printf '%f\n' | LC_ALL=C sort |
	sed "s/$version/VERSION/")"
(cd "$scratch/others" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS of all"
! PACKAGES_OUT=$scratch/others .ci/package.sh sparc-unknown-linux-gnu 2>/dev/null || fail "a machine nobody built for"

# dpkg needs to be root.
if [ "$(id -u)" -ne 0 ]; then
	say "SKIPPED dpkg --install: not root"
	return 0
fi
target=$scratch/dpkg
mkdir -p "$target/etc" "$target/var/lib/dpkg/info" "$target/var/lib/dpkg/updates"
: >"$target/var/lib/dpkg/status"
: >"$target/etc/passwd"
: >"$target/etc/group"
install_deb() {
	# The tools that the scripts call are this machine's, told where to work.
	dpkg --root="$target" --force-script-chrootless --force-depends --force-confold "$@" >"$scratch/dpkg.log" 2>&1 ||
		fail "dpkg $*: $(cat "$scratch/dpkg.log")"
}
install_deb --install "$file"
"$target/usr/bin/greengrassd" --version >/dev/null || fail "the installed program"
grep -q '^ggc_user:' "$target/etc/passwd" || fail "no user ggc_user"
grep -q '^ggc_group:' "$target/etc/group" || fail "no group ggc_group"
[ -L "$target/etc/systemd/system/multi-user.target.wants/greengrass.service" ] || fail "the service is not enabled"
echo 'GREENGRASS_SYSLOG=true' >>"$target/etc/greengrass/greengrassd.conf"
rm "$target/etc/systemd/system/multi-user.target.wants/greengrass.service"
install_deb --install "$file"
grep -q '^GREENGRASS_SYSLOG=true$' "$target/etc/greengrass/greengrassd.conf" || fail "the settings are lost"
[ ! -L "$target/etc/systemd/system/multi-user.target.wants/greengrass.service" ] || fail "an upgrade enables what was disabled"
# A newer version, and back again.
dpkg-deb -R "$file" "$scratch/newer"
sed -i "s/^Version: .*/Version: 9.9.9-1/" "$scratch/newer/DEBIAN/control"
echo '# 9.9.9' >>"$scratch/newer/usr/lib/systemd/system/greengrass.service"
dpkg-deb --root-owner-group --build "$scratch/newer" "$scratch/newer.deb" >/dev/null
for step in "$scratch/newer.deb 9.9.9-1" "$file $version-1"; do
	install_deb --install "${step% *}"
	same "the installed version" "${step#* }" "$(dpkg-query --admindir="$target/var/lib/dpkg" -W -f '${Version}' greengrass-rs)"
	grep -q '^GREENGRASS_SYSLOG=true$' "$target/etc/greengrass/greengrassd.conf" || fail "${step#* }: the settings are lost"
	[ ! -L "$target/etc/systemd/system/multi-user.target.wants/greengrass.service" ] || fail "${step#* } enables what was disabled"
done
! grep -q 9.9.9 "$target/usr/lib/systemd/system/greengrass.service" || fail "the way back leaves the newer unit"
mkdir -p "$target/greengrass/v2/config"
install_deb --remove greengrass-rs
[ ! -e "$target/usr/bin/greengrass" ] && [ -e "$target/etc/greengrass/greengrassd.conf" ] || fail "dpkg --remove"
install_deb --purge greengrass-rs
[ ! -e "$target/etc/greengrass" ] && [ -d "$target/greengrass/v2/config" ] || fail "dpkg --purge"
