//! The path from a signer's certificate to a root of the device (RFC 5280, chapter 6, as far as bundles need it).
//!
//! Names are compared byte by byte. Name constraints and other critical extensions that are not known refuse the
//! certificate when it is read. The number of signatures that are checked has a limit, whatever the bundle brings.

use super::key;
use super::{Chain, Link, Lists, Purpose, Trust, sha256};
use crate::wire::bundle::certificate::{self, Certificate, RevocationList};
use crate::wire::bundle::cms::SignerId;
use crate::wire::bundle::oid;

/// Certificates on a path, the signer's and the root's included.
const MAX_LENGTH: usize = 6;
/// Signatures of certificates checked for one bundle.
const MAX_CHECKS: usize = 100;

pub(super) struct Paths<'a> {
    trust: &'a Trust,
    roots: &'a [Certificate<'a>],
    brought: &'a [Certificate<'a>],
    lists: &'a [RevocationList<'a>],
    time: i64,
    checks: usize,
}

/// Why a signer does not count, and what it is called.
pub(super) struct Refused {
    pub(super) name: String,
    pub(super) cause: PathError,
}

impl<'a> Paths<'a> {
    pub(super) fn new(
        trust: &'a Trust,
        roots: &'a [Certificate<'a>],
        brought: &'a [Certificate<'a>],
        lists: &'a [RevocationList<'a>],
        time: i64,
    ) -> Self {
        Self { trust, roots, brought, lists, time, checks: 0 }
    }

    /// The certificates a signer may mean, each with its way to a root; at least one.
    pub(super) fn find(&mut self, id: &SignerId<'_>) -> Result<Vec<(&'a Certificate<'a>, Chain)>, Refused> {
        let mut refused = Refused { name: "a signer".to_owned(), cause: PathError::NoCertificate };
        let mut found = Vec::new();
        // Any number of certificates can claim a name; those that lead to a root are few.
        for certificate in self.brought.iter().chain(self.roots).filter(|certificate| id.names(certificate)) {
            let mut path = vec![certificate];
            match self.is_fit(certificate).and_then(|()| self.extend(&mut path)) {
                Ok(()) => found.push((certificate, chain(&path))),
                Err(cause) => refused = Refused { name: certificate.name(), cause },
            }
        }
        if found.is_empty() { Err(refused) } else { Ok(found) }
    }

    /// Looks for the rest of the path, which ends with a root when this succeeds.
    fn extend(&mut self, path: &mut Vec<&'a Certificate<'a>>) -> Result<(), PathError> {
        let last = path[path.len() - 1];
        self.is_current(last)?;
        if self.roots.iter().any(|root| root.whole == last.whole) {
            return Ok(());
        }
        let mut worst = PathError::NoIssuer { issuer: certificate::common_name(last.issuer) };
        if path.len() == MAX_LENGTH {
            return Err(worst);
        }
        for issuer in self.roots.iter().chain(self.brought).filter(|issuer| issuer.subject == last.issuer) {
            if path.iter().any(|known| known.whole == issuer.whole) {
                continue;
            }
            let attempt = self.is_issued(last, issuer, path.len() - 1).and_then(|()| {
                path.push(issuer);
                self.extend(path)
            });
            match attempt {
                Ok(()) => return Ok(()),
                Err(cause) => worst = cause,
            }
            // What led nowhere is behind the certificate.
            let length = path.iter().position(|known| known.whole == last.whole).map_or(path.len(), |at| at + 1);
            path.truncate(length);
        }
        Err(worst)
    }

    /// Whether the signer's own certificate is for signing updates.
    fn is_fit(&self, leaf: &Certificate<'_>) -> Result<(), PathError> {
        let usage = leaf.extensions.key_usage.unwrap_or(u16::MAX);
        let name = || leaf.name();
        match self.trust.purpose {
            Purpose::Any => {}
            Purpose::SmimeSign => {
                if usage & (certificate::DIGITAL_SIGNATURE | certificate::NON_REPUDIATION) == 0 {
                    return Err(PathError::KeyUsage { name: name() });
                }
            }
            Purpose::CodeSign => {
                if leaf.extensions.purposes.is_none() {
                    return Err(PathError::Purpose { name: name() });
                }
                if usage & certificate::DIGITAL_SIGNATURE == 0 {
                    return Err(PathError::KeyUsage { name: name() });
                }
            }
        }
        Ok(())
    }

    /// Whether a certificate may be used now, wherever on the path it is.
    pub(super) fn is_current(&self, certificate: &Certificate<'_>) -> Result<(), PathError> {
        let name = || certificate.name();
        if self.time < certificate.not_before {
            return Err(PathError::NotYetValid { name: name() });
        }
        if self.time > certificate.not_after {
            return Err(PathError::Expired { name: name() });
        }
        if self.trust.revoked_keys.contains(&sha256(certificate.key_info)) {
            return Err(PathError::RevokedKey { name: name() });
        }
        let wanted = match self.trust.purpose {
            Purpose::SmimeSign => oid::EMAIL_PROTECTION,
            Purpose::CodeSign => oid::CODE_SIGNING,
            Purpose::Any => return Ok(()),
        };
        match &certificate.extensions.purposes {
            Some(purposes) if !purposes.contains(&wanted) => Err(PathError::Purpose { name: name() }),
            _ => Ok(()),
        }
    }

    /// Whether `issuer` issued the certificate, was allowed to, and has not taken it back. `between` is how many
    /// authorities there are between the issuer and the signer.
    fn is_issued(
        &mut self,
        certificate: &Certificate<'_>,
        issuer: &Certificate<'_>,
        between: usize,
    ) -> Result<(), PathError> {
        let extensions = &issuer.extensions;
        let may_sign = extensions.key_usage.is_none_or(|usage| usage & certificate::CERTIFICATE_SIGN != 0);
        if !extensions.is_authority || !may_sign {
            return Err(PathError::NoAuthority { name: issuer.name() });
        }
        let most = extensions.path_length.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        if between > most {
            return Err(PathError::PathLength { name: issuer.name() });
        }
        self.count()?;
        key::verify(&issuer.key, certificate.algorithm, certificate.signed, certificate.signature)
            .map_err(|_| PathError::FalseCertificate { name: certificate.name(), issuer: issuer.name() })?;
        self.is_kept(certificate, issuer)
    }

    fn is_kept(&mut self, certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> Result<(), PathError> {
        let may_sign = issuer.extensions.key_usage.is_none_or(|usage| usage & certificate::REVOCATION_SIGN != 0);
        let mut is_known = false;
        for list in self.lists.iter().filter(|list| may_sign && list.issuer == issuer.subject) {
            self.count()?;
            if key::verify(&issuer.key, list.algorithm, list.signed, list.signature).is_err() {
                continue;
            }
            // A serial number that was taken back once stays so, however old the list is.
            if list.serials.contains(&certificate.serial) {
                return Err(PathError::Revoked { name: certificate.name(), issuer: issuer.name() });
            }
            is_known |= list.next_update.is_none_or(|next| self.time <= next);
        }
        if !is_known && self.trust.lists == Lists::Required {
            return Err(PathError::NoRevocationList { issuer: issuer.name() });
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), PathError> {
        self.checks += 1;
        if self.checks > MAX_CHECKS { Err(PathError::TooManyChecks) } else { Ok(()) }
    }
}

fn chain(path: &[&Certificate<'_>]) -> Chain {
    let links = path.iter().map(|certificate| Link {
        name: certificate.name(),
        issuer: certificate::common_name(certificate.issuer),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        key: sha256(certificate.key_info),
    });
    Chain { links: links.collect() }
}

/// Why a signer does not count.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    #[error("its certificate is neither in the bundle nor on the device")]
    NoCertificate,
    #[error("the key is none of the device's")]
    UnknownKey,
    #[error("no certificate of {issuer:?}, who issued it, is a root of this device or leads to one")]
    NoIssuer { issuer: String },
    #[error("the certificate of {name:?} was not signed by the {issuer:?} that this device knows")]
    FalseCertificate { name: String, issuer: String },
    #[error("{name:?} is no authority")]
    NoAuthority { name: String },
    #[error("{name:?} may not have so many authorities below it")]
    PathLength { name: String },
    #[error("the certificate of {name:?} is not valid yet")]
    NotYetValid { name: String },
    #[error("the certificate of {name:?} has expired")]
    Expired { name: String },
    #[error("the certificate of {name:?} is not for signing")]
    KeyUsage { name: String },
    #[error("the certificate of {name:?} is not for this purpose")]
    Purpose { name: String },
    #[error("{issuer:?} has revoked the certificate of {name:?}")]
    Revoked { name: String, issuer: String },
    #[error("the key of {name:?} is revoked on this device")]
    RevokedKey { name: String },
    #[error("there is no current revocation list of {issuer:?}")]
    NoRevocationList { issuer: String },
    #[error("the bundle brings more certificates than it is worth to check")]
    TooManyChecks,
}
