//! Mutual TLS from PEM files: whom we trust, who we are, and the key to it.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// What one end of a connection shows and asks for; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls(pub(super) Arc<ClientConfig>);

/// The authorities of whom one must have signed for the other end.
pub fn authorities(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in chain(pem)? {
        store.add(certificate).map_err(TlsError::Authority)?;
    }
    Ok(store)
}

/// Our certificate, and those between it and an authority.
pub fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TlsError::Pem)?;
    if chain.is_empty() { Err(TlsError::NoCertificate) } else { Ok(chain) }
}

/// A private key: PKCS#8, PKCS#1 or SEC1.
pub fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|cause| match cause {
        pem::Error::NoItemsFound => TlsError::NoKey,
        cause => TlsError::Pem(cause),
    })
}

impl Tls {
    /// `protocol` is what to ask for by ALPN.
    pub fn new(
        authorities: RootCertStore,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        protocol: Option<&[u8]>,
    ) -> Result<Self, TlsError> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Versions)?
            .with_root_certificates(authorities)
            .with_client_auth_cert(chain, key)
            .map_err(TlsError::Pair)?;
        config.alpn_protocols.extend(protocol.map(<[u8]>::to_vec));
        // Each connection begins with the files as they are then.
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }
}

/// Why there can be no connection.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("it cannot be read as PEM")]
    Pem(#[source] pem::Error),
    #[error("no certificate is in it")]
    NoCertificate,
    #[error("no private key is in it; PKCS#8, PKCS#1 and SEC1 are known, without a password")]
    NoKey,
    #[error("one of its certificates cannot be an authority")]
    Authority(#[source] rustls::Error),
    #[error("certificate and private key do not belong together, or are of a kind that is not known")]
    Pair(#[source] rustls::Error),
    #[error("no version of TLS is left to speak")]
    Versions(#[source] rustls::Error),
}
