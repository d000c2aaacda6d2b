//! Recipe variables: placeholders such as `{artifacts:path}` and `{configuration:/key}` in a lifecycle.
//!
//! A pass fills in what is about the component itself, `{namespace:key}`; a second one what is about its direct
//! dependencies, `{component:namespace:key}`. What a pass put in is not looked at again by that pass. A placeholder that
//! cannot be filled in stays as it is written and is reported; the deployment goes on.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::name::ComponentName;
use crate::scalar_text;

mod placeholder;

use placeholder::{Form, Placeholder};

/// What the placeholders of one component stand for.
#[derive(Clone, Debug)]
pub struct Variables<'a> {
    /// `{kernel:rootPath}`
    pub root_path: &'a str,
    /// `{iot:thingName}`; a device that has none leaves the placeholder.
    pub thing_name: Option<&'a str>,
    pub own: ComponentVariables<'a>,
    /// The direct dependencies that are part of the deployment.
    pub dependencies: BTreeMap<&'a ComponentName, ComponentVariables<'a>>,
}

/// What is asked of a component.
#[derive(Clone, Debug)]
pub struct ComponentVariables<'a> {
    /// `{artifacts:path}`
    pub artifacts_path: String,
    /// `{artifacts:decompressedPath}`
    pub decompressed_path: String,
    /// `{work:path}`
    pub work_path: String,
    /// `{configuration:<JSON pointer>}`: the resolved configuration.
    pub configuration: &'a Value,
}

/// Which placeholders are filled in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All, as in a lifecycle.
    Lifecycle,
    /// All but `configuration`, as in a configuration when `interpolateComponentConfiguration` is on.
    Configuration,
}

/// A placeholder that stayed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{placeholder} is left as it is: {reason}")]
pub struct Unresolved {
    pub placeholder: String,
    pub reason: UnresolvedReason,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnresolvedReason {
    #[error("nothing is called by this namespace")]
    UnknownNamespace,
    #[error("the namespace has no such key")]
    UnknownKey,
    #[error("the configuration has nothing there")]
    MissingConfiguration,
    #[error("the component is not a direct dependency")]
    NotADependency,
    #[error("the result would be too large")]
    TooLarge,
}

/// Fills in every text of `value` at any depth; keys stay.
pub fn interpolate(value: &mut Value, variables: &Variables<'_>, scope: Scope) -> Vec<Unresolved> {
    let mut pass = Interpolation { variables, scope, budget: MAX_GROWTH, unresolved: Vec::new() };
    pass.fill(value);
    pass.unresolved
}

struct Interpolation<'a> {
    variables: &'a Variables<'a>,
    scope: Scope,
    budget: usize,
    unresolved: Vec<Unresolved>,
}

impl Interpolation<'_> {
    fn fill(&mut self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains('{') => {
                for form in [Form::Own, Form::OfDependency] {
                    if let Some(filled) = self.filled(text, form) {
                        *text = filled;
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Object(entries) => entries.values_mut().for_each(|entry| self.fill(entry)),
            _ => {}
        }
    }

    /// The text with the placeholders of one form filled in; `None` when it has none.
    fn filled(&mut self, text: &str, form: Form) -> Option<String> {
        let mut filled = String::new();
        let mut rest = 0;
        for placeholder in placeholder::find_all(text, form) {
            match self.resolve(&placeholder) {
                Ok(replacement) => {
                    filled.push_str(&text[rest..placeholder.start]);
                    filled.push_str(&replacement);
                    rest = placeholder.end;
                }
                Err(reason) => self.report(&text[placeholder.start..placeholder.end], reason),
            }
        }
        (rest > 0).then(|| filled + &text[rest..])
    }

    fn resolve(&mut self, placeholder: &Placeholder<'_>) -> Result<String, UnresolvedReason> {
        let variables = self.variables;
        let component = match placeholder.component {
            None => &variables.own,
            Some(name) => {
                let mut dependencies = variables.dependencies.iter();
                let found = dependencies.find(|(dependency, _)| dependency.as_str() == name);
                found.map(|(_, component)| component).ok_or(UnresolvedReason::NotADependency)?
            }
        };
        let replacement = self.value(component, placeholder.namespace, placeholder.key)?;
        self.budget = self.budget.checked_sub(replacement.len()).ok_or(UnresolvedReason::TooLarge)?;
        Ok(replacement)
    }

    fn value(
        &self,
        component: &ComponentVariables<'_>,
        namespace: &str,
        key: &str,
    ) -> Result<String, UnresolvedReason> {
        let text = match (namespace, key) {
            ("artifacts", "path") => &component.artifacts_path,
            ("artifacts", "decompressedPath") => &component.decompressed_path,
            ("work", "path") => &component.work_path,
            ("kernel", "rootPath") => self.variables.root_path,
            ("iot", "thingName") => self.variables.thing_name.ok_or(UnresolvedReason::UnknownKey)?,
            ("artifacts" | "work" | "kernel" | "iot", _) => return Err(UnresolvedReason::UnknownKey),
            ("configuration", pointer) if self.scope == Scope::Lifecycle => {
                let value = component.configuration.pointer(pointer);
                return value.map(scalar_text::of_value).ok_or(UnresolvedReason::MissingConfiguration);
            }
            _ => return Err(UnresolvedReason::UnknownNamespace),
        };
        Ok(text.to_owned())
    }

    /// A script full of braces must not fill the log.
    fn report(&mut self, placeholder: &str, reason: UnresolvedReason) {
        if self.unresolved.len() < MAX_REPORTED {
            let shown = placeholder.chars().take(MAX_SHOWN).collect();
            self.unresolved.push(Unresolved { placeholder: shown, reason });
        }
    }
}

/// Bytes that all replacements in one lifecycle may have together: placeholders must not be a way to fill the memory.
const MAX_GROWTH: usize = 16 << 20;

/// Placeholders told of, of one lifecycle.
const MAX_REPORTED: usize = 64;

/// Characters of a placeholder told.
const MAX_SHOWN: usize = 200;

#[cfg(test)]
mod tests;
