//! Keys and certificates for tests, made anew each time.

use std::process::Command;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};

use super::sign::{Padding, PrivateKey, Signatory};
use crate::wire::bundle::der::{self, encode};
use crate::wire::bundle::{oid, pem};

/// 2026-11-01.
pub(crate) const NOW: i64 = 1_793_491_200;
const YEAR: i64 = 365 * 86_400;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyKind {
    Rsa(u32),
    P256,
    P384,
    Ed25519,
}

/// A key in PKCS#8, and the SubjectPublicKeyInfo of it.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) info: Vec<u8>,
}

impl Key {
    pub(crate) fn make(kind: KeyKind) -> Self {
        let random = SystemRandom::new();
        let algorithm = |parts: &[&[u8]]| {
            let ids: Vec<Vec<u8>> = parts.iter().map(|id| encode(der::OBJECT_ID, &[id])).collect();
            encode(der::SEQUENCE, &ids.iter().map(Vec::as_slice).collect::<Vec<_>>())
        };
        let (pkcs8, algorithm, public) = match kind {
            KeyKind::P256 | KeyKind::P384 => {
                let (with, curve) = match kind {
                    KeyKind::P256 => (&ECDSA_P256_SHA256_ASN1_SIGNING, oid::P256),
                    _ => (&ECDSA_P384_SHA384_ASN1_SIGNING, oid::P384),
                };
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(with, &random).unwrap().as_ref().to_vec();
                let pair = EcdsaKeyPair::from_pkcs8(with, &pkcs8, &random).unwrap();
                (pkcs8, algorithm(&[oid::EC_KEY, curve]), pair.public_key().as_ref().to_vec())
            }
            KeyKind::Ed25519 => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref().to_vec();
                let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap();
                (pkcs8, algorithm(&[oid::ED25519]), pair.public_key().as_ref().to_vec())
            }
            KeyKind::Rsa(bits) => {
                let size = format!("rsa_keygen_bits:{bits}");
                let made = Command::new("openssl")
                    .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", &size])
                    .output()
                    .expect("the tests of RSA keys need openssl(1)");
                let pkcs8 = pem::decode(&made.stdout).unwrap().remove(0).bytes;
                // PKCS#8 has the numbers, of which modulus and exponent are the public key.
                let mut outer = der::Reader::new(&pkcs8).inside(der::SEQUENCE).unwrap();
                outer.small().unwrap();
                outer.any().unwrap();
                let private = outer.value(der::OCTET_STRING).unwrap().content;
                let mut numbers = der::Reader::new(private).inside(der::SEQUENCE).unwrap();
                numbers.small().unwrap();
                let modulus = numbers.any().unwrap().whole;
                let public = encode(der::SEQUENCE, &[modulus, numbers.any().unwrap().whole]);
                let algorithm = encode(der::SEQUENCE, &[&encode(der::OBJECT_ID, &[oid::RSA]), &[der::NULL, 0]]);
                (pkcs8, algorithm, public)
            }
        };
        let info = encode(der::SEQUENCE, &[&algorithm, &encode(der::BIT_STRING, &[&[0], &public])]);
        Self { pkcs8, info }
    }

    pub(crate) fn private(&self) -> PrivateKey {
        PrivateKey::from_pkcs8(&self.pkcs8, Padding::Pkcs1).unwrap()
    }
}

/// What to put into a certificate.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) name: &'static str,
    pub(crate) serial: u8,
    pub(crate) valid: (i64, i64),
    /// Whole extensions.
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl Draft {
    pub(crate) fn authority(name: &'static str) -> Self {
        Self { serial: 1, extensions: vec![constraints(true, None), usage(0x06)], ..Self::signer(name) }
    }

    pub(crate) fn signer(name: &'static str) -> Self {
        let extensions = vec![usage(0x80), purposes(&[oid::EMAIL_PROTECTION, oid::CODE_SIGNING])];
        Self { name, serial: 7, valid: (NOW - YEAR, NOW + YEAR), extensions }
    }
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) key: Key,
    pub(crate) certificate: Vec<u8>,
    name: &'static str,
}

impl Identity {
    pub(crate) fn root(name: &'static str) -> Self {
        Self::self_signed(&Draft::authority(name), KeyKind::P256)
    }

    pub(crate) fn self_signed(draft: &Draft, kind: KeyKind) -> Self {
        let key = Key::make(kind);
        let certificate = certificate(draft, &key, draft.name, &key);
        Self { key, certificate, name: draft.name }
    }

    /// The same key with another certificate.
    pub(crate) fn renewed(&self, draft: &Draft) -> Self {
        let certificate = certificate(draft, &self.key, self.name, &self.key);
        Self { certificate, ..self.clone() }
    }

    pub(crate) fn issue(&self, draft: &Draft, kind: KeyKind) -> Self {
        let key = Key::make(kind);
        let certificate = certificate(draft, &key, self.name, &self.key);
        Self { key, certificate, name: draft.name }
    }

    pub(crate) fn signatory(&self, others: &[&Self]) -> Signatory {
        let certificates = std::iter::once(self).chain(others.iter().copied()).map(|one| one.certificate.clone());
        Signatory { key: self.key.private(), certificates: certificates.collect() }
    }

    /// A revocation list of this authority.
    pub(crate) fn revoke(&self, serials: &[u8], next_update: i64) -> Vec<u8> {
        let private = self.key.private();
        let algorithm = private.algorithm().0.encode();
        let entries: Vec<Vec<u8>> = serials
            .iter()
            .map(|serial| encode(der::SEQUENCE, &[&encode(der::INTEGER, &[&[*serial]]), &der::encode_time(NOW - 5)]))
            .collect();
        let entries = encode(der::SEQUENCE, &entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let entries = if serials.is_empty() { Vec::new() } else { entries };
        let times = [der::encode_time(NOW - 5), der::encode_time(next_update)];
        let version = encode(der::INTEGER, &[&[1]]);
        let parts: [&[u8]; 6] = [&version, &algorithm, &distinguished(self.name), &times[0], &times[1], &entries];
        seal(&encode(der::SEQUENCE, &parts), &private)
    }
}

fn certificate(draft: &Draft, key: &Key, issuer: &str, by: &Key) -> Vec<u8> {
    let private = by.private();
    let version = encode(der::context(0), &[&encode(der::INTEGER, &[&[2]])]);
    let times = [der::encode_time(draft.valid.0), der::encode_time(draft.valid.1)];
    let list = encode(der::SEQUENCE, &draft.extensions.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let extensions = if draft.extensions.is_empty() { Vec::new() } else { encode(der::context(3), &[&list]) };
    let parts: [&[u8]; 8] = [
        &version,
        &encode(der::INTEGER, &[&[draft.serial]]),
        &private.algorithm().0.encode(),
        &distinguished(issuer),
        &encode(der::SEQUENCE, &[&times[0], &times[1]]),
        &distinguished(draft.name),
        &key.info,
        &extensions,
    ];
    seal(&encode(der::SEQUENCE, &parts), &private)
}

fn seal(body: &[u8], by: &PrivateKey) -> Vec<u8> {
    let signature = by.sign(body).unwrap();
    let bits = encode(der::BIT_STRING, &[&[0], &signature]);
    encode(der::SEQUENCE, &[body, &by.algorithm().0.encode(), &bits])
}

fn distinguished(name: &str) -> Vec<u8> {
    let text = encode(der::UTF8_STRING, &[name.as_bytes()]);
    let pair = encode(der::SEQUENCE, &[&encode(der::OBJECT_ID, &[oid::COMMON_NAME]), &text]);
    encode(der::SEQUENCE, &[&encode(der::SET, &[&pair])])
}

/// One extension.
pub(crate) fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[der::BOOLEAN, 1, 0xff] } else { &[] };
    encode(der::SEQUENCE, &[&encode(der::OBJECT_ID, &[id]), critical, &encode(der::OCTET_STRING, &[value])])
}

pub(crate) fn constraints(authority: bool, length: Option<u8>) -> Vec<u8> {
    let authority: &[u8] = if authority { &[der::BOOLEAN, 1, 0xff] } else { &[] };
    let length = length.map(|length| encode(der::INTEGER, &[&[length]])).unwrap_or_default();
    extension(oid::BASIC_CONSTRAINTS, true, &encode(der::SEQUENCE, &[authority, &length]))
}

pub(crate) fn usage(bits: u8) -> Vec<u8> {
    let unused = bits.trailing_zeros().to_le_bytes()[0];
    extension(oid::KEY_USAGE, true, &encode(der::BIT_STRING, &[&[unused, bits]]))
}

pub(crate) fn purposes(ids: &[&[u8]]) -> Vec<u8> {
    let ids: Vec<Vec<u8>> = ids.iter().map(|id| encode(der::OBJECT_ID, &[id])).collect();
    let ids: Vec<&[u8]> = ids.iter().map(Vec::as_slice).collect();
    extension(oid::EXTENDED_KEY_USAGE, false, &encode(der::SEQUENCE, &ids))
}
