# shellcheck shell=dash disable=SC2154,SC2013,SC2015 # lib.sh sets the variables; words, not lines
# The procd script under BusyBox, with rc.common's functions replaced by ones that write down their calls; compared
# with the instance that procd shall get.

sed "s,@BINDIR@,/usr/bin,g;s,@ROOT@,$scratch/greengrass/v2,g" init/services/greengrass.procd >"$scratch/greengrass.init"
# A device that boots through gg-init, with its slots and U-Boot's environment on a flash.
device=$scratch/device
mkdir -p "$device/run/greengrass" "$device/data" "$device/dev" "$device/etc" "$device/var/lock"
: >"$device/run/greengrass/boot"
for partition in vda1=gg-esp vda2=gg-state vda3=gg-a vda4=gg-b vda5=gg-data; do
	mkdir -p "$device/sys/class/block/${partition%=*}"
	printf 'DEVNAME=%s\nPARTNAME=%s\n' "${partition%=*}" "${partition#*=}" >"$device/sys/class/block/${partition%=*}/uevent"
	: >"$device/dev/${partition%=*}"
done
: >"$device/dev/mtd1"
printf '# device, offset, size\n%s 0x0 0x10000\n%s 0x10000 0x10000\n' "$device/dev/mtd1" "$device/dev/mtd1" >"$device/etc/fw_env.config"

# Case, configuration.
for case in default disabled jail device mounted not-mounted two invalid; do
	# All others run where none of that is, whatever the machine of the test has.
	base=$scratch/router
	[ $case != device ] || base=$device
	sed "s,\([ '\"]\)/\(run/greengrass\|data/\|sys/class\|dev/\|etc/fw\|var/lock\),\1$base/\2,g" "$scratch/greengrass.init" >"$scratch/case.init"
	sed "s,SCRATCH,$scratch,g" "tests/openwrt/procd/$case.config" >"$scratch/config"
	# What it says on standard error goes last.
	found=$({
		CONFIG=$scratch/config busybox sh "$here/procd/rc.common" "$scratch/case.init" 2>"$scratch/stderr"
		cat "$scratch/stderr"
	} | sed "s,$scratch,SCRATCH,g")
	same "procd: $case" "$(cat "tests/openwrt/procd/$case.expected")" "$found"
done
