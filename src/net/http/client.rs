//! The client: ureq, with rustls where the address says https.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ureq::config::ConfigBuilder;
use ureq::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, HeaderName};
use ureq::http::header::{IF_RANGE, LAST_MODIFIED, RANGE, RETRY_AFTER};
use ureq::http::{Response, StatusCode};
use ureq::tls::{ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy, ResponseExt};

use super::{Answer, Body, Bytes, HttpError, Route, Timeouts, date};

/// Opens connections to the world. Every call blocks: run it on the blocking pool.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
}

impl Client {
    pub fn new(timeouts: Timeouts) -> Self {
        Self { agent: settings(timeouts).proxy(None).build().into() }
    }

    /// A client for one server; `url` is for the error.
    pub fn by(route: &Route, timeouts: Timeouts, url: &str) -> Result<Self, HttpError> {
        let fault = |cause| HttpError::Route { url: url.into(), cause };
        let proxy = match &route.proxy {
            Some(proxy) => Some(Proxy::new(proxy).map_err(|cause| fault(cause.into()))?),
            None => Proxy::try_from_env(),
        };
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &route.authorities {
            let certificates = items(pem).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                Ok(_) => None,
                Err(cause) => Some(Err(cause)),
            });
            let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|cause| fault(cause.into()))?;
            tls = tls.root_certs(RootCerts::from(certificates));
        }
        if let Some((chain, key)) = &route.identity {
            let key = PrivateKey::from_pem(key).map_err(|cause| fault(cause.into()))?;
            let chain = items(chain).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            });
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain.collect::<Vec<_>>(), key)));
        }
        let config = settings(timeouts)
            .proxy(proxy)
            .tls_config(tls.build())
            .https_only(route.is_encrypted)
            .input_buffer_size(INPUT)
            .output_buffer_size(OUTPUT)
            .max_idle_connections(IDLE);
        Ok(Self { agent: config.build().into() })
    }

    /// Asks for `url` from byte `offset` on. A server that ignores ranges answers from the beginning: see [`Body::start`].
    pub fn fetch(&self, url: &str, offset: u64) -> Result<Body, HttpError> {
        let mut request = self.agent.get(url).header(ACCEPT_ENCODING, "identity");
        if offset > 0 {
            request = request.header(RANGE, format!("bytes={offset}-"));
        }
        let response = request.call().map_err(|cause| failed(url, cause))?;
        let start = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => range_start(&response)
                .filter(|start| *start == offset)
                .ok_or_else(|| HttpError::Range { url: url.into() })?,
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => return Err(HttpError::Range { url: url.into() }),
            status => return Err(HttpError::Status { url: url.into(), status: status.as_u16() }),
        };
        let total = length(&response).and_then(|length| length.checked_add(start));
        Ok(Body { start, total, url: url.into(), reader: Box::new(response.into_body().into_reader()) })
    }

    /// Asks for some bytes of `url`, if it still is the version that an earlier answer told of.
    pub fn range(&self, url: &str, bytes: Bytes, version: Option<&str>) -> Result<Answer, HttpError> {
        let range = match bytes {
            Bytes::Between(start, end) => format!("bytes={start}-{}", end.saturating_sub(1)),
            Bytes::Last(count) => format!("bytes=-{count}"),
        };
        let mut request = self.agent.get(url).header(ACCEPT_ENCODING, "identity").header(RANGE, range);
        if let Some(version) = version {
            request = request.header(IF_RANGE, version);
        }
        let response = request.call().map_err(|cause| failed(url, cause))?;
        let is_strong = |tag: &&str| !tag.starts_with("W/");
        let version = header(&response, &ETAG).filter(is_strong).or_else(|| header(&response, &LAST_MODIFIED));
        let range = header(&response, &CONTENT_RANGE).and_then(content_range);
        let retry_after = header(&response, &RETRY_AFTER).and_then(|text| pause(text, header(&response, &DATE)));
        Ok(Answer {
            status: response.status().as_u16(),
            range,
            length: length(&response),
            version: version.map(str::to_owned),
            retry_after,
            url: response.get_uri().to_string(),
            body: Body {
                start: range.map_or(0, |(start, ..)| start),
                total: range.map(|(_, _, total)| total),
                url: url.into(),
                reader: Box::new(response.into_body().into_reader()),
            },
        })
    }
}

fn settings(timeouts: Timeouts) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(MAX_REDIRECTS)
        .timeout_resolve(Some(timeouts.connect))
        .timeout_connect(Some(timeouts.connect))
        .timeout_recv_response(Some(timeouts.socket))
        .timeout_per_read(Some(timeouts.socket))
        .timeout_per_write(Some(timeouts.socket))
        .user_agent(concat!("greengrass-rs/", env!("CARGO_PKG_VERSION")))
}

fn items(pem: &[u8]) -> impl Iterator<Item = Result<PemItem<'static>, ureq::Error>> {
    parse_pem(pem)
}

fn failed(url: &str, cause: ureq::Error) -> HttpError {
    let url = url.into();
    match cause {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => HttpError::Url { url, cause: cause.into() },
        ureq::Error::RequireHttpsOnly(_) | ureq::Error::Rustls(_) => HttpError::Trust { url, cause: cause.into() },
        // So does rustls wrap that a certificate is not good.
        ureq::Error::Io(cause) if cause.kind() == std::io::ErrorKind::InvalidData => {
            HttpError::Trust { url, cause: cause.into() }
        }
        _ => HttpError::Exchange { url, cause: cause.into() },
    }
}

fn header<'a, B>(response: &'a Response<B>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn length<B>(response: &Response<B>) -> Option<u64> {
    header(response, &CONTENT_LENGTH)?.trim().parse().ok()
}

/// The first number of `Content-Range: bytes 10-19/20`.
fn range_start<B>(response: &Response<B>) -> Option<u64> {
    header(response, &CONTENT_RANGE)?.trim().strip_prefix("bytes")?.trim().split('-').next()?.parse().ok()
}

/// All of `Content-Range: bytes 10-19/20`, as 10, 20 and 20.
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then_some((first, last + 1, total))
}

/// `Retry-After`: a number of seconds or a date, which is taken by the clock of the server, where that tells it. Ours may
/// never have been set.
fn pause(text: &str, now: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let own = || SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| now.as_secs().try_into().ok());
    let seconds: i64 = date::seconds(text)? - now.and_then(date::seconds).or_else(own)?;
    Some(Duration::from_secs(seconds.try_into().unwrap_or(0)))
}

/// A chain longer than this is a loop.
const MAX_REDIRECTS: u32 = 5;
/// Bytes of a connection's buffers: what is read from it is large, what is written small.
const INPUT: usize = 64 << 10;
const OUTPUT: usize = 8 << 10;
/// Connections kept open: one reads on, another what lies elsewhere.
const IDLE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_is_a_number_or_until_a_date_of_the_server() {
        let then = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(pause(" 120", None), Some(Duration::from_secs(120)));
        assert_eq!(pause(then, Some("Sun, 06 Nov 1994 08:49:07 GMT")), Some(Duration::from_secs(30)));
        assert_eq!(pause(then, Some("Sun, 06 Nov 1994 09:49:07 GMT")), Some(Duration::ZERO));
        assert_eq!(pause(then, None), Some(Duration::ZERO));
        assert_eq!((pause("-1", None), pause("soon", None)), (None, None));
    }
}
