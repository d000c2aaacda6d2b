# shellcheck shell=dash disable=SC2154 # lib.sh sets the variables
# The daemon as process 1 of a PID namespace, as in a procd jail: orphans are its own to reap, and SIGTERM, which the
# kernel keeps from a process 1 without a handler, ends it. Once as the machine is, once without control groups.

if [ "$(id -u)" -eq 0 ]; then
	user=nobody
	enter="unshare --mount --pid --fork --mount-proc"
else
	user=$(id -un)
	enter="unshare --user --map-current-user --mount --pid --fork --mount-proc"
fi
if [ "$(id -u)" -eq 65534 ]; then
	# In a namespace it means "nobody we know", and the daemon rightly refuses such a client.
	say "SKIPPED process1: user nobody"
	return 0
fi
if ! $enter true 2>/dev/null; then
	say "SKIPPED process1: this machine gives no namespaces"
	return 0
fi
binary=$PWD/target/dist/$triple/greengrass
mkdir -p "$scratch/recipes"
# Some orphans end at once, some stay; all are the namespace's first process' children by then.
cat >"$scratch/recipes/com.example.Orphans-1.0.0.json" <<-'END'
	{"RecipeFormatVersion": "2020-01-25", "ComponentName": "com.example.Orphans", "ComponentVersion": "1.0.0",
	 "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"Run":
	  "i=0; while [ $i -lt 200 ]; do (sleep 0 &); i=$((i+1)); done; (sleep 54321 &); echo made; exec sleep 54321"}}]}
END

cli() { "$binary" greengrass-cli --ggcRootPath "$root" "$@"; }
ready() { cli status >/dev/null 2>&1; }
made() { grep -q made "$root"/logs/com.example.Orphans*.log 2>/dev/null; }
below() { ps -o "$1=" --ppid "$daemon"; }
reaped() { ! below stat | grep -q Z; }

for means in groups keepers; do
	root=$scratch/$means
	[ $means = groups ] && hide=: || hide="mount -t tmpfs none /sys/fs/cgroup"
	[ $means = groups ] || [ "$user" = nobody ] || continue
	$enter sh -c "$hide && exec '$binary' greengrassd --root '$root' --component-default-user $user \
		--cgroup-parent greengrass-process1-$$" 2>"$scratch/stderr" &
	unshare=$!
	eventually ready
	daemon=$(ps -o pid= --ppid $unshare | tr -d ' ')
	same "the daemon's number in its namespace" 1 "$(sed -n 's/^NSpid:.*\t//p' "/proc/$daemon/status")"
	cli deployment create --wait --recipeDir "$scratch/recipes" --merge com.example.Orphans=1.0.0 >/dev/null 2>&1 ||
		fail "$(cat "$root/logs/greengrass.log")"
	eventually made
	eventually reaped
	kill -TERM "$daemon"
	code=0
	wait $unshare || code=$?
	same "the exit code after SIGTERM, $means" 0 "$code"
	grep -q "Every component has stopped" "$root"/logs/greengrass*.log || fail "it did not end in order"
done
