//! CMS SignedData: a content and who signed it (RFC 5652).
//!
//! Of what the standard allows, a bundle's signature uses little, and only that is read: one content of the plain kind,
//! certificates of X.509 alone, signers with signed attributes and without unsigned ones. So each byte either is signed,
//! or makes a signature false, or the whole is refused.

use super::certificate::{Certificate, CertificateError};
use super::der::{self, DerError, Reader};
use super::oid;
use super::signature::{Algorithm, AlgorithmError, Digest};

/// Signers one bundle may have.
pub const MAX_SIGNERS: usize = 16;
/// Certificates one bundle may bring.
pub const MAX_CERTIFICATES: usize = 32;

/// What a signature file says, read and not yet believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedData<'a> {
    /// What is signed; none when it lies elsewhere, as in the `plain` format.
    pub content: Option<&'a [u8]>,
    /// As DER. Whoever does not matter may be of a kind that cannot be read.
    pub certificates: Vec<&'a [u8]>,
    pub signers: Vec<Signer<'a>>,
}

/// One signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signer<'a> {
    pub id: SignerId<'a>,
    /// The digest of the content, which is one of the attributes.
    pub content_digest: &'a [u8],
    pub digest: Digest,
    /// When the signer says it signed. Nobody vouches for that but the signer.
    pub signing_time: Option<i64>,
    pub algorithm: Algorithm,
    /// What the signature is over: the attributes, as the SET OF they are when they are signed.
    pub signed: Vec<u8>,
    pub signature: &'a [u8],
}

/// How a signer names its certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignerId<'a> {
    Serial { issuer: &'a [u8], serial: &'a [u8] },
    KeyId(&'a [u8]),
}

impl SignerId<'_> {
    pub fn names(&self, certificate: &Certificate<'_>) -> bool {
        match *self {
            Self::Serial { issuer, serial } => certificate.issuer == issuer && certificate.serial == serial,
            Self::KeyId(id) => certificate.extensions.key_id == Some(id),
        }
    }
}

impl<'a> SignedData<'a> {
    /// Reads one ContentInfo, and nothing behind it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CmsError> {
        let mut outer = Reader::new(bytes);
        let mut info = outer.inside(der::SEQUENCE)?;
        outer.end()?;
        match info.value(der::OBJECT_ID)?.content {
            oid::SIGNED_DATA => {}
            oid::ENVELOPED_DATA => return Err(CmsError::Encrypted),
            id => return Err(CmsError::Kind { id: oid::dotted(id) }),
        }
        let mut explicit = info.inside(der::context(0))?;
        info.end()?;
        let mut data = explicit.inside(der::SEQUENCE)?;
        explicit.end()?;

        let version = data.small()?;
        if !(1..=5).contains(&version) {
            return Err(CmsError::Version { found: version });
        }
        let mut digests = data.inside(der::SET)?;
        let content = encapsulated(&mut data)?;
        let certificates = match data.optional(der::context(0))? {
            Some(set) => certificates(set.content)?,
            None => Vec::new(),
        };
        if data.optional(der::context(1))?.is_some() {
            return Err(CmsError::RevocationLists);
        }
        let mut list = data.inside(der::SET)?;
        data.end()?;
        let mut signers = Vec::new();
        while !list.is_empty() {
            if signers.len() == MAX_SIGNERS {
                return Err(CmsError::TooMany { what: "signers", most: MAX_SIGNERS });
            }
            let number = signers.len() + 1;
            let signer = list.inside(der::SEQUENCE)?;
            signers.push(Signer::decode(signer).map_err(|cause| CmsError::Signer { number, cause })?);
        }
        if signers.is_empty() {
            return Err(CmsError::Unsigned);
        }
        // A hint which digests will be needed. Nobody signed it, so it may say nothing that the signers do not.
        let mut hinted = Vec::new();
        while !digests.is_empty() {
            hinted.push(Digest::decode(&mut digests).map_err(CmsError::Hint)?);
        }
        let is_used = |digest: &Digest| signers.iter().any(|signer: &Signer<'_>| signer.digest == *digest);
        if !signers.iter().all(|signer| hinted.contains(&signer.digest)) || !hinted.iter().all(is_used) {
            return Err(CmsError::Digests);
        }
        Ok(Self { content, certificates, signers })
    }
}

fn encapsulated<'a>(data: &mut Reader<'a>) -> Result<Option<&'a [u8]>, CmsError> {
    let mut content = data.inside(der::SEQUENCE)?;
    let kind = content.value(der::OBJECT_ID)?.content;
    if kind != oid::DATA {
        return Err(CmsError::Content { id: oid::dotted(kind) });
    }
    let found = match content.optional(der::context(0))? {
        None => None,
        Some(explicit) => {
            let mut explicit = Reader::new(explicit.content);
            let bytes = explicit.value(der::OCTET_STRING)?.content;
            explicit.end()?;
            Some(bytes)
        }
    };
    content.end()?;
    Ok(found)
}

fn certificates(content: &[u8]) -> Result<Vec<&[u8]>, CmsError> {
    let mut list = Reader::new(content);
    let mut found: Vec<&[u8]> = Vec::new();
    while !list.is_empty() {
        if found.len() == MAX_CERTIFICATES {
            return Err(CmsError::TooMany { what: "certificates", most: MAX_CERTIFICATES });
        }
        found.push(list.value(der::SEQUENCE)?.whole);
    }
    Ok(found)
}

impl<'a> Signer<'a> {
    fn decode(mut reader: Reader<'a>) -> Result<Self, SignerError> {
        let version = reader.small()?;
        let id = match (version, reader.optional(der::context_plain(0))?) {
            (3, Some(key_id)) => SignerId::KeyId(key_id.content),
            (1, None) => {
                let mut id = reader.inside(der::SEQUENCE)?;
                let issuer = id.value(der::SEQUENCE)?.whole;
                let serial = id.value(der::INTEGER)?.content;
                id.end()?;
                SignerId::Serial { issuer, serial }
            }
            _ => return Err(SignerError::Version { found: version }),
        };
        let digest = Digest::decode(&mut reader)?;
        let attributes = reader.optional(der::context(0))?.ok_or(SignerError::NoAttributes)?;
        let algorithm = Algorithm::decode(&mut reader, Some(digest))?;
        let of_signature = match algorithm {
            Algorithm::RsaPkcs1(digest) | Algorithm::RsaPss(digest) | Algorithm::Ecdsa(digest) => digest,
            // RFC 8419, 2.3: and no other.
            Algorithm::Ed25519 => Digest::Sha512,
        };
        if of_signature != digest {
            return Err(SignerError::Digests);
        }
        let signature = reader.value(der::OCTET_STRING)?.content;
        if !reader.is_empty() {
            return Err(SignerError::UnsignedAttributes);
        }

        let mut list = Reader::new(attributes.content);
        let (mut kind, mut content_digest, mut signing_time) = (None, None, None);
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let mut attribute = list.inside(der::SEQUENCE)?;
            let id = attribute.value(der::OBJECT_ID)?.content;
            let mut values = attribute.inside(der::SET)?;
            attribute.end()?;
            if seen.contains(&id) {
                return Err(SignerError::Attribute { id: oid::dotted(id) });
            }
            seen.push(id);
            match id {
                oid::CONTENT_TYPE => kind = Some(values.value(der::OBJECT_ID)?.content),
                oid::MESSAGE_DIGEST => content_digest = Some(values.value(der::OCTET_STRING)?.content),
                oid::SIGNING_TIME => signing_time = Some(values.time()?),
                _ => continue,
            }
            values.end()?;
        }
        if kind != Some(oid::DATA) {
            return Err(SignerError::Attribute { id: oid::dotted(oid::CONTENT_TYPE) });
        }
        let missing = || SignerError::Attribute { id: oid::dotted(oid::MESSAGE_DIGEST) };
        let content_digest = content_digest.ok_or_else(missing)?;
        // RFC 5652, 5.4: signed as the SET OF that it is, not with the tag it is sent with.
        let mut signed = attributes.whole.to_vec();
        signed[0] = der::SET;
        Ok(Self { id, content_digest, digest, signing_time, algorithm, signed, signature })
    }
}

/// What [`encode`] needs of one signer.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    pub certificate: &'a Certificate<'a>,
    pub digest: Digest,
    pub algorithm: Algorithm,
    /// From [`attributes`].
    pub signed: &'a [u8],
    pub signature: &'a [u8],
}

/// The attributes that a signer signs, as the SET OF they are then.
pub fn attributes(content_digest: &[u8], signing_time: i64) -> Vec<u8> {
    let attribute = |id: &[u8], value: &[u8]| {
        der::encode(der::SEQUENCE, &[&der::encode(der::OBJECT_ID, &[id]), &der::encode(der::SET, &[value])])
    };
    let members = vec![
        attribute(oid::CONTENT_TYPE, &der::encode(der::OBJECT_ID, &[oid::DATA])),
        attribute(oid::SIGNING_TIME, &der::encode_time(signing_time)),
        attribute(oid::MESSAGE_DIGEST, &der::encode(der::OCTET_STRING, &[content_digest])),
    ];
    der::encode_set_of(der::SET, members)
}

/// Writes a ContentInfo with the content in it.
pub fn encode(content: &[u8], certificates: &[&[u8]], signatures: &[Signature<'_>]) -> Vec<u8> {
    let small = |number: u8| der::encode(der::INTEGER, &[&[number]]);
    let mut digests: Vec<Vec<u8>> = signatures.iter().map(|signature| signature.digest.encode()).collect();
    digests.sort();
    digests.dedup();
    let infos = signatures.iter().map(|one| {
        let id = der::encode(
            der::SEQUENCE,
            &[one.certificate.issuer, &der::encode(der::INTEGER, &[one.certificate.serial])],
        );
        let mut attributes = one.signed.to_vec();
        attributes[0] = der::context(0);
        let signature = der::encode(der::OCTET_STRING, &[one.signature]);
        let parts: [&[u8]; 6] =
            [&small(1), &id, &one.digest.encode(), &attributes, &one.algorithm.encode(), &signature];
        der::encode(der::SEQUENCE, &parts)
    });
    let octets = der::encode(der::OCTET_STRING, &[content]);
    let explicit = der::encode(der::context(0), &[&octets]);
    let content = der::encode(der::SEQUENCE, &[&der::encode(der::OBJECT_ID, &[oid::DATA]), &explicit]);
    let certificates = certificates.iter().map(|one| one.to_vec()).collect();
    let data = der::encode(
        der::SEQUENCE,
        &[
            &small(1),
            &der::encode_set_of(der::SET, digests),
            &content,
            &der::encode_set_of(der::context(0), certificates),
            &der::encode_set_of(der::SET, infos.collect()),
        ],
    );
    let explicit = der::encode(der::context(0), &[&data]);
    der::encode(der::SEQUENCE, &[&der::encode(der::OBJECT_ID, &[oid::SIGNED_DATA]), &explicit])
}

/// A signature that is not of the form a bundle's has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CmsError {
    #[error("the signature cannot be read")]
    Der(#[from] DerError),
    #[error("the bundle is encrypted, which is not supported")]
    Encrypted,
    #[error("the signature is of kind {id}, not CMS SignedData")]
    Kind { id: String },
    #[error("the signature has version {found}")]
    Version { found: u32 },
    #[error("what is signed is of kind {id}, not plain data")]
    Content { id: String },
    #[error("the signature brings revocation lists; they belong into the device's own configuration")]
    RevocationLists,
    #[error("a digest that the signature announces is not accepted")]
    Hint(#[source] AlgorithmError),
    #[error("the signature announces other digests than its signers use")]
    Digests,
    #[error("nobody has signed")]
    Unsigned,
    #[error("more than {most} {what}")]
    TooMany { what: &'static str, most: usize },
    #[error("signer {number} cannot be used")]
    Signer {
        number: usize,
        #[source]
        cause: SignerError,
    },
    #[error("a certificate cannot be used")]
    Certificate(#[from] CertificateError),
}

/// One signer that is not of the form a bundle's has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignerError {
    #[error("it cannot be read")]
    Der(#[from] DerError),
    #[error("its algorithm is not accepted")]
    Algorithm(#[from] AlgorithmError),
    #[error("it has version {found}, which does not belong to how it names its certificate")]
    Version { found: u32 },
    #[error("it has no signed attributes")]
    NoAttributes,
    #[error("it has attributes that nobody signed")]
    UnsignedAttributes,
    #[error("its attribute {id} is missing, false or there twice")]
    Attribute { id: String },
    #[error("it makes its digest in one way and signs in another")]
    Digests,
}
