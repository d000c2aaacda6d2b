//! What the facts mean: facts in, findings out; looks at nothing itself.

mod groups;
mod kernel;
mod system;

use super::facts::Facts;
use super::finding::Finding;

/// Every finding, in the order they are told.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = kernel::judge(facts);
    findings.extend(groups::judge(facts));
    findings.extend(system::judge(facts));
    findings
}
