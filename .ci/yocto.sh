#!/bin/sh
# Tests the Yocto layer without Yocto: the BitBake parser, oelint-adv and kas come from PyPI into target/yocto, in the
# versions that tests/yocto/requirements.txt pins; what is there is kept. Arguments go to Python's unittest:
#   .ci/yocto.sh test_image
set -eu
cd "$(dirname "$0")/.."

here=tests/yocto
tools=target/yocto

say() { printf 'yocto: %s\n' "$*" >&2; }

install_tools() {
	[ -f "$tools/.made-of" ] && cmp -s "$here/requirements.txt" "$tools/.made-of" && "$tools/bin/python" -c '' 2>/dev/null && return
	say "fetching the BitBake parser, oelint-adv and kas into $tools"
	python3 -m venv --clear "$tools"
	"$tools/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
	cp "$here/requirements.txt" "$tools/.made-of"
}

install_tools
tools=$PWD/$tools
cd "$here"
if [ $# -gt 0 ]; then
	exec "$tools/bin/python" -B -m unittest "$@"
fi
exec "$tools/bin/python" -B -m unittest discover
