//! Messages of local publish/subscribe, as the control protocol carries them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::ipc::Blob;
use crate::topic::Topic;

/// A message that was published.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopicMessage {
    pub topic: Topic,
    /// The component, or the client of the command line such as `greengrass-cli#user-0`.
    pub from: String,
    pub payload: Payload,
}

/// What a message says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Payload {
    Json(RawJson),
    /// In base64.
    Binary(Blob),
}

impl Payload {
    /// The largest a client may publish here, in bytes; in base64 it still fits a request line.
    pub const MAX_BYTES: usize = 1 << 20;
}

/// JSON with its numbers, keys and their order as somebody wrote them, on one line.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    pub fn new(json: Box<RawValue>) -> Self {
        // Between tokens a line feed is a space; within a string JSON has none.
        let text = json.get();
        if !text.contains(['\n', '\r']) {
            return Self(json);
        }
        match RawValue::from_string(text.replace(['\n', '\r'], " ")) {
            Ok(one_line) => Self(one_line),
            Err(_) => Self(json),
        }
    }

    pub fn get(&self) -> &str {
        self.0.get()
    }

    pub fn is_object(&self) -> bool {
        self.get().starts_with('{')
    }

    pub fn into_inner(self) -> Box<RawValue> {
        self.0
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_json_is_one_line_and_otherwise_as_it_was() {
        let written = "{ \"b\":\n1.50,\r\n\"a\": \"\\n\" }";
        let json = RawJson::new(RawValue::from_string(written.into()).unwrap());
        assert_eq!(json.get(), "{ \"b\": 1.50,  \"a\": \"\\n\" }");
        assert!(json.is_object());
        let list: RawJson = serde_json::from_str("[1,\n2]").unwrap();
        assert_eq!((list.get(), list.is_object()), ("[1, 2]", false));
    }
}
