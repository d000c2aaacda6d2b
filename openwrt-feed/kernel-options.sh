#!/bin/sh
# Writes the packages' Config.in from kernel-config/: what the runtime needs of the kernel, as far as OpenWrt has a
# symbol for it. `--check` writes nothing and fails where a file is not what would be written.
set -eu
cd "$(dirname "$0")"

# Options of the fragments with scope `runtime`, each with what is missing without it, separated by a tab.
options() {
	awk '
		FNR == 1 { runtime = 0 }
		/^# scope: runtime$/ { runtime = 1 }
		/^# missing: / { missing = $0; sub(/^# missing: [a-z]*: /, "", missing) }
		/^CONFIG_[A-Z0-9_]*=y$/ && runtime { sub(/^CONFIG_/, ""); sub(/=y$/, ""); print $0 "\t" missing }
	' ../kernel-config/*.cfg | sort -u
}

config_in() {
	printf '# Written by openwrt-feed/kernel-options.sh from kernel-config/; change those.\n\n'
	printf 'config %s\n\tbool "Select the kernel options that it uses"\n' "$2"
	printf '\tdepends on PACKAGE_%s\n\tdefault y if !SMALL_FLASH\n' "$1"
	options | while IFS='	' read -r option missing; do
		! grep -qx "$option" kernel-symbols || printf '\t# else %s\n\tselect KERNEL_%s\n' "$missing" "$option"
	done
	printf '\thelp\n'
	printf '\t  %s\n' 'Control groups, namespaces and seccomp, which OpenWrt leaves out for' \
		'devices with little flash. Without them the core runs, and says what' 'does not work: greengrass check.'
}

failed=0
write() {
	if [ "${check-}" ]; then
		config_in "$2" "$3" | cmp -s - "$1" || {
			echo "kernel-options: $1 is not what kernel-config/ says: run openwrt-feed/kernel-options.sh" >&2
			failed=1
		}
	else
		config_in "$2" "$3" >"$1"
	fi
}

[ "${1-}" != --check ] || check=1
write greengrass-rs/Config.in greengrass-rs GREENGRASS_RS_KERNEL_OPTIONS
write greengrass-rs-bin/Config.in greengrass-rs-bin GREENGRASS_RS_BIN_KERNEL_OPTIONS
exit $failed
