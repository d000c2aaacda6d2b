//! Which algorithm made a signature: the AlgorithmIdentifier of CMS and X.509.

use super::der::{self, DerError, Reader};
use super::oid;

/// A digest that a signature may be over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

/// How a signature was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    RsaPkcs1(Digest),
    RsaPss(Digest),
    Ecdsa(Digest),
    Ed25519,
}

impl Digest {
    /// Reads an AlgorithmIdentifier of a digest.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, AlgorithmError> {
        let (id, parameters) = identifier(reader)?;
        absent_or_null(parameters)?;
        Self::by_id(id)
    }

    fn by_id(id: &[u8]) -> Result<Self, AlgorithmError> {
        match id {
            oid::SHA256 => Ok(Self::Sha256),
            oid::SHA384 => Ok(Self::Sha384),
            oid::SHA512 => Ok(Self::Sha512),
            oid::SHA1 => Err(AlgorithmError::Weak { name: "SHA-1" }),
            oid::MD5 => Err(AlgorithmError::Weak { name: "MD5" }),
            _ => Err(AlgorithmError::Unknown { id: oid::dotted(id) }),
        }
    }

    pub fn encode(self) -> Vec<u8> {
        let id = match self {
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        };
        der::encode(der::SEQUENCE, &[&der::encode(der::OBJECT_ID, &[id])])
    }

    fn size(self) -> u32 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Algorithm {
    /// Reads an AlgorithmIdentifier of a signature. In CMS, `rsaEncryption` leaves the digest to the signer's own field,
    /// which is `digest`; a certificate has none.
    pub fn decode(reader: &mut Reader<'_>, digest: Option<Digest>) -> Result<Self, AlgorithmError> {
        let (id, parameters) = identifier(reader)?;
        let algorithm = match (id, digest) {
            (oid::RSA_PSS, _) => return Ok(Self::RsaPss(pss(parameters)?)),
            (oid::RSA, Some(digest)) => Self::RsaPkcs1(digest),
            (oid::SHA256_WITH_RSA, _) => Self::RsaPkcs1(Digest::Sha256),
            (oid::SHA384_WITH_RSA, _) => Self::RsaPkcs1(Digest::Sha384),
            (oid::SHA512_WITH_RSA, _) => Self::RsaPkcs1(Digest::Sha512),
            (oid::ECDSA_WITH_SHA256, _) => Self::Ecdsa(Digest::Sha256),
            (oid::ECDSA_WITH_SHA384, _) => Self::Ecdsa(Digest::Sha384),
            (oid::ECDSA_WITH_SHA512, _) => Self::Ecdsa(Digest::Sha512),
            (oid::ED25519, _) => Self::Ed25519,
            (oid::SHA1_WITH_RSA | oid::ECDSA_WITH_SHA1, _) => return Err(AlgorithmError::Weak { name: "SHA-1" }),
            (oid::MD5_WITH_RSA, _) => return Err(AlgorithmError::Weak { name: "MD5" }),
            _ => return Err(AlgorithmError::Unknown { id: oid::dotted(id) }),
        };
        absent_or_null(parameters)?;
        Ok(algorithm)
    }

    /// Writes the AlgorithmIdentifier, as RFC 4055, RFC 5758 and RFC 8410 have it.
    pub fn encode(self) -> Vec<u8> {
        let with = |id: &[u8], parameters: &[u8]| {
            der::encode(der::SEQUENCE, &[&der::encode(der::OBJECT_ID, &[id]), parameters])
        };
        match self {
            Self::RsaPkcs1(Digest::Sha256) => with(oid::SHA256_WITH_RSA, &[der::NULL, 0]),
            Self::RsaPkcs1(Digest::Sha384) => with(oid::SHA384_WITH_RSA, &[der::NULL, 0]),
            Self::RsaPkcs1(Digest::Sha512) => with(oid::SHA512_WITH_RSA, &[der::NULL, 0]),
            Self::Ecdsa(Digest::Sha256) => with(oid::ECDSA_WITH_SHA256, &[]),
            Self::Ecdsa(Digest::Sha384) => with(oid::ECDSA_WITH_SHA384, &[]),
            Self::Ecdsa(Digest::Sha512) => with(oid::ECDSA_WITH_SHA512, &[]),
            Self::Ed25519 => with(oid::ED25519, &[]),
            Self::RsaPss(digest) => {
                let mask = with(oid::MGF1, &digest.encode());
                let salt = der::encode_unsigned(&digest.size().to_be_bytes());
                let parts = [
                    der::encode(der::context(0), &[&digest.encode()]),
                    der::encode(der::context(1), &[&mask]),
                    der::encode(der::context(2), &[&salt]),
                ];
                with(oid::RSA_PSS, &der::encode(der::SEQUENCE, &[&parts[0], &parts[1], &parts[2]]))
            }
        }
    }
}

/// An object identifier and what is behind it.
fn identifier<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], Option<der::Value<'a>>), DerError> {
    let mut inside = reader.inside(der::SEQUENCE)?;
    let id = inside.value(der::OBJECT_ID)?.content;
    let parameters = if inside.is_empty() { None } else { Some(inside.any()?) };
    inside.end()?;
    Ok((id, parameters))
}

fn absent_or_null(parameters: Option<der::Value<'_>>) -> Result<(), AlgorithmError> {
    match parameters {
        None => Ok(()),
        Some(value) if value.whole == [der::NULL, 0] => Ok(()),
        Some(_) => Err(AlgorithmError::Parameters),
    }
}

/// RFC 4055, 3.1. The defaults are SHA-1, so all but the trailer must be there.
fn pss(parameters: Option<der::Value<'_>>) -> Result<Digest, AlgorithmError> {
    let parameters = parameters.filter(|value| value.tag == der::SEQUENCE).ok_or(AlgorithmError::Parameters)?;
    let mut reader = Reader::new(parameters.content);
    let weak = AlgorithmError::Weak { name: "SHA-1" };
    let Some(hash) = reader.optional(der::context(0))? else { return Err(weak) };
    let mut inside = Reader::new(hash.content);
    let digest = Digest::decode(&mut inside)?;
    inside.end()?;
    let Some(mask) = reader.optional(der::context(1))? else { return Err(weak) };
    let mut inside = Reader::new(mask.content);
    let (id, of_mask) = identifier(&mut inside)?;
    inside.end()?;
    let of_mask = of_mask.ok_or(AlgorithmError::Parameters)?;
    let mut inside = Reader::new(of_mask.whole);
    if id != oid::MGF1 || Digest::decode(&mut inside)? != digest {
        return Err(AlgorithmError::Parameters);
    }
    let salt = match reader.optional(der::context(2))? {
        Some(salt) => {
            let mut inside = Reader::new(salt.content);
            let size = inside.small()?;
            inside.end()?;
            size
        }
        None => 20,
    };
    if salt != digest.size() {
        return Err(AlgorithmError::Salt { found: salt, expected: digest.size() });
    }
    if let Some(trailer) = reader.optional(der::context(3))?
        && trailer.content != [der::INTEGER, 1, 1]
    {
        return Err(AlgorithmError::Parameters);
    }
    reader.end()?;
    Ok(digest)
}

/// An algorithm that is not accepted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AlgorithmError {
    #[error("{name} is broken and proves nothing; sign with SHA-256 or better")]
    Weak { name: &'static str },
    #[error("the algorithm {id} is not known here; RSA, ECDSA and Ed25519 with SHA-256, SHA-384 or SHA-512 are")]
    Unknown { id: String },
    #[error("the algorithm has parameters that are not accepted")]
    Parameters,
    #[error("a PSS salt of {found} bytes; it must be as long as the digest, {expected} bytes")]
    Salt { found: u32, expected: u32 },
    #[error("an AlgorithmIdentifier that cannot be read")]
    Der(#[from] DerError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithm_is_read_as_it_was_written() {
        for digest in [Digest::Sha256, Digest::Sha384, Digest::Sha512] {
            assert_eq!(Digest::decode(&mut Reader::new(&digest.encode())), Ok(digest));
            let made =
                [Algorithm::RsaPkcs1(digest), Algorithm::RsaPss(digest), Algorithm::Ecdsa(digest), Algorithm::Ed25519];
            for algorithm in made {
                assert_eq!(Algorithm::decode(&mut Reader::new(&algorithm.encode()), None), Ok(algorithm));
            }
        }
    }

    #[test]
    fn weak_and_unknown_algorithms_are_refused() {
        let bare = |id: &[u8]| der::encode(der::SEQUENCE, &[&der::encode(der::OBJECT_ID, &[id])]);
        for id in [oid::SHA1_WITH_RSA, oid::MD5_WITH_RSA, oid::ECDSA_WITH_SHA1] {
            let found = Algorithm::decode(&mut Reader::new(&bare(id)), None);
            assert!(matches!(found, Err(AlgorithmError::Weak { .. })), "{found:?}");
        }
        for id in [oid::SHA1, oid::MD5] {
            assert!(matches!(Digest::decode(&mut Reader::new(&bare(id))), Err(AlgorithmError::Weak { .. })));
        }
        let found = Algorithm::decode(&mut Reader::new(&bare(oid::P256)), None);
        assert_eq!(found, Err(AlgorithmError::Unknown { id: "1.2.840.10045.3.1.7".into() }));
        // Without parameters PSS is SHA-1.
        let pss = der::encode(der::SEQUENCE, &[&der::encode(der::OBJECT_ID, &[oid::RSA_PSS]), &[0x30, 0]]);
        let found = Algorithm::decode(&mut Reader::new(&pss), None);
        assert_eq!(found, Err(AlgorithmError::Weak { name: "SHA-1" }));
        // What says which digest in CMS says nothing in a certificate.
        assert!(Algorithm::decode(&mut Reader::new(&bare(oid::RSA)), None).is_err());
    }
}
