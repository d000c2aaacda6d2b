//! What the configuration says of the link: `system` for who we are, `iotDataEndpoint` and `mqtt` of the nucleus for the
//! rest, under the names and with the defaults of the reference.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::state::{BackOff, Wish};
use crate::net::mqtt::Destination;
use crate::store::tree::{KeyPath, Tree};

/// All that a connection needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Settings {
    pub(super) endpoint: String,
    pub(super) port: u16,
    /// Also the client id.
    pub(super) thing: String,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) authorities: PathBuf,
    pub(super) connect_timeout: Duration,
    pub(super) keep_alive: Duration,
    pub(super) ping_timeout: Duration,
    pub(super) back_off: BackOff,
}

/// What the configuration comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Configured {
    /// These are not set; without each of them the device is not meant to reach a cloud.
    Not {
        missing: Vec<&'static str>,
    },
    Wrong(SettingsError),
    Link(Box<Settings>),
}

impl Configured {
    pub(super) fn of(tree: &Tree) -> Self {
        let texts = REQUIRED.map(|name| (name, text(tree, name).filter(|text| !text.is_empty())));
        let missing: Vec<_> = texts.iter().filter(|(_, text)| text.is_none()).map(|(name, _)| *name).collect();
        let [Some(endpoint), Some(thing), Some(certificate), Some(key), Some(authorities)] =
            texts.map(|(_, text)| text)
        else {
            return Self::Not { missing };
        };
        let read = || {
            let milliseconds = |name, default| Ok(Duration::from_millis(number(tree, name, default)?));
            let seconds = |name, default| Ok(Duration::from_secs(number(tree, name, default)?));
            let ping_timeout = milliseconds("mqtt.pingTimeoutMs", 30_000)?;
            let keep_alive = milliseconds("mqtt.keepAliveTimeoutMs", 60_000)?;
            if endpoint.contains(|c: char| c.is_whitespace() || c == '/' || c == ':') {
                return Err(SettingsError::Endpoint { endpoint });
            }
            if !keep_alive.is_zero() && keep_alive <= ping_timeout {
                return Err(SettingsError::KeepAlive);
            }
            Ok(Settings {
                port: number(tree, "mqtt.port", 8883)
                    .and_then(|port| u16::try_from(port).map_err(|_| SettingsError::Number { name: "mqtt.port" }))?,
                certificate: path(tree, CERTIFICATE, &certificate)?,
                key: path(tree, KEY, &key)?,
                authorities: path(tree, AUTHORITIES, &authorities)?,
                // The way there, and the first answer.
                connect_timeout: milliseconds("mqtt.socketTimeoutMs", 3000)?.saturating_add(ping_timeout),
                keep_alive: if keep_alive.is_zero() { Destination::KEEP_ALIVE.1 } else { keep_alive },
                ping_timeout,
                back_off: BackOff {
                    shortest: seconds("mqtt.minimumReconnectDelaySeconds", 1)?.max(Duration::from_secs(1)),
                    longest: seconds("mqtt.maximumReconnectDelaySeconds", 120)?.max(Duration::from_secs(1)),
                    forgiven: seconds("mqtt.minimumConnectedTimeBeforeRetryResetSeconds", 30)?,
                },
                endpoint,
                thing,
            })
        };
        read().map_or_else(Self::Wrong, |settings| Self::Link(Box::new(settings)))
    }

    pub(super) fn wish(&self) -> Wish {
        match self {
            Self::Not { .. } => Wish::Nothing,
            Self::Wrong(_) => Wish::Impossible,
            Self::Link(settings) => Wish::Link(settings.back_off),
        }
    }

    /// Whether there is no word of a cloud at all, rather than too few.
    pub(super) fn is_silent(&self) -> bool {
        // Things have names, and authorities are trusted, without one.
        matches!(self, Self::Not { missing } if [ENDPOINT, CERTIFICATE, KEY].iter().all(|name| missing.contains(name)))
    }
}

const ENDPOINT: &str = "iotDataEndpoint";
pub(super) const CERTIFICATE: &str = "system.certificateFilePath";
pub(super) const KEY: &str = "system.privateKeyPath";
pub(super) const AUTHORITIES: &str = "system.rootCaPath";
const REQUIRED: [&str; 5] = [ENDPOINT, "system.thingName", CERTIFICATE, KEY, AUTHORITIES];

/// `system...` is at the root of the tree, all else in the configuration of the nucleus.
fn value(tree: &Tree, name: &str) -> Option<Value> {
    let at = if name.starts_with("system.") {
        KeyPath::root()
    } else {
        KeyPath::service("aws.greengrass.Nucleus").join("configuration")
    };
    tree.value(&at.join_all(name.split('.')))
}

fn text(tree: &Tree, name: &str) -> Option<String> {
    match value(tree, name)? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number that is written as text is one.
fn number(tree: &Tree, name: &'static str, default: u64) -> Result<u64, SettingsError> {
    match value(tree, name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Number(number)) => number.as_u64().ok_or(SettingsError::Number { name }),
        Some(Value::String(text)) => text.trim().parse().map_err(|_| SettingsError::Number { name }),
        Some(_) => Err(SettingsError::Number { name }),
    }
}

/// A path, a `file:` URI, or a path that begins with `~root/`.
fn path(tree: &Tree, name: &'static str, text: &str) -> Result<PathBuf, SettingsError> {
    if text.starts_with("pkcs11:") {
        return Err(SettingsError::Pkcs11 { name });
    }
    let plain = match text.strip_prefix("file:") {
        Some(path) => path.strip_prefix("//").unwrap_or(path),
        None => text,
    };
    Ok(match plain.strip_prefix("~root/") {
        Some(below) => {
            let root = tree.text(&KeyPath::new(["system", "rootpath"]));
            root.map_or_else(PathBuf::new, |root| PathBuf::from(&*root)).join(below)
        }
        None => plain.into(),
    })
}

/// Settings that no link can be made of.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("{name} is no number that it can be")]
    Number { name: &'static str },
    #[error("iotDataEndpoint {endpoint:?} is no host name; it has neither a scheme nor a port")]
    Endpoint { endpoint: String },
    #[error("mqtt.keepAliveTimeoutMs must be larger than mqtt.pingTimeoutMs, or 0")]
    KeepAlive,
    #[error("{name} names a key in a PKCS#11 token, which is not read; name a file")]
    Pkcs11 { name: &'static str },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::clock::Timestamp;

    fn configured(system: &Value, nucleus: &Value) -> Configured {
        let whole = json!({"system": system, "services": {"aws.greengrass.Nucleus": {"configuration": nucleus}}});
        let Value::Object(whole) = whole else { panic!("it is an object") };
        Configured::of(&Tree::from((whole, Timestamp(1))))
    }

    fn system() -> Value {
        json!({"rootpath": "/gg", "thingName": "core", "certificateFilePath": "/c.pem",
            "privateKeyPath": "file:///k.pem", "rootCaPath": "~root/ca.pem"})
    }

    #[test]
    fn defaults_are_those_of_the_reference() {
        let Configured::Link(settings) = configured(&system(), &json!({"iotDataEndpoint": "x.example"})) else {
            panic!("not configured")
        };
        let seconds = Duration::from_secs;
        assert_eq!((settings.endpoint.as_str(), settings.port, settings.thing.as_str()), ("x.example", 8883, "core"));
        let paths = [&settings.certificate, &settings.key, &settings.authorities].map(|path| path.to_str().unwrap());
        assert_eq!(paths, ["/c.pem", "/k.pem", "/gg/ca.pem"]);
        assert_eq!((settings.keep_alive, settings.ping_timeout), (seconds(60), seconds(30)));
        assert_eq!(settings.connect_timeout, seconds(33));
        let back_off = BackOff { shortest: seconds(1), longest: seconds(120), forgiven: seconds(30) };
        assert_eq!(settings.back_off, back_off);
    }

    #[test]
    fn settings_are_numbers_or_numbers_as_text() {
        let mqtt = json!({"port": "443", "keepAliveTimeoutMs": 0, "pingTimeoutMs": 10_000, "socketTimeoutMs": "500",
            "minimumReconnectDelaySeconds": 0, "maximumReconnectDelaySeconds": 7});
        let nucleus = json!({"iotDataEndpoint": "x", "mqtt": mqtt});
        let Configured::Link(settings) = configured(&system(), &nucleus) else { panic!("not configured") };
        assert_eq!(settings.port, 443);
        assert_eq!(settings.keep_alive, Destination::KEEP_ALIVE.1);
        assert_eq!(settings.connect_timeout, Duration::from_millis(10_500));
        assert_eq!(settings.back_off.shortest, Duration::from_secs(1));
        assert_eq!(settings.back_off.longest, Duration::from_secs(7));
    }

    #[test]
    fn link_is_not_configured_unless_all_is_said() {
        let silent = configured(&json!({"thingName": "core", "rootCaPath": "/ca.pem"}), &json!({"awsRegion": "x"}));
        assert!(silent.is_silent(), "{silent:?}");
        assert_eq!(silent.wish(), Wish::Nothing);
        let half = configured(&system(), &json!({"iotDataEndpoint": " "}));
        assert_eq!(half, Configured::Not { missing: vec!["iotDataEndpoint"] });
        assert!(!half.is_silent());
    }

    #[test]
    fn settings_that_cannot_be_are_named() {
        let cases = [
            (json!({"iotDataEndpoint": "https://x"}), "iotDataEndpoint"),
            (json!({"iotDataEndpoint": "x:8883"}), "iotDataEndpoint"),
            (json!({"iotDataEndpoint": "x", "mqtt": {"port": 70_000}}), "mqtt.port"),
            (json!({"iotDataEndpoint": "x", "mqtt": {"port": []}}), "mqtt.port"),
            (json!({"iotDataEndpoint": "x", "mqtt": {"pingTimeoutMs": -1}}), "mqtt.pingTimeoutMs"),
            (json!({"iotDataEndpoint": "x", "mqtt": {"keepAliveTimeoutMs": 30_000}}), "mqtt.keepAliveTimeoutMs"),
        ];
        for (nucleus, name) in cases {
            let Configured::Wrong(error) = configured(&system(), &nucleus) else { panic!("{nucleus} can be") };
            assert!(error.to_string().contains(name), "{error}");
        }
        let mut token = system();
        token["privateKeyPath"] = json!("pkcs11:object=key");
        let Configured::Wrong(error) = configured(&token, &json!({"iotDataEndpoint": "x"})) else {
            panic!("it can be")
        };
        assert!(error.to_string().contains("system.privateKeyPath"), "{error}");
    }
}
