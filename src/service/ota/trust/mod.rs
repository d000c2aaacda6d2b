//! Who may sign an update, and whether the signatures on one will do.
//!
//! A signer counts when its certificate has a path to one of the device's roots and its signature is right. An update is
//! trusted when signers of `require` different roots count. A signer that leads to no root does not count and does no
//! harm: so a bundle can be signed for old and new keys at once. But a signature that is wrong under a trusted
//! certificate refuses the whole: somebody has changed something.

pub mod inventory;
mod key;
#[cfg(test)]
pub(crate) mod mint;
mod path;
pub mod sign;

use std::fmt;

use ring::digest;

use crate::wire::bundle::certificate::{Certificate, CertificateError, RevocationList};
use crate::wire::bundle::cms::{CmsError, SignedData, Signer};
use crate::wire::bundle::signature::Digest;
use path::Paths;

pub use key::{KeyError, verify};
pub use path::PathError;

/// What a certificate must be made for, by the names of RAUC's `check-purpose`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Purpose {
    /// `smimesign`, and what RAUC does when nothing is said: if the certificate has an ExtendedKeyUsage, it names
    /// emailProtection.
    #[default]
    SmimeSign,
    /// `codesign`: the certificate has an ExtendedKeyUsage that names codeSigning.
    CodeSign,
    /// `any`.
    Any,
}

impl Purpose {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "smimesign" => Some(Self::SmimeSign),
            "codesign" | "codesign-rauc" => Some(Self::CodeSign),
            "any" => Some(Self::Any),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::SmimeSign => "smimesign",
            Self::CodeSign => "codesign",
            Self::Any => "any",
        }
    }
}

/// Whom the device believes.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Certificates as DER. A root may also be the signer itself.
    pub roots: Vec<Vec<u8>>,
    /// Ed25519 keys whose detached signatures count as much as a root.
    pub keys: Vec<[u8; 32]>,
    /// How many different roots must have signed; at least one.
    pub require: usize,
    pub purpose: Purpose,
    /// As DER, each signed by the authority whose certificates it takes back.
    pub revocation_lists: Vec<Vec<u8>>,
    /// Whether each authority must have a list that is not too old.
    pub lists: Lists,
    /// SHA-256 of SubjectPublicKeyInfo: keys that are not to be used any more, of whatever certificate.
    pub revoked_keys: Vec<[u8; 32]>,
}

/// What a missing revocation list means.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Lists {
    /// Nothing is revoked.
    #[default]
    Optional,
    /// Nothing is trusted.
    Required,
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            keys: Vec::new(),
            require: 1,
            purpose: Purpose::default(),
            revocation_lists: Vec::new(),
            lists: Lists::default(),
            revoked_keys: Vec::new(),
        }
    }
}

/// A content that was signed by whom it must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    pub content: Vec<u8>,
    /// What was found of each signer, those of the signature itself first.
    pub signers: Vec<Account>,
}

/// What was found of one signer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The name in its certificate; only believed when it counts.
    pub name: String,
    pub verdict: Verdict,
}

/// Whether a signer counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Counts(Chain),
    Ignored(PathError),
}

/// The certificates from a signer to a root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    pub links: Vec<Link>,
}

/// One certificate of a chain, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    pub name: String,
    pub issuer: String,
    pub not_before: i64,
    pub not_after: i64,
    /// SHA-256 of SubjectPublicKeyInfo.
    pub key: [u8; 32],
}

impl Trust {
    /// Verifies a CMS with its content in it, and detached Ed25519 signatures over the same content. `time` is in seconds
    /// since 1970 and comes from [`verification_time`].
    pub fn verify(&self, signature: &[u8], detached: &[[u8; 64]], time: i64) -> Result<Verified, TrustError> {
        let signed = SignedData::decode(signature)?;
        let content = signed.content.ok_or(TrustError::NoContent)?;
        // A certificate that cannot be read belongs to nobody who counts.
        let brought: Vec<Certificate<'_>> =
            signed.certificates.iter().filter_map(|der| Certificate::decode(der).ok()).collect();
        let roots = self.roots()?;
        let lists = self.revocation_lists.iter().map(|der| RevocationList::decode(der));
        let lists: Vec<_> = lists.collect::<Result<_, _>>().map_err(TrustError::RevocationList)?;
        let mut paths = Paths::new(self, &roots, &brought, &lists, time);
        let mut signers = Vec::new();
        let mut counted: Vec<[u8; 32]> = Vec::new();
        for signer in &signed.signers {
            let account = one(signer, content, &mut paths)?;
            if let Verdict::Counts(chain) = &account.verdict {
                counted.extend(chain.links.last().map(|root| root.key));
            }
            signers.push(account);
        }
        for signature in detached {
            let key = self.keys.iter().find(|key| key::verify_ed25519(key, content, signature).is_ok());
            let Some(key) = key else {
                let verdict = Verdict::Ignored(PathError::UnknownKey);
                signers.push(Account { name: "detached signature".to_owned(), verdict });
                continue;
            };
            let id = sha256(&key::ed25519_key_info(key));
            let name = format!("Ed25519 key {}", crate::wire::bundle::manifest::hex(&key[..8]));
            let verdict = if self.revoked_keys.contains(&id) {
                Verdict::Ignored(PathError::RevokedKey { name: name.clone() })
            } else {
                counted.push(id);
                Verdict::Counts(Chain { links: Vec::new() })
            };
            signers.push(Account { name, verdict });
        }
        counted.sort_unstable();
        counted.dedup();
        let required = self.require.max(1);
        if counted.len() < required {
            return Err(TrustError::NotEnough { required, counted: counted.len(), signers: Accounts(signers) });
        }
        Ok(Verified { content: content.to_vec(), signers })
    }

    fn roots(&self) -> Result<Vec<Certificate<'_>>, TrustError> {
        let decode = |der: &'_ Vec<u8>| -> Result<(), CertificateError> { Certificate::decode(der).map(|_| ()) };
        if let Some(cause) = self.roots.iter().find_map(|der| decode(der).err()) {
            return Err(TrustError::Root(cause));
        }
        Ok(self.roots.iter().filter_map(|der| Certificate::decode(der).ok()).collect())
    }
}

fn one(signer: &Signer<'_>, content: &[u8], paths: &mut Paths<'_>) -> Result<Account, TrustError> {
    let candidates = match paths.find(&signer.id) {
        Ok(found) => found,
        Err(refused) => return Ok(Account { name: refused.name, verdict: Verdict::Ignored(refused.cause) }),
    };
    let hash = digest::digest(algorithm(signer.digest), content);
    let mut fault = (String::new(), KeyError::False);
    for (certificate, chain) in candidates {
        let name = certificate.name();
        if hash.as_ref() != signer.content_digest {
            return Err(TrustError::FalseDigest { name });
        }
        match verify(&certificate.key, signer.algorithm, &signer.signed, signer.signature) {
            Ok(()) => return Ok(Account { name, verdict: Verdict::Counts(chain) }),
            Err(cause) => fault = (name, cause),
        }
    }
    let (name, cause) = fault;
    Err(TrustError::FalseSignature { name, cause })
}

fn algorithm(digest: Digest) -> &'static digest::Algorithm {
    match digest {
        Digest::Sha256 => &digest::SHA256,
        Digest::Sha384 => &digest::SHA384,
        Digest::Sha512 => &digest::SHA512,
    }
}

/// SHA-256 of some bytes.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// The time to judge certificates at, in seconds since 1970. A device's clock may begin in 1970 at each boot; it never
/// was earlier than when the running image was built, nor than what it has already believed.
pub fn verification_time(built: i64, last_trusted: i64, now: i64) -> i64 {
    built.max(last_trusted).max(now)
}

/// What was found of all signers, as a list in a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accounts(pub Vec<Account>);

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, account) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            match &account.verdict {
                Verdict::Counts(_) => write!(f, "{between}{:?} counts", account.name)?,
                Verdict::Ignored(cause) => write!(f, "{between}{:?} does not: {cause}", account.name)?,
            }
        }
        Ok(())
    }
}

/// A signature that is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(transparent)]
    Cms(#[from] CmsError),
    #[error("the manifest is not in the signature: this is a bundle in the old format `plain`, which is not accepted")]
    NoContent,
    #[error("a root certificate of this device cannot be used")]
    Root(#[source] CertificateError),
    #[error("a revocation list of this device cannot be used")]
    RevocationList(#[source] CertificateError),
    #[error("{name:?} signed another manifest than the one in the bundle")]
    FalseDigest { name: String },
    #[error("the signature of {name:?} is false")]
    FalseSignature {
        name: String,
        #[source]
        cause: KeyError,
    },
    #[error("{counted} trusted signers where {required} must be ({signers})")]
    NotEnough { required: usize, counted: usize, signers: Accounts },
}

#[cfg(test)]
mod tests;
