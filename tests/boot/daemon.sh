#!/bin/sh
# Stands in for the daemon where gg-init supervises it: crashes twice, makes ten thousand orphans, then asks for the
# end of the machine. Nothing is in PATH here but what the slot has.
# shellcheck disable=SC2016,SC2015 # programs of awk
set -u

bb() { /bin/busybox "$@"; }

{
	runs=$(bb cat /tmp/runs 2>/dev/null || echo 0)
	runs=$((runs + 1))
	echo "$runs" >/tmp/runs
	bb cut -d ' ' -f 1 /proc/uptime >>/tmp/starts
	echo "# run $runs at $(bb tail -n 1 /tmp/starts) s"
	case $runs in
	1) exit 3 ;;
	2) kill -9 $$ ;;
	3) exit 100 ;;
	esac

	# Each is a child of a shell that ends at once, and so PID 1's.
	orphans=${ORPHANS:-10000}
	while [ "$orphans" -gt 0 ]; do
		(: & : & : & : & : & : & : & : & : & : &)
		orphans=$((orphans - 10))
	done
	tries=300
	until ! bb grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null || [ "$tries" -eq 0 ]; do
		tries=$((tries - 1))
		bb sleep 0.1
	done
	[ "$tries" -gt 0 ] && echo "ok - supervise: no zombie of ten thousand is left" || echo "not ok - supervise: zombies"
	starts=$(bb awk 'NR > 1 { printf "%d ", $1 - before + 0.5 } { before = $1 }' /tmp/starts)
	case $starts in
	"1 2 0 "* | "1 2 1 "* | "2 2 0 "* | "1 3 0 "* | "2 3 "*) echo "ok - supervise: starts are $starts s apart" ;;
	*) echo "not ok - supervise: starts are $starts s apart" ;;
	esac
	size=$(bb awk '/^Pss:/ { print $2 }' /proc/1/smaps_rollup)
	echo "# PID 1 takes $size KiB PSS"
	[ "$size" -le 400 ] && echo "ok - supervise: PID 1 is small" || echo "not ok - supervise: PID 1 is more than 400 KiB"
	[ "$(bb cat /proc/1/comm)" = gg-init ] && [ "$(bb cat /tmp/runs)" = 4 ] && echo "ok - supervise: PID 1 is gg-init" ||
		echo "not ok - supervise: PID 1 is not gg-init"
	# The program that came after the boot got it from that, and kept it to itself.
	bb ls -l /proc/1/fd | bb grep -q ' [3-9] -> /dev/watchdog$' && ! bb ls -l /proc/self/fd 2>/dev/null | bb grep watchdog &&
		echo "ok - supervise: PID 1 has the watchdog" || echo "not ok - supervise: where is the watchdog"
	bb ifconfig lo | bb grep -q UP && echo "ok - supervise: loopback is up" || echo "not ok - supervise: no loopback"
	bb mount | bb grep -q ' /dev/pts ' && echo "ok - supervise: terminals" || echo "not ok - supervise: no terminals"
	echo kept >/data/supervised
	echo "all checks passed"
	# What BusyBox's poweroff sends to PID 1.
	kill -USR2 1
	trap 'echo "# asked to stop"; exit 0' TERM
	while :; do bb sleep 1; done
} >>/dev/ttyS1 2>&1
