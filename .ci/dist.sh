#!/bin/sh
# Builds the device binaries for each target triple: static, stripped, in target/dist/<triple>/{greengrass,gg-init}.
#
# zig, from PyPI, is C compiler, linker and musl for every target. The standard library comes from where it can
# be had, in this order (DIST_STD chooses one): `prebuilt` by rustup; `source` by rustup, built here; `debian`,
# Debian's compiler with its source, built here. What has been fetched once is not fetched again.
set -eu
cd "$(dirname "$0")/.."

zigbuild=0.24.0
zig=0.17.1
tools=$PWD/target/tools/zig
build=$PWD/target/dist-build

say() { printf 'dist: %s\n' "$*" >&2; }

install_linker() {
	"$tools/bin/cargo-zigbuild" --version >/dev/null 2>&1 && "$tools/bin/python" -m ziglang version >/dev/null 2>&1 && return
	say "fetching zig $zig into target/tools"
	python3 -m venv --clear "$tools"
	"$tools/bin/pip" install --quiet --disable-pip-version-check "cargo-zigbuild==$zigbuild" "ziglang==$zig"
}

# What rustup says it did is looked for: the toolchain may not be its own.
has_prebuilt() {
	library="$(rustc --print sysroot)/lib/rustlib/$1/lib"
	[ -d "$library" ] || { rustup target add "$1" >/dev/null 2>&1 && [ -d "$library" ]; }
}

has_source() {
	lock="$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock"
	[ -f "$lock" ] || { rustup component add rust-src >/dev/null 2>&1 && [ -f "$lock" ]; }
}

has_debian() {
	[ -f "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/Cargo.lock" ] && return
	say "no standard library for $1 from rustup; taking Debian's compiler and source"
	[ "$(id -u)" -eq 0 ] && apt-get install -q -y --no-install-recommends rustc-web cargo-web rust-web-src >&2
}

# Which of the three ways works for this target.
standard_library() {
	if [ -n "${DIST_STD-}" ]; then
		say "standard library for $1: $DIST_STD, as DIST_STD says"
		"has_$DIST_STD" "$1" && echo "$DIST_STD" && return
	elif has_prebuilt "$1"; then
		echo prebuilt && return
	elif has_source; then
		echo source && return
	elif has_debian "$1"; then
		echo debian && return
	fi
	say "no standard library for $1. Try: rustup target add $1, or rustup component add rust-src, or as root:"
	say "apt-get install rustc-web cargo-web rust-web-src"
	return 1
}

# build LIBRARY TRIPLE ARGUMENT...: with that standard library.
build() (
	std=$1
	triple=$2
	shift 2
	say "building for $triple (standard library: $std): $*"
	case $std in
	debian) export RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo ;;
	esac
	# What a panic would unwind by is not needed where it aborts, and is a tenth of the binary.
	RUSTFLAGS="${RUSTFLAGS-} ${panic-} ${symbols-} -C link-arg=-Wl,-T,$PWD/.ci/no-unwind.ld"
	case $std in
	prebuilt) ;;
	*)
		# Building the standard library is not in stable cargo yet. zig brings the C runtime, so rustc must not.
		RUSTFLAGS="$RUSTFLAGS -C link-self-contained=no -C force-unwind-tables=no"
		export RUSTC_BOOTSTRAP=1
		set -- -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size "$@"
		;;
	esac
	export RUSTFLAGS PATH="$tools/bin:$PATH"
	cargo-zigbuild zigbuild --locked --target-dir "$build" --target "$triple" "$@"
)

compile() {
	std=$(standard_library "$1")
	# Not by the profile: Cargo forgets that where a package has options of its own.
	keep=
	[ "$1" != "$native" ] || keep="-C strip=none"
	symbols=$keep build "$std" "$1" --release --bin greengrass
	compile_init "$std" "$1"
}

# PID 1 stays in memory for good, and most of it is the standard library: one built for size is two fifths smaller, so
# it is preferred wherever its source can be had.
compile_init() (
	if [ "$1" = prebuilt ] && [ -z "${DIST_STD-}" ] && has_source; then
		# A panic of PID 1 is the kernel's, whose last words have its address; it is not relocated. What it would say
		# itself, and how, is a fifth of it.
		panic="-Z unstable-options -C panic=immediate-abort" build source "$2" --profile init --package gg-init && return
		say "gg-init with a library of its own does not build; taking the ready-made one"
	fi
	build "$1" "$2" --profile init --package gg-init
)

# The symbols of this machine's own binary stay beside it: the size report reads them.
publish() {
	mkdir -p "target/dist/$1"
	cp "$build/$1/release/greengrass" "target/dist/$1/greengrass.new"
	if [ "$1" = "$native" ]; then
		cp "target/dist/$1/greengrass.new" "target/dist/$1/greengrass.symbols"
		strip --strip-all "target/dist/$1/greengrass.new"
	fi
	mv "target/dist/$1/greengrass.new" "target/dist/$1/greengrass"
	cp "$build/$1/init/gg-init" "target/dist/$1/gg-init.new"
	mv "target/dist/$1/gg-init.new" "target/dist/$1/gg-init"
	say "target/dist/$1/gg-init: $(wc -c <"target/dist/$1/gg-init") bytes"
	say "target/dist/$1/greengrass: $(wc -c <"target/dist/$1/greengrass") bytes"
}

native=$(uname -m)-unknown-linux-musl
# What the program takes for the time of its build: the same commit gives the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date -r Cargo.lock +%s)}
export SOURCE_DATE_EPOCH
install_linker
for triple in "$@"; do
	compile "$triple"
	publish "$triple"
done

# Whoever takes a binary from here into an image can tell that it is whole.
(
	cd target/dist
	find . -name greengrass -o -name gg-init | sed 's|^\./||' | sort | xargs sha256sum >SHA256SUMS.new
	mv SHA256SUMS.new SHA256SUMS
)
