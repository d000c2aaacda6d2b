//! The compiled policies, and the tree they were compiled from.

use crate::store::tree::{KeyPath, Tree};
use crate::wire::access::{Finding, Policies, Rules};
use crate::wire::name::ComponentName;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) rules: Rules,
    /// Of which `rules` were made. Kept, so that what changed can be told by the nodes both trees share.
    tree: Tree,
}

impl State {
    /// Whether the rules are those of `tree`.
    pub(super) fn is_of(&self, tree: &Tree) -> bool {
        self.tree.is_copy_of(tree)
    }

    /// Makes the rules those of `tree`, and tells what is wrong with those that changed; `None` when none did.
    pub(super) fn take_up(&mut self, tree: &Tree) -> Option<Vec<Finding>> {
        let earlier = std::mem::replace(&mut self.tree, tree.clone());
        let mut findings = None;
        for key in earlier.unshared_children(tree, &KeyPath::new(["services"])) {
            let at = KeyPath::service(&key).join_all(["configuration", "accessControl"]);
            let value = tree.value(&at);
            if value == earlier.value(&at) {
                continue;
            }
            // Not a component: nobody has this name.
            let Ok(component) = ComponentName::parse(&key) else { continue };
            let (policies, found) = match value {
                Some(value) => Policies::parse(&component, &value),
                None => Default::default(),
            };
            self.rules.set(component, policies);
            findings.get_or_insert_with(Vec::new).extend(found);
        }
        findings
    }
}
