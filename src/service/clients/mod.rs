//! Local clients that are no component: whoever may read a file of `cli_ipc_info/`, as the AWS CLI for the device does.
//!
//! At each start, and whenever `AuthorizedPosixGroups` of `aws.greengrass.Cli` changes, there is a fresh token in
//!
//! | file | mode | its token lets in | as |
//! |---|---|---|---|
//! | `user-<uid>`, of the daemon's own user | 0600 | root and that user | `greengrass-cli#user-<uid>` |
//! | `group-<gid>`, for each group named there | 0640, of that group | the same, and that group's members | `greengrass-cli#group-<gid>` |
//!
//! Earlier tokens are good no more, and files of groups that are not named any more are removed. Where the reference
//! leaves out the user's file once a group is named, we keep it: root reads every file anyway.
//!
//! The kernel says who a client is, and that must be one of those who could read the file: a token that was copied
//! from it is worth nothing to another user.

mod handle;
mod task;

pub use handle::{Handle, Outsider};
pub use task::spawn;
