# shellcheck shell=sh disable=SC2154
# Sourced: Debian's systemd as the init of a slot, with udev, D-Bus, journal and network.
#
# Packages are unpacked, not installed: what their scripts would do as root on a running system (users, enabled units,
# caches) stands in systemd/root and below. assert_libraries tells of a library that the list lacks.
# The shell is dash: that of BusyBox prefers its own `poweroff`, which is not for systemd.

fetch_init() {
	unpacked "$packages-systemd" "$debian" dash systemd systemd-sysv systemd-resolved udev dbus dbus-bin dbus-daemon \
		dbus-system-bus-common mount libacl1 libapparmor1 libargon2-1 libaudit1 libblkid1 libc6 libcap-ng0 libcap2 \
		libcrypt1 libcryptsetup12 libdbus-1-3 libdevmapper1.02.1 libexpat1 libfdisk1 libffi8 libgcc-s1 libgcrypt20 \
		libgpg-error0 libip4tc2 libjson-c5 libkmod2 liblz4-1 liblzma5 libmount1 libp11-kit0 libpam0g libpcre2-8-0 \
		libseccomp2 libselinux1 libsmartcols1 libssl3 libsystemd-shared libsystemd0 libudev1 libuuid1 libzstd1 zlib1g
}

add_init() {
	cp -R --preserve=mode,links "$packages-systemd/tree/." "$slot/"
	# A device shows no translations, and has no keyboards and mice to know by name.
	rm -rf "$slot/usr/share/locale" "$slot/usr/share/bash-completion" "$slot/usr/share/zsh" "$slot/usr/share/lintian" \
		"$slot/usr/share/gdb" "$slot/usr/lib/udev/hwdb.d" "$slot/usr/lib/systemd/catalog" "$slot/usr/share/initramfs-tools" \
		"$slot"/usr/lib/*-linux-gnu/gconv
	ln -sf dash "$slot/bin/sh"
	cp -R "$here/systemd/root/." "$slot/"
	cat "$slot/etc/passwd.systemd" >>"$slot/etc/passwd"
	cat "$slot/etc/group.systemd" >>"$slot/etc/group"
	rm "$slot/etc/passwd.systemd" "$slot/etc/group.systemd"
	# Empty: systemd makes one for the device at its first boot and keeps it in the writable layer.
	: >"$slot/etc/machine-id"
	install_service greengrass.service usr/lib/systemd/system/greengrass.service
	# GRUB names a serial console, and a login there needs more of Debian than this; console.service has it.
	mkdir -p "$slot/etc/systemd/system-generators"
	ln -s /dev/null "$slot/etc/systemd/system-generators/systemd-getty-generator"
	ln -sf ../run/systemd/resolve/resolv.conf "$slot/etc/resolv.conf"
	for unit in systemd-networkd systemd-resolved greengrass components console; do
		start_at_boot "$unit.service"
	done
}

# start_at_boot UNIT: what `systemctl enable` would do.
start_at_boot() {
	mkdir -p "$slot/etc/systemd/system/multi-user.target.wants"
	for directory in etc/systemd/system usr/lib/systemd/system; do
		[ ! -f "$slot/$directory/$1" ] || ln -s "/$directory/$1" "$slot/etc/systemd/system/multi-user.target.wants/$1"
	done
}
