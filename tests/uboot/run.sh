#!/bin/sh
# A device with a real U-Boot, built from source, in QEMU: its script, its environment and ours.
#
# Each state is read three times: by U-Boot, which acts on it, by `fw_printenv` of libubootenv, and by our backend. Consoles
# stay in target/image/aarch64-uboot.
#
# ONLY    some of: ordinary update power_cuts torn bootcount bootcount_file
# FAULTS  how many cuts at random of each kind; 4
# SEED    other ones
#
# shellcheck disable=SC2016 # what is in single quotes, the device expands
set -eu
cd "$(dirname "$0")/../.."

image=target/image/aarch64-uboot
disk=$image/test.img
console=$image/disk.img
updates=$image/updates.img
config=$image/test/fw_env.config
# Seconds for each thing that is waited for; an emulated processor on a busy machine is slow.
patience=${PATIENCE:-900}
faults=${FAULTS:-4}
seed=${SEED:-7}
passed=0
# What `fw_printenv` is asked for.
variables="BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT"
backend=$config
firmware=$image/firmware.fd
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'uboot-test: %s\n' "$*" >&2; }
fail() {
	say "FAILED: $*; see $console"
	tail -n 20 "$console" >&2
	exit 1
}
ok() {
	passed=$((passed + 1))
	say "ok: $*"
}
# shellcheck source=init/image/console.sh
. init/image/console.sh
tidy() {
	leave_console
	rm -rf "$disk" "$disk".* "$image/test"
}
trap tidy EXIT
trap 'exit 130' INT TERM

offset() { sed -n "/partition $1 /,/}/s/.*offset = \([0-9]*\)M/\1/p" init/image/genimage.cfg; }
state=$(offset gg-state)

make_all() {
	tests/uboot/build.sh || {
		code=$?
		[ "$code" -eq 77 ] || exit "$code"
		say "skipped: there is no real U-Boot; the line above says why"
		exit 0
	}
	[ -n "$(find "$updates" -newer target/dist/aarch64-unknown-linux-musl/greengrass -newer init/image/uboot.cmd 2>/dev/null)" ] || {
		ARCH=aarch64 LOADER=uboot init/image/build.sh
		ARCH=aarch64 LOADER=uboot MORE=tests/uboot/updates.sh init/image/updates.sh
	}
}

# As it leaves the factory: no environment was ever saved.
fresh() {
	mkdir -p "$image/test"
	cp --sparse=always "$image/disk.img" "$disk"
	sed "s|^/dev/mmcblk0|$PWD/$disk|" init/image/fw_env.config >"$config"
	# As in tests/slots: the kernel of a slot on trial forgives an emulated processor too little.
	argue watchdog_thresh=60
}

# argue ARGUMENT...: more kernel arguments from now on; each call counts alone.
argue() {
	esp=$disk@@$(offset gg-esp)M
	mcopy -n -o -i "$image/disk.img@@$(offset gg-esp)M" ::gg/board.env "$image/test/board.env"
	sed -i "s|\$| $*|" "$image/test/board.env"
	mcopy -n -o -i "$esp" "$image/test/board.env" ::gg/board.env
}

# power_on NAME
power_on() {
	console=$image/console-$1.log
	switch_on ARCH=aarch64 LOADER=uboot DISK="$disk" UPDATES="$updates" FIRMWARE="$firmware"
}

# The process that computes the machine: boot.sh has become it.
cut_power() {
	kill -9 "$machine"
	wait "$machine" 2>/dev/null || true
	exec 3>&-
	machine=
}

# check WHAT COMMAND: the command, typed into the device, ends well. The typed line does not hold the answer.
check() {
	number=$((${number-0} + 1))
	echo "if $2; then echo answer-$number-y\"\"es; else echo answer-$number-n\"\"o; fi" >&3
	await "answer-$number-\(yes\|no\)"
	shows "answer-$number-yes" || fail "$1"
	ok "$1"
}

print() { fw_printenv -c "$config" -n "$1" 2>/dev/null || true; }
ours() { target/debug/examples/slot-state "$disk" "$state" "$backend" "$1" status; }
# How often the environment was written: each write has the next number.
writes() {
	for at in $((0x80004)) $((0xc0004)); do
		od -An -tu1 -j "$at" -N 1 "$disk"
	done | sort -n | tail -n 1 | tr -d ' '
}

# wrote TIMES WHO: since the last time that was asked.
wrote() {
	after=$(writes)
	[ "$after" -eq $((before + $1)) ] || fail "$2 wrote the environment $((after - before)) times, not $1"
	ok "$2 writes the environment $1 times"
	before=$after
}

# What `fw_printenv` has and what we have, together: "A B" 3 3 / ok=a try=- left=- failed=- spent=false
both() {
	for variable in $variables; do
		printf '%s ' "$(print "$variable")"
	done
	echo "/ $(ours "$1" | sed -n 's/^environment: //p')"
}

# agree BOOTED WANTED: both say so, at the latest when what is under way is done.
agree() {
	left=$((patience * 2))
	until [ "$(both "$1")" = "$2" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "the environment is '$(both "$1")', not '$2'"
		sleep 0.5
	done
	ok "environment: $2"
}

version_is() { check "version $1 runs in slot $2" "[ \"\$(version | cut -d ' ' -f 1-4)\" = 'version $1, slot $2,' ]"; }

# install_version VERSION: the second disk has it; armed, and not rebooted yet.
install_version() {
	check "version $1 is installed" "mount -o ro /dev/vda /mnt && greengrass ota install --keyring /mnt/root.pem /mnt/version-$1.raucb && umount /mnt"
	pass
}

ordinary() {
	say "== ordinary boots"
	fresh
	power_on first
	await 'bad CRC, using default environment'
	ok "U-Boot finds no environment, and uses its own"
	await 'uboot: slot a is counted, boots left after this one: 2'
	booted
	version_is 1 a
	agree a "A B 3 3 / ok=a try=- left=- failed=- spent=false"
	check "gg-init knows U-Boot" 'grep -q "^fact.backend.uboot\$" /run/greengrass/boot && grep -q "^fact.slot-state.fresh\$" /run/greengrass/boot'
	check "greengrass ota status is content" 'greengrass ota status --exit-code'
	check "greengrass check finds nothing that failed" 'greengrass check >/tmp/check 2>&1'
	before=$(writes)
	pass
	echo reboot >&3
	past 'uboot: starting slot a'
	booted
	check "it is an ordinary boot" 'grep -q "^fact.slot-state.ordinary\$" /run/greengrass/boot'
	check "the daemon serves" 'until greengrass-cli status >/dev/null; do sleep 1; done'
	agree a "A B 3 3 / ok=a try=- left=- failed=- spent=false"
	wrote 0 "an ordinary boot"
	switch_off

	for boots in 1 2 3 4; do
		power_on "cut-$boots"
		await 'uboot: starting slot a'
		await 'Starting kernel'
		cut_power
	done
	wrote 0 "a device that is cut at four boots"
	agree a "A B 3 3 / ok=a try=- left=- failed=- spent=false"

	say "== a device that RAUC had: nobody has said which slot is confirmed"
	fw_setenv -c "$config" gg_ok
	before=$(writes)
	for boots in 2 1 0; do
		power_on "cut-$boots"
		await "uboot: slot a is counted, boots left after this one: $boots"
		await 'Starting kernel'
		cut_power
	done
	wrote 3 "a device that is cut at three boots"
	agree a "A B 0 3 / ok=a try=- left=- failed=- spent=true"
	power_on repaired
	past 'uboot: slot b is counted, boots left after this one: 2'
	past 'slot state: repaired; reboot'
	past 'uboot: starting slot a'
	ok "three cuts say nothing about slot a: slot b gives it its boots again"
	booted
	version_is 1 a
	agree a "A B 3 2 / ok=a try=- left=- failed=- spent=false"

	say "== the environment is lost"
	switch_off
	for at in 0x80000 0xc0000; do
		dd if=/dev/urandom of="$disk" bs=16384 seek=$((at / 16384)) count=1 conv=notrunc status=none
	done
	power_on lost
	await 'bad CRC, using default environment'
	booted
	version_is 1 a
	agree a "A B 3 3 / ok=a try=- left=- failed=- spent=false"
	[ "$(print bootcmd)" != "" ] || fail "there are no commands in the environment"
	ok "with all that U-Boot needs in it"
	switch_off
}

update() {
	say "== an update that is kept"
	fresh
	power_on update
	booted
	agree a "A B 3 3 / ok=a try=- left=- failed=- spent=false"
	before=$(writes)
	install_version 2
	agree a "B A 3 3 / ok=a try=b left=3 failed=- spent=false"
	wrote 2 "an installation"
	echo reboot >&3
	past 'uboot: slot b is counted, boots left after this one: 2'
	booted
	version_is 2 b
	check "the kernel was told to end what hangs" 'grep -q "panic=5 oops=panic" /proc/cmdline'
	check "the daemon keeps it" 'until greengrass ota status | grep -q "^Updates *1 committed, 0 rolled back"; do sleep 1; done'
	agree b "B A 3 3 / ok=b try=- left=- failed=- spent=false"
	wrote 2 "a trial that is kept"
	pass
	echo reboot >&3
	past 'uboot: starting slot b'
	booted
	version_is 2 b
	agree b "B A 3 3 / ok=b try=- left=- failed=- spent=false"

	say "== a kernel that is none"
	install_version 4
	agree b "A B 3 3 / ok=b try=a left=3 failed=- spent=false"
	echo reboot >&3
	past 'uboot: slot a is counted, boots left after this one: 2'
	past 'uboot: slot a does not boot'
	past 'uboot: starting slot b'
	booted
	version_is 2 b
	check "status tells why" 'greengrass ota status | grep -q "^Updates *1 committed, 1 rolled back" && greengrass ota status | grep -q unreadable'
	agree b "B A 0 3 / ok=b try=- left=- failed=- spent=false"

	say "== an init that cannot be started"
	install_version 5
	echo reboot >&3
	for boots in 2 1 0; do
		past "uboot: slot a is counted, boots left after this one: $boots"
		past 'Kernel panic'
	done
	past 'uboot: starting slot b'
	booted
	version_is 2 b
	check "status tells why" 'greengrass ota status | grep -q "^Updates *1 committed, 2 rolled back" && greengrass ota status | grep -q tries-spent'
	agree b "B A 0 3 / ok=b try=- left=- failed=- spent=false"

	say "== a health check that fails"
	install_version 3
	echo reboot >&3
	past 'uboot: slot a is counted, boots left after this one: 2'
	past 'uboot: starting slot b'
	booted
	version_is 2 b
	check "status tells why" 'greengrass ota status | grep -q "^Updates *1 committed, 3 rolled back"'
	agree b "B A 0 3 / ok=b try=- left=- failed=- spent=false"
	switch_off
}

# Numbers that look like chance and are the same each time: draw LIMIT.
draw() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	drawn=$((seed / 65536 % $1))
}

# The environment can be read, by both, and the power is back: the device comes to rest in one of two states.
comes_to_rest() {
	[ -n "$(print BOOT_ORDER)" ] || fail "fw_printenv finds no environment after $1"
	case $(both a) in
	*"ok=a"* | *"ok=b"*) ;;
	*) fail "there is no environment after $1" ;;
	esac
	power_on "$2"
	await 'uboot: starting slot [ab]'
	# On trial it may start again until it is kept or given up.
	left=$((patience * 2))
	until rests; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "$(both a) after $1"
		sleep 0.5
	done
	check_rest "$1"
	cut_power
}

rests() {
	case $(both a) in
	"A B 3 0 / ok=a try=- "* | "A B 3 3 / ok=a try=- "* | "B A 3 3 / ok=b try=- "*) ours a | grep -q 'record: ok=. try=- ' ;;
	*) false ;;
	esac
}

check_rest() {
	case $(both a) in
	"B A"*) rest="slot b, kept" ;;
	*) rest="slot a, the former one" ;;
	esac
	ok "$1: $rest"
}

# Power cuts of a device whose slot b is armed.
power_cuts() {
	[ -f "$disk.armed" ] || arm
	number_of_cut=0
	while [ "$number_of_cut" -lt "$faults" ]; do
		number_of_cut=$((number_of_cut + 1))
		cp --sparse=always "$disk.armed" "$disk"
		power_on "saveenv-$number_of_cut"
		await 'Saving Environment'
		draw 40
		sleep "0.0$(printf %02d "$drawn")"
		cut_power
		comes_to_rest "a cut $drawn ms after U-Boot begins to save" "saveenv-$number_of_cut"

		cp --sparse=always "$disk.armed" "$disk"
		power_on "trial-$number_of_cut"
		await 'Starting kernel'
		draw 40
		sleep "$drawn"
		cut_power
		comes_to_rest "a cut $drawn s after the kernel of the trial starts" "trial-$number_of_cut"

		cp --sparse=always "$disk.armed" "$disk"
		power_on "commit-$number_of_cut"
		left=$((patience * 50))
		until case $(ours b) in *"ok=b "*) true ;; *) false ;; esac do
			left=$((left - 1))
			[ "$left" -gt 0 ] || fail "nothing is committed"
			sleep 0.02
		done
		cut_power
		comes_to_rest "a cut at the commit" "commit-$number_of_cut"
		[ "$rest" = "slot b, kept" ] || fail "what was committed is gone"
	done
}

# A device on which version 2 is armed.
arm() {
	fresh
	power_on armed
	booted
	agree a "A B 3 3 / ok=a try=- left=- failed=- spent=false"
	install_version 2
	agree a "B A 3 3 / ok=a try=b left=3 failed=- spent=false"
	switch_off
	cp --sparse=always "$disk" "$disk.armed"
}

# A save of U-Boot's that ended behind each of its sectors: written are those before it, and the old ones after it. Of the
# script, too: it counts from what it finds.
torn() {
	[ -f "$disk.armed" ] || arm
	cp --sparse=always "$disk.armed" "$disk"
	power_on torn
	await 'uboot: slot b is counted, boots left after this one: 2'
	cut_power
	cp --sparse=always "$disk" "$disk.saved"
	copy=$((0xc0000))
	cmp -s -n 16384 -i $((0x80000)) "$disk.armed" "$disk.saved" || copy=$((0x80000))
	sectors="0 1 32"
	while [ "$(echo "$sectors" | wc -w)" -lt $((3 + faults)) ]; do
		draw 30
		sectors="$sectors $((drawn + 2))"
	done
	for sector in $sectors; do
		cp --sparse=always "$disk.armed" "$disk"
		dd if="$disk.saved" of="$disk" bs=512 skip=$((copy / 512)) seek=$((copy / 512)) count="$sector" conv=notrunc status=none
		# A checksum that fits what is written may have come with the first sector.
		case $(both a) in
		"B A 3 3 / ok=a try=b left=3 failed=- spent=false") wanted=2 ;;
		"B A 3 2 / ok=a try=b left=2 failed=- spent=false") wanted=1 ;;
		*) fail "after $sector sectors the environment is $(both a)" ;;
		esac
		power_on torn
		await 'uboot: starting slot [ab]'
		shows "uboot: slot b is counted, boots left after this one: $wanted" || fail "U-Boot read something else after $sector sectors"
		cut_power
		ok "a save cut after $sector of 32 sectors: U-Boot, fw_printenv and we have the same"
	done
}

# The other backend, uboot-map: U-Boot has CONFIG_BOOTCOUNT_ENV, and the same script.
bootcount() {
	say "== U-Boot counts by itself"
	fresh
	cp openwrt-feed/greengrass-rs/files/boot-maps/bootcount.map "$image/test/boot.map"
	variables="boot_part upgrade_available bootcount"
	# As a board's own U-Boot would have it from the beginning.
	printf '%s\n' boot_part=1 upgrade_available=0 bootcount=0 'altbootcmd=env set gg_alt yes; run bootcmd' >"$image/test/script"
	fw_setenv -c "$config" -f target/uboot/u-boot-initial-env -s "$image/test/script"
	power_on bootcount
	past 'uboot: starting slot a'
	booted
	version_is 1 a
	check "gg-init knows the table" 'grep -q "^fact.backend.uboot-map\$" /run/greengrass/boot'
	agree a "1 0 0 / ok=a try=- left=- failed=- spent=false"
	[ "$(writes)" = 1 ] || fail "an ordinary boot wrote the environment"
	ok "an ordinary boot writes nothing"
	install_version 2
	agree a "2 1 0 / ok=a try=b left=3 failed=- spent=false"
	echo reboot >&3
	past 'uboot: starting slot b'
	booted
	version_is 2 b
	check "the daemon keeps it" 'until greengrass ota status | grep -q "^Updates *1 committed, 0 rolled back"; do sleep 1; done'
	agree b "2 0 0 / ok=b try=- left=- failed=- spent=false"
	install_version 5
	agree b "1 1 0 / ok=b try=a left=3 failed=- spent=false"
	echo reboot >&3
	for boots in 1 2 3; do
		past 'uboot: starting slot a'
		past 'Kernel panic'
	done
	past 'Bootlimit (3) exceeded'
	past 'uboot: starting slot b'
	ok "three boots were counted, and altbootcmd was run"
	booted
	version_is 2 b
	check "status tells why" 'greengrass ota status | grep -q "^Updates *1 committed, 1 rolled back" && greengrass ota status | grep -q tries-spent'
	agree b "2 0 0 / ok=b try=- left=- failed=- spent=false"
	switch_off
	variables="BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT"
	rm "$image/test/boot.map"
}

# The backend bootcount-file: another U-Boot, which keeps no variables and counts in a file.
bootcount_file() {
	say "== U-Boot counts in a file"
	tests/uboot/build.sh bootcount-file || {
		code=$?
		[ "$code" -eq 77 ] || exit "$code"
		say "skipped: there is no such U-Boot; the line above says why"
		return 0
	}
	firmware=target/uboot-bootcount-file/u-boot.bin
	backend=bootcount-file:$(offset gg-esp)
	variables=
	fresh
	printf '\275\001\000\000' >"$image/test/count"
	mcopy -n -o -i "$disk@@$(offset gg-esp)M" "$image/test/count" ::gg/count
	power_on file
	past 'uboot: starting slot a'
	booted
	version_is 1 a
	check "gg-init knows who counts" 'grep -q "^fact.backend.bootcount-file\$" /run/greengrass/boot'
	agree a "/ ok=a try=- left=- failed=- spent=false"
	before=$(boot_state)
	pass
	echo reboot >&3
	past 'uboot: starting slot a'
	booted
	check "the daemon serves" 'until greengrass-cli status >/dev/null; do sleep 1; done'
	[ "$before" = "$(boot_state)" ] || fail "an ordinary boot wrote to the table, gg-esp or gg-state"
	ok "an ordinary boot writes nothing to the table, gg-esp and gg-state"

	install_version 2
	agree a "/ ok=a try=b left=3 failed=- spent=false"
	echo reboot >&3
	past 'uboot: starting slot b'
	counted 7
	booted
	version_is 2 b
	check "the daemon keeps it" 'until greengrass ota status | grep -q "^Updates *1 committed, 0 rolled back"; do sleep 1; done'
	agree b "/ ok=b try=- left=- failed=- spent=false"
	counted 0
	sgdisk --verify "$disk" | grep -q "No problems found" || fail "sgdisk finds the table broken"
	ok "sgdisk finds the table whole"

	say "== a kernel that is none"
	install_version 4
	agree b "/ ok=b try=a left=3 failed=- spent=false"
	echo reboot >&3
	past 'uboot: starting slot a'
	past 'uboot: slot a does not boot'
	past 'uboot: starting slot b'
	booted
	version_is 2 b
	check "status tells why" 'greengrass ota status | grep -q "^Updates *1 committed, 1 rolled back" && greengrass ota status | grep -q unreadable'
	agree b "/ ok=b try=- left=- failed=- spent=false"
	counted 0

	say "== an init that cannot be started"
	install_version 5
	echo reboot >&3
	for boots in 7 8 9; do
		past 'uboot: starting slot a'
		counted "$boots"
		past 'Kernel panic'
	done
	past 'uboot: starting slot b'
	ok "three boots were counted, and altbootcmd was run"
	booted
	version_is 2 b
	check "status tells why" 'greengrass ota status | grep -q "^Updates *1 committed, 2 rolled back" && greengrass ota status | grep -q tries-spent'
	agree b "/ ok=b try=- left=- failed=- spent=false"

	say "== a slot that is garbage, and is the confirmed one"
	switch_off
	dd if=/dev/urandom of="$disk" bs=1M seek="$(offset gg-b)" count=8 conv=notrunc status=none
	power_on garbage
	past 'uboot: starting slot b'
	past 'uboot: slot b does not boot'
	past 'uboot: starting slot a'
	ok "the other one is started"
	cut_power

	say "== the file is lost"
	fresh
	power_on lost
	past 'uboot: starting slot a'
	booted
	version_is 1 a
	agree a "/ ok=a try=- left=- failed=- spent=false"
	counted 0

	say "== cuts while U-Boot counts"
	install_version 2
	agree a "/ ok=a try=b left=3 failed=- spent=false"
	switch_off
	cp --sparse=always "$disk" "$disk.armed"
	number_of_cut=0
	while [ "$number_of_cut" -lt "$faults" ]; do
		number_of_cut=$((number_of_cut + 1))
		cp --sparse=always "$disk.armed" "$disk"
		power_on "count-$number_of_cut"
		await 'U-Boot 2'
		draw 60
		sleep "0.0$(printf %02d "$drawn")"
		cut_power
		power_on "count-$number_of_cut"
		past 'uboot: starting slot b'
		ok "a cut $drawn ms after U-Boot begins: slot b is tried"
		agree b "/ ok=b try=- left=- failed=- spent=false"
		cut_power
	done
	firmware=$image/firmware.fd
	backend=$config
	variables="BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT"
}

# counted BOOTS: what stands there.
counted() {
	mcopy -n -o -i "$disk@@$(offset gg-esp)M" ::gg/count "$image/test/count"
	found=$(od -An -tu1 -j 2 -N 1 "$image/test/count" | tr -d ' ')
	[ "$found" = "$1" ] || fail "U-Boot counted to '$found', not $1"
	ok "the count is $1"
}

# The table, gg-esp and gg-state.
boot_state() { head -c "$(offset gg-a)M" "$disk" | sha256sum; }

make_all
cargo build --quiet -p gg-boot --example slot-state
for part in ${ONLY:-ordinary update power_cuts torn bootcount bootcount_file}; do
	"$part"
done
say "all $passed checks passed"
