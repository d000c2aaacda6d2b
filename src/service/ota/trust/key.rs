//! One signature under one public key, by ring.

use ring::signature::{self as ring_signature, UnparsedPublicKey, VerificationAlgorithm};

use crate::wire::bundle::certificate::PublicKey;
use crate::wire::bundle::der::{self, Reader};
use crate::wire::bundle::oid;
use crate::wire::bundle::signature::{Algorithm, Digest};

/// Bits of the shortest RSA key that is accepted.
const MIN_RSA: usize = 2048;

/// Whether the key made the signature over the message.
pub fn verify(key: &PublicKey<'_>, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    use ring_signature as ring;
    let (with, bytes): (&dyn VerificationAlgorithm, &[u8]) = match (key, algorithm) {
        (PublicKey::Rsa(key), Algorithm::RsaPkcs1(digest)) => {
            let with: &dyn VerificationAlgorithm = match digest {
                Digest::Sha256 => &ring::RSA_PKCS1_2048_8192_SHA256,
                Digest::Sha384 => &ring::RSA_PKCS1_2048_8192_SHA384,
                Digest::Sha512 => &ring::RSA_PKCS1_2048_8192_SHA512,
            };
            (with, long_enough(key)?)
        }
        (PublicKey::Rsa(key), Algorithm::RsaPss(digest)) => {
            let with: &dyn VerificationAlgorithm = match digest {
                Digest::Sha256 => &ring::RSA_PSS_2048_8192_SHA256,
                Digest::Sha384 => &ring::RSA_PSS_2048_8192_SHA384,
                Digest::Sha512 => &ring::RSA_PSS_2048_8192_SHA512,
            };
            (with, long_enough(key)?)
        }
        (PublicKey::P256(key), Algorithm::Ecdsa(Digest::Sha256)) => (&ring::ECDSA_P256_SHA256_ASN1, key),
        (PublicKey::P256(key), Algorithm::Ecdsa(Digest::Sha384)) => (&ring::ECDSA_P256_SHA384_ASN1, key),
        (PublicKey::P384(key), Algorithm::Ecdsa(Digest::Sha256)) => (&ring::ECDSA_P384_SHA256_ASN1, key),
        (PublicKey::P384(key), Algorithm::Ecdsa(Digest::Sha384)) => (&ring::ECDSA_P384_SHA384_ASN1, key),
        (PublicKey::P256(_) | PublicKey::P384(_), Algorithm::Ecdsa(Digest::Sha512)) => {
            return Err(KeyError::Unsupported);
        }
        (PublicKey::Ed25519(key), Algorithm::Ed25519) => (&ring::ED25519, key),
        _ => return Err(KeyError::OtherKind),
    };
    UnparsedPublicKey::new(with, bytes).verify(message, signature).map_err(|_| KeyError::False)
}

/// Whether signatures of this key are looked at, at all.
pub(super) fn is_usable(key: &PublicKey<'_>) -> Result<(), KeyError> {
    match key {
        PublicKey::Rsa(key) => long_enough(key).map(|_| ()),
        PublicKey::P256(_) | PublicKey::P384(_) | PublicKey::Ed25519(_) => Ok(()),
    }
}

fn long_enough(key: &[u8]) -> Result<&[u8], KeyError> {
    let mut reader = Reader::new(key);
    let modulus = reader.inside(der::SEQUENCE).and_then(|mut inside| inside.unsigned()).map_err(|_| KeyError::False)?;
    let zeros = modulus.first().map_or(0, |first| first.leading_zeros());
    let bits = (modulus.len() * 8).saturating_sub(usize::try_from(zeros).unwrap_or(0));
    if bits < MIN_RSA { Err(KeyError::Short { bits }) } else { Ok(key) }
}

/// Whether an Ed25519 key, as its 32 bytes, made the signature.
pub(super) fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), KeyError> {
    verify(&PublicKey::Ed25519(key), Algorithm::Ed25519, message, signature)
}

/// The SubjectPublicKeyInfo of an Ed25519 key, so that a key and a certificate of it are one and the same.
pub(super) fn ed25519_key_info(key: &[u8; 32]) -> Vec<u8> {
    let algorithm = der::encode(der::SEQUENCE, &[&der::encode(der::OBJECT_ID, &[oid::ED25519])]);
    der::encode(der::SEQUENCE, &[&algorithm, &der::encode(der::BIT_STRING, &[&[0], key])])
}

/// A signature that proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    #[error("it does not belong to the key and the bytes")]
    False,
    #[error("it was made in a way that the key is not for")]
    OtherKind,
    #[error("ECDSA with SHA-512 is not supported; sign with SHA-256 or SHA-384")]
    Unsupported,
    #[error("the RSA key has {bits} bits, and at least {MIN_RSA} are needed")]
    Short { bits: usize },
}
