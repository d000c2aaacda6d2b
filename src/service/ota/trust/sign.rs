//! Signing a manifest, with a key from a PEM file, by ring.

use ring::rand::SystemRandom;
use ring::signature::{self as ring_signature, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};

use super::algorithm;
use crate::wire::bundle::certificate::{Certificate, CertificateError, PublicKey};
use crate::wire::bundle::cms::{self, Signature};
use crate::wire::bundle::pem::{self, PemError};
use crate::wire::bundle::signature::{Algorithm, Digest};

/// A private key.
pub enum PrivateKey {
    Rsa(RsaKeyPair, Padding),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// How RSA pads what it signs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Padding {
    #[default]
    Pkcs1,
    Pss,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// Reads the first key of a PEM file: PKCS#8, without a password.
    pub fn from_pem(text: &[u8], padding: Padding) -> Result<Self, SignError> {
        let blocks = pem::decode(text)?;
        let label = |label: &str| blocks.iter().find(|block| block.label == label);
        if let Some(block) = label("PRIVATE KEY") {
            return Self::from_pkcs8(&block.bytes, padding);
        }
        if label("ENCRYPTED PRIVATE KEY").is_some() {
            return Err(SignError::Encrypted);
        }
        Err(SignError::NoKey)
    }

    /// Reads a key in PKCS#8. What kind it is, is tried: the key says it itself, and ring refuses all others.
    pub fn from_pkcs8(bytes: &[u8], padding: Padding) -> Result<Self, SignError> {
        let random = SystemRandom::new();
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes) {
            return Ok(Self::Ed25519(key));
        }
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ring_signature::ECDSA_P256_SHA256_ASN1_SIGNING, bytes, &random) {
            return Ok(Self::P256(key));
        }
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ring_signature::ECDSA_P384_SHA384_ASN1_SIGNING, bytes, &random) {
            return Ok(Self::P384(key));
        }
        RsaKeyPair::from_pkcs8(bytes).map(|key| Self::Rsa(key, padding)).map_err(|_| SignError::KeyKind)
    }

    /// How this key signs, and the digest of the content that goes with it.
    pub fn algorithm(&self) -> (Algorithm, Digest) {
        match self {
            Self::Rsa(_, Padding::Pkcs1) => (Algorithm::RsaPkcs1(Digest::Sha256), Digest::Sha256),
            Self::Rsa(_, Padding::Pss) => (Algorithm::RsaPss(Digest::Sha256), Digest::Sha256),
            Self::P256(_) => (Algorithm::Ecdsa(Digest::Sha256), Digest::Sha256),
            Self::P384(_) => (Algorithm::Ecdsa(Digest::Sha384), Digest::Sha384),
            Self::Ed25519(_) => (Algorithm::Ed25519, Digest::Sha512),
        }
    }

    /// Whether the certificate is of this key.
    pub fn belongs_to(&self, certificate: &Certificate<'_>) -> bool {
        match (self, certificate.key) {
            (Self::Rsa(key, _), PublicKey::Rsa(bits)) => key.public_key().as_ref() == bits,
            (Self::P256(key), PublicKey::P256(bits)) => key.public_key().as_ref() == bits,
            (Self::P384(key), PublicKey::P384(bits)) => key.public_key().as_ref() == bits,
            (Self::Ed25519(key), PublicKey::Ed25519(bits)) => key.public_key().as_ref() == bits,
            _ => false,
        }
    }

    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key, padding) => {
                let with: &'static dyn ring_signature::RsaEncoding = match padding {
                    Padding::Pkcs1 => &ring_signature::RSA_PKCS1_SHA256,
                    Padding::Pss => &ring_signature::RSA_PSS_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(with, &random, message, &mut signature).map_err(|_| SignError::Sign)?;
                Ok(signature)
            }
            Self::P256(key) | Self::P384(key) => {
                key.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(|_| SignError::Sign)
            }
            Self::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
        }
    }
}

/// Who signs a bundle.
#[derive(Debug)]
pub struct Signatory {
    pub key: PrivateKey,
    /// As DER, the signer's own certificate first, then authorities on the way to a root.
    pub certificates: Vec<Vec<u8>>,
}

impl Signatory {
    /// A key and its certificates, each from a PEM file.
    pub fn from_pem(key: &[u8], certificates: &[u8], padding: Padding) -> Result<Self, SignError> {
        let key = PrivateKey::from_pem(key, padding)?;
        let blocks = pem::decode(certificates)?;
        let certificates: Vec<Vec<u8>> =
            blocks.into_iter().filter(|block| block.label == "CERTIFICATE").map(|block| block.bytes).collect();
        let first = certificates.first().ok_or(SignError::NoCertificate)?;
        if !key.belongs_to(&Certificate::decode(first)?) {
            return Err(SignError::OtherKey);
        }
        Ok(Self { key, certificates })
    }
}

/// Signs the content and writes the CMS that has it in it.
pub fn sign(content: &[u8], signatories: &[Signatory], time: i64) -> Result<Vec<u8>, SignError> {
    let mut made = Vec::new();
    for signatory in signatories {
        let first = signatory.certificates.first().ok_or(SignError::NoCertificate)?;
        let certificate = Certificate::decode(first)?;
        let (how, digest) = signatory.key.algorithm();
        let hash = ring::digest::digest(algorithm(digest), content);
        let signed = cms::attributes(hash.as_ref(), time);
        let signature = signatory.key.sign(&signed)?;
        made.push((certificate, digest, how, signed, signature));
    }
    let signatures: Vec<Signature<'_>> = made
        .iter()
        .map(|(certificate, digest, algorithm, signed, signature)| Signature {
            certificate,
            digest: *digest,
            algorithm: *algorithm,
            signed,
            signature,
        })
        .collect();
    let mut certificates: Vec<&[u8]> =
        signatories.iter().flat_map(|signatory| &signatory.certificates).map(Vec::as_slice).collect();
    certificates.sort_unstable();
    certificates.dedup();
    Ok(cms::encode(content, &certificates, &signatures))
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("the file cannot be read as PEM")]
    Pem(#[from] PemError),
    #[error("the key has a password; take it off first: openssl pkey -in KEY -out PLAIN")]
    Encrypted,
    #[error("there is no key in PKCS#8 in the file; convert one: openssl pkey -in KEY -out PKCS8")]
    NoKey,
    #[error("the key is none that can sign a bundle: RSA with 2048 to 4096 bits, P-256, P-384 or Ed25519")]
    KeyKind,
    #[error("there is no certificate in the file")]
    NoCertificate,
    #[error("the certificate is of another key")]
    OtherKey,
    #[error("the certificate cannot be used")]
    Certificate(#[from] CertificateError),
    #[error("the key does not sign")]
    Sign,
}
