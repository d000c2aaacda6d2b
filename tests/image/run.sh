#!/bin/sh
# Boots the disk of `make image` as a device would, firmware first: twice, and once more without slot a.
#
# Commands are typed into the shell on the serial line, as a person would. The consoles stay in target/image/<arch>.
set -eu
cd "$(dirname "$0")/../.."

arch=${ARCH:-x86_64}
image=target/image/$arch
disk=$image/test.img
# Seconds from power-on to the shell; it takes some 10 on an idle machine.
patience=240
passed=0

say() { printf 'image-test: %s\n' "$*" >&2; }
fail() {
	say "FAILED: $*; see $console"
	tail -n 20 "$console" >&2
	exit 1
}

end_machine() {
	[ -z "${machine-}" ] || kill "$machine" 2>/dev/null || true
	rm -f "$image/keyboard" "$disk"
}
trap end_machine EXIT

now() { date +%s%N; }

# power_on NAME: until the shell asks.
power_on() {
	console=$image/console-$1.log
	rm -f "$image/keyboard"
	mkfifo "$image/keyboard"
	start=$(now)
	ARCH=$arch DISK=$disk KEEP=1 init/image/boot.sh <"$image/keyboard" >"$console" 2>&1 &
	machine=$!
	exec 3>"$image/keyboard"
	await 'grub: slot'
	loader=$(now)
	await 'boot: together'
	running=$(now)
	await 'greengrass# '
}

# await PATTERN: the console shows it.
await() {
	left=$((patience * 5))
	until grep -q "$1" "$console" 2>/dev/null; do
		kill -0 "$machine" 2>/dev/null || fail "the machine ended before it said '$1'"
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "no '$1' within $patience s"
		sleep 0.2
	done
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

power_off() {
	echo poweroff >&3
	left=$((patience * 5))
	while kill -0 "$machine" 2>/dev/null; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "poweroff did not end the machine"
		sleep 0.2
	done
	exec 3>&-
	machine=
}

# Seconds with two digits from nanoseconds.
seconds() { awk -v from="$1" -v to="$2" 'BEGIN { printf "%.2f", (to - from) / 1e9 }'; }

tell_times() {
	say "power-on to a component running: $(seconds "$start" "$running") s; firmware to GRUB $(seconds "$start" "$loader") s, then"
	tr -d '\r' <"$console" | sed -n 's/^boot: /image-test:   /p' >&2
}

check_root() {
	check "the root is an overlay" 'grep -q " / overlay " /proc/mounts'
	check "the slot lies below it, as squashfs" 'grep -q " /run/greengrass/slot squashfs ro" /proc/mounts'
	check "the data partition is mounted" 'grep -q "/dev/vda5 /data ext4 rw" /proc/mounts'
	check "gg-init says which slot: $1" "grep -q \"^fact.slot.$1\$\" /run/greengrass/boot"
	check "the watchdog was opened" 'grep -q "^step.watchdog.*.ok" /run/greengrass/boot'
	check "a sample component speaks" 'grep -q "hello from a shell" /data/greengrass/v2/logs/com.example.HelloShell.log'
}

[ -f "$image/disk.img" ] || {
	say "$image/disk.img is missing: make image ARCH=$arch"
	exit 1
}
cp --sparse=always "$image/disk.img" "$disk"

power_on first
tell_times
check_root a
check "components run as ggc_user" 'ps | grep -v grep | grep -q "ggc_user.*sh"'
# shellcheck disable=SC2016 # the device expands it
check "the daemon's exit starts it again" 'kill -9 $(cat /data/greengrass/v2/run/daemon.lock); usleep 500000; until greengrass-cli status >/dev/null; do usleep 200000; done'
echo "if greengrass --help | grep -q '^ *check '; then echo has-check''er; else echo no-check''er; fi" >&3
await 'has-checker\|no-checker'
grep -q no-checker "$console" || check "greengrass check finds nothing that failed" 'greengrass check >/tmp/check 2>&1'
echo 'echo kept >/data/mark; echo kept >/etc/mark; sync' >&3
power_off

power_on second
tell_times
check "what was written to data is there" 'grep -q kept /data/mark'
check "what was written to the root is there" 'grep -q kept /etc/mark'
check "the image's components were not deployed again" '[ ! -e /run/components.log ]'
power_off

# Where the slots begin is in one place.
offset=$(sed -n '/partition gg-a/,/}/s/.*offset = \([0-9]*\)M/\1/p' init/image/genimage.cfg)
dd if=/dev/urandom of="$disk" bs=1M seek="$offset" count=20 conv=notrunc status=none
power_on garbage
check_root b
check "data is the same" 'grep -q kept /data/mark'
check "the root of slot b is its own" '[ ! -e /etc/mark ]'
power_off
say "all $passed checks passed"
