# The front door. Each target installs or explains what it needs.

.PHONY: run test lint

run:
	cargo run

test:
	cargo test --workspace

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
