#!/bin/sh
# Fuzzes decoders: fuzz.sh runs=N|seconds=N TARGET...
#
# `runs` does the same N inputs every time (for CI), `seconds` goes on from what earlier runs found.
# An input that breaks a decoder is left in tests/fuzz/artifacts/TARGET/.
set -eu
cd "$(dirname "$0")/../tests/fuzz"

amount=$1
shift
host=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=../../target/fuzz

say() { printf 'fuzz: %s\n' "$*" >&2; }

# What cargo-fuzz does, without having to install it: coverage counters, and comparisons as hints.
build() {
	for pass in level=4 inline-8bit-counters pc-table trace-compares; do
		RUSTFLAGS="${RUSTFLAGS-} -Cllvm-args=-sanitizer-coverage-$pass"
	done
	export RUSTFLAGS="$RUSTFLAGS -Cpasses=sancov-module --cfg fuzzing"
	# With a target given, build scripts and macros stay as they are.
	cargo build --release --target "$host" "$@"
}

# Real documents to begin with.
seeds() {
	case $1 in
	recipe) set -- ../data/recipes ../../docs/examples/recipes ;;
	*) set -- "seeds/$1" ;;
	esac
	for folder in "$@"; do
		[ ! -d "$folder" ] || find "$folder" -type d
	done
}

flags=
for target in "$@"; do flags="$flags --bin $target"; done
# shellcheck disable=SC2086 # a list of options
build $flags

for target in "$@"; do
	say "$target, $amount"
	mkdir -p "artifacts/$target"
	case $amount in
	runs=*)
		corpus=$CARGO_TARGET_DIR/corpus/$target
		rm -rf "$corpus"
		limit="-runs=${amount#runs=} -seed=1"
		;;
	*)
		corpus=corpus/$target
		limit="-max_total_time=${amount#seconds=}"
		;;
	esac
	mkdir -p "$corpus"
	# shellcheck disable=SC2046,SC2086 # lists of options and of folders
	"$CARGO_TARGET_DIR/$host/release/$target" $limit -max_len=16384 -timeout=20 -rss_limit_mb=1024 \
		-artifact_prefix="artifacts/$target/" -print_final_stats=1 "$corpus" $(seeds "$target") \
		>"$CARGO_TARGET_DIR/$target.log" 2>&1 || {
		tail -n 40 "$CARGO_TARGET_DIR/$target.log" >&2
		say "$target: FAILED; the input is in tests/fuzz/artifacts/$target/"
		exit 1
	}
	grep -E '^stat::(number_of_executed_units|average_exec_per_sec)' "$CARGO_TARGET_DIR/$target.log" >&2
done
