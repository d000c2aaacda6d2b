# shellcheck shell=dash disable=SC2154,SC2013,SC2015 # lib.sh sets the variables; words, not lines
# The procd script under BusyBox, with rc.common's functions replaced by ones that write down their calls; compared
# with the instance that procd shall get.

sed "s,@BINDIR@,/usr/bin,g;s,@ROOT@,$scratch/greengrass/v2,g" init/services/greengrass.procd >"$scratch/greengrass.init"

# Case, configuration.
for case in default disabled jail mounted not-mounted two invalid; do
	sed "s,SCRATCH,$scratch,g" "tests/openwrt/procd/$case.config" >"$scratch/config"
	# What it says on standard error goes last.
	found=$({
		CONFIG=$scratch/config busybox sh "$here/procd/rc.common" "$scratch/greengrass.init" 2>"$scratch/stderr"
		cat "$scratch/stderr"
	} | sed "s,$scratch,SCRATCH,g")
	same "procd: $case" "$(cat "tests/openwrt/procd/$case.expected")" "$found"
done
