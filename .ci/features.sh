#!/bin/sh
# The parts that a device may leave out (the features of Cargo): each alone, and none, compile without a warning, tests
# included; without any, the unit tests pass, and the program says of each part that it is not there.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'features: %s\n' "$*" >&2; }

for features in '' $(sed -n '/^\[features\]/,/^\[/s/^\([a-z][a-z0-9-]*\) = .*/\1/p' Cargo.toml | grep -v '^default$'); do
	say "${features:-none}"
	cargo clippy --quiet --package greengrass-rs --lib --bins --no-default-features --features "$features" -- -D warnings
done
cargo clippy --quiet --package greengrass-rs --lib --tests --no-default-features -- -D warnings
cargo test --quiet --package greengrass-rs --lib --no-default-features
