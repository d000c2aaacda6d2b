# Starts the kernel of a slot: the first in order that has a boot left.
#
# This file is the boot script of every disk of ours that U-Boot boots, byte for byte; `mkimage -T script` packs it as
# boot.scr, for the first partition. docs/guide/uboot.md says what U-Boot must be able to. What differs between boards are
# variables of U-Boot's; those of ours may also lie in gg/board.env there (optional), as lines of name=value:
#   devtype devnum             the disk; mmc and 0 unless set
#   gg_part_a gg_part_b        the partitions of the slots; 3 and 4 unless set
#   gg_kernel gg_initramfs     names below /boot of the slot; vmlinuz and initramfs unless set
#   gg_fdt                     the device tree, a name there; unless set the one that U-Boot itself has
#   gg_boot                    booti, bootz or bootm; booti unless set
#   gg_arguments               arguments of the kernel
#   kernel_addr_r ramdisk_addr_r fdt_addr_r   memory to load these to; boards have them
#
# The state of the slots lies in U-Boot's environment: the variables of RAUC, and beside them two of ours, of which
# Linux alone writes:
#   BOOT_ORDER                 A B, or B A
#   BOOT_A_LEFT BOOT_B_LEFT    0 to 9: how many boots each has left; one is taken away, and saved, before each boot of a
#                              slot that is not confirmed. The confirmed one is not counted, and nothing is saved
#   gg_ok gg_try               a, b: the slot that is confirmed, and the one on trial
# So an environment that was never saved is saved at the first boot, whose slot nobody has confirmed yet.
#
# Where there is a boot_part, U-Boot counts by itself (CONFIG_BOOTCOUNT_ENV), and nothing is saved here:
#   boot_part                  1, 2: the slot that boots
#   upgrade_available          1: on trial, and counted
#   gg_alt                     yes: the other one boots; altbootcmd sets it, and saves nothing
# The kernel learns with gg.loaded= which slot it came from, and with gg.backend= who counts.

# A variable of the shell cannot be made empty, so there is `none`; and one of U-Boot's with the same name would hide it.
the_type=mmc
the_disk=0
if test -n "${devtype}"; then the_type=${devtype}; fi
if test -n "${devnum}"; then the_disk=${devnum}; fi
the_try=none
the_order="A B"
if test -n "${boot_part}"; then
	the_backend=uboot-map
	is_counted=no
	the_first=${boot_part}
	if test "${upgrade_available}" = 1; then
		the_try=a
		if test "${boot_part}" = 2; then the_try=b; fi
	fi
	if test "${gg_alt}" = yes; then
		the_first=2
		if test "${boot_part}" = 2; then the_first=1; fi
	fi
	if test "${the_first}" = 2; then the_order="B A"; fi
else
	the_backend=uboot
	is_counted=yes
	if test -n "${gg_try}"; then the_try=${gg_try}; fi
	if test -z "${BOOT_ORDER}"; then env set BOOT_ORDER "A B"; fi
	if test -z "${BOOT_A_LEFT}"; then env set BOOT_A_LEFT 3; fi
	if test -z "${BOOT_B_LEFT}"; then env set BOOT_B_LEFT 3; fi
	# When no slot has a boot left, both are tried without.
	if test "${gg_ok}" = b; then the_order="B A"; fi
	the_order="${BOOT_ORDER} refill ${the_order}"
fi

for the_name in ${the_order}; do
	the_slot=none
	the_left=none
	if test "${the_name}" = A; then
		the_slot=a
		the_part=3
		the_left=${BOOT_A_LEFT}
		if test -n "${gg_part_a}"; then the_part=${gg_part_a}; fi
	fi
	if test "${the_name}" = B; then
		the_slot=b
		the_part=4
		the_left=${BOOT_B_LEFT}
		if test -n "${gg_part_b}"; then the_part=${gg_part_b}; fi
	fi
	is_next=no

	# The confirmed slot alone gets boots again: the other may be half written.
	if test "${the_name}" = refill; then
		echo "uboot: no slot has a boot left"
		is_counted=no
		if test "${gg_ok}" != b; then env set BOOT_A_LEFT 3; fi
		if test "${gg_ok}" != a; then env set BOOT_B_LEFT 3; fi
		saveenv
	elif test "${the_slot}" = none; then
		echo "uboot: ${the_name} is no slot"
	elif test "${is_counted}" = no; then
		is_next=yes
	else
		the_less=none
		if test "${the_left}" = 1; then the_less=0; fi
		if test "${the_left}" = 2; then the_less=1; fi
		if test "${the_left}" = 3; then the_less=2; fi
		if test "${the_left}" = 4; then the_less=3; fi
		if test "${the_left}" = 5; then the_less=4; fi
		if test "${the_left}" = 6; then the_less=5; fi
		if test "${the_left}" = 7; then the_less=6; fi
		if test "${the_left}" = 8; then the_less=7; fi
		if test "${the_left}" = 9; then the_less=8; fi
		if test "${the_less}" = none; then
			echo "uboot: slot ${the_slot} has no boot left"
		elif test "${the_slot}" = "${gg_ok}"; then
			is_next=yes
		else
			echo "uboot: slot ${the_slot} is counted, boots left after this one: ${the_less}"
			env set BOOT_${the_name}_LEFT ${the_less}
			if saveenv; then
				is_next=yes
			elif test "${the_slot}" != "${the_try}"; then
				# What nobody has on trial may boot uncounted. One on trial could do so for ever.
				is_next=yes
			fi
		fi
	fi

	if test "${is_next}" = yes; then
		echo "uboot: starting slot ${the_slot}"
		if load ${the_type} ${the_disk}:1 ${kernel_addr_r} gg/board.env; then
			env import -t ${kernel_addr_r} ${filesize} gg_part_a gg_part_b gg_kernel gg_initramfs gg_fdt gg_boot gg_arguments
		fi
		the_kernel=vmlinuz
		the_initramfs=initramfs
		the_boot=booti
		if test -n "${gg_kernel}"; then the_kernel=${gg_kernel}; fi
		if test -n "${gg_initramfs}"; then the_initramfs=${gg_initramfs}; fi
		if test -n "${gg_boot}"; then the_boot=${gg_boot}; fi
		env set bootargs "${gg_arguments} gg.backend=${the_backend} gg.loaded=${the_slot}"
		if test "${the_slot}" = "${the_try}"; then
			# What would hang ends in the next try. The last of two `panic` counts.
			env set bootargs "${bootargs} panic=5 oops=panic softlockup_panic=1 hung_task_panic=1"
		fi
		the_fdt=none
		if test -n "${gg_fdt}"; then
			if load ${the_type} ${the_disk}:${the_part} ${fdt_addr_r} /boot/${gg_fdt}; then the_fdt=${fdt_addr_r}; fi
		elif test -n "${fdtcontroladdr}"; then
			the_fdt=${fdtcontroladdr}
		fi
		if load ${the_type} ${the_disk}:${the_part} ${kernel_addr_r} /boot/${the_kernel}; then
			if load ${the_type} ${the_disk}:${the_part} ${ramdisk_addr_r} /boot/${the_initramfs}; then
				if test "${the_fdt}" != none; then
					${the_boot} ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${the_fdt}
				elif test -z "${gg_fdt}"; then
					${the_boot} ${kernel_addr_r} ${ramdisk_addr_r}:${filesize}
				fi
			fi
		fi
		echo "uboot: slot ${the_slot} does not boot"
	fi
done
echo "uboot: no slot boots; trying again in 10 seconds"
sleep 10
reset
