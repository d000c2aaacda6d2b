//! Who may do what with which resource: the `accessControl` of components, compiled.
//!
//! A component's `accessControl` names services, below each of them policies, and in each policy operations and
//! resources. [`Policies::parse`] compiles the map of one component; [`Rules`] holds those of all and decides.
//! There is no rule that denies: what nothing grants is refused.
//!
//! One member that cannot be understood voids the whole map of its component: nobody can say what it should have
//! restricted. Everything else that is wrong costs only what it names. Each defect is a [`Finding`].

pub(crate) mod definition;
mod finding;
mod pattern;
mod policies;
mod read;
mod resources;
mod rules;
#[cfg(test)]
mod tests;

pub use finding::Finding;
pub use policies::Policies;
pub use rules::Rules;

/// How the resources of a service are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// `*` stands for any text.
    Plain,
    /// The same, and `+` and `#` mean what they mean in a topic filter.
    Mqtt,
}

impl Style {
    pub(crate) fn of(service: &str) -> Self {
        if service == MQTT_PROXY { Self::Mqtt } else { Self::Plain }
    }
}

const PUBSUB: &str = "aws.greengrass.ipc.pubsub";
const MQTT_PROXY: &str = "aws.greengrass.ipc.mqttproxy";
const CLI: &str = "aws.greengrass.Cli";
const METRICS: &str = "aws.greengrass.ipc.componentmetric";
/// Every component may get credentials: policies about it are taken for known and change nothing.
const TOKEN_EXCHANGE: &str = "aws.greengrass.TokenExchangeService";
