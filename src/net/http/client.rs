//! The client: ureq, with rustls where the address says https.

use ureq::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use ureq::http::{Response, StatusCode};

use super::{Body, HttpError, Timeouts};

/// Opens connections to the world. Every call blocks: run it on the blocking pool.
#[derive(Clone, Debug)]
pub struct Client {
    agent: ureq::Agent,
}

impl Client {
    pub fn new(timeouts: Timeouts) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(MAX_REDIRECTS)
            .proxy(None)
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_recv_response(Some(timeouts.socket))
            .timeout_per_read(Some(timeouts.socket))
            .timeout_per_write(Some(timeouts.socket))
            .user_agent(concat!("greengrass-rs/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: agent.into() }
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
        let length = header(&response, &CONTENT_LENGTH).and_then(|text| text.trim().parse::<u64>().ok());
        let total = length.and_then(|length| length.checked_add(start));
        Ok(Body { start, total, url: url.into(), reader: Box::new(response.into_body().into_reader()) })
    }
}

fn failed(url: &str, cause: ureq::Error) -> HttpError {
    let url = url.into();
    match cause {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => HttpError::Url { url, cause: cause.into() },
        _ => HttpError::Exchange { url, cause: cause.into() },
    }
}

fn header<'a, B>(response: &'a Response<B>, name: &ureq::http::HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The first number of `Content-Range: bytes 10-19/20`.
fn range_start<B>(response: &Response<B>) -> Option<u64> {
    header(response, &CONTENT_RANGE)?.trim().strip_prefix("bytes")?.trim().split('-').next()?.parse().ok()
}

/// A chain longer than this is a loop.
const MAX_REDIRECTS: u32 = 5;
