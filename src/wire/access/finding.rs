//! What is wrong with an `accessControl`, in one sentence for who wrote it.

use std::fmt;

use super::pattern::PatternError;
use crate::name::ComponentName;

/// A defect and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    component: ComponentName,
    service: Option<String>,
    policy: Option<String>,
    fault: Fault,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Fault {
    // These void the map.
    #[error("it is no JSON object: {0}")]
    NoJson(String),
    #[error("it is no object")]
    NoObject,
    #[error("the field {0} is unknown")]
    UnknownField(String),
    #[error("the field {0} is given twice")]
    Twice(String),
    #[error("the field {0:?} is no text")]
    NoText(&'static str),
    #[error("the field {0:?} is no list of texts")]
    NoList(&'static str),
    #[error("more than 10000 policies or 100000 operations or resources")]
    TooMany,
    // These cost what they name.
    #[error("no service has this name")]
    UnknownService,
    #[error("a policy without an id")]
    NoId,
    #[error("the field \"operations\" is missing or empty")]
    NoOperations,
    #[error("the service has no operation {0}")]
    UnknownOperation(String),
    #[error("the resource {0} is refused: {1}")]
    Resource(String, PatternError),
    #[error("{0} more defects")]
    More(usize),
}

impl Fault {
    fn voids(&self) -> bool {
        matches!(
            self,
            Self::NoJson(_)
                | Self::NoObject
                | Self::UnknownField(_)
                | Self::Twice(_)
                | Self::NoText(_)
                | Self::NoList(_)
                | Self::TooMany
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accessControl of {}", self.component)?;
        if self.fault.voids() {
            f.write_str(" is refused as a whole")?;
        }
        if let Some(policy) = &self.policy {
            write!(f, ", policy {policy}")?;
        }
        if let Some(service) = &self.service {
            write!(f, ", service {service}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// Collects, and stops when there are too many to be read.
pub(super) struct Findings<'a> {
    component: &'a ComponentName,
    found: Vec<Finding>,
    more: usize,
}

impl<'a> Findings<'a> {
    /// Findings of one component told at most.
    const MOST: usize = 50;

    pub(super) fn new(component: &'a ComponentName) -> Self {
        Self { component, found: Vec::new(), more: 0 }
    }

    pub(super) fn add(&mut self, service: Option<&str>, policy: Option<&str>, fault: Fault) {
        if self.found.len() == Self::MOST {
            self.more += 1;
            return;
        }
        let component = self.component.clone();
        self.found.push(Finding { component, service: service.map(shown), policy: policy.map(shown), fault });
    }

    pub(super) fn into_vec(mut self) -> Vec<Finding> {
        if self.more > 0 {
            let (component, fault) = (self.component.clone(), Fault::More(self.more));
            self.found.push(Finding { component, service: None, policy: None, fault });
        }
        self.found
    }
}

/// A text of somebody else, quoted, with an end.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// Longer texts are cut: a hostile name must not fill the log.
const SHOWN: usize = 80;
