#!/bin/sh
# Boots the disks of `make image` as devices would, firmware first.
#
# Commands are typed into the shell on the serial line, as a person would. The consoles stay in target/image/<disk>.
#
# ONLY   some of: same_bytes x86_64 deployment systemd aarch64 update
#
# shellcheck disable=SC2016 # what is in single quotes, the device expands
set -eu
cd "$(dirname "$0")/../.."

# Seconds from power-on to the shell; it takes some 10 to 30 on an idle machine.
patience=300
passed=0
# A second disk of the machines.
updates=

say() { printf 'image-test: %s\n' "$*" >&2; }
fail() {
	say "FAILED: $*; see $console"
	tail -n 20 "$console" >&2
	exit 1
}

# shellcheck source=init/image/console.sh
. init/image/console.sh
tidy() {
	leave_console
	[ -z "${twins-}" ] || rm -rf "$twins"
	[ -z "${image-}" ] || rm -f "$disk" "$image/board.cfg"
}
trap tidy EXIT
trap 'exit 130' INT TERM

# take ARCH INIT: a disk of its own for the machines that follow.
take() {
	arch=$1
	init=$2
	image=target/image/$arch
	[ "$init" = busybox ] || image=$image-$init
	disk=$image/test.img
	console=$image/disk.img
	[ -f "$image/disk.img" ] || {
		say "$image/disk.img is missing: make image ARCH=$arch INIT=$init"
		exit 1
	}
	cp --sparse=always "$image/disk.img" "$disk"
	argue
	say "$arch, next init $init"
}

leave() { rm -f "$disk"; }

# Where a partition begins is in one place.
offset() { sed -n "/partition $1 /,/}/s/.*offset = \([0-9]*\)M/\1/p" init/image/genimage.cfg; }

# overwrite PARTITION FILE [MiB]: the first 20 MiB of it, with those of a file from there on.
overwrite() {
	dd if="$2" of="$disk" bs=1M skip="${3:-0}" seek="$(offset "$1")" count=20 conv=notrunc iflag=fullblock status=none
}

# argue ARGUMENT...: more kernel arguments from now on; each call counts alone. On a busy machine the timer of an emulated
# one fails the test of the kernel.
argue() {
	esp=$disk@@$(offset gg-esp)M
	mcopy -o -i "${image}/disk.img@@$(offset gg-esp)M" ::/gg/board.cfg "$image/board.cfg"
	printf 'set gg_arguments="$gg_arguments %s"\n' "no_timer_check $*" >>"$image/board.cfg"
	mcopy -o -i "$esp" "$image/board.cfg" ::/gg/board.cfg
}

# power_on NAME: until the shell asks.
power_on() {
	console=$image/console-$1.log
	switch_on ARCH="$arch" INIT="$init" DISK="$disk" UPDATES="$updates"
	booted
	tr -d '\r' <"$console" | sed -n "s/^boot: together */image-test: $1: /p" >&2
}

# check WHAT COMMAND: the command, typed into the device, ends well. The typed line does not hold the answer.
check() {
	number=$((${number-0} + 1))
	echo "if $2; then echo answer-$number-y\"\"es; else echo answer-$number-n\"\"o; fi" >&3
	await "answer-$number-\(yes\|no\)"
	grep -q "answer-$number-yes" "$console" || fail "$1"
	passed=$((passed + 1))
	say "ok: $1"
}

check_root() {
	check "the root is an overlay" 'grep -q " / overlay " /proc/mounts'
	check "its upper layer is on data" 'grep -q " / overlay .*upperdir=[^ ,]*/overlay/'"$1"'/upper" /proc/mounts'
	check "the slot lies below it, as squashfs" 'grep -q " /run/greengrass/slot squashfs ro" /proc/mounts'
	check "the data partition is mounted" 'grep -q "/dev/vda5 /data ext4 rw" /proc/mounts'
	check "gg-init says which slot: $1" "grep -q \"^fact.slot.$1\$\" /run/greengrass/boot"
	check "the watchdog was opened" 'grep -q "^step.watchdog.*.ok" /run/greengrass/boot'
	check "a sample component speaks" 'grep -q "hello from a shell" /data/greengrass/v2/logs/com.example.HelloShell*.log'
	check "components run as ggc_user" 'ps -o user,args | grep -v grep | grep -q "ggc_user.*sh"'
}

check_steps() {
	check "no step of gg-init took a fallback" '! grep "^step.*\(degraded\|failed\)" /run/greengrass/boot'
}

# Each control group's file that a limit is in: holds FILE VALUE
limit() { echo "grep -qx $2 \$(find /sys/fs/cgroup -path '*com.example.HelloShell/$1')"; }

# check_limits VERSION MEMORY_FILE
check_limits() {
	check "control groups are of version $1" "greengrass-cli status | grep -q 'control groups of version $1\\.'"
	check "a component gets limits" 'greengrass-cli deployment create --wait --merge com.example.HelloShell=1.0.0 --systemLimits "{\"com.example.HelloShell\": {\"memory\": 32768, \"cpus\": 0.5}}" >/dev/null'
	check "the kernel has the one of memory" "$(limit "$2" 33554432)"
	case $1 in
	1) check "and that of the processor" "$(limit cpu.cfs_quota_us 50000)" ;;
	2) check "and that of the processor" "$(limit cpu.max "'50000 100000'")" ;;
	esac
	check "the component runs" 'greengrass-cli component details --name com.example.HelloShell | grep -q "State: RUNNING"'
	# Fills 64 MiB of memory once.
	echo 'mkdir -p /tmp/r; echo "{RecipeFormatVersion: 2020-01-25, ComponentName: com.example.Hog, ComponentVersion: 1.0.0, Manifests: [{Lifecycle: {Install: dd if=/dev/zero of=/dev/null bs=64M count=1}}]}" >/tmp/r/com.example.Hog-1.0.0.yaml' >&3
	check "one that takes more fails its deployment" '! greengrass-cli deployment create --wait --recipeDir /tmp/r --merge com.example.Hog=1.0.0 --systemLimits "{\"com.example.Hog\": {\"memory\": 16384}}" 2>/tmp/hog'
	check "which says why" 'grep -q "for want of memory.*16384 KB" /tmp/hog'
	check "and can be taken away" 'greengrass-cli deployment create --wait --remove com.example.Hog >/dev/null'
}

# Two builds differ in folder, time, time zone, file mode mask and user; their disks do not.
same_bytes() {
	twins=$(mktemp -d)
	mkdir "$twins/one" "$twins/other"
	console=$twins/log
	export SOURCE_DATE_EPOCH=1700000000
	OUT=$twins/one init/image/build.sh >"$console" 2>&1 || fail "an image cannot be built"
	set -- env TZ=Asia/Tokyo OUT="$twins/other" sh -c 'umask 077; exec init/image/build.sh'
	if [ "$(id -u)" -eq 0 ]; then
		set -- setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"
		chmod 755 "$twins"
		chown 65534:65534 "$twins/other"
	else
		say "skipped: a build by another user, which takes root to become"
	fi
	"$@" >"$console" 2>&1 || fail "an image cannot be built by another user"
	unset SOURCE_DATE_EPOCH
	cmp "$twins/one/disk.img" "$twins/other/disk.img" >"$console" 2>&1 || fail "two builds of an image differ"
	rm -rf "$twins"
	passed=$((passed + 1))
	say "ok: two builds of an image give the same bytes"
}

x86_64() {
	take x86_64 busybox
	power_on first
	check_root a
	check_steps
	check "the daemon's exit starts it again" 'kill -9 $(cat /data/greengrass/v2/run/daemon.lock); usleep 500000; until greengrass-cli status >/dev/null; do usleep 200000; done'
	check "greengrass check finds nothing that failed" 'greengrass check >/tmp/check 2>&1'
	check_limits 2 memory.max
	echo 'echo kept >/data/mark; echo kept >/etc/mark; echo other >/data/boot/slot; sync' >&3
	switch_off

	argue gg.cgroup=v1
	power_on other
	check "the one-shot file boots the other slot" 'grep -q "^fact.slot.b\$" /run/greengrass/boot'
	check "with its own kernel" 'grep -q gg.loaded=b /proc/cmdline && grep -q "^fact.slot-state.visit b\$" /run/greengrass/boot'
	check "once" '[ ! -e /data/boot/slot ]'
	check "what was written to data is there" 'grep -q kept /data/mark'
	check "the root of slot b is its own" '[ ! -e /etc/mark ]'
	check_limits 1 memory.limit_in_bytes
	switch_off

	argue
	power_on again
	check "the slot is the usual one again" 'grep -q "^fact.slot.a\$" /run/greengrass/boot'
	check "and the visit is over" 'grep -q "^fact.slot-state.visited b\$" /run/greengrass/boot'
	check "what was written to its root is there" 'grep -q kept /etc/mark'
	check "the image's components were not deployed again" '[ ! -e /run/components.log ]'
	echo 'echo other >/data/boot/slot; sync' >&3
	switch_off

	overwrite gg-b /dev/urandom
	power_on missed
	check "a slot that cannot be loaded was not visited" 'grep -q "^fact.slot-state.not-visited b\$" /run/greengrass/boot'
	switch_off
	overwrite gg-b "$image/disk.img" "$(offset gg-b)"

	overwrite gg-a /dev/urandom
	power_on garbage
	check_root b
	check "data is the same" 'grep -q kept /data/mark'
	switch_off
	leave
}

systemd() {
	take x86_64 systemd
	power_on first
	check "the next init is systemd" 'readlink -f /proc/1/exe | grep -q "/usr/lib/systemd/systemd$"'
	check_root a
	check_steps
	check "systemd reaches its target with no unit failed" '[ "$(systemctl is-system-running --wait)" = running ] || ! systemctl --failed --no-legend --plain >&2'
	check "systemd knows that the daemon is ready" '[ "$(systemctl show -p ActiveState -p Type greengrass | sort | tr "\n" " ")" = "ActiveState=active Type=notify " ]'
	check "the daemon's exit starts it again" 'kill -9 $(cat /data/greengrass/v2/run/daemon.lock); usleep 500000; until greengrass-cli status >/dev/null; do usleep 200000; done; [ "$(systemctl show -p NRestarts --value greengrass)" = 1 ]'
	check_limits 2 memory.max
	echo 'echo kept >/etc/mark; sync' >&3
	switch_off
	power_on second
	check "what was written to the root is there" 'grep -q kept /etc/mark'
	check "the data partition was left in order" 'grep -q "^step.data.*.ok" /run/greengrass/boot'
	switch_off
	# systemd mounts those of version 1 itself, some of them together.
	argue gg.cgroup=none systemd.unified_cgroup_hierarchy=0
	power_on version-1
	check "systemd has control groups of version 1" 'grep -q "^cgroup /sys/fs/cgroup/memory cgroup " /proc/mounts'
	check_limits 1 memory.limit_in_bytes
	check "no unit failed" '! systemctl --failed --no-legend --plain | grep . >&2'
	switch_off
	leave
}

aarch64() {
	take aarch64 busybox
	power_on first
	check "the machine is an aarch64" '[ "$(uname -m)" = aarch64 ]'
	check_root a
	check_steps
	check_limits 2 memory.max
	switch_off
	leave
}

# deploys VERSION SLOT: a component with a bundle, which the device then tries.
deploys() {
	check "the second disk is there" 'mount -o ro /dev/vdb /mnt'
	pass
	echo "greengrass-cli deployment create --recipeDir /mnt/recipes --artifactDir /mnt/artifacts --merge com.example.System=$1.0.0 | sed 's/.*Id: //' >/data/deployment-$1; sync" >&3
	past 'grub: trial'
	past "grub: slot $2"
}

# ended VERSION: the deployment is over; what is known of it is in /tmp/ended.
ended() {
	check "the deployment of version $1 ends" "until greengrass-cli deployment status -i \$(cat /data/deployment-$1) >/tmp/ended && ! grep -q 'QUEUED\|IN_PROGRESS' /tmp/ended; do sleep 1; done"
}

# A deployment brings a new system: one that is kept, then one whose health check fails.
deployment() {
	image=target/image/x86_64
	console=$image/disk.img
	init/image/updates.sh || {
		say "FAILED: the updates cannot be made"
		exit 1
	}
	take x86_64 busybox
	updates=$image/updates.img
	# As in the demonstration: the kernel of a slot on trial forgives an emulated processor too little.
	argue watchdog_thresh=60 no_timer_check
	power_on deployment
	check "whom it trusts is said" 'mount -o ro /dev/vdb /mnt && cp /mnt/root.pem /etc/greengrass/update-ca.pem && umount /mnt && printf "[keyring]\npath=update-ca.pem\n" >>/etc/greengrass/ota.conf && greengrass ota keys >/dev/null'
	echo 'echo kept >/data/mark; sync' >&3
	deploys 2 b
	booted
	check "version 2 runs in slot b" '[ "$(version | cut -d " " -f 1-4)" = "version 2, slot b," ]'
	check "what the device was told is inherited" 'greengrass ota keys >/dev/null'
	ended 2
	check "it succeeded" 'grep -q ": SUCCEEDED" /tmp/ended'
	check "slot b is confirmed" 'greengrass ota status | grep -q "^Updates *1 committed, 0 rolled back" && greengrass ota status --exit-code >/dev/null'
	check "its component is there" 'greengrass-cli component details --name com.example.System | grep -q "Version: 2.0.0"'

	deploys 3 a
	past 'grub: slot b'
	booted
	check "version 2 runs again" '[ "$(version | cut -d " " -f 1-4)" = "version 2, slot b," ]'
	ended 3
	check "the deployment was rolled back" 'grep -q ": FAILED" /tmp/ended && grep -q "FAILED_ROLLBACK_COMPLETE" /tmp/ended'
	check "and says why" 'grep "the new system was given up" /tmp/ended | grep -q "required/sensor: exit code 1"'
	check "the slots know it, too" 'greengrass ota status | grep -q "^Updates *1 committed, 1 rolled back"'
	check "the component is the former one" 'greengrass-cli component details --name com.example.System | grep -q "Version: 2.0.0"'
	check "what was written to data is there" 'grep -q kept /data/mark'
	check "the other components run" 'greengrass-cli component details --name com.example.HelloShell | grep -q "State: RUNNING"'
	switch_off
	updates=
	leave
}

# The demonstration of `make boot DEMO=update` says itself whether an update was kept, and a bad one given up.
update() {
	console=target/image/x86_64/console-demo.log
	init/image/updates.sh || {
		say "FAILED: the updates cannot be made"
		exit 1
	}
	# tests/ota_power.rs cuts the power at each of its writes.
	LOG=target/image/x86_64/updates.log CONSOLE=$console init/image/demo.sh >/dev/null || fail "the demonstration of an update"
	passed=$((passed + 1))
	say "ok: an update is tried and kept, a bad one is given up"
}

for machine_kind in ${ONLY:-same_bytes x86_64 deployment systemd aarch64 update}; do
	"$machine_kind"
done
say "all $passed checks passed"
