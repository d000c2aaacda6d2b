# Stands for the packages feed's rust-package.mk: what it forces upon a package.
CARGO_RUSTFLAGS+=-Ctarget-feature=-crt-static
RUST_ARCH_DEPENDS:=@(aarch64||arm||x86_64)
define Build/Compile/Cargo
cargo install --path $(or $(1),.)
endef
Build/Compile=$(call Build/Compile/Cargo)
