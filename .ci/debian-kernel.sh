#!/bin/sh
# Fetches Debian's kernel for virtual machines, once, into target/debian-kernel: vmlinuz, config, tree/lib/modules.
# It is taken out of its package and never installed: this machine keeps its own.
set -eu
cd "$(dirname "$0")/.."

into=target/debian-kernel

say() { printf 'debian-kernel: %s\n' "$*" >&2; }

# shellcheck source=init/image/packages.sh
. init/image/packages.sh

[ -f "$into/vmlinuz" ] || say "fetching Debian's kernel into $into"
unpacked "$PWD/$into" amd64 'linux-image-cloud-amd64*'
for file in vmlinuz config; do
	ln -sf "tree/boot/$(cd "$into/tree/boot" && echo "$file"-*)" "$into/$file"
done
