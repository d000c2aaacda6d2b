//! The password of the local debug console: made on request, good for eight hours, gone with the daemon.
//!
//! The reference keeps each password, in clear, as a key below `_debugPassword` at the root of the configuration tree,
//! with its end below it. It is the same place here, but the key is the password's SHA-256: what lives in memory only
//! and is never written down still need not be readable. A console that is handed a password looks for its hash.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::config::{self, ConfigError};
use crate::base::clock::Timestamp;
use crate::store::tree::{Edit, KeyPath, Tree};

/// The user name that goes with every password.
pub const USERNAME: &str = "debug";

/// Milliseconds a password is good for: eight hours.
const LIFETIME: u64 = 8 * 3600 * 1000;

/// Passwords that are good at once; one more ends the oldest.
const MOST: usize = 16;

/// One password, in clear: shown once to who asked for it, and kept nowhere.
pub struct DebugPassword {
    pub password: String,
    pub expires: Timestamp,
}

/// Makes a password that is good from now on.
pub async fn create(config: &config::Handle, now: Timestamp) -> Result<DebugPassword, ConfigError> {
    let password = random();
    let expires = Timestamp(now.0.saturating_add(LIFETIME));
    let mut edits = ended(&config.snapshot(), now);
    edits.push(Edit::Write { at: place(&password).join("expiration"), value: json!(expires.0), time: now });
    config.edit(edits).await?;
    Ok(DebugPassword { password, expires })
}

fn passwords() -> KeyPath {
    KeyPath::new(["_debugPassword", USERNAME])
}

fn place(password: &str) -> KeyPath {
    let hash: String = Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect();
    passwords().join(hash)
}

/// Removes what has expired, and the oldest when there is no room for one more.
fn ended(tree: &Tree, now: Timestamp) -> Vec<Edit> {
    let expiration = |at: &KeyPath| tree.value(&at.join("expiration")).and_then(|end| end.as_u64()).unwrap_or_default();
    let mut kept: Vec<(u64, KeyPath)> = tree
        .children(&passwords())
        .into_iter()
        .map(|hash| passwords().join(hash))
        .map(|at| (expiration(&at), at))
        .collect();
    kept.sort();
    let surplus = kept.len().saturating_sub(MOST - 1);
    let expired = kept.iter().take_while(|(end, _)| *end <= now.0).count();
    // A clock that was set back must not make them last: removal is as of what is there.
    let remove = |(_, at): (u64, KeyPath)| Edit::Remove { time: tree.modified(&at).unwrap_or(now).max(now), at };
    kept.into_iter().take(surplus.max(expired)).map(remove).collect()
}

/// 43 characters of the URL alphabet of base64 from the operating system's randomness.
fn random() -> String {
    let mut hash = Sha256::new();
    // Each UUID carries 122 random bits; together they are more than the hash has.
    for _ in 0..3 {
        hash.update(uuid::Uuid::new_v4().as_bytes());
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Never shows the password.
impl fmt::Debug for DebugPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugPassword").field("expires", &self.expires).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tree::{Given, open};

    #[tokio::test]
    async fn password_is_kept_as_a_hash_in_memory_only_and_bounded() {
        let scratch = tempfile::tempdir().unwrap();
        let opened = open(scratch.path(), &Given::Nothing).unwrap();
        let (config, service) = config::spawn(opened, scratch.path().to_owned());
        let first = create(&config, Timestamp(1000)).await.unwrap();
        assert_eq!((first.password.len(), first.expires), (43, Timestamp(1000 + LIFETIME)));
        assert!(!format!("{first:?}").contains(&first.password));
        let known = |password: &DebugPassword| config.snapshot().contains(&place(&password.password));
        assert!(known(&first));
        assert_eq!(config.read(&KeyPath::root()), Some(json!({})), "no ancestor shows it");

        let second = create(&config, Timestamp(2000)).await.unwrap();
        assert_ne!(first.password, second.password);
        let third = create(&config, Timestamp(1000 + LIFETIME)).await.unwrap();
        assert!(!known(&first) && known(&second) && known(&third), "what has expired goes");
        for time in 0..20 {
            create(&config, Timestamp(1500 + time)).await.unwrap();
        }
        assert_eq!(config.snapshot().children(&passwords()).len(), MOST);

        config.close().await.unwrap();
        service.await.unwrap();
        for file in std::fs::read_dir(scratch.path()).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("debugPassword") && !text.contains(&second.password), "{}", path.display());
        }
    }
}
