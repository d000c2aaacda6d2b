# The front door. Each target installs or explains what it needs.

# What the devices are; TARGETS="aarch64-unknown-linux-musl" picks.
TARGETS = x86_64-unknown-linux-musl aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf arm-unknown-linux-musleabihf
# This machine.
NATIVE = $(shell uname -m)-unknown-linux-musl
# Those that every `make test` builds and starts.
TESTED = x86_64-unknown-linux-musl aarch64-unknown-linux-musl
# Whose disk `make image` makes and `make boot` boots: x86_64 or aarch64.
ARCH = x86_64
# Whom gg-init hands over to there: busybox or systemd.
INIT = busybox
# KEEP=1: what the device of `make boot` writes stays on its disk.
KEEP = 0
# What `make boot` shows by itself: nothing, or `update`.
DEMO =
# `make run` begins anew each time; FRESH= keeps what components installed, which then need no network.
FRESH = --fresh
# What `make fuzz` runs, and for how many seconds each.
TARGET = recipe version_requirement interpolate control config_log archive topic eventstream ipc_request access_control kernel_config boot_settings boot_report superblock bundle_trailer bundle_cms bundle_manifest bundle_block bundle_squashfs tar slot_record boot_environment boot_table
TIME = 60
# Power cuts of `make test-long`.
CUTS = 100
# Of each fault of updates that is drawn at random, there.
FAULTS = 300

.DEFAULT_GOAL := help
.PHONY: help run test test-long setup sdk lint features yocto unit dist dist-check packages vm kernel image boot fuzz bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start a core with the sample components; Ctrl-C stops it
	@command -v cargo >/dev/null || { echo "make run: no Rust toolchain: install one from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "make run: Rust needs a C compiler to link with: apt-get install gcc" >&2; exit 1; }
	cargo run -- dev $(FRESH) --root target/run --recipes docs/examples/recipes --artifacts docs/examples/artifacts

test: setup lint sdk ## everything CI runs: lint, static binaries, short fuzzing, all tests
	.ci/features.sh
	.ci/dist.sh $(TESTED)
	.ci/dist-check.sh $(TESTED)
	tests/vm/run.sh
	.ci/kernel.sh
	tests/boot/run.sh
	.ci/yocto.sh
	tests/openwrt/run.sh
	init/image/build.sh
	ONLY="same_bytes x86_64 deployment" tests/image/run.sh
	tests/image/rauc.sh
	.ci/dist-sample.sh aarch64-unknown-linux-musl qemu-aarch64-static
	cargo run --quiet --package gg-bench size
	.ci/fuzz.sh runs=50000 $(TARGET)
	cargo test --workspace

test-long: setup ## what takes too long for each change: power cuts, all images, trials, real compiles; CUTS=1000 for more
	.ci/dist.sh $(TESTED)
	SYSTEM=small tests/vm/run.sh
	ONLY="fields cut_power" tests/boot/run.sh $(CUTS)
	init/image/build.sh
	ARCH=aarch64 init/image/build.sh
	INIT=systemd init/image/build.sh
	ONLY="systemd aarch64 update" tests/image/run.sh
	FAULTS=$(FAULTS) tests/ota/matrix.sh
	LONG=1 cargo test --test deployments own_update
	tests/uboot/run.sh
	LONG=1 .ci/yocto.sh
	LONG=1 tests/openwrt/run.sh feed

setup: ## install what the tests need (as root), or say what is missing
	.ci/setup.sh

sdk: setup ## fetch the SDKs that the tests of the IPC run, into target/sdk
	.ci/sdk.sh

lint: setup ## format, clippy, shellcheck
	cargo fmt --all --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	shellcheck .ci/run .ci/*.sh .ci/deb/* tests/vm/*.sh tests/boot/*.sh tests/image/*.sh tests/slots/*.sh tests/uboot/*.sh tests/power/*.sh tests/ota/*.sh tests/bench/*.sh tests/yocto/*.sh init/image/*.sh \
		init/image/*/slot.sh init/image/root/usr/sbin/* init/image/busybox/root/etc/init.d/* \
		init/image/busybox/root/usr/share/udhcpc/default.script
	shellcheck -s dash tests/openwrt/*.sh tests/openwrt/*-inside tests/openwrt/procd/rc.common tests/openwrt/shims/* tests/openwrt/cut/step \
		init/install.sh openwrt-feed/*.sh openwrt-feed/*/test.sh openwrt-feed/greengrass-rs/files/greengrass-s*

features: ## what a device may leave out: each part alone and none of them, without a warning
	.ci/features.sh

unit: ## the Rust tests alone
	cargo test --workspace

dist: setup ## static musl binaries in target/dist, packages in target/packages; TARGETS="..." picks
	.ci/dist.sh $(TARGETS)
	.ci/package.sh $(TARGETS)
	cargo run --quiet --package gg-bench size

dist-check: dist ## the same, each checked and started under QEMU
	.ci/dist-check.sh $(TARGETS)

packages: ## tests of service files, OpenWrt feed, packages and installer
	.ci/dist.sh $(NATIVE)
	tests/openwrt/run.sh

vm: setup ## run the x86_64 binary in a virtual machine with cgroup v2 alone; SYSTEM=small on our own kernel
	.ci/dist.sh x86_64-unknown-linux-musl
	tests/vm/run.sh

kernel: setup ## build a small kernel from kernel-config/, into target/kernel
	.ci/kernel.sh

yocto: setup ## check the Yocto layer: BitBake parser, lint, a real daemon, a real boot loader
	.ci/dist.sh $(NATIVE)
	.ci/debian-kernel.sh
	.ci/yocto.sh

image: setup ## a bootable A/B disk image in target/image; ARCH=aarch64 INIT=systemd pick
	.ci/dist.sh $(ARCH)-unknown-linux-musl
	ARCH=$(ARCH) INIT=$(INIT) init/image/build.sh

boot: ## boot it in QEMU, Ctrl-A X ends it; KEEP=1 keeps what the device writes, DEMO=update shows updates
	@[ -f target/image/$(ARCH)$(subst -busybox,,-$(INIT))/disk.img ] || $(MAKE) image
ifeq ($(DEMO),update)
	@[ target/image/$(ARCH)$(subst -busybox,,-$(INIT))/updates.img -nt target/image/$(ARCH)$(subst -busybox,,-$(INIT))/disk.img ] || ARCH=$(ARCH) INIT=$(INIT) init/image/updates.sh
	@ARCH=$(ARCH) INIT=$(INIT) init/image/demo.sh
else
	ARCH=$(ARCH) INIT=$(INIT) KEEP=$(KEEP) init/image/boot.sh
endif

fuzz: ## fuzz the decoders; TARGET=recipe TIME=60 picks
	.ci/fuzz.sh seconds=$(TIME) $(TARGET)

bench: ## measure the figures of docs/SPECIFICATION.md; ONLY=F7 picks
	.ci/dist.sh $(NATIVE) || cargo build --release
	case " $(ONLY) " in "  " | *" boot "* | *" image "*) init/image/build.sh ;; esac
	cargo run --quiet --package gg-bench measure \
		$$(ls target/dist/$(NATIVE)/greengrass target/release/greengrass 2>/dev/null | head -n 1) $(ONLY)
