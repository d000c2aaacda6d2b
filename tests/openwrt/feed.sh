# shellcheck shell=dash disable=SC2154,SC2013,SC2015 # lib.sh sets the variables; words, not lines
# The feed: GNU make evaluates the real Makefiles over the stand-ins in openwrt-feed/buildroot.

feed() {
	package=$1
	shift
	make -s -C "openwrt-feed/$package" TOPDIR="$PWD/openwrt-feed/buildroot" OUT="$scratch/$package" "$@"
}
about() { sed -n "s/^$2=//p" "$scratch/$1.metadata"; }

openwrt-feed/kernel-options.sh --check || fail "openwrt-feed/*/Config.in"
[ "$(grep -c '	select KERNEL_' openwrt-feed/greengrass-rs/Config.in)" -ge 15 ] || fail "Config.in selects hardly anything"
# A change of the fragments is seen.
cp -R openwrt-feed kernel-config "$scratch/"
sed -i '/^CONFIG_MEMCG=y$/d' "$scratch/kernel-config/cgroups.cfg"
! "$scratch/openwrt-feed/kernel-options.sh" --check 2>/dev/null || fail "kernel-options.sh --check does not see a change"

for package in greengrass-rs greengrass-rs-bin; do
	feed "$package" "metadata-$package" >"$scratch/$package.metadata"
	same "$package: version" "$version" "$(about "$package" PKG_VERSION)"
	same "$package: name" "$package" "$(about "$package" PKG_NAME)"
	same "$package: licence" "Apache-2.0 LICENSE" "$(about "$package" PKG_LICENSE) $(about "$package" PKG_LICENSE_FILES)"
	same "$package: user" "ggc_user=8883:ggc_group=8883" "$(about "$package" USERID)"
	same "$package: conffiles" /etc/config/greengrass "$(about "$package" conffiles)"
	case " $(about "$package" DEPENDS) " in
	*" +ca-bundle "*) ;;
	*) fail "$package does not depend on ca-bundle" ;;
	esac
	grep -q "depends on PACKAGE_$package$" "openwrt-feed/$package/Config.in" || fail "$package: Config.in is another package's"
done
same "what is conffile is what is installed" 1 "$(find openwrt-feed/greengrass-rs/files -name greengrass.config | wc -l)"
same "the last word on crt-static" "-Ctarget-feature=+crt-static" "$(about greengrass-rs CARGO_RUSTFLAGS | tr ' ' '\n' | tail -n 1)"
same "the prebuilt package compiles nothing" "" "$(about greengrass-rs-bin compile)$(about greengrass-rs-bin PKG_BUILD_DEPENDS)"
same "the prebuilt package takes no bytes it does not know" unknown-run-make-packages \
	"$(feed greengrass-rs-bin GREENGRASS_DIST=/nowhere metadata-greengrass-rs-bin | sed -n 's/^PKG_HASH=//p')"
for machine in x86_64=x86_64-unknown-linux-musl aarch64=aarch64-unknown-linux-musl arm=arm-unknown-linux-musleabihf; do
	same "the program for ${machine%%=*}" "greengrass-rs-$version-${machine#*=}.tar.gz" \
		"$(feed greengrass-rs-bin ARCH="${machine%%=*}" metadata-greengrass-rs-bin | sed -n 's/^PKG_SOURCE=//p')"
done
same "the program for ARM version 7" "greengrass-rs-$version-armv7-unknown-linux-musleabihf.tar.gz" \
	"$(feed greengrass-rs-bin ARCH=arm CONFIG_arm_v7=y metadata-greengrass-rs-bin | sed -n 's/^PKG_SOURCE=//p')"

same "gg-init is compiled where it is wanted" "cargo install --path ." "$(about greengrass-rs compile)"
found=$(feed greengrass-rs CONFIG_PACKAGE_gg-init=y metadata-gg-init)
case $found in
*"compile=cargo install --path . cargo install --path init"*) ;;
*) fail "gg-init is not compiled: $found" ;;
esac
mkdir -p "$scratch/boot/install/bin"
: >"$scratch/boot/install/bin/gg-init"
feed greengrass-rs OUT="$scratch/boot" stage-gg-init
same "what gg-init installs" "d 755 sbin 
f 755 sbin/gg-init " "$(tree "$scratch/boot/root")"

# What the source package copies is what Cargo needs.
feed greengrass-rs prepare
cargo metadata --offline --locked --no-deps --format-version 1 \
	--manifest-path "$scratch/greengrass-rs/build/greengrass-rs-$version/Cargo.toml" >/dev/null || fail "the copied source"

mkdir -p "$scratch/greengrass-rs/install/bin"
cp "target/dist/$triple/greengrass" "$scratch/greengrass-rs/install/bin/"
feed greengrass-rs stage-greengrass-rs
root=$scratch/greengrass-rs/root
same "what the package installs" "$(cat tests/openwrt/expected/package)" "$(tree "$root")"
! grep -rn '@[A-Z]*@' "$root/etc" "$root/lib" || fail "a placeholder is left"
found=$(PATH="$root/usr/bin:$PATH" sh openwrt-feed/greengrass-rs/test.sh greengrass-rs "$version-r1") || fail "test.sh: $found"
! PATH="$root/usr/bin:$PATH" sh openwrt-feed/greengrass-rs/test.sh greengrass-rs 9.9.9-r1 >/dev/null ||
	fail "test.sh takes any version"
same "--version" "greengrass $version" "$("$root/usr/bin/greengrass" --version | cut -d ' ' -f 1-2)"

# Every option of /etc/config/greengrass is one that the init script validates, and the other way round.
same "the options of /etc/config/greengrass" \
	"$(sed -n "s/^		'\([a-z_]*\):.*/\1/p" init/services/greengrass.procd | sort)" \
	"$(sed -n 's/^	#\{0,1\}\(option\|list\) \([a-z_]*\) .*/\2/p' "$root/etc/config/greengrass" | sort)"

# sysupgrade keeps what the core cannot do without.
for path in $(cat "$root/lib/upgrade/keep.d/greengrass-rs"); do
	case $path in
	/etc/greengrass/) ;;
	/greengrass/v2/*) grep -q "^| \`${path#/greengrass/v2/}" docs/manual/files.md || fail "keep.d: the core has no $path" ;;
	*) fail "keep.d: $path" ;;
	esac
done

# uci-defaults, with a `uci` that knows two verbs.
for had in named unnamed none; do
	: >"$scratch/uci.log"
	HAD=$had LOG=$scratch/uci.log UCI_CONFIG_DIR=$scratch PATH="$here/shims:$PATH" sh "$root/etc/uci-defaults/90-greengrass" || fail "uci-defaults: $had"
	same "uci-defaults: $had" "$(cat "tests/openwrt/expected/defaults-$had")" "$(cat "$scratch/uci.log")"
done

# greengrass-sysupgrade: what it asks of sysupgrade, and when it refuses.
echo firmware >"$scratch/image"
hash=$(sha256sum <"$scratch/image" | cut -d ' ' -f 1)
upgrade() {
	: >"$scratch/upgrade.log"
	LOG=$scratch/upgrade.log PATH="$here/shims:$PATH" sh "$root/usr/sbin/greengrass-sysupgrade" "$@" 2>"$scratch/upgrade.err"
}
upgrade -T -s "$hash" "$scratch/image" || fail "greengrass-sysupgrade -T: $(cat "$scratch/upgrade.err")"
same "greengrass-sysupgrade -T" "sysupgrade -T $scratch/image
sysupgrade -l" "$(cat "$scratch/upgrade.log")"
! upgrade -s "${hash%?}x" "$scratch/image" || fail "greengrass-sysupgrade takes another image"
same "greengrass-sysupgrade, another image" "" "$(cat "$scratch/upgrade.log")"
! BAD=1 upgrade "$scratch/image" || fail "greengrass-sysupgrade takes what sysupgrade refuses"
same "greengrass-sysupgrade, refused" "sysupgrade -T $scratch/image" "$(cat "$scratch/upgrade.log")"
mkdir -p "$scratch/core/config"
! ROOT_DIRECTORY=$scratch/core upgrade -T "$scratch/image" || fail "greengrass-sysupgrade loses a root directory"
grep -q "would be lost" "$scratch/upgrade.err" || fail "greengrass-sysupgrade does not say what would be lost"
ROOT_DIRECTORY=$scratch/core KEPT=$scratch/core/config/config.tlog upgrade -T "$scratch/image" || fail "greengrass-sysupgrade, kept"
! upgrade || fail "greengrass-sysupgrade without an image"
