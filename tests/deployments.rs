//! Deployments end to end, against the binary itself: what somebody who knows AWS IoT Greengrass would try.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "deployments/artifacts.rs"]
mod artifacts;
#[path = "deployments/bootstrap.rs"]
mod bootstrap;
#[path = "deployments/cli.rs"]
mod cli;
#[path = "deployments/configuration.rs"]
mod configuration;
#[path = "deployments/dependencies.rs"]
mod dependencies;
#[path = "deployments/device.rs"]
mod device;
#[path = "deployments/failures.rs"]
mod failures;
#[path = "deployments/first_start.rs"]
mod first_start;
#[cfg(feature = "ota")]
#[path = "deployments/held_back.rs"]
mod held_back;
#[path = "deployments/nucleus.rs"]
mod nucleus;
#[path = "deployments/own_update.rs"]
mod own_update;
#[path = "deployments/queue.rs"]
mod queue;
#[cfg(all(feature = "ota", feature = "download"))]
#[path = "support/range_server.rs"]
mod range_server;
#[path = "deployments/resolution.rs"]
mod resolution;
#[path = "deployments/run_with.rs"]
mod run_with;
#[path = "deployments/server.rs"]
mod server;
#[cfg(all(feature = "ota", feature = "download"))]
#[allow(dead_code, reason = "others take the rest")]
#[path = "ota/install_stage.rs"]
mod stage;
mod support;
#[cfg(all(feature = "ota", feature = "download"))]
#[path = "deployments/system_bundle.rs"]
mod system_bundle;
#[cfg(feature = "ota")]
#[path = "deployments/system_update.rs"]
mod system_update;
#[path = "deployments/versions.rs"]
mod versions;
