# shellcheck shell=dash disable=SC2154,SC2013,SC2015 # lib.sh sets the variables; words, not lines
# install.sh into directories that look like systems: each init system, again, changed, and away.

tar -C "$scratch" -xzf "$(packages)/greengrass-rs-$version-$triple.tar.gz"
install=$scratch/greengrass-rs-$version-$triple/install.sh

# BusyBox's shell, because a device may have no other.
run_installer() {
	busybox sh "$install" "$@" 2>"$scratch/said" || {
		code=$?
		return $code
	}
}

for system in systemd openrc procd sysv none; do
	root=$scratch/$system
	mkdir -p "$root/etc"
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:999:999::/:/bin/sh' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
	case $system in
	systemd) mkdir -p "$root/lib/systemd" && : >"$root/lib/systemd/systemd" ;;
	openrc) mkdir -p "$root/sbin" && : >"$root/sbin/openrc-run" ;;
	procd) : >"$root/etc/openwrt_release" ;;
	sysv) mkdir -p "$root/etc/init.d" ;;
	esac
	before=$(tree "$root")
	run_installer --root "$root" --dry-run || fail "$system, dry run: $(cat "$scratch/said")"
	same "$system: a dry run changes nothing" "$before" "$(tree "$root")"

	run_installer --root "$root" --data=/data/greengrass/v2 || fail "$system: $(cat "$scratch/said")"
	grep -q "done: $system" "$scratch/said" || fail "$system is taken for another: $(cat "$scratch/said")"
	same "$system: what is installed" "$(cat "tests/openwrt/expected/installed-$system")" "$(tree "$root" | grep -v '^d')"
	same "$system: users" "root:x:0:0:root:/root:/bin/sh
user:x:999:999::/:/bin/sh
ggc_user:x:997:998:Greengrass components:/nonexistent:/bin/false" "$(cat "$root/etc/passwd")"
	! grep -rn '@[A-Z]*@' "$root/etc" || fail "$system: a placeholder is left"

	before=$(tree "$root") bytes=$(contents "$root")
	run_installer --root "$root" --data /data/greengrass/v2 || fail "$system, again: $(cat "$scratch/said")"
	same "$system: again is as good as once" "$before" "$(tree "$root")"
	same "$system: again changes no byte" "$bytes" "$(contents "$root")"

	for settings in etc/greengrass/greengrassd.conf etc/config/greengrass; do
		[ -e "$root/$settings" ] || continue
		echo '# mine' >>"$root/$settings"
		run_installer --root "$root" --data /data/greengrass/v2
		grep -q '^# mine$' "$root/$settings" || fail "$system: settings are lost"
		[ -e "$root/$settings.new" ] || fail "$system: the new settings are nowhere"
		rm "$root/$settings.new"
	done

	run_installer --root "$root" --uninstall || fail "$system, uninstall: $(cat "$scratch/said")"
	same "$system: what stays" "$(grep -E ' etc/(passwd|group|config/greengrass|greengrass/greengrassd.conf|openwrt_release) |systemd/systemd |openrc-run ' \
		"tests/openwrt/expected/installed-$system")" "$(tree "$root" | grep -v '^d')"
	run_installer --root "$root" --uninstall || fail "$system, uninstall again"
done

mkdir -p "$scratch/prefix"
run_installer --root "$scratch/prefix" --init sysv --prefix /opt/gg || fail "another prefix"
grep -q '^daemon=/opt/gg/bin/greengrassd$' "$scratch/prefix/etc/init.d/greengrass" || fail "another prefix"
"$scratch/prefix/opt/gg/bin/greengrass-cli" --version >/dev/null || fail "another prefix: greengrass-cli"

# Each is refused before anything is changed.
mkdir -p "$scratch/refused"
for options in "--nonsense" "--prefix" "--prefix relative" "--data /a/$(printf '\047')b" "--data /x;reboot" "--init upstart"; do
	code=0
	# shellcheck disable=SC2086 # a list of options
	run_installer --root "$scratch/refused" $options || code=$?
	same "install.sh $options" 64 "$code"
	same "install.sh $options changes nothing" "" "$(tree "$scratch/refused")"
done
mkdir -p "$scratch/half"
cp "$install" "$scratch/half/"
! busybox sh "$scratch/half/install.sh" --root "$scratch/refused" 2>"$scratch/said" || fail "half an archive is installed"
grep -q "is missing" "$scratch/said" || fail "half an archive: $(cat "$scratch/said")"
