#!/bin/sh
# Tests of the service files, the OpenWrt feed, the packages and their installer; needs target/dist of this machine.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/openwrt/lib.sh
. tests/openwrt/lib.sh
trap 'chmod -R u+rwX "$all" && rm -rf "$all"' EXIT

[ -x "target/dist/$triple/greengrass" ] || fail "target/dist/$triple/greengrass is missing: make dist TARGETS=$triple"

for test in ${1:-guides services feed procd packages opkg installer cut sysv systemd process1}; do
	started=$(date +%s)
	# Each in a shell of its own, which ends at the first command that fails: in `( ... ) || fail` it would go on.
	# shellcheck disable=SC2016 # that shell expands it
	all=$all sh -eu -c '. tests/openwrt/lib.sh; scratch=$all/$0; mkdir "$scratch"; . "tests/openwrt/$0.sh"' "$test" || fail "$test"
	say "$test: ok, $(($(date +%s) - started)) s"
done
