#!/bin/sh
# Runs a sample component under the daemon of another machine: dist-sample.sh TRIPLE QEMU
set -eu
cd "$(dirname "$0")/.."

binary=$PWD/target/dist/$1/greengrass
qemu=$2
directory=$(mktemp -d)
chmod 755 "$directory"
daemon=

say() { printf 'dist-sample: %s\n' "$*" >&2; }

stop() {
	if [ -n "$daemon" ]; then
		kill "$daemon" 2>/dev/null || true
		wait "$daemon" || true
	fi
	rm -rf "$directory"
}
trap stop EXIT

cli() { "$qemu" "$binary" greengrass-cli --ggcRootPath "$directory/root" "$@"; }

user=$(id -u)
[ "$user" -ne 0 ] || user=nobody
"$qemu" "$binary" greengrassd --root "$directory/root" --component-default-user "$user" \
	--cgroup-parent "greengrass-dist-$$" 2>"$directory/stderr" &
daemon=$!

tries=600
until [ -S "$directory/root/control.socket" ] || ! kill -0 "$daemon" 2>/dev/null || [ "$tries" -eq 0 ]; do
	tries=$((tries - 1))
	sleep 0.1
done
cli deployment create --wait --recipeDir docs/examples/recipes --artifactDir docs/examples/artifacts \
	--merge com.example.HelloShell=1.0.0 || {
	cat "$directory/stderr" "$directory/root/logs/"*.log >&2
	say "$1: the sample component was not deployed"
	exit 1
}
log=$directory/root/logs/com.example.HelloShell.log
until grep -q "hello from a shell" "$log" 2>/dev/null || [ "$tries" -eq 0 ]; do
	tries=$((tries - 1))
	sleep 0.1
done
cli component details --name com.example.HelloShell >&2
grep "hello from a shell" "$log" >&2
say "$1: the sample component runs under $qemu"
