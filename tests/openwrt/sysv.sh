# shellcheck shell=dash disable=SC2154 # lib.sh sets the variables
# A system of BusyBox alone: the archive is unpacked and installed in it, and its service is driven for real.

if [ "$(id -u)" -ne 0 ]; then
	say "SKIPPED sysv: a system of its own needs root"
	return 0
fi
if ! unshare --mount --pid --fork --mount-proc true 2>/dev/null; then
	say "SKIPPED sysv: this machine gives no namespaces"
	return 0
fi
system=$scratch/system
mkdir -p "$system/bin" "$system/etc/init.d" "$system/proc" "$system/dev" "$system/tmp" "$system/var/run" "$system/root"
chmod 1777 "$system/tmp"
cp -L "$(command -v busybox)" "$system/bin/busybox"
echo root:x:0:0:root:/root:/bin/sh >"$system/etc/passwd"
echo root:x:0: >"$system/etc/group"
tar -C "$system/root" -xzf "$(packages)/greengrass-rs-$version-$triple.tar.gz" --strip-components=1
cp tests/openwrt/sysv-inside "$system/root/test"
# What ends the test's first process ends every other one of its system.
timeout --kill-after=5 120 unshare --mount --pid --fork --mount-proc --kill-child sh -c "
	mount --rbind /dev '$system/dev' && mount -t proc proc '$system/proc' &&
	exec chroot '$system' /bin/busybox sh /root/test" 2>"$scratch/log" ||
	fail "$(tail -n 20 "$system/greengrass/v2/logs/greengrass.log" "$scratch/log" 2>/dev/null)"
