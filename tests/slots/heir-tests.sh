#!/bin/sh
# What a slot of heir.sh checks about its boot: a function for each test, called by checks.sh of tests/boot.
# shellcheck disable=SC2154 # checks.sh has the variables

hasnt() { ! awk -F '\t' -v s="$1" '$1 == "step" && $2 == s { f = 1 } END { exit !f }' "$report"; }

test_former() {
	check "slot a" fact slot a
	check "nothing is inherited on an ordinary boot" hasnt inherit
	mkdir -p /etc/ssh
	echo changed >/etc/hostname
	echo key >/etc/ssh/ssh_host_test_key
	chmod 600 /etc/ssh/ssh_host_test_key
	echo other >/etc/other
	rm /etc/greengrass/removed
	touch /data/fail
}

test_heir() {
	check "slot b" fact slot b
	check "on trial, and its first try is spent" fact slot-state "trial b 1"
	check "it was copied by the try before" has inherit ok "there already"
	check "the migration has run" has migrate ok "1 have run"
	check "twice, once in vain" [ "$(grep -c run /data/migrations)" = 2 ]
	check "the try before is told" grep -q "^step.migrate.*failed" /data/boot/report.old
	check "a file is inherited" says /etc/hostname changed
	check "a pattern is inherited" says /etc/ssh/ssh_host_test_key key
	check "with its mode" [ "$(stat -c %a /etc/ssh/ssh_host_test_key)" = 600 ]
	check "what is not listed is not" [ ! -e /etc/other ]
	check "what was removed stays so" [ ! -e /etc/greengrass/removed ]
	check "what the image has beside it is there" [ -e /etc/greengrass/migrations.d/10-test ]
	check "the migration has written" says /etc/greengrass/layout migrated
	check "the trial has a watchdog" fact trial-deadline 600
	echo new >/etc/hostname
}

test_back() {
	check "slot a" fact slot a
	check "its layer is as it was" says /etc/hostname changed
	check "with what is not listed" says /etc/other other
	check "and without the migration" [ ! -e /etc/greengrass/layout ]
	echo later >/etc/timezone
}

test_again() {
	check "slot b" fact slot b
	check "it is a new heir" has inherit ok "from slot a"
	check "of what is there now" says /etc/timezone later
	check "and not of the update before" says /etc/hostname changed
	check "the migration has run again" [ "$(grep -c run /data/migrations)" = 3 ]
}
