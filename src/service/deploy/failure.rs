//! How a deployment failed: the codes for machines and the sentence for people.

use serde::{Deserialize, Serialize};

use crate::base::report::Report;
use crate::wire::deployment::DeploymentStatusDetails;
use crate::wire::deployment_error::{ErrorCode, ErrorStack};
use crate::wire::state::DetailedStatus;

/// Kept in the ledger while a rollback runs, so it is in its reported form.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub error_stack: Vec<String>,
    pub error_types: Vec<String>,
    pub cause: String,
}

impl Failure {
    pub fn new(stack: &ErrorStack, cause: impl Into<String>) -> Self {
        Self { error_stack: stack.codes(), error_types: stack.types(), cause: cause.into() }
    }

    /// The error with its chain of causes.
    pub fn of(stack: &ErrorStack, error: &dyn std::error::Error) -> Self {
        Self::new(stack, Report(error).to_string())
    }

    /// Codes below `DEPLOYMENT_FAILURE`, and the error.
    pub fn coded(codes: &[ErrorCode], error: &dyn std::error::Error) -> Self {
        Self::of(&ErrorStack::failure(codes), error)
    }

    pub fn details(self, detailed_status: DetailedStatus) -> DeploymentStatusDetails {
        DeploymentStatusDetails {
            detailed_status,
            error_stack: self.error_stack,
            error_types: self.error_types,
            failure_cause: self.cause,
        }
    }
}
