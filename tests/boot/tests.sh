#!/bin/sh
# What a slot of run.sh checks about its boot: a function for each test, called by checks.sh.
# shellcheck disable=SC2034,SC2154 # checks.sh has the variables, and reads them

mounted() { grep -q "$1" /proc/mounts; }
is_well() { [ "$(awk -F '\t' '$1 == "step" && $5 != "ok"' "$report")" = "" ]; }
cannot() { ! "$@" 2>/dev/null; }
after_1971() { [ "$(date +%Y)" -gt 1971 ]; }

# A kernel without CONFIG_WATCHDOG_SYSFS, such as the small one, does not tell.
is_watchdog_stopped() {
	[ ! -e /sys/class/watchdog/watchdog0/state ] || says /sys/class/watchdog/watchdog0/state inactive
}

check_ordinary() {
	check "the kernel's file systems are there" mounted "^proc /proc proc .*nosuid"
	check "control groups are version 2" mounted " /sys/fs/cgroup cgroup2 "
	check "the root is an overlay" mounted "^gg-root / overlay "
	check "the slot's own tree is read-only" mounted " /run/greengrass/slot squashfs ro"
	check "the slot's own tree is whole" [ -x /run/greengrass/slot/sbin/init ]
	check "the slot cannot be written" cannot touch /run/greengrass/slot/x
	check "the root can be written" touch /etc/written
	check "standard streams have names" [ -e /dev/stdin ]
	check "the watchdog is stopped" is_watchdog_stopped
	check "/run is small and new" mounted "^run /run tmpfs "
	check "nothing is left mounted behind" cannot mounted gg-stage
}

test_first() {
	check_ordinary
	check "slot a" fact slot a
	check "a blank partition is formatted" has "mend data" ok formatted
	check "data is kept" fact data kept
	check "data is mounted without privileges" mounted " /data ext4 rw,nosuid,nodev"
	check "a wrong argument is told" has settings degraded 'slot cannot be "q"'
	echo marker >/etc/marker
	echo marker >/data/marker
	echo other >/data/boot/slot
	cp "$report" /data/first-report
}

test_other_slot() {
	check_ordinary
	check "the file asks for slot b" fact slot b
	check "the file is gone" [ ! -e /data/boot/slot ]
	check "data is there" says /data/marker marker
	check "slot a's layer is not there" [ ! -e /etc/marker ]
	check "the clock went on from the boot before" after_1971
	check "and that is told" has clock degraded "set to that"
	check "the report of the boot before is kept" [ -s /data/boot/report.old ]
	check "a real init that is missing is passed over" says /proc/1/comm init
	echo nonsense >/data/boot/slot
}

test_second() {
	check_ordinary
	check "slot a again, though the request is nonsense" fact slot a
	check "which is told" has requests degraded "cannot be read"
	check "its layer is kept" says /etc/marker marker
	check "data is kept" says /data/marker marker
	echo overlay >/data/boot/factory-reset
}

test_well() {
	check_ordinary
	check "the layer is erased" [ ! -e /etc/marker ]
	check "data is not" says /data/marker marker
	check "the request is gone" [ ! -e /data/boot/factory-reset ]
	check "all else is well" is_well
	echo "# own time $(awk -F '\t' '$1 == "step" && !first { first = $3 } $1 == "end" { print $2 - first }' "$report") us"
	sed 's/^/# /' "$report"
	echo data >/data/boot/factory-reset
}

test_erased() {
	check_ordinary
	check "data is erased" [ ! -e /data/marker ]
	check "the request is gone" [ ! -e /data/boot/factory-reset ]
	dd if=/dev/zero of=/data/fill bs=65536 >/dev/null 2>&1
	rm -rf /data/overlay
	dd if=/dev/zero of=/data/fill2 bs=1024 >/dev/null 2>&1
}

test_full() {
	check "data is kept" fact data kept
	check "that it is full is told" has data degraded "is full"
	check "the root is an overlay all the same" mounted "^gg-root / overlay "
	check "it runs from its own layer or from memory" grep -q "^fact.root.overlay" "$report"
	rm -f /data/fill /data/fill2
	echo marker >/data/marker
	check "something can be written once there is room" says /data/marker marker
}

test_read_only() {
	check_ordinary
	check "data is borrowed" fact data borrowed
	check "what was written is there" says /data/marker marker
	check "something can be written" touch /data/x
	check "it is told" has data degraded "read-only"
}

test_missing() {
	check_ordinary
	check "data is lost" fact data lost
	check "it is told" has "find data" failed "not there after 1 s"
	check "the layer is in memory" fact root "overlay in memory"
	check "something can be written" touch /data/x
}

test_repaired() {
	check_ordinary
	check "the data partition is repaired" has "mend data" degraded repaired
	check "what was written is there" says /data/marker marker
	check "the other slot takes over from garbage" fact slot b
	check "which is told" has slot failed "no system image"
}

test_garbage() {
	check_ordinary
	check "data is lost" fact data lost
	check "it is told" has "mend data" failed "e2fsck"
	check "the other slot takes over from a cut image" fact slot b
}

test_formatted() {
	check_ordinary
	check "the policy formats" has "mend data" degraded formatted
	check "data is kept" fact data kept
}

test_never() {
	check_ordinary
	check "the policy forbids" has "mend data" failed "policy"
	check "data is lost" fact data lost
}

test_marked() {
	check "data is kept" fact data kept
	echo marker >/data/marker
}

# Mounted, repaired, or told to be beyond it: never silently empty.
test_field() {
	check_ordinary
	if fact data kept; then
		check "what was written is there" says /data/marker marker
	else
		check "that data is lost is told" has "mend data" failed e2fsck
	fi
}

# What a kernel without the option leaves of the device.
test_no_overlay() {
	check "that the kernel lacks it is told" has kernel degraded CONFIG_OVERLAY_FS
	check "the root is the slot, read-only" fact root read-only
	check "data is kept" fact data kept
	check "data can be written" touch /data/x
	check "nothing is mounted over the slot" cannot mounted "^gg-root "
}

test_no_ext4() {
	check_ordinary
	check "that the kernel lacks it is told" has kernel degraded CONFIG_EXT4_FS
	check "data is lost" fact data lost
	check "it is told" has data failed "No such device"
	check "and nothing is mended, still less formatted" has "mend data" failed policy
	check "something can be written" touch /data/x
}

test_no_watchdog() {
	check "the root is an overlay" mounted "^gg-root / overlay "
	check "the boot goes on without a watchdog, there being no device" cannot [ -e /dev/watchdog ]
	check "data is kept" fact data kept
}

# After boots that ended before the device settled.
test_unsettled() {
	check "data is kept" fact data kept
	check "that the boots before never settled is told" has "unsettled boots" degraded "3 in a row"
	check "gg-init supervises, in place of the init" [ "$(readlink /proc/1/exe)" != /bin/busybox ]
	soon "the daemon serves all the same" answers
	soon "and forgets the count" [ ! -e /data/boot/unsettled ]
}

# A component of the real daemon; what else the daemon does is in tests/vm.
test_component() {
	soon "the daemon answers" answers
	check "gg-init is PID 1" [ "$(cat /proc/1/comm)" = gg-init ]
	check "data is kept" fact data kept
	check "slot a" fact slot a
	check "a component is deployed" greengrass-cli --ggcRootPath "$root" deployment create --wait \
		--recipeDir /test/examples/recipes --artifactDir /test/examples/artifacts --merge com.example.HelloShell=1.0.0
	soon "it is RUNNING" is com.example.HelloShell RUNNING
	soon "it says hello" grep -q "hello from a shell" "$root"/logs/com.example.HelloShell*.log
	greengrass-cli --ggcRootPath "$root" status >/tmp/status
	case $(sed -n 's/.*gg.cgroup=\([a-z0-9]*\).*/\1/p' /proc/cmdline) in
	v1) check "in control groups of version 1" grep -q "control groups of version 1" /tmp/status ;;
	none) check "under a keeper" grep -q "keeper" /tmp/status ;;
	*) check "in control groups of version 2" grep -q "control groups of version 2" /tmp/status ;;
	esac
	greengrass check --root "$root" --verbose --output json >/tmp/check.json
	check "every kernel option is ok" lacks_none
	echo "# $(awk '/^MemTotal|^MemAvailable/ { printf "%s %s KiB ", $1, $2 }' /proc/meminfo)"
	echo "# PID 1 takes $(awk '/^Pss:/ { print $2 }' /proc/1/smaps_rollup) KiB PSS"
	check "nobody was killed for want of memory" [ "$(awk '/^oom_kill / { print $2 }' /proc/vmstat)" = 0 ]
}

root=/data/greengrass/v2
answers() { greengrass-cli --ggcRootPath "$root" status >/dev/null 2>&1; }
is() { greengrass-cli --ggcRootPath "$root" component details --name "$1" 2>/dev/null | grep -q "State: $2\$"; }
lacks_none() { [ "$(grep -A1 '^ *"name": "CONFIG_' /tmp/check.json | grep -c '"verdict": "[^o]')" = 0 ]; }

# soon NAME COMMAND...: within a minute.
soon() {
	name=$1
	shift
	tries=300
	until "$@" || [ "$tries" -eq 0 ]; do
		tries=$((tries - 1))
		sleep 0.2
	done
	check "$name" [ "$tries" -gt 0 ]
}

test_version_1() {
	check "control groups are version 1" mounted " /sys/fs/cgroup/memory cgroup "
	check "the root is read-only" cannot touch /etc/x
	check "as it was asked for" fact root read-only
	check "data can be written" touch /data/x
	check "the watchdog is kept" says /sys/class/watchdog/watchdog0/state active
}

state() { awk -F '\t' '$1 == "fact" { fact[$2] = $3 } END { print "state " fact["data"] ", " fact["root"] }' "$report"; }

# Writes numbers until the power is cut; what was told was synced before.
test_cut() {
	last=$(cat /data/marker 2>/dev/null || echo 0)
	echo "found $last"
	state
	number=$last
	while :; do
		number=$((number + 1))
		echo "$number" >/data/marker.new
		sync /data/marker.new
		mv /data/marker.new /data/marker
		echo "$number" >"/etc/layer"
		sync
		echo "synced $number"
	done
}

# For the bench.
test_report() {
	cat "$report"
	sync
	poweroff -f
}

# After the cuts: the device is as it should be.
test_survived() {
	check_ordinary
	check "data is kept" fact data kept
	echo "found $(cat /data/marker 2>/dev/null || echo 0)"
	state
}
