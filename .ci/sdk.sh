#!/bin/sh
# Fetches the SDKs that tests/sdk proves the IPC with, unmodified, into target/sdk: `python` is a virtual
# environment, `node/node_modules` what Node.js loads. Versions are pinned in tests/sdk; what is there is kept.
set -eu
cd "$(dirname "$0")/.."

here=tests/sdk
sdk=target/sdk

say() { printf 'sdk: %s\n' "$*" >&2; }

# Components read it as another user, whatever the mask of whoever runs this.
umask 022
mkdir -p "$sdk"

# Debian's own interpreter where there is one: that of a version manager lies in a home directory, where the user of
# a component cannot go.
interpreter() {
	if /usr/bin/python3 -c 'import ensurepip' 2>/dev/null; then
		echo /usr/bin/python3
	else
		command -v python3
	fi
}

# Whether what lies in $1 was made from the files that follow, and completely.
is_made_of() {
	made=$1
	shift
	[ -f "$made/.made-of" ] && cat "$@" | cmp -s - "$made/.made-of"
}

install_python() {
	is_made_of "$sdk/python" "$here/requirements.txt" && "$sdk/python/bin/python" -c '' 2>/dev/null && return
	say "fetching the SDK for Python into $sdk/python"
	"$(interpreter)" -m venv --clear "$sdk/python"
	"$sdk/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
	cat "$here/requirements.txt" >"$sdk/python/.made-of"
}

# No package runs a script of its own: the SDK brings its native parts ready made.
install_node() {
	is_made_of "$sdk/node" "$here/package.json" "$here/package-lock.json" && return
	say "fetching the SDK for Node.js into $sdk/node"
	rm -rf "$sdk/node"
	mkdir -p "$sdk/node"
	cp "$here/package.json" "$here/package-lock.json" "$sdk/node"
	npm ci --prefix "$sdk/node" --ignore-scripts --no-audit --no-fund --silent
	cat "$here/package.json" "$here/package-lock.json" >"$sdk/node/.made-of"
}

install_python
install_node
