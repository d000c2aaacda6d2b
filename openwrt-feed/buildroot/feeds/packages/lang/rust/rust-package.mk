# Stands for the packages feed's rust-package.mk: what it forces upon a package, and how it calls Cargo. The target is
# that of the machine; CARGO_PKG_PROFILE=dev is quicker than what OpenWrt builds.
CARGO_RUSTFLAGS+=-Ctarget-feature=-crt-static
RUST_ARCH_DEPENDS:=@(aarch64||arm||x86_64)
RUSTC_TARGET_ARCH?=$(ARCH)-unknown-linux-musl
CARGO?=cargo
CARGO_PKG_PROFILE?=release
CARGO_PKG_ARGS:=--locked

define Build/Compile/Cargo
RUSTFLAGS="$(CARGO_RUSTFLAGS)" $(CARGO) install --target $(RUSTC_TARGET_ARCH) --profile $(CARGO_PKG_PROFILE) \
	$(if $(strip $(RUST_PKG_FEATURES)),--features "$(strip $(RUST_PKG_FEATURES))") \
	--root $(PKG_INSTALL_DIR) --path "$(PKG_BUILD_DIR)/$(strip $(1))" $(CARGO_PKG_ARGS) $(2)
endef
Build/Compile=$(call Build/Compile/Cargo)
