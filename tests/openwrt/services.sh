# shellcheck shell=dash disable=SC2154,SC2013,SC2015 # lib.sh sets the variables; words, not lines
# The service files, as far as they can be judged without their init system.

shellcheck -s dash init/services/greengrass.sysv init/services/greengrass.procd init/install.sh
shellcheck init/services/greengrass.openrc
for script in init/install.sh init/services/greengrass.sysv init/services/greengrass.procd init/services/greengrass.openrc \
	openwrt-feed/greengrass-rs/files/greengrass-sysupgrade openwrt-feed/greengrass-rs/files/greengrass.defaults; do
	busybox sh -n "$script"
done

# systemd wants the program to be there.
mkdir -p "$scratch/bin"
cp "target/dist/$triple/greengrass" "$scratch/bin/greengrassd"
sed "s,@BINDIR@,$scratch/bin,g;s,@CONFDIR@,/etc/greengrass,g;s,@ROOT@,/greengrass/v2,g" \
	init/services/greengrass.service >"$scratch/greengrass.service"
! grep -n '@[A-Z]*@' "$scratch/greengrass.service" || fail "a placeholder nobody knows"
said=$(systemd-analyze verify --man=no "$scratch/greengrass.service" 2>&1) || fail "systemd refuses the unit: $said"
same "systemd-analyze verify" "" "$said"
# Components inherit what shields the daemon, so the score is bad by design. It must not become worse unnoticed.
systemd-analyze security --offline=true --threshold=95 "$scratch/greengrass.service" >/dev/null ||
	fail "the unit shields less than it did: systemd-analyze security --offline=true"

# What /etc/greengrass/greengrassd.conf offers is what every service file reads, and the daemon has.
options=$("target/dist/$triple/greengrass" greengrassd --help)
for variable in $(sed -n 's/^#\([A-Z_]*\)=.*/\1/p' init/services/greengrassd.conf); do
	case $variable in
	GREENGRASS_DEFAULT_USER | GREENGRASSD_OPTIONS)
		for file in service sysv openrc; do
			grep -q "$variable" "init/services/greengrass.$file" || fail "greengrass.$file does not read $variable"
		done
		;;
	*) case $options in
		*"$variable"*) ;;
		*) fail "greengrassd does not read $variable" ;;
		esac ;;
	esac
done

# OpenRC's file is a list of settings and two functions.
cat >"$scratch/openrc" <<-'END'
	need() { echo "need $*"; }
	use() { echo "use $*"; }
	after() { echo "after $*"; }
	keyword() { echo "keyword $*"; }
	RC_SVCNAME=greengrass
END
sed "s,@BINDIR@,/usr/bin,g;s,@CONFDIR@,$scratch,g;s,@ROOT@,/data/greengrass/v2,g" init/services/greengrass.openrc >"$scratch/script"
echo 'GREENGRASSD_OPTIONS="--aws-region eu-west-1"' >"$scratch/greengrassd.conf"
found=$(busybox sh -c ". $scratch/openrc; . $scratch/script; depend; echo \"\$supervisor \$command \$command_args \$pidfile\"
	echo \"\$respawn_delay \$respawn_max \$retry\"; sh -c 'echo \$GGC_ROOT_PATH \$GREENGRASS_REBOOT_COMMAND'")
same "what OpenRC is told" "need localmount
use net logger
after bootmisc cgroups firewall
keyword -timeout
supervise-daemon /usr/bin/greengrassd --component-default-user ggc_user:ggc_group --aws-region eu-west-1 /run/greengrass.pid
1 0 TERM/45/KILL/5
/data/greengrass/v2 reboot" "$found"
