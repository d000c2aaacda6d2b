//! Writes the files, at first and when the groups change.

use std::path::Path;

use serde_json::json;
use tokio::task::JoinHandle;

use super::handle::{Client, Handle, Readers};
use crate::base::report::Report;
use crate::base::token::Token;
use crate::service::config;
use crate::store::file::{self, Backup, FileError};
use crate::store::paths::Paths;
use crate::store::tree::KeyPath;
use crate::sys::account;

/// Writes the files for the groups named now, then follows their change; ends with the configuration service.
/// When this returns the files are there. One that cannot be written is in the log and lets nobody in.
pub async fn spawn(config: &config::Handle, paths: &Paths) -> (Handle, JoinHandle<()>) {
    let handle = Handle::default();
    let mut groups = named(config);
    issue(&handle, paths, groups.clone()).await;
    let (config, paths, follower) = (config.clone(), paths.clone(), handle.clone());
    let task = tokio::spawn(async move {
        let Ok(mut changes) = config.watch(at()).await else { return };
        while changes.next().await.is_some() {
            let now = named(&config);
            if now != groups {
                groups = now;
                issue(&follower, &paths, groups.clone()).await;
            }
        }
    });
    (handle, task)
}

fn at() -> KeyPath {
    KeyPath::service("aws.greengrass.Cli").join_all(["configuration", "AuthorizedPosixGroups"])
}

/// The groups as they are written there: names and numbers, separated by commas.
fn named(config: &config::Handle) -> Vec<String> {
    let text = match config.read(&at()) {
        Some(serde_json::Value::String(text)) => text,
        // One number without quotes is a number.
        Some(serde_json::Value::Number(number)) => number.to_string(),
        None | Some(serde_json::Value::Null) => return Vec::new(),
        Some(_) => {
            tracing::error!("AuthorizedPosixGroups of aws.greengrass.Cli is no text and is not used.");
            return Vec::new();
        }
    };
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Into::into).collect()
}

async fn issue(handle: &Handle, paths: &Paths, groups: Vec<String>) {
    let (directory, socket) = (paths.cli_ipc_info(), paths.ipc_socket());
    let write = move || write_all(&directory, &socket, &groups);
    // It is cancelled only when the runtime goes down.
    handle.replace(tokio::task::spawn_blocking(write).await.unwrap_or_default());
}

fn write_all(directory: &Path, socket: &Path, groups: &[String]) -> Vec<Client> {
    let own = account::own().uid;
    let mut all = vec![Readers::User(own)];
    for name in groups {
        match account::group_id(name) {
            Ok(group) => {
                let members = Readers::Members { owner: own, group };
                // A group may be named twice, once by number.
                if !all.contains(&members) {
                    all.push(members);
                }
            }
            Err(error) => {
                tracing::error!(group = name, error = %Report(&error), "A group of AuthorizedPosixGroups is left out.");
            }
        }
    }
    let mut issued = Vec::new();
    for readers in all {
        let token = Token::new();
        match write(&directory.join(readers.file_name()), socket, readers, &token) {
            Ok(()) => issued.push(Client { readers, token }),
            Err(error) => {
                tracing::error!(error = %Report(&error), "Local clients of the IPC are left without their token.");
            }
        }
    }
    let kept: Vec<String> = issued.iter().map(|client| client.readers.file_name()).collect();
    if let Err(error) = file::remove_others(directory, &kept) {
        tracing::warn!(error = %Report(&error), "Files with old tokens stay behind; the tokens are good no more.");
    }
    issued
}

fn write(path: &Path, socket: &Path, readers: Readers, token: &Token) -> Result<(), FileError> {
    let content = json!({ "cli_auth_token": token.as_str(), "domain_socket_path": socket.to_string_lossy() });
    let content = content.to_string();
    match readers {
        Readers::User(_) => file::write(path, 0o600, Backup::Drop, content.as_bytes()),
        Readers::Members { group, .. } => file::write_for_group(path, group, content.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;
    use crate::sys::peer::Peer;
    use crate::wire::principal::Principal;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_written_for_their_readers_and_old_ones_go() {
        let scratch = tempfile::tempdir().unwrap();
        let (directory, socket) = (scratch.path(), Path::new("/gg/ipc.socket"));
        fs::write(directory.join("group-99999"), "old").unwrap();
        fs::write(directory.join("user-99999+"), "half").unwrap();
        fs::create_dir(directory.join("strange")).unwrap();
        let own = account::own();
        let groups = [own.gid.to_string(), "no-such-group".into(), own.gid.to_string()];
        let issued = write_all(directory, socket, &groups);
        let files = [format!("group-{}", own.gid), "strange".into(), format!("user-{}", own.uid)];
        assert_eq!(names(directory), files);
        let status = |name: &str| fs::metadata(directory.join(name)).unwrap();
        assert_eq!(status(&files[0]).permissions().mode() & 0o777, 0o640);
        assert_eq!(status(&files[0]).gid(), own.gid);
        assert_eq!(status(&files[2]).permissions().mode() & 0o777, 0o600);
        let handle = Handle::default();
        handle.replace(issued);
        let token_in = |name: &str| {
            let text = fs::read_to_string(directory.join(name)).unwrap();
            let info: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(info["domain_socket_path"], "/gg/ipc.socket");
            Token::shown(info["cli_auth_token"].as_str().unwrap().into())
        };
        let peer = Peer { uid: own.uid, gid: own.gid, pid: 1 };
        for name in [&files[0], &files[2]] {
            let expected = Principal::Client(format!("greengrass-cli#{name}").into());
            assert_eq!(handle.client_of(&token_in(name), peer, Vec::new), Some(Ok(expected)));
        }
        let before = token_in(&files[2]);
        handle.replace(write_all(directory, socket, &[]));
        assert_eq!(names(directory), files[1..]);
        assert_eq!(handle.client_of(&before, peer, Vec::new), None);
        assert!(!token_in(&files[2]).is(&before));
    }

    #[test]
    fn directory_that_is_not_there_lets_nobody_in() {
        assert!(write_all(Path::new("/nonexistent/cli_ipc_info"), Path::new("/s"), &[]).is_empty());
    }
}
