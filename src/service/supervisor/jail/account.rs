//! Whose process a step is.

use super::{JailError, RunAs, StepOrder};
use crate::sys::account::{self, Account};

/// The account to switch to; `None` stays the daemon's own.
pub(super) fn account_of(order: &StepOrder, run_as: RunAs) -> Result<Option<Account>, JailError> {
    match (run_as, order.privileged, &order.user) {
        (RunAs::SameUser, ..) | (RunAs::Switch, true, _) => Ok(None),
        (RunAs::Switch, false, None) => Err(JailError::MissingDefaultRunWith),
        (RunAs::Switch, false, Some(user)) => account::resolve(&user.user, user.group.as_deref())
            .map(Some)
            .map_err(|cause| JailError::Account { user: String::from(user.clone()), cause }),
    }
}
