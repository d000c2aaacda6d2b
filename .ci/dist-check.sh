#!/bin/sh
# Checks what dist.sh built for each target triple: the right machine, static, stripped, and it starts.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'dist-check: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

# Fails unless the first argument holds each of the others.
assert_holds() {
	text=$1
	shift
	for want in "$@"; do
		case $text in
		*"$want"*) ;;
		*) fail "$binary: expected \"$want\" in: $text" ;;
		esac
	done
}

version=$(cargo pkgid -p greengrass-rs | sed 's/.*[#@]//')
for triple in "$@"; do
	binary=target/dist/$triple/greengrass
	[ -x "$binary" ] || fail "$binary is missing: make dist TARGETS=$triple"
	case $triple in
	x86_64-*) qemu=qemu-x86_64-static machine='Advanced Micro Devices X86-64' attributes= ;;
	aarch64-*) qemu=qemu-aarch64-static machine=AArch64 attributes= ;;
	armv7-*) qemu=qemu-arm-static machine=ARM attributes='Tag_CPU_arch: v7' ;;
	arm-*) qemu="qemu-arm-static -cpu arm1176" machine=ARM attributes='Tag_CPU_arch: v6' ;;
	riscv64*) qemu=qemu-riscv64-static machine=RISC-V attributes= ;;
	*) fail "$triple: no check for this machine; add one to .ci/dist-check.sh" ;;
	esac
	assert_holds "$(file "$binary")" "static" ", stripped"
	assert_holds "$(readelf -hW "$binary" | tr -s ' ')" "Machine: $machine"
	! readelf -dW "$binary" | grep NEEDED || fail "$binary needs a shared library"
	case $triple in
	arm*hf) assert_holds "$(readelf -AhW "$binary")" "$attributes" "Tag_ABI_VFP_args: VFP registers" "hard-float ABI" ;;
	esac
	# shellcheck disable=SC2086 # a command with its options
	started=$($qemu "$binary" --version) || fail "$binary does not start under $qemu"
	assert_holds "$started" "$version"
	say "$binary: $machine, static, stripped, starts: $started"
done
