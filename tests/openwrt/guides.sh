# shellcheck shell=dash disable=SC2154,SC2013,SC2016 # lib.sh sets the variables; words, not lines; backticks of Markdown
# What the guides name is there: files of the repository, links, targets of make, and commands of the program.

program=$PWD/target/dist/$triple/greengrass
for guide in README.md docs/guide/*.md openwrt-feed/README.md meta-greengrass-rs/README.md init/services/README.md; do
	for path in $(grep -oE '`(\.ci|docs|init|kernel-config|meta-greengrass-rs|openwrt-feed|src|tests)/[A-Za-z0-9_./%-]*`' "$guide" | tr -d '`'); do
		[ -e "$path" ] || fail "$guide names $path, which is not there"
	done
	for link in $(grep -oE '\]\([^)#:]+' "$guide" | cut -c 3-); do
		[ -e "$(dirname "$guide")/$link" ] || fail "$guide links $link, which is not there"
	done
	for target in $(grep -oE '(`|^)make [a-z-]+' "$guide" | cut -d ' ' -f 2 | sort -u); do
		# OpenWrt's own, in its guide.
		case $guide:$target in docs/guide/openwrt.md:menuconfig | docs/guide/openwrt.md:image) continue ;; esac
		grep -q "^$target:" Makefile || fail "$guide says make $target"
	done
	for applet in $(grep -oE '(`|^|=)greengrass (check|recipe|cli|dev|completion|[a-z]+) ?' "$guide" | sed 's/.*greengrass //' | sort -u); do
		[ "$applet" = greengrassd ] || "$program" "$applet" --help >/dev/null 2>&1 || fail "$guide says greengrass $applet"
	done
	for command in $(grep -oE '(`|^)greengrass-cli [a-z]+ ?[a-z-]*' "$guide" | sed 's/^`\{0,1\}greengrass-cli //; s/ $//; s/ /:/' | sort -u); do
		# shellcheck disable=SC2046 # a command and its own one
		"$program" greengrass-cli $(echo "$command" | tr ':' ' ') --help >/dev/null 2>&1 || fail "$guide says greengrass-cli $command"
	done
done

# The porting guide is one page.
[ "$(wc -l <docs/guide/porting.md)" -le 40 ] || fail "docs/guide/porting.md is more than a page"

# The options of install.sh in its guide are those that it has.
same "the options of install.sh" "$(sh init/install.sh --help | grep -oE '^  +(-n, )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort)" \
	"$(sed -n 's/^| .*`\(--[a-z-]*\)[^|]*|.*/\1/p' docs/guide/packages.md | sort)"
