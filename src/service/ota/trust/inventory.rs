//! Whom a device trusts, one by one, and who of them would count today.

use super::path::{PathError, Paths};
use super::{Trust, key, sha256};
use crate::wire::bundle::certificate::{Certificate, CertificateError, PublicKey, RevocationList, common_name};

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inventory {
    pub anchors: Vec<Anchor>,
    pub lists: Vec<List>,
    /// How many of the anchors would count, each key once.
    pub usable: usize,
}

/// A root certificate, or an Ed25519 key of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    pub name: String,
    pub algorithm: &'static str,
    /// Only a certificate has it.
    pub certificate: Option<Validity>,
    /// SHA-256 of SubjectPublicKeyInfo, as `revoked-keys` names it.
    pub key: [u8; 32],
    pub standing: Standing,
}

/// What only a certificate has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Validity {
    /// SHA-256 of all of it.
    pub fingerprint: [u8; 32],
    pub not_before: i64,
    pub not_after: i64,
}

/// Whether it would count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    Good,
    /// Within [`SOON`].
    ExpiresSoon,
    Refused(String),
}

/// A revocation list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    pub issuer: String,
    pub this_update: i64,
    pub next_update: Option<i64>,
    /// Certificates that it takes back.
    pub count: usize,
    /// Nothing can be concluded from what it does not say.
    pub is_outdated: bool,
}

/// Seconds before its end at which a certificate wants somebody's attention: a rotation reaches a fleet in months.
pub const SOON: i64 = 90 * 86_400;

impl Trust {
    /// Looks through everything at that time, in seconds since 1970. Fails where a bundle would be refused for what the
    /// device itself holds, whoever signed it.
    pub fn inventory(&self, time: i64) -> Result<Inventory, CertificateError> {
        let mut anchors = Vec::new();
        let paths = Paths::new(self, &[], &[], &[], time);
        for der in &self.roots {
            anchors.push(root(&Certificate::decode(der)?, &paths, time));
        }
        anchors.extend(self.keys.iter().map(|key| self.key(key)));
        let lists =
            self.revocation_lists.iter().map(|der| RevocationList::decode(der).map(|list| summary(&list, time)));
        let lists = lists.collect::<Result<_, _>>()?;
        let is_usable = |anchor: &&Anchor| !matches!(anchor.standing, Standing::Refused(_));
        let mut usable: Vec<[u8; 32]> = anchors.iter().filter(is_usable).map(|anchor| anchor.key).collect();
        usable.sort_unstable();
        usable.dedup();
        Ok(Inventory { anchors, lists, usable: usable.len() })
    }

    fn key(&self, bytes: &[u8; 32]) -> Anchor {
        let key = sha256(&key::ed25519_key_info(bytes));
        let name = "a key without a certificate".to_owned();
        let standing = if self.revoked_keys.contains(&key) {
            Standing::Refused(PathError::RevokedKey { name: name.clone() }.to_string())
        } else {
            Standing::Good
        };
        Anchor { name, algorithm: "Ed25519", certificate: None, key, standing }
    }
}

fn root(certificate: &Certificate<'_>, paths: &Paths<'_>, time: i64) -> Anchor {
    let current = paths.is_current(certificate).map_err(|cause| cause.to_string());
    let standing = match current.and_then(|()| key::is_usable(&certificate.key).map_err(|cause| cause.to_string())) {
        Err(why) => Standing::Refused(why),
        Ok(()) if certificate.not_after.saturating_sub(time) < SOON => Standing::ExpiresSoon,
        Ok(()) => Standing::Good,
    };
    let algorithm = match certificate.key {
        PublicKey::Rsa(_) => "RSA",
        PublicKey::P256(_) => "P-256",
        PublicKey::P384(_) => "P-384",
        PublicKey::Ed25519(_) => "Ed25519",
    };
    let validity = Validity {
        fingerprint: sha256(certificate.whole),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
    };
    let key = sha256(certificate.key_info);
    Anchor { name: certificate.name(), algorithm, certificate: Some(validity), key, standing }
}

fn summary(list: &RevocationList<'_>, time: i64) -> List {
    List {
        issuer: common_name(list.issuer),
        this_update: list.this_update,
        next_update: list.next_update,
        count: list.serials.len(),
        is_outdated: list.next_update.is_some_and(|next| next < time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::ota::trust::mint::{Draft, Identity, KeyKind, NOW};

    const DAY: i64 = 86_400;

    #[test]
    fn standing_is_what_a_bundle_would_meet() {
        let root = |valid| Identity::self_signed(&Draft { valid, ..Draft::authority("root") }, KeyKind::P256);
        let good = root((NOW - DAY, NOW + 1000 * DAY));
        let soon = root((NOW - DAY, NOW + 10 * DAY));
        let expired = root((NOW - 2 * DAY, NOW - DAY));
        let early = root((NOW + DAY, NOW + 2 * DAY));
        let revoked = root((NOW - DAY, NOW + 1000 * DAY));
        let trust = Trust {
            roots: [&good, &soon, &expired, &early, &revoked, &good].map(|root| root.certificate.clone()).to_vec(),
            keys: vec![[7; 32]],
            revocation_lists: vec![good.revoke(&[5, 6], NOW - 1)],
            revoked_keys: vec![sha256(&revoked.key.info)],
            ..Trust::default()
        };
        let inventory = trust.inventory(NOW).unwrap();
        let words: Vec<&str> = inventory
            .anchors
            .iter()
            .map(|anchor| match &anchor.standing {
                Standing::Good => "good",
                Standing::ExpiresSoon => "soon",
                Standing::Refused(why) => why.rsplit(' ').next().unwrap_or_default(),
            })
            .collect();
        assert_eq!(words, ["good", "soon", "expired", "yet", "device", "good", "good"]);
        assert_eq!(inventory.usable, 3, "the same key twice is one");
        assert_eq!(inventory.anchors[0].key, sha256(&good.key.info));
        assert_eq!((inventory.lists[0].count, inventory.lists[0].is_outdated), (2, true));
    }

    #[test]
    fn root_that_cannot_be_read_is_told() {
        assert!(Trust { roots: vec![vec![0x30, 0]], ..Trust::default() }.inventory(NOW).is_err());
    }
}
