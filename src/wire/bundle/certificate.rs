//! X.509 certificates and revocation lists: what a path check needs of them (RFC 5280).

use super::der::{self, DerError, Reader};
use super::oid;
use super::signature::{Algorithm, AlgorithmError};

/// Extensions one certificate may have.
const MAX_EXTENSIONS: usize = 32;

/// A certificate, read and not yet believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate<'a> {
    /// All bytes; two certificates are the same when these are.
    pub whole: &'a [u8],
    /// What the signature is over.
    pub signed: &'a [u8],
    pub serial: &'a [u8],
    /// The issuer's name, as DER.
    pub issuer: &'a [u8],
    /// The own name, as DER.
    pub subject: &'a [u8],
    /// Seconds since 1970, both included.
    pub not_before: i64,
    pub not_after: i64,
    /// SubjectPublicKeyInfo, as DER.
    pub key_info: &'a [u8],
    pub key: PublicKey<'a>,
    pub extensions: Extensions<'a>,
    pub algorithm: Algorithm,
    pub signature: &'a [u8],
}

/// A public key, as [`SubjectPublicKeyInfo`](https://www.rfc-editor.org/rfc/rfc5280#section-4.1) has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublicKey<'a> {
    /// RSAPublicKey, as DER.
    Rsa(&'a [u8]),
    /// An uncompressed point.
    P256(&'a [u8]),
    P384(&'a [u8]),
    Ed25519(&'a [u8]),
}

/// What the extensions say.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Extensions<'a> {
    /// May sign certificates.
    pub is_authority: bool,
    /// How many authorities may stand between this one and a signer.
    pub path_length: Option<u32>,
    /// Bits of KeyUsage, the first named is the highest.
    pub key_usage: Option<u16>,
    /// Object identifiers of ExtendedKeyUsage.
    pub purposes: Option<Vec<&'a [u8]>>,
    pub key_id: Option<&'a [u8]>,
}

/// In [`Extensions::key_usage`]: signatures over anything but certificates.
pub const DIGITAL_SIGNATURE: u16 = 0x8000;
/// In [`Extensions::key_usage`]: signatures that bind their maker.
pub const NON_REPUDIATION: u16 = 0x4000;
/// In [`Extensions::key_usage`]: signatures over certificates.
pub const CERTIFICATE_SIGN: u16 = 0x0400;
/// In [`Extensions::key_usage`]: signatures over revocation lists.
pub const REVOCATION_SIGN: u16 = 0x0200;

impl<'a> Certificate<'a> {
    /// Reads one certificate, and nothing behind it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = Reader::new(bytes);
        let mut parts = outer.inside(der::SEQUENCE)?;
        outer.end()?;
        let signed = parts.value(der::SEQUENCE)?;
        let algorithm_at = parts;
        let algorithm = Algorithm::decode(&mut parts, None)?;
        let signature = parts.bits()?;
        parts.end()?;

        let mut body = Reader::new(signed.content);
        let version = match body.optional(der::context(0))? {
            Some(version) => {
                let mut inside = Reader::new(version.content);
                let version = inside.small()?;
                inside.end()?;
                version
            }
            None => 0,
        };
        let serial = body.value(der::INTEGER)?.content;
        let inner = body.value(der::SEQUENCE)?.whole;
        let mut algorithm_at = algorithm_at;
        if algorithm_at.value(der::SEQUENCE)?.whole != inner {
            return Err(CertificateError::Algorithms);
        }
        let issuer = body.value(der::SEQUENCE)?.whole;
        let mut validity = body.inside(der::SEQUENCE)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        validity.end()?;
        let subject = body.value(der::SEQUENCE)?.whole;
        let key_info = body.value(der::SEQUENCE)?;
        let key = PublicKey::decode(key_info.content)?;
        // Unique identifiers are from version 2 and mean nothing to anybody.
        body.optional(der::context_plain(1))?;
        body.optional(der::context_plain(2))?;
        let extensions = match body.optional(der::context(3))? {
            Some(value) if version == 2 => Extensions::decode(value.content)?,
            Some(_) => return Err(CertificateError::Version { found: version }),
            None => Extensions::default(),
        };
        body.end()?;
        Ok(Self {
            whole: bytes,
            signed: signed.whole,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            key_info: key_info.whole,
            key,
            extensions,
            algorithm,
            signature,
        })
    }

    /// The subject's common name, or what can be said instead; for people, decides nothing.
    pub fn name(&self) -> String {
        common_name(self.subject)
    }
}

impl<'a> PublicKey<'a> {
    fn decode(content: &'a [u8]) -> Result<Self, CertificateError> {
        let mut reader = Reader::new(content);
        let mut algorithm = reader.inside(der::SEQUENCE)?;
        let id = algorithm.value(der::OBJECT_ID)?.content;
        let parameters = if algorithm.is_empty() { None } else { Some(algorithm.any()?) };
        algorithm.end()?;
        let bits = reader.bits()?;
        reader.end()?;
        let curve = parameters.filter(|value| value.tag == der::OBJECT_ID).map(|value| value.content);
        match (id, curve) {
            // A key that is said to be for PSS alone is an RSA key as well.
            (oid::RSA | oid::RSA_PSS, _) => Ok(Self::Rsa(bits)),
            (oid::EC_KEY, Some(oid::P256)) => Ok(Self::P256(bits)),
            (oid::EC_KEY, Some(oid::P384)) => Ok(Self::P384(bits)),
            (oid::EC_KEY, Some(curve)) => Err(CertificateError::Key { id: oid::dotted(curve) }),
            (oid::ED25519, None) => Ok(Self::Ed25519(bits)),
            _ => Err(CertificateError::Key { id: oid::dotted(id) }),
        }
    }
}

impl<'a> Extensions<'a> {
    fn decode(content: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = Reader::new(content);
        let mut list = outer.inside(der::SEQUENCE)?;
        outer.end()?;
        let mut found = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let (id, critical, value) = extension(&mut list)?;
            if seen.contains(&id) || seen.len() == MAX_EXTENSIONS {
                return Err(CertificateError::Extension { id: oid::dotted(id) });
            }
            seen.push(id);
            let mut inside = Reader::new(value);
            match id {
                oid::BASIC_CONSTRAINTS => {
                    let mut inside = inside.inside(der::SEQUENCE)?;
                    found.is_authority = boolean(&mut inside)?;
                    found.path_length = if inside.is_empty() { None } else { Some(inside.small()?) };
                    inside.end()?;
                }
                oid::KEY_USAGE => found.key_usage = Some(usage(inside.value(der::BIT_STRING)?.content)?),
                oid::EXTENDED_KEY_USAGE => {
                    let mut inside = inside.inside(der::SEQUENCE)?;
                    let mut purposes = Vec::new();
                    while !inside.is_empty() {
                        purposes.push(inside.value(der::OBJECT_ID)?.content);
                    }
                    found.purposes = Some(purposes);
                }
                oid::SUBJECT_KEY_ID => found.key_id = Some(inside.value(der::OCTET_STRING)?.content),
                // Policies restrict nothing unless somebody asks for one.
                oid::CERTIFICATE_POLICIES => continue,
                _ if critical => return Err(CertificateError::Critical { id: oid::dotted(id) }),
                _ => continue,
            }
            inside.end()?;
        }
        Ok(found)
    }
}

fn extension<'a>(list: &mut Reader<'a>) -> Result<(&'a [u8], bool, &'a [u8]), DerError> {
    let mut one = list.inside(der::SEQUENCE)?;
    let id = one.value(der::OBJECT_ID)?.content;
    let critical = boolean(&mut one)?;
    let value = one.value(der::OCTET_STRING)?.content;
    one.end()?;
    Ok((id, critical, value))
}

/// A BOOLEAN that is false when it is absent; DER does not write what is the default.
fn boolean(reader: &mut Reader<'_>) -> Result<bool, DerError> {
    match reader.optional(der::BOOLEAN)? {
        None => Ok(false),
        Some(value) if value.content == [0xff] => Ok(true),
        Some(_) => Err(DerError::Length),
    }
}

fn usage(bits: &[u8]) -> Result<u16, DerError> {
    match *bits {
        [unused @ 0..8, high] => Ok(u16::from(high & (0xff << unused)) << 8),
        [unused @ 0..8, high, low] => Ok(u16::from(high) << 8 | u16::from(low & (0xff << unused))),
        _ => Err(DerError::BitString),
    }
}

/// A list of serial numbers that an authority takes back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevocationList<'a> {
    pub signed: &'a [u8],
    pub issuer: &'a [u8],
    pub this_update: i64,
    pub next_update: Option<i64>,
    pub serials: Vec<&'a [u8]>,
    pub algorithm: Algorithm,
    pub signature: &'a [u8],
}

impl<'a> RevocationList<'a> {
    /// Reads one list, and nothing behind it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = Reader::new(bytes);
        let mut parts = outer.inside(der::SEQUENCE)?;
        outer.end()?;
        let signed = parts.value(der::SEQUENCE)?;
        let algorithm = Algorithm::decode(&mut parts, None)?;
        let signature = parts.bits()?;
        parts.end()?;
        let mut body = Reader::new(signed.content);
        body.optional(der::INTEGER)?;
        body.value(der::SEQUENCE)?;
        let issuer = body.value(der::SEQUENCE)?.whole;
        let this_update = body.time()?;
        let mut ahead = body;
        let next_update = match ahead.time() {
            Ok(time) => {
                body = ahead;
                Some(time)
            }
            Err(_) => None,
        };
        let mut serials = Vec::new();
        if let Some(list) = body.optional(der::SEQUENCE)? {
            let mut list = Reader::new(list.content);
            while !list.is_empty() {
                let mut one = list.inside(der::SEQUENCE)?;
                serials.push(one.value(der::INTEGER)?.content);
                one.time()?;
                one.optional(der::SEQUENCE)?;
                one.end()?;
            }
        }
        if let Some(extensions) = body.optional(der::context(0))? {
            let mut outer = Reader::new(extensions.content);
            let mut list = outer.inside(der::SEQUENCE)?;
            outer.end()?;
            while !list.is_empty() {
                // A critical one says that the list is not the whole list.
                if let (id, true, _) = extension(&mut list)? {
                    return Err(CertificateError::Critical { id: oid::dotted(id) });
                }
            }
        }
        body.end()?;
        Ok(Self { signed: signed.whole, issuer, this_update, next_update, serials, algorithm, signature })
    }
}

/// The common name in a Name, for people.
pub fn common_name(name: &[u8]) -> String {
    let find = || -> Result<Option<String>, DerError> {
        let mut sets = Reader::new(name).inside(der::SEQUENCE)?;
        let mut last = None;
        while !sets.is_empty() {
            let mut pairs = sets.inside(der::SET)?;
            while !pairs.is_empty() {
                let mut pair = pairs.inside(der::SEQUENCE)?;
                let id = pair.value(der::OBJECT_ID)?.content;
                let text = String::from_utf8_lossy(pair.any()?.content).into_owned();
                if id == oid::COMMON_NAME || last.is_none() {
                    last = Some(text);
                }
            }
        }
        Ok(last)
    };
    let name = find().ok().flatten().unwrap_or_else(|| "(without a name)".to_owned());
    name.chars().filter(|letter| !letter.is_control()).take(80).collect()
}

/// A certificate or revocation list that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("it cannot be read")]
    Der(#[from] DerError),
    #[error("its signature is of no use")]
    Algorithm(#[from] AlgorithmError),
    #[error("its two fields for the algorithm of the signature differ")]
    Algorithms,
    #[error("its key of kind {id} is not known here; RSA, P-256, P-384 and Ed25519 are")]
    Key { id: String },
    #[error("it has the extension {id}, which is critical and not known here")]
    Critical { id: String },
    #[error("it has the extension {id} twice, or too many extensions")]
    Extension { id: String },
    #[error("it has extensions, which version {found} does not have")]
    Version { found: u32 },
}
