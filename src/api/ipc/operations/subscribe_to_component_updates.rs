//! `SubscribeToComponentUpdates`: told before components are changed, and when a deployment that asked has ended.

use std::sync::Arc;

use crate::api::ipc::call::{Call, Opened, json};
use crate::api::ipc::outbox::{Events, Offered};
use crate::service::deploy::{Notice, Sink};
use crate::store::tree::KeyPath;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::updates::{
    ComponentUpdatePolicyEvents, PostComponentUpdateEvent, PreComponentUpdateEvent, SubscribeToComponentUpdatesRequest,
    SubscribeToComponentUpdatesResponse,
};

pub(super) async fn open(
    call: &Call,
    _: SubscribeToComponentUpdatesRequest,
) -> Result<Opened<SubscribeToComponentUpdatesResponse>, IpcError> {
    let known = |name: &str| call.services.config.snapshot().contains(&KeyPath::service(name));
    let Some(component) = call.principal.component().filter(|name| known(name.as_str())) else {
        let name = call.principal.to_string();
        return Err(IpcError::not_found(format!("{name} is no component of this device"), "Component", &name));
    };
    let subscribed = call.services.deploy.updates().subscribe(component.clone());
    let subscription = subscribed.map_err(|error| IpcError::service(error.to_string()))?;
    Ok(Opened::guarded(SubscribeToComponentUpdatesResponse {}, |events| subscription.listen(Arc::new(Stream(events)))))
}

#[derive(Debug)]
struct Stream(Events);

impl Sink<Notice> for Stream {
    fn offer(&self, notice: &Notice) -> bool {
        json(&event(notice.clone())).is_ok_and(|event| self.0.offer(&event.into()) == Offered::Taken)
    }
}

fn event(notice: Notice) -> ComponentUpdatePolicyEvents {
    match notice {
        Notice::Before { deployment, restarting } => {
            let event = PreComponentUpdateEvent { deployment_id: deployment, is_ggc_restarting: restarting };
            ComponentUpdatePolicyEvents::PreUpdateEvent(event)
        }
        Notice::After { deployment } => {
            ComponentUpdatePolicyEvents::PostUpdateEvent(PostComponentUpdateEvent { deployment_id: deployment })
        }
    }
}
