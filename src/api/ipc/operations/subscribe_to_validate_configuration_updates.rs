//! `SubscribeToValidateConfigurationUpdates`: shown what the component's configuration would become.

use std::sync::Arc;

use crate::api::ipc::call::{Call, Opened, json};
use crate::api::ipc::outbox::{Events, Offered};
use crate::service::deploy::{Proposal, Sink};
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
    let subscription = subscribed.map_err(|error| IpcError::service(error.to_string()))?;
    let response = SubscribeToValidateConfigurationUpdatesResponse {};
    Ok(Opened::guarded(response, |events| subscription.listen(Arc::new(Stream(events)))))
}

#[derive(Debug)]
struct Stream(Events);

impl Sink<Proposal> for Stream {
    fn offer(&self, proposal: &Proposal) -> bool {
        let Proposal { deployment, configuration } = proposal.clone();
        let event = ValidateConfigurationUpdateEvent { configuration, deployment_id: deployment };
        let event = ValidateConfigurationUpdateEvents::ValidateConfigurationUpdateEvent(event);
        json(&event).is_ok_and(|event| self.0.offer(&event.into()) == Offered::Taken)
    }
}
