//! One connection to an MQTT 5 broker, from its beginning to its end. Nobody connects again here: that is for who asked.

use std::io;
use std::time::Duration;

use rumqttc::v5::mqttbytes::Error as PacketError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError, TlsError};
use rumqttc::{Outgoing, TlsConfiguration, Transport};
use tokio::time::{Instant, timeout, timeout_at};

use super::tls::Tls;

/// Where to, and by which rules.
#[derive(Clone, Debug)]
pub struct Destination {
    pub host: String,
    pub port: u16,
    pub client_id: String,
    pub tls: Tls,
    /// From the name look-up to the broker's word that we are in.
    pub connect_timeout: Duration,
    /// Between two signs of life.
    pub keep_alive: Duration,
    /// For the answer to one.
    pub ping_timeout: Duration,
}

impl Destination {
    /// What the protocol and its implementation have room for.
    pub const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(u16::MAX as u64));
}

/// A connection that the broker has accepted.
pub struct Connection {
    events: EventLoop,
    requests: AsyncClient,
    ping_timeout: Duration,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, with a clean session: one that is kept would only gather messages, which nobody here takes.
    pub async fn open(to: Destination) -> Result<Self, MqttError> {
        let (shortest, longest) = Destination::KEEP_ALIVE;
        let keep_alive = to.keep_alive.clamp(shortest, longest);
        let mut options = MqttOptions::new(to.client_id, to.host, to.port);
        options
            .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(to.tls.0)))
            .set_keep_alive(keep_alive)
            .set_clean_start(true)
            // Ours below is finer.
            .set_connection_timeout(longest.as_secs())
            // There is a place in memory for each.
            .set_outgoing_inflight_upper_limit(1);
        let (requests, mut events) = AsyncClient::new(options, 1);
        let opened = timeout(to.connect_timeout, async {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
                    Ok(_) => {}
                    Err(cause) => return Err(MqttError::from(cause)),
                }
            }
        });
        opened.await.unwrap_or(Err(MqttError::Silence { milliseconds: to.connect_timeout.as_millis() }))?;
        // A broker may ask for a pause of its own. Zero means none, and would be taken for no pause at all.
        if events.options.keep_alive() < shortest {
            events.options.set_keep_alive(longest);
        }
        Ok(Self { events, requests, ping_timeout: to.ping_timeout })
    }

    /// Keeps it alive until it is lost; why. To be awaited to its end, or not again.
    pub async fn lost(&mut self) -> MqttError {
        let mut answer_by: Option<Instant> = None;
        loop {
            let event = match answer_by {
                None => self.events.poll().await,
                Some(at) => match timeout_at(at, self.events.poll()).await {
                    Ok(event) => event,
                    Err(_) => return MqttError::Silence { milliseconds: self.ping_timeout.as_millis() },
                },
            };
            match event {
                Ok(Event::Outgoing(Outgoing::PingReq)) => answer_by = Some(Instant::now() + self.ping_timeout),
                Ok(Event::Incoming(Packet::PingResp(_))) => answer_by = None,
                Ok(_) => {}
                Err(cause) => return cause.into(),
            }
        }
    }

    /// Says goodbye, without which a broker waits for us for a while.
    pub async fn close(mut self) {
        if self.requests.try_disconnect().is_err() {
            return;
        }
        let said = timeout(GOODBYE, async {
            while !matches!(self.events.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
        });
        // Nobody listens any more: the end of the connection says it as well.
        let _ = said.await;
    }
}

/// The daemon must not stop later for it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why there is no connection, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    #[error("cannot connect to the broker")]
    Connect(#[source] io::Error),
    #[error("the broker cannot be trusted")]
    Stranger(#[source] io::Error),
    #[error("the broker refuses us: {code:?}")]
    Refused { code: ConnectReturnCode },
    #[error("the broker ends the connection")]
    Ended(#[source] io::Error),
    #[error("the broker sends us away: {reason}")]
    SentAway { reason: String },
    #[error("the broker does not answer within {milliseconds} ms")]
    Silence { milliseconds: u128 },
    #[error("the broker does not keep to the protocol: {what}")]
    Protocol { what: String },
}

impl From<ConnectionError> for MqttError {
    fn from(cause: ConnectionError) -> Self {
        match cause {
            ConnectionError::Io(cause) => Self::Connect(cause),
            ConnectionError::Tls(TlsError::Io(cause)) => of_handshake(cause),
            ConnectionError::ConnectionRefused(code) => Self::Refused { code },
            ConnectionError::MqttState(StateError::ConnectionAborted) => ended(io::ErrorKind::UnexpectedEof.into()),
            ConnectionError::MqttState(StateError::Io(cause) | StateError::Deserialization(PacketError::Io(cause))) => {
                ended(cause)
            }
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
                let said = reason_string.map(|said| format!(" ({said})")).unwrap_or_default();
                Self::SentAway { reason: format!("{reason_code:?}{said}") }
            }
            other => Self::Protocol { what: other.to_string() },
        }
    }
}

/// Of an end without a word rustls says where to read about it; a person wants to know only that there was none.
fn ended(cause: io::Error) -> MqttError {
    let is_silent = cause.kind() == io::ErrorKind::UnexpectedEof;
    MqttError::Ended(if is_silent { io::ErrorKind::UnexpectedEof.into() } else { cause })
}

/// What the other end says in the handshake comes as an alert; all else is what we say of it.
fn of_handshake(cause: io::Error) -> MqttError {
    let verdict = cause.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match verdict {
        Some(rustls::Error::InvalidCertificate(_)) => MqttError::Stranger(cause),
        Some(_) => MqttError::Ended(cause),
        None if cause.kind() == io::ErrorKind::UnexpectedEof => ended(cause),
        None => MqttError::Connect(cause),
    }
}
