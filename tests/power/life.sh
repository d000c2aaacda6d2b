#!/bin/sh
# How a machine of tests/ota_power.rs lives, boot for boot: it says what it is on the second port, installs the update of
# the second disk, tries it, keeps it or not, and ends. The power may go at any time; nothing here remembers anything.
set -u

export PATH=/bin:/sbin:/usr/bin GREENGRASS_REBOOT_COMMAND=reboot
report=/run/greengrass/boot
root=/data/greengrass/v2
version=$(cat /etc/version)
fault=$(cat /etc/fault)
daemon=
want=$(sed -n 's/.*want=\([0-9]*\).*/\1/p' /proc/cmdline)

fact() { awk -F '\t' -v n="$1" '$1 == "fact" && $2 == n { print $3 }' "$report"; }

# Marks are files that were written once, and synced before they were told of.
marks() {
	found=0
	while [ "$(cat "/data/mark-$((found + 1))" 2>/dev/null)" = "$((found + 1))" ]; do found=$((found + 1)); done
	echo "found $found"
	found=$((found + 1))
	echo "$found" | dd of="/data/mark-$found" conv=fsync 2>/dev/null
	echo "synced $found"
}

data() {
	if (cd /data && sha256sum -c app.sums >/dev/null 2>&1); then echo "data whole"; else echo "data CHANGED"; fi
}

daemon() {
	greengrassd --root "$root" --component-default-user ggc_user:ggc_group >>/dev/ttyS0 2>&1 &
	daemon=$!
}

status() { greengrass ota status -o json 2>/dev/null | tr -d ' \n'; }

until_kept() {
	until status | grep -q '"phase":"idle"'; do sleep 1; done
	echo "kept"
}

# A component that runs on the former version, and not on the new one.
broken() {
	daemon
	mkdir -p /tmp/r
	printf '%s\n' '{"RecipeFormatVersion": "2020-01-25", "ComponentName": "com.example.Broken",' \
		'"ComponentVersion": "1.0.0", "Manifests": [{"Lifecycle":' \
		'{"Run": "grep -qx 2 /etc/version || exec sleep 100000; exit 1"}}]}' >/tmp/r/com.example.Broken-1.0.0.json
	until greengrass-cli --ggcRootPath "$root" deployment create --wait --recipeDir /tmp/r \
		--merge com.example.Broken=1.0.0; do sleep 1; done
}

# The update finds a file in the place of its writable layer.
obstruct() {
	if [ "$(fact slot)" = a ]; then other=b; else other=a; fi
	rm -rf "/data/overlay/$other"
	touch "/data/overlay/$other"
}

trial() {
	case $fault in
	# Who called this is the first process.
	panics) daemon && sleep 2 && exit 1 ;;
	# The watchdog is all that ends it.
	hangs) sleep 100000 ;;
	hangs-supervised)
		echo "supervisor $(tr '\0' ' ' </proc/1/cmdline)"
		sleep 100000
		;;
	crash-loop)
		while :; do
			daemon
			sleep 5
			kill -9 "$daemon"
		done
		;;
	no-network | unready | unhealthy | broken) daemon && sleep 100000 ;;
	*) daemon && until_kept ;;
	esac
}

rest() {
	[ -z "$daemon" ] || kill -9 "$daemon"
	echo "rest $version"
	sync
	mount -o remount,ro / 2>/dev/null
	mount -o remount,ro /data 2>/dev/null
	poweroff -f
}

life() {
	verdict=$(fact slot-state)
	mkdir -p /tmp /mnt
	echo "up $(fact slot) $version $verdict"
	marks
	data
	case $verdict in
	trial*) trial ;;
	rolled-back*) rest ;;
	esac
	[ "$version" = "$want" ] && rest
	# It was given up, and the boot that found out was cut.
	! status | grep -q '"state":"bad"' || rest
	! grep -q obstructed /proc/cmdline || obstruct
	! grep -q broken /proc/cmdline || broken
	mount -t squashfs -o ro /dev/vdb /mnt
	echo "install"
	greengrass ota install --reboot /mnt/update.raucb >/dev/ttyS0 2>&1 || echo "install FAILED"
	sleep 100000
}

life >/dev/ttyS1 2>&1
