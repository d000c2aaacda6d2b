# shellcheck shell=sh disable=SC2154
# Sourced: BusyBox as the init of a slot; the binary itself is in every slot.

fetch_init() { :; }

add_init() {
	cp -R "$here/busybox/root/." "$slot/"
	install_service greengrass.sysv etc/init.d/S90greengrass
	chmod +x "$slot/etc/init.d/S90greengrass"
}
