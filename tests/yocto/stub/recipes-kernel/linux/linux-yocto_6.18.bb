# A kernel that this layer's append finds.
LICENSE = "GPL-2.0-only"
SRC_URI = ""
