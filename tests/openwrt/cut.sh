# shellcheck shell=dash disable=SC2154 # lib.sh sets the variables
# install.sh loses power at each of its steps, once on a new system and once in the midst of an upgrade: what lies in the
# system is whole and old or whole and new, settings stay, and the next run completes it.

mkdir -p "$scratch/steps" "$scratch/old" "$scratch/new"
for name in cp mv ln rm chmod mkdir sync; do ln -s "$here/cut/step" "$scratch/steps/$name"; done

# Two versions that differ in every file: programs that are quick to copy, and a mark in what they come with.
for version_of in old new; do
	at=$scratch/$version_of
	mkdir -p "$at/bin"
	cp init/install.sh "$at/"
	mkdir -p "$at/init" "$at/openwrt-feed/greengrass-rs"
	cp -R init/services "$at/init/"
	cp -R openwrt-feed/greengrass-rs/files "$at/openwrt-feed/greengrass-rs/"
	printf '#!/bin/sh\n# the %s program of this test\nexit 0\n' "$version_of" >"$at/bin/greengrass"
	chmod 755 "$at/bin/greengrass"
	find "$at/init" "$at/openwrt-feed" -type f -exec sh -c 'echo "# $0" >>"$1"' "$version_of" {} \;
done

system() {
	mkdir -p "$1/etc/init.d"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\n' >"$1/etc/group"
	printf 'root:!:0:0:99999:7:::\n' >"$1/etc/shadow"
	chmod 600 "$1/etc/shadow"
	[ "$init" != procd ] || : >"$1/etc/openwrt_release"
}
# Archive, root; power goes at step $3.
install_from() {
	: >"$scratch/steps.log"
	env CUT_AT="${3-}" STEPS="$scratch/steps.log" REAL_PATH="$PATH" PATH="$scratch/steps:$PATH" \
		sh "$scratch/$1/install.sh" --root "$2" --init "$init" >"$scratch/said" 2>&1
}
everything() { tree "$1" && contents "$1"; }

# Every file that has its name is one of the two versions', whole; users are whole lines.
assert_whole() {
	(cd "$1" && find . -type f ! -name '*+' ! -path './etc/passwd' ! -path './etc/group' ! -path './etc/shadow') >"$scratch/files"
	while read -r file; do
		cmp -s "$1/$file" "$scratch/was/$file" || cmp -s "$1/$file" "$scratch/will/$file" || fail "$2: $file is neither old nor new"
	done <"$scratch/files"
	! grep -vE '^[a-z_]+:x:[0-9]+:[0-9]+:[^:]*:[^:]*:[^:]+$' "$1/etc/passwd" || fail "$2: /etc/passwd"
	! grep -vE '^[a-z_]+:x:[0-9]+:$' "$1/etc/group" || fail "$2: /etc/group"
	! grep -vE '^[a-z_]+:!:[0-9]+:0:99999:7:::$' "$1/etc/shadow" || fail "$2: /etc/shadow"
	same "$2: whose /etc/shadow is" 600 "$(stat -c %a "$1/etc/shadow")"
	# Nothing starts a program that is not there.
	if [ -e "$1/etc/init.d/greengrass" ]; then [ -x "$1/usr/bin/greengrass" ] || fail "$2: a service without its program"; fi
}

for init in sysv procd; do
	for case in first upgrade; do
		rm -rf "$scratch/was" "$scratch/will"
		system "$scratch/was"
		if [ "$case" = upgrade ]; then
			install_from old "$scratch/was" || fail "$init: $(cat "$scratch/said")"
			for settings in etc/greengrass/greengrassd.conf etc/config/greengrass; do
				[ ! -e "$scratch/was/$settings" ] || echo '# mine' >>"$scratch/was/$settings"
			done
		fi
		cp -R -p "$scratch/was" "$scratch/will"
		install_from new "$scratch/will" || fail "$init, $case: $(cat "$scratch/said")"
		# What is written is on the disk before it gets its name.
		same "$init, $case: the order of its steps" "write sync name" "$(sed -n 's/^cp .*/write/p;s/^chmod .*/write/p;s/^mv .*/name/p;s/^sync.*/sync/p' \
			"$scratch/steps.log" | uniq | head -n 3 | paste -sd ' ')"
		same "$init, $case: it ends with what it did on the disk" sync "$(tail -n 1 "$scratch/steps.log")"
		steps=$(wc -l <"$scratch/steps.log")
		[ "$steps" -ge 8 ] || fail "$init, $case: only $steps steps"
		step=0
		while [ "$step" -lt "$steps" ]; do
			step=$((step + 1))
			rm -rf "$scratch/cut"
			cp -R -p "$scratch/was" "$scratch/cut"
			! install_from new "$scratch/cut" "$step" || fail "$init, $case: step $step did not end it"
			assert_whole "$scratch/cut" "$init, $case, power cut at step $step ($(tail -n 1 "$scratch/steps.log"))"
			install_from new "$scratch/cut" || fail "$init, $case, again after step $step: $(cat "$scratch/said")"
			same "$init, $case: the next run after step $step completes it" "$(everything "$scratch/will")" "$(everything "$scratch/cut")"
		done
		say "$init, $case: $steps power cuts"
	done

	# The older version over the newer: as whole, and settings stay.
	install_from old "$scratch/will" || fail "$init, downgrade: $(cat "$scratch/said")"
	cmp "$scratch/old/bin/greengrass" "$scratch/will/usr/bin/greengrass"
	grep -q '^# old$' "$scratch/will/etc/init.d/greengrass" || fail "$init, downgrade: the service is not the older one"
	! grep -rq '^# new$' "$scratch/will/etc/init.d" || fail "$init, downgrade: something of the newer one is left"
	for settings in etc/greengrass/greengrassd.conf etc/config/greengrass; do
		[ ! -e "$scratch/will/$settings" ] || grep -q '^# mine$' "$scratch/will/$settings" || fail "$init, downgrade: settings are lost"
	done
done
