# A machine with its serial console, typed into as a person would. Sourced; whoever does sets $console and
# $patience, and has a function `fail`.
# shellcheck shell=sh disable=SC2154

machine=
keyboard=
# How much of the console is behind us.
seen=0

# switch_on VARIABLE=VALUE...: for boot.sh. What the disk gets, it keeps.
switch_on() {
	keyboard=${console%.log}.keyboard
	rm -f "$keyboard"
	mkfifo "$keyboard"
	: >"$console"
	seen=0
	env "$@" KEEP=1 init/image/boot.sh <"$keyboard" >"$console" 2>&1 &
	machine=$!
	exec 3>"$keyboard"
}

shows() { tail -c "+$((seen + 1))" "$console" | grep -q "$1"; }
pass() { seen=$(wc -c <"$console"); }

# await PATTERN: the console shows it, after what is behind us.
await() {
	left=$((patience * 5))
	until shows "$1"; do
		# Its last words are there once it is gone.
		kill -0 "$machine" 2>/dev/null || shows "$1" || fail "the machine ended before it said '$1'"
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "no '$1' within $patience s"
		sleep 0.2
	done
}

# past PATTERN: the console shows it, and what comes after it is ahead of us.
past() {
	await "$1"
	at=$(tail -c "+$((seen + 1))" "$console" | grep -abo "$1" | head -n 1 | cut -d : -f 1)
	seen=$((seen + at + 1))
}

# A boot is over when the shell asks.
booted() {
	await 'boot: together'
	await 'greengrass# '
}

switch_off() {
	echo poweroff >&3
	left=$((patience * 5))
	while kill -0 "$machine" 2>/dev/null; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "poweroff did not end the machine"
		sleep 0.2
	done
	exec 3>&-
	machine=
}

# Whatever became of it.
leave_console() {
	[ -z "$machine" ] || kill "$machine" 2>/dev/null || true
	[ -z "$keyboard" ] || rm -f "$keyboard"
}
