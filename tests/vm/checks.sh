#!/bin/sh
# What the virtual machine does: makes itself a small device with control groups of version 2, runs the daemon there,
# and checks what can only be seen on such a machine. BusyBox starts it once; it ends by ending the machine.
set -u

export PATH=/bin HOME=/
root=/greengrass/v2
groups=/sys/fs/cgroup/greengrass
passed=0
failed=0

ok() {
	passed=$((passed + 1))
	echo "ok - $1"
}

not_ok() {
	failed=$((failed + 1))
	echo "not ok - $1"
}

# check NAME COMMAND...: the command succeeds now.
check() {
	name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name: $*"; fi
}

# soon NAME COMMAND...: the command succeeds within 20 seconds; emulated machines are slow, so none may be tighter.
soon() {
	name=$1
	shift
	tries=200
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || break
		sleep 0.1
	done
	if [ "$tries" -gt 0 ]; then ok "$name"; else not_ok "$name: $*"; fi
}

# Asks the daemon; what it says goes to the log of the run. An answer that never comes fails its check alone.
cli() { timeout 60 greengrass-cli "$@" >>/tmp/cli.log 2>&1; }

deploy() { cli deployment create --wait --recipeDir /test/recipes "$@"; }

# is COMPONENT STATE
is() { greengrass-cli component details --name "$1" 2>/dev/null | grep -q "State: $2\$"; }

# says COMPONENT TEXT: its log has the text.
says() { grep -q "$2" "$root/logs/$1"*.log 2>/dev/null; }

# holds FILE TEXT: a file of the kernel says exactly that.
holds() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

# at_least FILE KEY NUMBER: as in memory.events.
at_least() { awk -v key="$2" -v least="$3" '$1 == key && $2 >= least { found = 1 } END { exit !found }' "$1"; }

# counts NUMBER WORD: so many processes have a word on their command line that begins so. The words are read before
# they are searched, so that the search does not find itself.
counts() {
	words=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\000\n' '\n ')
	[ "$(echo "$words" | grep -c "^\($2\)")" -eq "$1" ]
}

is_growing() {
	before=$(wc -c <"$1")
	sleep 1
	[ "$(wc -c <"$1")" -gt "$before" ]
}
is_still() { ! is_growing "$1"; }

has_no_zombie() { ! grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null; }
has_no_group_below() { [ "$(find "$1" -mindepth 1 -type d 2>/dev/null | wc -l)" -eq 0 ]; }
is_gone() { [ ! -d "/proc/$1" ]; }
answers() { greengrass-cli status >/dev/null 2>&1; }

start() {
	greengrassd --component-default-user ggc_user:ggc_group >>/tmp/daemon.log 2>&1 &
	daemon=$!
	soon "$1" answers
}

prepare() {
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mount -t tmpfs -o mode=1777 tmpfs /tmp
	mkdir -p "$root"
	mount -t tmpfs -o mode=755 tmpfs "$root"
}

check_means() {
	greengrass-cli status >/tmp/status
	check "the daemon says that it uses control groups of version 2" grep -q "control groups of version 2\.$" /tmp/status
	check "a deployment without components ends" deploy --merge aws.greengrass.Nucleus=2.18.0 \
		--update-config '{"aws.greengrass.Nucleus": {"MERGE": {"logging": {"level": "DEBUG"}}}}'
}

# finds NAME VERDICT: in the JSON of the device tester, a finding's name comes right before its verdict.
finds() { grep -A1 "^ *\"name\": \"$1\",\$" /tmp/check.json | grep -q "\"verdict\": \"$2\""; }

# Prints the kernel options that are not ok.
lacking() { grep -A1 '^ *"name": "CONFIG_' /tmp/check.json | grep -B1 '"verdict": "[^o]' | grep '"name"'; }
lacks_none() { [ "$(lacking)" = "" ]; }

check_device() {
	check "the device tester finds nothing that failed" sh -c 'greengrass check --verbose --output json >/tmp/check.json'
	for name in mounted memory cpu pids freezer ggc_user CONFIG_MEMCG CONFIG_OVERLAY_FS sh; do
		check "$name is ok" finds "$name" ok
	done
	check "every kernel option is ok" lacks_none
	for name in certificates python3; do
		check "$name is degraded, for this machine has none" finds "$name" degraded
	done
	check "strict, that fails" sh -c '! greengrass check --strict >/dev/null'
	if [ -e /proc/config.gz ]; then
		check "it read the options of this very kernel" grep -q '"configuration": "/proc/config.gz"' /tmp/check.json
		check "what is built in is ok: watchdog" finds watchdog ok
	else
		check "it read the options of this very kernel" \
			grep -q "\"configuration\": \"/boot/config-$(uname -r)\"" /tmp/check.json
		for name in overlay watchdog; do
			check "$name is degraded, for its module is not here" finds "$name" degraded
		done
		mv /boot /boot.away
		check "without a configuration nothing fails either" sh -c 'greengrass check --output json >/tmp/probed.json'
		mv /boot.away /boot
		check "because the kernel is probed" grep -q '"configuration": "probed"' /tmp/probed.json
	fi
	check "the tester leaves nothing in the root" [ -z "$(ls -A "$root")" ]
}

check_limits() {
	limits='{"com.example.Hog": {"memory": 16384}, "com.example.Spinner": {"memory": 65536, "cpus": 0.2}}'
	check "components with limits are deployed" \
		deploy --merge com.example.Spinner=1.0.0 --systemLimits "$limits"
	spinner=$groups/com.example.Spinner
	check "memory.max is the limit" holds "$spinner/memory.max" 67108864
	check "cpu.max is the limit" holds "$spinner/cpu.max" "20000 100000"
	soon "a component that spins is throttled" at_least "$spinner/cpu.stat" nr_throttled 1
	check "limits of a running component change" \
		deploy --merge com.example.Spinner=1.0.0 --systemLimits '{"com.example.Spinner": {"memory": 32768}}'
	check "memory.max is the new limit" holds "$spinner/memory.max" 33554432
	check "cpu.max has no limit any more" holds "$spinner/cpu.max" "max 100000"
	check "without a limit the hog finishes" deploy --merge com.example.Hog=1.0.0
	soon "and is FINISHED" is com.example.Hog FINISHED
	deploy --merge com.example.Hog=1.0.1 --systemLimits "$limits" && not_ok "a deployment that breaks a component fails"
	soon "with a limit it is BROKEN" is com.example.Hog BROKEN
	check "because the kernel killed it" at_least "$groups/com.example.Hog/memory.events" oom_kill 1
	greengrass-cli component details --name com.example.Hog >/tmp/hog
	check "and the reason names the limit" grep -q "Reason: .*want of memory.*16384 KB" /tmp/hog
	check "the hog leaves with its component" deploy --remove com.example.Hog,com.example.Spinner
	soon "and so do the groups" has_no_group_below "$groups"
}

check_pause() {
	check "a ticking component is deployed" deploy --merge com.example.Ticker=1.0.0
	ticks=$root/work/com.example.Ticker/ticks
	soon "it runs as the default user" says com.example.Ticker "I am ggc_user in ggc_group"
	soon "it ticks" is_growing "$ticks"
	check "pause is accepted" cli component pause --names com.example.Ticker
	check "cgroup.freeze is 1" holds "$groups/com.example.Ticker/cgroup.freeze" 1
	soon "the kernel says frozen" at_least "$groups/com.example.Ticker/cgroup.events" frozen 1
	check "it stands still" is_still "$ticks"
	check "resume is accepted" cli component resume --names com.example.Ticker
	check "cgroup.freeze is 0" holds "$groups/com.example.Ticker/cgroup.freeze" 0
	soon "it ticks again" is_growing "$ticks"
	check "it is paused once more" cli component pause --names com.example.Ticker
	check "its stop is accepted all the same" cli component stop --names com.example.Ticker
	soon "and is FINISHED" is com.example.Ticker FINISHED
	check "and leaves no process" counts 0 ticker=
}

check_escape() {
	check "a component that runs away is deployed" deploy --merge com.example.Escaper=1.0.0
	soon "its runaway sleeps" counts 1 77777
	soon "its other runaway sleeps" counts 1 88888
	check "its stop is accepted" cli component stop --names com.example.Escaper
	soon "it is FINISHED" is com.example.Escaper FINISHED
	check "no runaway is left" counts 0 "77777\|88888"
	soon "no zombie is left" has_no_zombie
	check "no group of it has a leaf" has_no_group_below "$groups/com.example.Escaper"
	check "it starts again" cli component restart --names com.example.Escaper
	soon "with its runaway" counts 1 77777
	soon "and the other" counts 1 88888
}

check_kill() {
	cli component restart --names com.example.Ticker
	soon "the ticker runs again" is com.example.Ticker RUNNING
	check "and is paused" cli component pause --names com.example.Ticker
	kill -9 "$daemon"
	soon "the daemon is killed" is_gone "$daemon"
	check "what ignores SIGTERM outlives it" counts 2 "77777\|88888"
	start "the daemon starts again"
	soon "the runaway component runs" is com.example.Escaper RUNNING
	soon "the ticker runs, though it was paused" is com.example.Ticker RUNNING
	soon "there is one first runaway" counts 1 77777
	soon "there is one second runaway" counts 1 88888
	soon "there is one ticker" counts 1 ticker=
	soon "it ticks" is_growing "$root/work/com.example.Ticker/ticks"
	soon "no zombie is left by then" has_no_zombie
}

check_examples() {
	check "the examples are deployed" cli deployment create --wait --recipeDir /test/examples/recipes \
		--artifactDir /test/examples/artifacts --merge com.example.HelloShell=1.0.0 --merge com.example.Clock=1.0.0 \
		--merge com.example.ClockReader=1.0.0 --merge com.example.Greeter=1.0.0
	for name in HelloShell Clock ClockReader Greeter; do
		soon "$name is RUNNING" is "com.example.$name" RUNNING
	done
	soon "HelloShell says hello" says com.example.HelloShell "hello from a shell, on x86_64"
	soon "ClockReader reads the clock of another user's component" says com.example.ClockReader "the clock says .* UTC"
	soon "Greeter greets" says com.example.Greeter "Good morning, Grace"
}

check_stop() {
	kill "$daemon"
	wait "$daemon"
	check "the daemon stops with exit code 0" [ $? -eq 0 ]
	check "no process of a component is left" counts 0 "77777\|88888\|ticker="
	soon "no zombie is left at the end" has_no_zombie
	check "no control group is left" [ ! -d "$groups" ]
}

show_logs() {
	for file in /tmp/cli.log /tmp/daemon.log "$root"/logs/*.log; do
		echo "--- $file"
		tail -n 60 "$file"
	done
}

main() {
	prepare
	check_device
	start "the daemon starts"
	check_means
	check_limits
	check_pause
	check_escape
	check_kill
	check_examples
	check_stop
	read -r uptime _ </proc/uptime
	[ "$failed" -eq 0 ] || show_logs
	if [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]; then
		echo "all $passed checks passed, in $uptime s"
	else
		echo "$failed of $((passed + failed)) checks FAILED, in $uptime s"
	fi
}

/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
main >/dev/ttyS1 2>&1
sync
reboot -f
