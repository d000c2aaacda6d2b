//! The local control door: `greengrass-cli` talks to the daemon here.
