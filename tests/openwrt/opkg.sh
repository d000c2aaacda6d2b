# shellcheck shell=dash disable=SC2154,SC2015 # lib.sh sets the variables
# The .ipk through a package manager's life: installed, upgraded, downgraded, removed. There is no opkg for Debian; what
# it does to files is done here: a configuration that the user changed stays, the new one lies beside it with -opkg, and
# the package's own scripts run.

if [ "$(id -u)" -ne 0 ]; then
	say "SKIPPED opkg: files belong to root"
	return 0
fi
case $triple in
x86_64-*) openwrt=x86_64 ;;
*) openwrt=aarch64_generic ;;
esac
root=$scratch/root
info=$root/usr/lib/opkg/info
mkdir -p "$info" "$root/lib"
# What the default scripts of OpenWrt do, as far as a root that does not run shows it.
cat >"$root/lib/functions.sh" <<'END'
default_postinst() {
	local package="${1##*/}"
	package="${package%.postinst}"
	for script in $(grep -h '^/etc/init.d/' "$IPKG_INSTROOT/usr/lib/opkg/info/$package.list"); do
		mkdir -p "$IPKG_INSTROOT/etc/rc.d"
		ln -sf "../init.d/${script##*/}" "$IPKG_INSTROOT/etc/rc.d/S95${script##*/}"
	done
	echo "postinst $package" >>"$IPKG_INSTROOT/log"
}
default_prerm() {
	local package="${1##*/}"
	package="${package%.prerm}"
	for script in $(grep -h '^/etc/init.d/' "$IPKG_INSTROOT/usr/lib/opkg/info/$package.list"); do
		rm -f "$IPKG_INSTROOT/etc/rc.d/S95${script##*/}"
	done
	echo "prerm $package" >>"$IPKG_INSTROOT/log"
}
END

# File of the package, name.
opkg_install() {
	new=$scratch/unpacked
	rm -rf "$new" && mkdir -p "$new/control" "$new/data"
	tar -C "$new" -xzf "$1"
	tar -C "$new/control" -xzf "$new/control.tar.gz"
	tar -C "$new/data" -xzpf "$new/data.tar.gz"
	[ ! -e "$info/$2.prerm" ] || IPKG_INSTROOT=$root sh "$info/$2.prerm" upgrade
	# What the user changed since it was installed.
	if [ -e "$new/control/conffiles" ]; then
		while read -r file; do
			was=$(sed -n "s,^$file ,,p" "$info/$2.conffiles-sums" 2>/dev/null || true)
			[ -n "$was" ] && [ -e "$root$file" ] && [ "$(sha256sum <"$root$file")" != "$was" ] || continue
			cmp -s "$root$file" "$new/data$file" || cp -p "$new/data$file" "$root$file-opkg"
			cp -p "$root$file" "$new/data$file"
		done <"$new/control/conffiles"
	fi
	[ ! -e "$info/$2.list" ] || cp "$info/$2.list" "$scratch/before"
	(cd "$new/data" && find . ! -type d | sed 's,^\.,,' | LC_ALL=C sort) >"$info/$2.list"
	cp -R -P -p "$new/data/." "$root/"
	# What the version before had and this one has not.
	[ ! -e "$scratch/before" ] || LC_ALL=C comm -23 "$scratch/before" "$info/$2.list" | while read -r file; do rm -f "$root$file"; done
	for file in control postinst prerm conffiles; do
		[ ! -e "$new/control/$file" ] || cp -p "$new/control/$file" "$info/$2.$file"
	done
	sums "$2"
	IPKG_INSTROOT=$root sh "$info/$2.postinst" configure
}
# The sums of the configuration as the package brings it.
sums() {
	[ -e "$info/$1.conffiles" ] || return 0
	while read -r file; do
		printf '%s %s\n' "$file" "$(tar -xzOf "$new/data.tar.gz" ".$file" | sha256sum)"
	done <"$info/$1.conffiles" >"$info/$1.conffiles-sums"
}
opkg_remove() {
	IPKG_INSTROOT=$root sh "$info/$1.prerm" remove
	while read -r file; do
		if grep -qxF "$file" "$info/$1.conffiles" 2>/dev/null; then
			was=$(sed -n "s,^$file ,,p" "$info/$1.conffiles-sums")
			[ "$(sha256sum <"$root$file")" = "$was" ] || continue
		fi
		rm -f "$root$file"
	done <"$info/$1.list"
	rm -f "$info/$1".*
}
# The same package with another version, and a mark in a file of it that is no configuration.
with_version() {
	rm -rf "$scratch/other" && mkdir -p "$scratch/other/control" "$scratch/other/data"
	tar -C "$scratch/other" -xzf "$1"
	tar -C "$scratch/other/control" -xzf "$scratch/other/control.tar.gz"
	tar -C "$scratch/other/data" -xzpf "$scratch/other/data.tar.gz"
	sed -i "s/^Version: .*/Version: $2/" "$scratch/other/control/control"
	echo "# $2" >>"$scratch/other/data/etc/init.d/greengrass"
	echo "# $2" >>"$scratch/other/data/etc/config/greengrass"
	(cd "$scratch/other/control" && tar -czf ../control.tar.gz .)
	(cd "$scratch/other/data" && tar -czf ../data.tar.gz .)
	(cd "$scratch/other" && tar -czf "$scratch/greengrass-rs_$2.ipk" ./debian-binary ./data.tar.gz ./control.tar.gz)
}

package=$(packages)/greengrass-rs_$version-r1_$openwrt.ipk
opkg_install "$package" greengrass-rs
"$root/usr/bin/greengrassd" --version >/dev/null || fail "the installed program"
[ -L "$root/etc/rc.d/S95greengrass" ] || fail "the service is not enabled"
opkg_install "$(packages)/gg-init_$version-r1_$openwrt.ipk" gg-init
[ -x "$root/sbin/gg-init" ] || fail "gg-init is not installed"

# An upgrade keeps what the user set; so does the way back.
echo "# mine" >>"$root/etc/config/greengrass"
mkdir -p "$root/greengrass/v2/config"
: >"$root/greengrass/v2/config/config.tlog"
with_version "$package" 9.9.9-r1
opkg_install "$scratch/greengrass-rs_9.9.9-r1.ipk" greengrass-rs
grep -q '^# 9.9.9-r1$' "$root/etc/init.d/greengrass" || fail "the upgrade is not there"
grep -q '^# mine$' "$root/etc/config/greengrass" || fail "the upgrade loses the settings"
grep -q '^# 9.9.9-r1$' "$root/etc/config/greengrass-opkg" || fail "the new settings are nowhere"
opkg_install "$package" greengrass-rs
! grep -q 9.9.9 "$root/etc/init.d/greengrass" || fail "the downgrade leaves the newer service"
grep -q '^# mine$' "$root/etc/config/greengrass" || fail "the downgrade loses the settings"
rm -f "$root/etc/config/greengrass-opkg"

opkg_remove gg-init
opkg_remove greengrass-rs
same "what stays" "etc/config/greengrass
greengrass/v2/config/config.tlog
lib/functions.sh
log" "$(cd "$root" && find . ! -type d -printf '%P\n' | LC_ALL=C sort)"
same "the scripts of the packages" "postinst greengrass-rs
postinst gg-init
prerm greengrass-rs
postinst greengrass-rs
prerm greengrass-rs
postinst greengrass-rs
prerm gg-init
prerm greengrass-rs" "$(cat "$root/log")"
