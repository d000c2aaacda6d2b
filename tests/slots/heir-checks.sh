#!/bin/sh
# What a slot of heir.sh checks: BusyBox init runs it once, with the name of the test on the kernel command line.
# shellcheck disable=SC2317 # tests are called by the name on the kernel command line
set -u

export PATH=/bin:/sbin:/usr/bin
report=/run/greengrass/boot
passed=0
failed=0

check() {
	name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok - $test: $name"
	else
		failed=$((failed + 1))
		echo "not ok - $test: $name: $*"
	fi
}

has() { awk -F '\t' -v s="$1" -v o="$2" -v t="$3" '$1 == "step" && $2 == s && $5 == o && index($0, t) { f = 1 } END { exit !f }' "$report"; }
hasnt() { ! awk -F '\t' -v s="$1" '$1 == "step" && $2 == s { f = 1 } END { exit !f }' "$report"; }
fact() { [ "$(awk -F '\t' -v n="$1" '$1 == "fact" && $2 == n { print $3 }' "$report")" = "$2" ]; }
says() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

test_former() {
	check "slot a" fact slot a
	check "nothing is inherited on an ordinary boot" hasnt inherit
	mkdir -p /etc/ssh
	echo changed >/etc/hostname
	echo key >/etc/ssh/ssh_host_test_key
	chmod 600 /etc/ssh/ssh_host_test_key
	echo other >/etc/other
	rm /etc/greengrass/removed
	touch /data/fail
}

test_heir() {
	check "slot b" fact slot b
	check "on trial, and its first try is spent" fact slot-state "trial b 1"
	check "it was copied by the try before" has inherit ok "there already"
	check "the migration has run" has migrate ok "1 have run"
	check "twice, once in vain" [ "$(grep -c run /data/migrations)" = 2 ]
	check "the try before is told" grep -q "^step.migrate.*failed" /data/boot/report.old
	check "a file is inherited" says /etc/hostname changed
	check "a pattern is inherited" says /etc/ssh/ssh_host_test_key key
	check "with its mode" [ "$(stat -c %a /etc/ssh/ssh_host_test_key)" = 600 ]
	check "what is not listed is not" [ ! -e /etc/other ]
	check "what was removed stays so" [ ! -e /etc/greengrass/removed ]
	check "what the image has beside it is there" [ -e /etc/greengrass/migrations.d/10-test ]
	check "the migration has written" says /etc/greengrass/layout migrated
	check "the trial has a watchdog" fact trial-deadline 600
	echo new >/etc/hostname
}

test_back() {
	check "slot a" fact slot a
	check "its layer is as it was" says /etc/hostname changed
	check "with what is not listed" says /etc/other other
	check "and without the migration" [ ! -e /etc/greengrass/layout ]
	echo later >/etc/timezone
}

test_again() {
	check "slot b" fact slot b
	check "it is a new heir" has inherit ok "from slot a"
	check "of what is there now" says /etc/timezone later
	check "and not of the update before" says /etc/hostname changed
	check "the migration has run again" [ "$(grep -c run /data/migrations)" = 3 ]
}

test=$(sed -n 's/.*test=\([a-z_0-9]*\).*/\1/p' /proc/cmdline)
main() {
	[ -e /dev/ttyS1 ] || exit 1
	"test_$test"
	if [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]; then
		echo "all $passed checks passed"
	else
		cat "$report"
		echo "$failed of $((passed + failed)) checks FAILED"
	fi
}
main >/dev/ttyS1 2>&1
sync
mount -o remount,ro / 2>/dev/null
mount -o remount,ro /data 2>/dev/null
poweroff -f
