# What the package built here and the prebuilt one share. Included before package.mk, whose variables it sets.

PKG_VERSION:=0.1.0
PKG_RELEASE:=1

PKG_MAINTAINER:=greengrass-rs maintainers <maintainers@greengrass-rs.example>
PKG_LICENSE:=Apache-2.0
PKG_LICENSE_FILES:=LICENSE

# The repository that this feed is a folder of: make runs in the package's folder, whatever link led there.
GREENGRASS_REPOSITORY:=$(abspath $(CURDIR)/../..)
GREENGRASS_FILES:=$(abspath $(CURDIR)/../greengrass-rs/files)

define Package/greengrass-rs/Default
  SECTION:=utils
  CATEGORY:=Utilities
  TITLE:=AWS IoT Greengrass Core runtime
  # The number is that of MQTT over TLS, which no user of the core or packages feeds has.
  USERID:=ggc_user=8883:ggc_group=8883
endef

define Package/greengrass-rs/Default/description
  Runs components written for AWS IoT Greengrass V2, deployed locally,
  as one static program: recipes, lifecycle, IPC, command line.
endef

define Package/greengrass-rs/Default/conffiles
/etc/config/greengrass
endef

# 1: where to, 2: the program, 3: the folder with the service files, 4: its other names
define Package/greengrass-rs/Default/install
	$(INSTALL_DIR) $(1)/usr/bin $(1)/usr/sbin $(1)/etc/init.d $(1)/etc/config $(1)/etc/uci-defaults \
		$(1)/etc/greengrass $(1)/lib/upgrade/keep.d
	$(INSTALL_BIN) $(2) $(1)/usr/bin/greengrass
	$(foreach name,$(4),$(LN) greengrass $(1)/usr/bin/$(name);)
	$(INSTALL_BIN) $(3)/greengrass.procd $(1)/etc/init.d/greengrass
	$(SED) 's,@BINDIR@,/usr/bin,g;s,@ROOT@,/greengrass/v2,g' $(1)/etc/init.d/greengrass
	$(INSTALL_CONF) $(GREENGRASS_FILES)/greengrass.config $(1)/etc/config/greengrass
	$(INSTALL_BIN) $(GREENGRASS_FILES)/greengrass.defaults $(1)/etc/uci-defaults/90-greengrass
	$(INSTALL_DATA) $(GREENGRASS_FILES)/greengrass.keep $(1)/lib/upgrade/keep.d/greengrass-rs
	$(INSTALL_BIN) $(GREENGRASS_FILES)/greengrass-sysupgrade $(1)/usr/sbin/greengrass-sysupgrade
	$(INSTALL_BIN) $(GREENGRASS_FILES)/greengrass-settings $(1)/etc/init.d/greengrass-settings
	$(INSTALL_DIR) $(1)/usr/share/greengrass/boot-maps
	$(INSTALL_DATA) $(wildcard $(GREENGRASS_FILES)/boot-maps/*.map) $(1)/usr/share/greengrass/boot-maps/
endef

# The boot of A/B devices: process 1 of an initramfs, beside whatever init the image has.
define Package/gg-init/Default
  SECTION:=base
  CATEGORY:=Base system
  TITLE:=A/B boot with an overlay root (process 1)
endef

define Package/gg-init/Default/description
  Checks the kernel, picks the slot, mounts it with an overlay, and starts
  the init of the system or the Greengrass core itself. Installed as
  /sbin/gg-init; the initramfs or init= of the kernel arguments starts it.
endef

# 1: where to, 2: the program
define Package/gg-init/Default/install
	$(INSTALL_DIR) $(1)/sbin
	$(INSTALL_BIN) $(2) $(1)/sbin/gg-init
endef
