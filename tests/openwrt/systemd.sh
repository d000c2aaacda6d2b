# shellcheck shell=dash disable=SC2154 # lib.sh sets the variables
# A real systemd as process 1 of namespaces, over this machine's /usr: the unit as install.sh leaves it is driven
# through systemctl.

if [ "$(id -u)" -ne 0 ]; then
	say "SKIPPED systemd: a system of its own needs root"
	return 0
fi
hierarchy=$(sed -n 's,^[^ ]* \([^ ]*\) cgroup2 .*,\1,p' /proc/mounts | head -n 1)
group=$hierarchy/greengrass-systemd-$$
if [ -z "$hierarchy" ] || ! mkdir "$group" 2>/dev/null || ! unshare --mount --pid --fork --mount-proc --cgroup true 2>/dev/null; then
	say "SKIPPED systemd: this machine gives no control group of version 2, or no namespaces"
	return 0
fi
system=$scratch/system
mkdir -p "$system"
: >"$scratch/console"
sh -c "echo \$\$ >'$group/cgroup.procs' && exec unshare --mount --pid --fork --mount-proc --cgroup --kill-child \
	sh '$here/systemd-inside' '$system' '$scratch/console' '$(packages)/greengrass-rs-$version-$triple.tar.gz'" \
	>"$scratch/log" 2>&1 &
unshare=$!
end() {
	kill -KILL "$unshare" 2>/dev/null
	while rmdir_all; do sleep 0.1; done
}
# Its groups are gone when its processes are.
rmdir_all() { [ -d "$group" ] && ! find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; }
trap end EXIT

systemd_runs() {
	systemd=$(ps -o pid= --ppid "$unshare" | tr -d ' ') && [ -S "/proc/$systemd/root/run/systemd/private" ]
}
eventually systemd_runs
root=/proc/$systemd/root
inside() { nsenter --target "$systemd" --mount --pid --cgroup --root --wd "$@"; }
is() { [ "$(inside systemctl show --value --property "$1" greengrass.service)" = "$2" ]; }
daemon() { inside systemctl show --value --property MainPID greengrass.service; }
another_daemon_than() { is ActiveState active && [ "$(daemon)" != "$1" ]; }
logs() { grep -q "$1" "$root"/greengrass/v2/logs/com.example.A*.log 2>/dev/null; }
deploy() {
	mkdir -p "$root/recipes"
	cat >"$root/recipes/com.example.A-$1.json" <<-END
		{"RecipeFormatVersion": "2020-01-25", "ComponentName": "com.example.A", "ComponentVersion": "$1",
		 "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle":
		  {"Bootstrap": "exit $2", "Run": "echo \$(id -un) runs $1; exec sleep 12345"}}]}
	END
	inside /opt/bin/greengrass-cli deployment create --recipeDir /recipes --merge "com.example.A=$1" >/dev/null
}

# READY=1 has come, or it would be "activating".
eventually is ActiveState active
deploy 1.0.0 0
eventually logs "ggc_user runs 1.0.0"

pid=$(daemon)
inside kill -KILL "$pid"
eventually another_daemon_than "$pid"

pid=$(daemon)
deploy 2.0.0 100
eventually another_daemon_than "$pid"
eventually logs "ggc_user runs 2.0.0"
[ ! -e "$root/rebooted" ] || fail "100 starts the device again"

deploy 3.0.0 101
eventually test -e "$root/rebooted"
eventually logs "ggc_user runs 3.0.0"

inside systemctl stop greengrass.service
is ActiveState inactive || fail "stop leaves the unit $(inside systemctl show --property ActiveState greengrass.service)"
is Result success || fail "stop is not a success: it was killed, or took too long"
! inside pgrep -f 'sleep 12345' >/dev/null || fail "stop leaves a component"

# 64 is not tried again.
echo 'GREENGRASSD_OPTIONS=--nonsense' >>"$root/etc/greengrass/greengrassd.conf"
! inside systemctl start greengrass.service 2>/dev/null || fail "a wrong command line counts as a start"
eventually is ActiveState failed
is ExecMainStatus 64 || fail "it failed of something else"
