# shellcheck shell=dash disable=SC2034 # read by those who source it
# What the tests of the packagings share. Sourced by run.sh, at the top of the repository.

triple=$(uname -m)-unknown-linux-musl
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
here=$PWD/tests/openwrt
# Each test has a directory of its own in it.
all=${all:-$(mktemp -d)}
scratch=$all
chmod 755 "$all"

say() { printf 'openwrt: %s\n' "$*" >&2; }
fail() {
	say "FAILED: $*"
	exit 1
}

# Fails unless both are the same text; $1 says what it is.
same() {
	[ "$2" = "$3" ] && return
	printf '%s\n' "$2" >"$scratch/expected"
	printf '%s\n' "$3" >"$scratch/found"
	diff -u "$scratch/expected" "$scratch/found" >&2 || true
	fail "$1"
}

# Polls for a condition: the program is somebody else's clock.
eventually() {
	tries=600
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "it never came true: $*"
		sleep 0.1
	done
}

# A directory's contents as text: kind, mode, name, and what is inside.
tree() {
	(cd "$1" && find . -mindepth 1 -printf '%y %m %P %l\n' | LC_ALL=C sort -k 3)
}
contents() {
	(cd "$1" && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2)
}

# Makes the packages once for all tests; prints where.
packages() {
	[ -e "$all/made/SHA256SUMS" ] || PACKAGES_OUT=$all/made .ci/package.sh "$triple" 2>"$scratch/package.log" ||
		fail "package.sh: $(cat "$scratch/package.log")"
	echo "$all/made"
}
