//! Opens one connection: the files as they are now, TLS, and the broker's consent.

use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::settings::{AUTHORITIES, CERTIFICATE, KEY, Settings};
use crate::net::mqtt::{Connection, Destination, MqttError};
use crate::net::tls::{self, Tls, TlsError};
use crate::store::file::{self, FileError};

pub(super) async fn open(settings: &Settings) -> Result<Connection, OpenError> {
    let of_files = settings.clone();
    let Ok(tls) = spawn_blocking(move || tls(&of_files)).await else {
        // The runtime is going down.
        return std::future::pending().await;
    };
    let destination = Destination {
        host: settings.endpoint.clone(),
        port: settings.port,
        client_id: settings.thing.clone(),
        tls: tls?,
        connect_timeout: settings.connect_timeout,
        keep_alive: settings.keep_alive,
        ping_timeout: settings.ping_timeout,
    };
    Connection::open(destination).await.map_err(|cause| match cause {
        cause @ MqttError::Stranger(_) => OpenError::Stranger { path: settings.authorities.clone(), cause },
        // Brokers are silent on whom they do not know.
        cause @ (MqttError::Ended(_) | MqttError::Refused { .. } | MqttError::SentAway { .. }) => {
            OpenError::NotWelcome { thing: settings.thing.clone(), path: settings.certificate.clone(), cause }
        }
        cause => OpenError::Connect { endpoint: settings.endpoint.clone(), port: settings.port, cause },
    })
}

fn tls(settings: &Settings) -> Result<Tls, OpenError> {
    let authorities = part(AUTHORITIES, &settings.authorities, tls::authorities)?;
    let chain = part(CERTIFICATE, &settings.certificate, tls::chain)?;
    let key = part(KEY, &settings.key, tls::key)?;
    let protocol = (settings.port == WEB_PORT).then_some(PROTOCOL);
    Tls::new(authorities, chain, key, protocol).map_err(|cause| OpenError::Part {
        name: KEY,
        path: settings.key.clone(),
        cause,
    })
}

fn part<T>(name: &'static str, path: &Path, read: fn(&[u8]) -> Result<T, TlsError>) -> Result<T, OpenError> {
    let content = file::read(path, LARGEST).map_err(|cause| OpenError::Read { name, cause })?;
    let content = content.ok_or_else(|| OpenError::Missing { name, path: path.to_owned() })?;
    read(&content).map_err(|cause| OpenError::Part { name, path: path.to_owned(), cause })
}

/// Bytes of a file of certificates; all authorities of a desktop fit.
const LARGEST: u64 = 1 << 20;
/// Here AWS has HTTP as well, and is told by ALPN what is wanted.
const WEB_PORT: u16 = 443;
const PROTOCOL: &[u8] = b"x-amzn-mqtt-ca";

/// Why the cloud is not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("{name}: there is no {}", path.display())]
    Missing { name: &'static str, path: PathBuf },
    #[error("{name}")]
    Read {
        name: &'static str,
        #[source]
        cause: FileError,
    },
    #[error("{name}: {} cannot be used", path.display())]
    Part {
        name: &'static str,
        path: PathBuf,
        #[source]
        cause: TlsError,
    },
    #[error("the other end has no certificate of an authority in {} (system.rootCaPath)", path.display())]
    Stranger {
        path: PathBuf,
        #[source]
        cause: MqttError,
    },
    #[error(
        "the broker does not let {thing} in: does it know {} (system.certificateFilePath), and may {thing} connect?",
        path.display()
    )]
    NotWelcome {
        thing: String,
        path: PathBuf,
        #[source]
        cause: MqttError,
    },
    #[error("{endpoint}:{port}")]
    Connect {
        endpoint: String,
        port: u16,
        #[source]
        cause: MqttError,
    },
}
