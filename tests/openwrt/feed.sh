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
	same "$package: maintainer" "$(sed -n 's/.*Maintainer: the \(.*>\),.*/\1/p' meta-greengrass-rs/README.md)" "$(about "$package" PKG_MAINTAINER)"
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

# Each part of the program is a feature of Cargo by its name in small letters, except what is for desks; `rauc` is a link.
same "the parts in menuconfig" "$(sed -n '/^\[features\]/,/^\[/s/^\([a-z-]*\) = .*/\1/p' Cargo.toml | grep -vx -e default -e dev | sort)" \
	"$(sed -n 's/^config GREENGRASS_RS_//p' openwrt-feed/greengrass-rs/Config-features.in | tr 'A-Z_' 'a-z-' | grep -vx rauc | sort)"
all_parts="CONFIG_PACKAGE_greengrass-rs=y CONFIG_GREENGRASS_RS_CHECK=y CONFIG_GREENGRASS_RS_CLI=y CONFIG_GREENGRASS_RS_DOWNLOAD=y CONFIG_GREENGRASS_RS_UPLINK=y"
compiled() { feed greengrass-rs "$@" metadata-greengrass-rs | sed -n 's/^compile=//p'; }
for part in check cli download ota uplink; do
	option=CONFIG_GREENGRASS_RS_$(echo $part | tr '[:lower:]' '[:upper:]')
	case $(compiled CONFIG_PACKAGE_greengrass-rs=y "$option=y") in
	*"--no-default-features --features \"$part\""*) ;;
	*) fail "$option does not compile $part" ;;
	esac
	case " $(about greengrass-rs PKG_CONFIG_DEPENDS) " in
	*" $option "*) ;;
	*) fail "a change of $option does not build again" ;;
	esac
done
same "nothing is compiled that is not wanted" "" "$(compiled)"
case $(compiled CONFIG_PACKAGE_gg-init=y) in
*"--path \"$scratch/greengrass-rs/build/greengrass-rs-$version/init\""*) ;;
*) fail "gg-init is not compiled: $(compiled CONFIG_PACKAGE_gg-init=y)" ;;
esac

# What the source package copies is what Cargo needs.
feed greengrass-rs prepare
cargo metadata --offline --locked --no-deps --format-version 1 \
	--manifest-path "$scratch/greengrass-rs/build/greengrass-rs-$version/Cargo.toml" >/dev/null || fail "the copied source"

# Prepared, compiled, installed: as OpenWrt's build does, but for its profile and its compiler. The network is not used.
library=$(rustc --print target-libdir --target "$triple" 2>/dev/null)
if [ -n "${LONG-}" ] && [ -d "$library" ] && [ -x target/tools/zig/bin/cargo-zigbuild ]; then
	cargo fetch --quiet --locked
	say "compiling the feed's packages for $triple"
	# shellcheck disable=SC2086 # a list of settings
	CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=$PWD/target/feed feed greengrass-rs $all_parts CONFIG_PACKAGE_gg-init=y \
		CARGO="$PWD/target/tools/zig/bin/cargo-zigbuild" CARGO_PKG_PROFILE=dev compile 2>"$scratch/compile.log" || fail "compile: $(tail -n 20 "$scratch/compile.log")"
	for program in greengrass gg-init; do
		! readelf -dlW "$scratch/greengrass-rs/install/bin/$program" | grep -E 'NEEDED|INTERP' || fail "$program needs a library"
	done
else
	say "SKIPPED compiling the feed's packages: that wants LONG=1 and a standard library for $triple"
	mkdir -p "$scratch/greengrass-rs/install/bin"
	cp "target/dist/$triple/greengrass" "target/dist/$triple/gg-init" "$scratch/greengrass-rs/install/bin/"
fi
# shellcheck disable=SC2086 # a list of settings
feed greengrass-rs $all_parts stage-greengrass-rs
root=$scratch/greengrass-rs/root
same "what the package installs" "$(cat tests/openwrt/expected/package)" "$(tree "$root")"
! grep -rn '@[A-Z]*@' "$root/etc" "$root/lib" || fail "a placeholder is left"
found=$(PATH="$root/usr/bin:$PATH" sh openwrt-feed/greengrass-rs/test.sh greengrass-rs "$version-r1") || fail "test.sh: $found"
! PATH="$root/usr/bin:$PATH" sh openwrt-feed/greengrass-rs/test.sh greengrass-rs 9.9.9-r1 >/dev/null ||
	fail "test.sh takes any version"
same "--version" "greengrass $version" "$("$root/usr/bin/greengrass" --version | cut -d ' ' -f 1-2)"

mkdir -p "$scratch/boot" && cp -R "$scratch/greengrass-rs/install" "$scratch/boot/"
feed greengrass-rs OUT="$scratch/boot" stage-gg-init
same "what gg-init installs" "d 755 sbin 
f 755 sbin/gg-init " "$(tree "$scratch/boot/root")"
# Left out, a part has no name.
mkdir -p "$scratch/small/install" && cp -R "$scratch/greengrass-rs/install/bin" "$scratch/small/install/"
cp -R "$scratch/greengrass-rs/build" "$scratch/small/"
feed greengrass-rs OUT="$scratch/small" CONFIG_PACKAGE_greengrass-rs=y stage-greengrass-rs
same "what the package installs without greengrass-cli" "$(grep -v /greengrass-cli tests/openwrt/expected/package)" "$(tree "$scratch/small/root")"

mkdir -p "$scratch/link/install" && cp -R "$scratch/greengrass-rs/install/bin" "$scratch/link/install/"
cp -R "$scratch/greengrass-rs/build" "$scratch/link/"
# shellcheck disable=SC2086 # a list of settings
feed greengrass-rs OUT="$scratch/link" $all_parts CONFIG_GREENGRASS_RS_RAUC=y stage-greengrass-rs
same "the name for scripts of RAUC" greengrass "$(readlink "$scratch/link/root/usr/bin/rauc")"

# The prebuilt packages, from what package.sh made.
for package in greengrass-rs gg-init; do
	feed greengrass-rs-bin OUT="$scratch/prebuilt-$package" GREENGRASS_DIST="$(packages)" GREENGRASS_TARGET="$triple" prepare "stage-$package-bin"
done
same "what the prebuilt package installs" "$(cat tests/openwrt/expected/package)" "$(tree "$scratch/prebuilt-greengrass-rs/root")"
cmp "target/dist/$triple/greengrass" "$scratch/prebuilt-greengrass-rs/root/usr/bin/greengrass"
same "what the prebuilt gg-init installs" "d 755 sbin 
f 755 sbin/gg-init " "$(tree "$scratch/prebuilt-gg-init/root")"
cmp "target/dist/$triple/gg-init" "$scratch/prebuilt-gg-init/root/sbin/gg-init"
found=$(feed greengrass-rs-bin metadata-gg-init-bin)
for line in PROVIDES=gg-init CONFLICTS=gg-init; do
	echo "$found" | grep -qx "$line" || fail "gg-init-bin does not say $line"
done

# Every option of /etc/config/greengrass is one that the init script validates, and the other way round.
same "the options of /etc/config/greengrass" \
	"$(sed -n "s/^		'\([a-z_]*\):.*/\1/p" init/services/greengrass.procd | sort)" \
	"$(sed -n 's/^	#\{0,1\}\(option\|list\) \([a-z_]*\) .*/\2/p' "$root/etc/config/greengrass" | grep -vx settings | sort)"

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
	LOG=$scratch/upgrade.log GREENGRASS_SERVICE=$here/shims/service PATH="$here/shims:$PATH" sh "$root/usr/sbin/greengrass-sysupgrade" "$@" 2>"$scratch/upgrade.err"
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
! upgrade "$scratch/it's" || fail "greengrass-sysupgrade takes a path that nobody quotes"

# A board with two firmware partitions.
mkdir "$scratch/board"
echo one >"$scratch/board/a"
echo none >"$scratch/board/b"
echo a >"$scratch/board/boot"
firmware() { cat "$scratch/board/$(cat "$scratch/board/boot")"; }
BOARD=$scratch/board upgrade -s "$hash" "$scratch/image" || fail "greengrass-sysupgrade: $(cat "$scratch/upgrade.err")"
same "the board boots the new firmware" firmware "$(firmware)"
same "the firmware before stays" one "$(cat "$scratch/board/a")"
same "the core ends before its data is saved" "sysupgrade -T $scratch/image
sysupgrade -l
service stop
sysupgrade $scratch/image" "$(cat "$scratch/upgrade.log")"
echo again >"$scratch/image"
! BROKEN=1 BOARD=$scratch/board upgrade "$scratch/image" || fail "greengrass-sysupgrade does not see that sysupgrade failed"
same "the board boots the firmware before" firmware "$(firmware)"
same "the core runs again" "service start" "$(tail -n 1 "$scratch/upgrade.log")"
# From a component it would end with the core: procd does it, outside.
BOARD=$scratch/board AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT=/ipc.socket \
	upgrade -s "$(sha256sum <"$scratch/image" | cut -d ' ' -f 1)" "$scratch/image" || fail "greengrass-sysupgrade of a component"
same "a component stops nothing" "" "$(grep -E 'service (stop|start)|sysupgrade /' "$scratch/upgrade.log" | grep -v '^ubus')"
python3 - "$scratch" <<-'END' || fail "what procd is asked: $(cat "$scratch/upgrade.log")"
	import json, sys
	scratch = sys.argv[1]
	text = open(scratch + "/upgrade.log").read().split("ubus call service add ", 1)[1]
	command = json.loads(text)["instances"]["upgrade"]["command"]
	assert command[0] == "/usr/sbin/greengrass-sysupgrade" and command[1] == "-s" and command[3] == scratch + "/image", command
END

# A signed bundle goes into the other firmware partition; the settings go along, and are put back there alone.
bundle() {
	: >"$scratch/upgrade.log"
	LOG=$scratch/upgrade.log PATH="$here/shims:$PATH" sh "$root/usr/sbin/greengrass-sysupgrade" "$@" 2>"$scratch/upgrade.err"
}
echo bundle >"$scratch/update.raucb"
BOOTED=A bundle -T "$scratch/update.raucb" || fail "greengrass-sysupgrade -T, bundle: $(cat "$scratch/upgrade.err")"
same "greengrass-sysupgrade -T, bundle" "greengrass ota bundle verify $scratch/update.raucb" "$(cat "$scratch/upgrade.log")"
! UNTRUSTED=1 BOOTED=A bundle "$scratch/update.raucb" || fail "greengrass-sysupgrade takes a bundle that nobody trusts"
same "greengrass-sysupgrade, bundle of nobody" "greengrass ota bundle verify $scratch/update.raucb" "$(cat "$scratch/upgrade.log")"
SETTINGS=$scratch/settings BOOTED=A bundle "$scratch/update.raucb" || fail "greengrass-sysupgrade, bundle: $(cat "$scratch/upgrade.err")"
same "greengrass-sysupgrade, bundle" "greengrass ota bundle verify $scratch/update.raucb
greengrass rauc status --output-format=shell
sysupgrade -b $scratch/settings/from-A.tgz.new
greengrass ota install $scratch/update.raucb
reboot" "$(cat "$scratch/upgrade.log")"
BOOTED=A bundle "$scratch/update.raucb" || fail "greengrass-sysupgrade, bundle without settings"
grep -q "stay with it" "$scratch/upgrade.err" || fail "greengrass-sysupgrade does not say that settings stay"
put_back() {
	: >"$scratch/upgrade.log"
	# shellcheck disable=SC2016 # that shell expands it
	SETTINGS=$scratch/settings LOG=$scratch/upgrade.log PATH="$here/shims:$PATH" \
		busybox sh -c '. "$0" && start' "$root/etc/init.d/greengrass-settings"
	grep -v '^greengrass' "$scratch/upgrade.log" || true
}
same "the firmware that saved its settings has them" "" "$(BOOTED=A put_back)"
same "the new firmware takes them" "sysupgrade -r $scratch/settings/from-A.tgz" "$(BOOTED=B put_back)"
same "once" "" "$(BOOTED=B put_back)"
