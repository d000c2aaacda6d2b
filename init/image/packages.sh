# shellcheck shell=sh
# Sourced: Debian packages of either architecture, fetched and unpacked without root, never installed.
#
# apt keeps its lists below the directory given, and takes its sources and keys from this machine.

# apt DIRECTORY ARCHITECTURE TOOL ARGUMENT...
apt() (
	state=$1/apt
	architecture=$2
	tool=$3
	shift 3
	mkdir -p "$state/lists/partial" "$state/archives/partial"
	"$tool" -q -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" \
		-o "Dir::State=$state" -o "Dir::State::lists=$state/lists" -o "Dir::State::status=/dev/null" \
		-o "Dir::Cache=$state" -o "Dir::Cache::archives=$state/archives" -o "APT::Sandbox::User=" \
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
)

# unpacked DIRECTORY ARCHITECTURE PACKAGE...: has all of them below DIRECTORY/tree. Fetched once.
# A package that is empty and depends on the real one, as those of kernels are, ends in `*`.
unpacked() (
	directory=$1
	architecture=$2
	shift 2
	wanted="with /usr in one: $*"
	[ "$(cat "$directory/packages" 2>/dev/null)" != "$wanted" ] || return 0
	rm -rf "$directory"
	mkdir -p "$directory/deb" "$directory/tree"
	# A source that fails and holds none of these does no harm: what is missing shows in the next step.
	apt "$directory" "$architecture" apt-get update >"$directory/apt.log" 2>&1 || true
	for package in "$@"; do
		case $package in
		*\*)
			meta=${package%?}
			package=$(apt "$directory" "$architecture" apt-cache depends "$meta" |
				sed -n "s/.*Depends: \(${meta%%-*}-[^ ]*\).*/\1/p" | head -n 1)
			[ -n "$package" ] || {
				say "apt knows no $meta for $architecture; see $directory/apt.log. It needs Debian's sources"
				return 1
			}
			;;
		esac
		set -- "$@" "$package"
		shift
	done
	(cd "$directory/deb" && apt "$PWD/.." "$architecture" apt-get download "$@") >>"$directory/apt.log" 2>&1 || {
		say "apt cannot download for $architecture: $*; see $directory/apt.log"
		return 1
	}
	merge_usr "$directory/tree"
	for package in "$directory"/deb/*.deb; do
		dpkg-deb --fsys-tarfile "$package" |
			tar -x -C "$directory/tree" --no-same-owner --keep-directory-symlink || return 1
	done
	rm -rf "$directory/deb" "$directory/apt" "$directory/tree/usr/share/doc" "$directory/tree/usr/share/man"
	# In the image all files are root's, and nobody there needs to become it.
	chmod -R ug-s,a+rX "$directory/tree"
	echo "$wanted" >"$directory/packages"
)

# As Debian's installer does it, before anything is in the tree: programs and libraries lie in /usr alone.
merge_usr() (
	for directory in bin sbin lib lib64; do
		mkdir -p "$1/usr/$directory"
		ln -s "usr/$directory" "$1/$directory"
	done
)
