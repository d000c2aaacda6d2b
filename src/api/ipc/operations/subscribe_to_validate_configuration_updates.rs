//! `SubscribeToValidateConfigurationUpdates`: shown what the component's configuration would become.

use crate::api::ipc::call::{Call, Opened, json};
use crate::service::deploy::Proposal;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::updates::{
    SubscribeToValidateConfigurationUpdatesRequest, SubscribeToValidateConfigurationUpdatesResponse,
    ValidateConfigurationUpdateEvent, ValidateConfigurationUpdateEvents,
};

/// A second subscription of a component succeeds, but hears nothing as long as the first one lives.
pub(super) async fn open(
    call: &Call,
    _: SubscribeToValidateConfigurationUpdatesRequest,
) -> Result<Opened<SubscribeToValidateConfigurationUpdatesResponse>, IpcError> {
    let Some(component) = call.principal.component() else {
        return Err(IpcError::service(format!("{} is no component and has no configuration", call.principal)));
    };
    let subscribed = call.services.deploy.validations().subscribe(component.clone());
    let mut proposals = subscribed.map_err(|error| IpcError::service(error.to_string()))?;
    Ok(Opened::pumped(SubscribeToValidateConfigurationUpdatesResponse {}, async move |events| {
        while let Some(Proposal { deployment, configuration }) = proposals.recv().await {
            let event = ValidateConfigurationUpdateEvent { configuration, deployment_id: deployment };
            let event = ValidateConfigurationUpdateEvents::ValidateConfigurationUpdateEvent(event);
            if events.send(&json(&event)?.into()).await.is_err() {
                break;
            }
        }
        Ok(())
    }))
}
