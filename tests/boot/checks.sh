#!/bin/sh
# Has a booted slot check its boot: BusyBox init runs this once, with the name of the test on the kernel command line.
# The tests are in tests.sh beside it. It says "ok" or "not ok" on the second port and ends the machine.
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

# has STEP OUTCOME TEXT: the report has such a step, and its line has the text.
has() { awk -F '\t' -v s="$1" -v o="$2" -v t="$3" '$1 == "step" && $2 == s && $5 == o && index($0, t) { f = 1 } END { exit !f }' "$report"; }
fact() { [ "$(awk -F '\t' -v n="$1" '$1 == "fact" && $2 == n { print $3 }' "$report")" = "$2" ]; }
says() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

# shellcheck source=tests/boot/tests.sh
. /test/tests.sh

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
