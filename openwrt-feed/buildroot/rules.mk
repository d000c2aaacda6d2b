# Stands for OpenWrt's rules.mk: the variables and commands that a package Makefile uses. Just enough of a build tree to
# stage our packages without OpenWrt: `make -C openwrt-feed/greengrass-rs TOPDIR=.../buildroot OUT=... stage-greengrass-rs`.
INCLUDE_DIR:=$(TOPDIR)/include
BUILD_DIR:=$(OUT)/build
ARCH?=x86_64
CP:=cp -fpR
LN:=ln -sf
SED:=sed -i -e
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
