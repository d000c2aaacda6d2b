#!/bin/sh
# Runs every row of the fault matrix of updates and writes what was done, and what did not hold, as a table to
# target/report/ota-faults.md.
#
# FAULTS  how many cases of what is drawn at random: so many cuts (X3), kills, stops, flips (X4, X5, X8); two thirds of it
#         cuts during trials that fail (X11), a third updates in a row (X13), a twelfth disks of X2 booted, up to one in 50.
#         300 is the full set. What is enumerated, such as X1, is done whole whatever it says.
# SEED    others
# JOBS    how many machines at once; the processors of this one
# ONLY    some of: units installer power fetch interop loader
# shellcheck disable=SC2317 # parts are called by name
set -u
cd "$(dirname "$0")/../.." || exit

FAULTS=${FAULTS:-300}
export FAULTS
report=target/report
log=$report/ota-faults.log
failed=0
began=$(date +%s)

say() { printf 'fault-matrix: %s\n' "$*" >&2; }

# run COMMAND...: goes on after a failure, so that the table is whole.
run() {
	say "$*"
	echo "== $*" >>"$log"
	"$@" >>"$log" 2>&1 || {
		say "FAILED: $*; see $log"
		failed=$((failed + 1))
	}
}

# row ID FAULT COMMAND...: tests that say how many they were, and not more.
row() {
	id=$1
	fault=$2
	shift 2
	start=$(date +%s)
	before=$(wc -c <"$log")
	run "$@"
	told=$(tail -c "+$((before + 1))" "$log" | awk '
		/^test result:/ { passed += $4; broken += $6 }
		/ok: / || /^ok - / { passed += 1 }
		/FAILED/ { broken += 1 }
		END { printf "%d | %d", passed + broken, broken }')
	echo "fault-matrix | $id | $fault | $told | $(($(date +%s) - start)) | |" >>"$log"
}

units() {
	run cargo test -p gg-boot simulator -- --nocapture
	row X5 "bundles that lie, flipped at each region and cut at each edge" cargo test --lib ota::bundle
	row X6 "keys and certificates" cargo test --lib ota::trust
	row X7 "policy" cargo test -p gg-wire policy
	row X8 "each call of the slot's device fails" cargo test --lib ota::install
	row X9 "servers that fail, lie, change" cargo test --lib -- ota::fetch ota::adaptive
}

installer() { run cargo test --test ota_faults -- --nocapture; }
power() { run cargo test --test ota_power -- --nocapture; }
fetch() { row X9 "nginx, TLS, connections that break, installs that are killed" cargo test --test fetch; }
interop() { row X15 "bundles of rauc, and ours to rauc" cargo test --test ota_interop && row X15 "the same with rauc 1.13 and 1.15" tests/ota/rauc-newer.sh; }

# With the real firmware and GRUB.
loader() {
	[ -f target/image/x86_64/disk.img ] || run init/image/build.sh
	row X12 "firmware, GRUB and kernel: trials, lost state, garbage in slot, kernel or initramfs" tests/slots/run.sh
	row X13 "what a new version inherits, and its rollback" tests/slots/heir.sh
}

mkdir -p "$report"
: >"$log"
parts=${ONLY:-units fetch interop loader installer power}
# To the tests it means other things.
unset ONLY
for part in $parts; do
	"$part"
done
{
	echo "# Faults of updates"
	echo
	echo "FAULTS=$FAULTS, commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%Y-%m-%d), $(nproc) processors, $((($(date +%s) - began) / 60)) minutes."
	echo
	echo "| id | fault | cases | violations | seconds | seed |"
	echo "| --- | --- | --- | --- | --- | --- |"
	sed -n 's/^fault-matrix //p' "$log" | sort -t'|' -k2.3n -s
} >"$report/ota-faults.md"
cat "$report/ota-faults.md"
[ "$failed" -eq 0 ] || say "$failed of the commands failed"
exit "$((failed > 0))"
