#!/bin/sh
# Installs the Greengrass core from the archive this file came in, as a service of whatever init system there is.
# Again is as good as once: what is there and right stays, settings that you changed are kept.
set -eu

usage() {
	cat <<-'END'
		usage: install.sh [OPTION]...

		  --prefix DIR     programs go to DIR/bin (default /usr)
		  --root DIR       install into the system that lies in DIR, and start nothing
		  --data DIR       where the core keeps everything (default /greengrass/v2)
		  --init SYSTEM    systemd, openrc, procd, sysv or none, instead of what is found
		  --no-start       do not start the service now
		  --force          install even if `greengrass check` says that the device cannot do it
		  --uninstall      remove programs and service; settings, users and data stay
		  -n, --dry-run    say what would be done
	END
}

say() { printf 'install: %s\n' "$*" >&2; }
fail() {
	say "$1"
	exit "${2:-1}"
}

here=$(cd "$(dirname "$0")" && pwd)
classic=/greengrass/v2
prefix=/usr root='' data=$classic init='' start=1 force='' uninstall='' dry=''
while [ $# -gt 0 ]; do
	case $1 in
	--prefix=* | --root=* | --data=* | --init=*)
		name=${1%%=*} value=${1#*=}
		shift
		set -- "$name" "$value" "$@"
		continue
		;;
	--prefix | --root | --data | --init)
		[ $# -ge 2 ] || fail "$1 needs a value" 64
		case $1 in
		--prefix) prefix=${2%/} ;;
		--root) root=${2%/} ;;
		--data) data=${2%/} ;;
		--init) init=$2 ;;
		esac
		shift
		;;
	--no-start) start='' ;;
	--force) force=1 ;;
	--uninstall) uninstall=1 ;;
	-n | --dry-run) dry=1 ;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		usage >&2
		exit 64
		;;
	esac
	shift
done
# They are written into scripts and units, where nobody quotes them.
for path in "$prefix" "$data"; do
	case $path in
	/*) ;;
	*) fail "$path: write an absolute path" 64 ;;
	esac
	case $path in
	*[!A-Za-z0-9/._-]*) fail "$path: only letters, digits and / . _ - can be in it" 64 ;;
	esac
done
case $init in
'' | systemd | openrc | procd | sysv | none) ;;
*) fail "--init $init: write systemd, openrc, procd, sysv or none" 64 ;;
esac
[ -z "$root" ] || start=''
[ -n "$dry" ] || [ "$(id -u)" -eq 0 ] || [ -n "$root" ] || fail "run it as root"

# Does it, or only says it.
run() {
	if [ -n "$dry" ]; then
		say "would: $*"
	else
		"$@"
	fi
}

init_system() {
	if [ -e "$root/etc/openwrt_release" ]; then
		echo procd
	elif [ -d "$root/run/systemd/system" ] ||
		{ [ -n "$root" ] && { [ -e "$root/lib/systemd/systemd" ] || [ -e "$root/usr/lib/systemd/systemd" ]; }; }; then
		echo systemd
	elif [ -e "$root/sbin/openrc-run" ] || [ -e "$root/usr/sbin/openrc-run" ]; then
		echo openrc
	elif [ -d "$root/etc/init.d" ]; then
		echo sysv
	else
		echo none
	fi
}

bindir=$prefix/bin
confdir=/etc/greengrass
services=$here/init/services
openwrt=$here/openwrt-feed/greengrass-rs/files

# What is to take its place when all is written and on the disk: a power cut before leaves the system as it was, and one
# in the midst leaves whole files, the program's before those that start it.
staged=''

# The file $1 of the root is written as $1+; it gets mode $2 and, later, its place.
stage() {
	run chmod "$2" "$root$1+"
	staged="$staged $1"
}

# Source, target, mode: with the placeholders replaced. A target that is the same already is not touched; one that the
# user changed (mode ending in k) stays, and ours goes beside it.
put() {
	new=$(mktemp)
	sed "s,@BINDIR@,$bindir,g;s,@CONFDIR@,$confdir,g;s,@ROOT@,$data,g" "$1" >"$new"
	target=$2
	case $3 in
	*k) ! [ -e "$root$target" ] || cmp -s "$new" "$root$target" || target=$target.new ;;
	esac
	if cmp -s "$new" "$root$target"; then
		say "$root$target is there"
	else
		say "$root$target"
		run mkdir -p "$(dirname "$root$target")"
		run cp "$new" "$root$target+"
		stage "$target" "${3%k}"
	fi
	rm -f "$new"
}

# The program is too big for the way above.
put_program() {
	target=$bindir/greengrass
	if cmp -s "$here/bin/greengrass" "$root$target"; then
		say "$root$target is there"
	else
		say "$root$target"
		run mkdir -p "$root$bindir"
		run cp "$here/bin/greengrass" "$root$target+"
		stage "$target" 755
	fi
}

# Until here nothing has changed.
commit() {
	[ -z "$staged" ] || run sync
	for target in $staged; do run mv -f "$root$target+" "$root$target"; done
	link greengrass "$bindir/greengrassd"
	link greengrass "$bindir/greengrass-cli"
	# Where tools and components expect it, wherever it is.
	[ "$data" = "$classic" ] || { [ -e "$root$classic" ] && [ ! -L "$root$classic" ]; } || link "$data" "$classic"
}

# What it points to, link. One that is right stays: to replace it would leave a moment without.
link() {
	[ "$(readlink "$root$2" 2>/dev/null)" != "$1" ] || return 0
	run mkdir -p "$(dirname "$root$2")"
	run ln -sf "$1" "$root$2"
}

has() { grep -q "^$2:" "$root/etc/$1" 2>/dev/null; }

# A number below 1000 that neither users nor groups have, nor is $1.
free_number() {
	number=999
	while [ "$number" = "${1-}" ] || cat "$root/etc/passwd" "$root/etc/group" 2>/dev/null | cut -d : -f 3 | grep -qx "$number"; do
		number=$((number - 1))
	done
	echo "$number"
}

# File below etc, line.
add_line() {
	say "$root/etc/$1: $2"
	[ -z "$dry" ] || return 0
	! [ -e "$root/etc/$1" ] || cp -p "$root/etc/$1" "$root/etc/$1+"
	# Somebody's editor may have left out the end of the last line.
	[ ! -s "$root/etc/$1+" ] || [ -z "$(tail -c 1 "$root/etc/$1+")" ] || echo >>"$root/etc/$1+"
	printf '%s\n' "$2" >>"$root/etc/$1+"
	staged="$staged /etc/$1"
}

# Tools for it differ everywhere and do not reach into --root; the files are the same everywhere.
make_users() {
	run mkdir -p "$root/etc"
	# What a power cut left of another run.
	for file in group passwd shadow; do [ ! -e "$root/etc/$file+" ] || run rm -f "$root/etc/$file+"; done
	gid=$(sed -n 's/^ggc_group:[^:]*:\([0-9]*\):.*/\1/p' "$root/etc/group" 2>/dev/null || true)
	if [ -z "$gid" ]; then
		gid=$(free_number)
		add_line group "ggc_group:x:$gid:"
	fi
	has passwd ggc_user || add_line passwd "ggc_user:x:$(free_number "$gid"):$gid:Greengrass components:/nonexistent:/bin/false"
	! [ -e "$root/etc/shadow" ] || has shadow ggc_user || add_line shadow "ggc_user:!:0:0:99999:7:::"
}

# Does something with the running system's service manager, if it is to be done.
live() { [ -n "$root" ] || run "$@"; }

stage_service() {
	case $init in
	systemd | openrc | sysv) put "$services/greengrassd.conf" $confdir/greengrassd.conf 644k ;;
	esac
	case $init in
	systemd) put "$services/greengrass.service" /etc/systemd/system/greengrass.service 644 ;;
	openrc) put "$services/greengrass.openrc" /etc/init.d/greengrass 755 ;;
	procd)
		put "$openwrt/greengrass.config" /etc/config/greengrass 600k
		put "$openwrt/greengrass.keep" /lib/upgrade/keep.d/greengrass-rs 644
		put "$openwrt/greengrass-sysupgrade" /usr/sbin/greengrass-sysupgrade 755
		put "$services/greengrass.procd" /etc/init.d/greengrass 755
		;;
	sysv) put "$services/greengrass.sysv" /etc/init.d/greengrass 755 ;;
	esac
}

enable_service() {
	case $init in
	systemd)
		link ../greengrass.service /etc/systemd/system/multi-user.target.wants/greengrass.service
		# Not in a system that is only being put together, however its maker entered it.
		[ ! -d /run/systemd/system ] || live systemctl daemon-reload
		[ -z "$start" ] || live systemctl restart greengrass.service
		;;
	openrc)
		link /etc/init.d/greengrass /etc/runlevels/default/greengrass
		[ -z "$start" ] || live rc-service greengrass restart
		;;
	procd)
		live /etc/init.d/greengrass enable
		[ -z "$start" ] || live /etc/init.d/greengrass restart
		say "set option enabled to 1 in /etc/config/greengrass to have it started"
		;;
	sysv)
		if [ -x "$root/usr/sbin/update-rc.d" ] && [ -z "$root" ]; then
			live update-rc.d greengrass defaults
		elif [ -d "$root/etc/rc2.d" ]; then
			for level in 2 3 4 5; do link ../init.d/greengrass /etc/rc$level.d/S90greengrass; done
			for level in 0 1 6; do link ../init.d/greengrass /etc/rc$level.d/K10greengrass; done
		else
			# BusyBox's rcS runs what begins with S, in order.
			link greengrass /etc/init.d/S90greengrass
		fi
		[ -z "$start" ] || live /etc/init.d/greengrass restart
		;;
	none) say "no init system found: start $bindir/greengrassd yourself" ;;
	esac
}

remove() {
	for path in "$@"; do
		# With what a power cut left of an installation.
		for file in "$root$path" "$root$path+"; do
			if [ -e "$file" ] || [ -L "$file" ]; then
				say "removing $file"
				run rm -f "$file"
			fi
		done
	done
}

remove_service() {
	# One that does not run, or that nobody can stop, goes all the same.
	case $init in
	systemd) [ ! -e "$root/etc/systemd/system/greengrass.service" ] || live systemctl stop greengrass.service ;;
	openrc) [ ! -e "$root/etc/init.d/greengrass" ] || live rc-service greengrass stop ;;
	*) [ ! -x "$root/etc/init.d/greengrass" ] || live "$root/etc/init.d/greengrass" stop ;;
	esac || say "the service could not be stopped"
	remove /etc/systemd/system/multi-user.target.wants/greengrass.service /etc/systemd/system/greengrass.service \
		/etc/runlevels/default/greengrass /etc/init.d/S90greengrass /etc/init.d/greengrass \
		/etc/rc.d/S95greengrass /etc/rc.d/K05greengrass \
		/lib/upgrade/keep.d/greengrass-rs /usr/sbin/greengrass-sysupgrade
	for level in 0 1 2 3 4 5 6; do
		remove /etc/rc$level.d/S90greengrass /etc/rc$level.d/K10greengrass
	done
	[ "$init" != systemd ] || [ ! -d /run/systemd/system ] || live systemctl daemon-reload
}

# What the device lacks is told before anything is changed. Not for a system in --root: it will have another kernel.
check_device() {
	"$here/bin/greengrass" check --help >/dev/null 2>&1 || return 0
	"$here/bin/greengrass" check --root "$data" >&2 && return
	[ -n "$force" ] || fail "this device cannot run the core (see above); --force installs it all the same"
	say "going on, because of --force"
}

[ -n "$init" ] || init=$(init_system)
if [ -n "$uninstall" ]; then
	remove_service
	remove "$bindir/greengrassd" "$bindir/greengrass-cli" "$bindir/greengrass"
	[ ! -L "$root$classic" ] || remove "$classic"
	run rm -f "$root$confdir/greengrassd.conf+" "$root/etc/config/greengrass+"
	say "kept: the settings in $root$confdir, the users, and what the core wrote"
	exit 0
fi
[ -x "$here/bin/greengrass" ] || fail "$here/bin/greengrass is missing: run install.sh from the unpacked archive"
[ -n "$root" ] || "$here/bin/greengrass" --version >/dev/null 2>&1 || fail "this archive is for another machine"
[ -n "$root" ] || check_device
put_program
make_users
stage_service
commit
enable_service
run sync
say "done: $init"
