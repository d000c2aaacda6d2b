//! `SubscribeToComponentUpdates`: told before components are changed, and when a deployment that asked has ended.

use crate::api::ipc::call::{Call, Opened, json};
use crate::service::deploy::Notice;
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
    let mut notices = subscribed.map_err(|error| IpcError::service(error.to_string()))?;
    Ok(Opened::pumped(SubscribeToComponentUpdatesResponse {}, async move |events| {
        while let Some(notice) = notices.recv().await {
            if events.send(&json(&event(notice))?.into()).await.is_err() {
                break;
            }
        }
        Ok(())
    }))
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
