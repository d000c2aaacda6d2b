//! Every path of the product, in one table.

use std::path::{Path, PathBuf};

use crate::wire::name::{ComponentName, ComponentVersion, DeploymentId};

/// The root directory (`/greengrass/v2` by default) and all that lies below it.
///
/// Names and modes are those of the reference nucleus where it has the thing; `control.socket` and `run/` are ours.
#[derive(Clone, Debug)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// `root` must be absolute: components get these paths, whatever their working directory.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Directories to make at start, with their modes.
    pub fn directories(&self) -> Vec<(PathBuf, u32)> {
        vec![
            (self.cli_ipc_info(), 0o755),
            (self.config(), 0o700),
            (self.deployments(), 0o700),
            (self.logs(), 0o700),
            (self.packages(), 0o755),
            (self.recipes(), 0o700),
            (self.packages().join("artifacts"), 0o755),
            (self.packages().join("artifacts-unarchived"), 0o755),
            (self.run(), 0o700),
            (self.telemetry(), 0o700),
            (self.work_root(), 0o755),
        ]
    }

    /// One file per local client that is no component, with its token.
    pub fn cli_ipc_info(&self) -> PathBuf {
        self.root.join("cli_ipc_info")
    }

    pub fn config(&self) -> PathBuf {
        self.root.join("config")
    }

    pub fn deployments(&self) -> PathBuf {
        self.root.join("deployments")
    }

    /// The directory of one deployment: its snapshots and target configuration.
    pub fn deployment(&self, id: &DeploymentId) -> PathBuf {
        self.deployments().join(id.as_file_name())
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Raw metric lines.
    pub fn telemetry(&self) -> PathBuf {
        self.root.join("telemetry")
    }

    pub fn packages(&self) -> PathBuf {
        self.root.join("packages")
    }

    pub fn recipes(&self) -> PathBuf {
        self.packages().join("recipes")
    }

    pub fn artifacts(&self, name: &ComponentName, version: &ComponentVersion) -> PathBuf {
        self.packages().join("artifacts").join(name.as_str()).join(version.to_string())
    }

    pub fn unarchived(&self, name: &ComponentName, version: &ComponentVersion) -> PathBuf {
        self.packages().join("artifacts-unarchived").join(name.as_str()).join(version.to_string())
    }

    /// Locks and what lives only as long as the daemon does.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub fn work_root(&self) -> PathBuf {
        self.root.join("work")
    }

    /// The working directory of a component's steps; mode 0700, owned by the component's user.
    pub fn work(&self, name: &ComponentName) -> PathBuf {
        self.work_root().join(name.as_str())
    }

    /// The local control door, for `greengrass-cli`.
    pub fn control_socket(&self) -> PathBuf {
        self.root.join("control.socket")
    }

    /// The Greengrass IPC door, for components.
    pub fn ipc_socket(&self) -> PathBuf {
        self.root.join("ipc.socket")
    }
}
