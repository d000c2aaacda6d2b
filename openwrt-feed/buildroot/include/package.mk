# Stands for OpenWrt's package.mk: prepares, compiles and installs below $(OUT), and prints what the package says of itself.
PKG_BUILD_DIR?=$(BUILD_DIR)/$(PKG_NAME)-$(PKG_VERSION)
PKG_INSTALL_DIR:=$(OUT)/install

METADATA:=PKG_NAME PKG_VERSION PKG_RELEASE PKG_LICENSE PKG_LICENSE_FILES PKG_BUILD_DEPENDS PKG_SOURCE PKG_SOURCE_URL \
	PKG_HASH SECTION CATEGORY TITLE DEPENDS USERID CONFLICTS PROVIDES CARGO_RUSTFLAGS \
	PKG_MAINTAINER PKG_CONFIG_DEPENDS

define Build/Patch
endef
define Build/Prepare
	mkdir -p $(PKG_BUILD_DIR)
	tar -xzf $(patsubst file://%,%,$(PKG_SOURCE_URL))/$(PKG_SOURCE) -C $(PKG_BUILD_DIR) --strip-components=1
endef
define say
	@printf '%s=%s\n' '$(1)' '$(strip $(2))'

endef

define BuildPackage
.PHONY: metadata-$(1) prepare compile stage-$(1)
metadata-$(1):
	$$(eval $$(Package/$(1)))
	$$(foreach name,$$(METADATA),$$(call say,$$(name),$$($$(name))))
	$$(call say,description,$$(Package/$(1)/description))
	$$(call say,conffiles,$$(Package/$(1)/conffiles))
	$$(call say,config,$$(Package/$(1)/config))
	$$(call say,compile,$$(Build/Compile))
stage-$(1):
	$$(call Package/$(1)/install,$(OUT)/root)
endef

prepare:
	$(call Build/Prepare)
compile:
	$(call Build/Compile)
