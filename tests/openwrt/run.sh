#!/bin/sh
# Tests of the service files, the OpenWrt feed, the packages and their installer; needs target/dist of this machine.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/openwrt/lib.sh
. tests/openwrt/lib.sh
trap 'chmod -R u+rwX "$all" && rm -rf "$all"' EXIT

[ -x "target/dist/$triple/greengrass" ] || fail "target/dist/$triple/greengrass is missing: make dist TARGETS=$triple"

for test in ${1:-services feed procd packages opkg installer cut sysv systemd process1}; do
	started=$(date +%s)
	# Each in a shell of its own; what it defines is nobody else's.
	(
		scratch=$all/$test
		mkdir "$scratch"
		# shellcheck disable=SC1090 # named above
		. "tests/openwrt/$test.sh"
	) || fail "$test"
	say "$test: ok, $(($(date +%s) - started)) s"
done
