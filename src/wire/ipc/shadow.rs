//! Device shadows: `GetThingShadow`, `UpdateThingShadow`, `DeleteThingShadow`, `ListNamedShadowsForThing`.
//!
//! The documents themselves travel as blobs.

use serde::{Deserialize, Serialize};

use super::json::{Blob, Seconds};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetThingShadowRequest {
    pub thing_name: Option<String>,
    /// Absent or empty: the classic shadow.
    pub shadow_name: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct GetThingShadowResponse {
    pub payload: Blob,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateThingShadowRequest {
    pub thing_name: Option<String>,
    /// As in [`GetThingShadowRequest::shadow_name`].
    pub shadow_name: Option<String>,
    pub payload: Option<Blob>,
}

#[derive(Debug, Serialize)]
pub struct UpdateThingShadowResponse {
    pub payload: Blob,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteThingShadowRequest {
    pub thing_name: Option<String>,
    /// As in [`GetThingShadowRequest::shadow_name`].
    pub shadow_name: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct DeleteThingShadowResponse {
    /// Empty after a successful delete.
    pub payload: Blob,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListNamedShadowsForThingRequest {
    pub thing_name: Option<String>,
    /// From the answer before; absent or empty for the first page.
    pub next_token: Option<String>,
    pub page_size: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListNamedShadowsForThingResponse {
    pub results: Vec<String>,
    pub timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(response: &impl Serialize) -> String {
        serde_json::to_string(response).unwrap()
    }

    #[test]
    fn requests_read_their_members() {
        let json = r#"{"thingName":"T","shadowName":"s","payload":"e30="}"#;
        let update: UpdateThingShadowRequest = serde_json::from_str(json).unwrap();
        assert_eq!(update.thing_name.as_deref(), Some("T"));
        assert_eq!(update.shadow_name.as_deref(), Some("s"));
        assert_eq!(update.payload, Some(Blob(b"{}".to_vec())));
        let get: GetThingShadowRequest = serde_json::from_str(r#"{"thingName":"T","shadowName":""}"#).unwrap();
        assert_eq!((get.thing_name.as_deref(), get.shadow_name.as_deref()), (Some("T"), Some("")));
        let delete: DeleteThingShadowRequest = serde_json::from_str(r#"{"thingName":"T","shadowName":null}"#).unwrap();
        assert_eq!((delete.thing_name.as_deref(), delete.shadow_name), (Some("T"), None));
        let json = r#"{"thingName":"T","nextToken":"n","pageSize":25}"#;
        let list: ListNamedShadowsForThingRequest = serde_json::from_str(json).unwrap();
        assert_eq!((list.next_token.as_deref(), list.page_size), (Some("n"), Some(25)));
    }

    #[test]
    fn requests_refuse_what_is_of_another_type() {
        assert!(serde_json::from_str::<UpdateThingShadowRequest>(r#"{"payload":{"state":{}}}"#).is_err());
        assert!(serde_json::from_str::<GetThingShadowRequest>(r#"{"thingName":7}"#).is_err());
        assert!(serde_json::from_str::<ListNamedShadowsForThingRequest>(r#"{"pageSize":"25"}"#).is_err());
        assert!(serde_json::from_str::<ListNamedShadowsForThingRequest>(r#"{"pageSize":2.5}"#).is_err());
    }

    #[test]
    fn responses_are_written_as_the_model_says() {
        assert_eq!(json(&GetThingShadowResponse { payload: Blob(b"{}".to_vec()) }), r#"{"payload":"e30="}"#);
        assert_eq!(json(&UpdateThingShadowResponse { payload: Blob(b"{}".to_vec()) }), r#"{"payload":"e30="}"#);
        assert_eq!(json(&DeleteThingShadowResponse { payload: Blob::default() }), r#"{"payload":""}"#);
        let mut page = ListNamedShadowsForThingResponse {
            results: vec!["a".into(), "b".into()],
            timestamp: Seconds { milliseconds: 1_700_000_000_123 },
            next_token: None,
        };
        assert_eq!(json(&page), r#"{"results":["a","b"],"timestamp":1700000000.123}"#);
        page.next_token = Some("n".into());
        assert_eq!(json(&page), r#"{"results":["a","b"],"timestamp":1700000000.123,"nextToken":"n"}"#);
    }
}
