//! GRUB with the script of fielded RAUC images: `ORDER A_OK A_TRY B_OK B_TRY`, one try.
//!
//! That script sets `<slot>_TRY` before each boot, of a confirmed slot, too, and boots a slot only while it is 0; so each
//! boot that went well must be told. Which slot is confirmed it does not know: two variables of ours beside its own say
//! so, and it leaves them alone.

use crate::slot::Slot;
use crate::state::medium::Medium;
use crate::state::variables::Variables;

use super::{Backend, BackendError, GrubEnvironment, Trial, View, checked};

#[derive(Debug)]
pub struct GrubRauc<M>(GrubEnvironment<M>);

impl<M: Medium> GrubRauc<M> {
    pub fn new(environment: GrubEnvironment<M>) -> Self {
        Self(environment)
    }
}

impl<M: Medium> Backend for GrubRauc<M> {
    fn name(&self) -> &'static str {
        "grub-rauc"
    }

    fn read(&self) -> Result<View, BackendError> {
        Ok(self.0.read()?.map_or(View::LOST, |variables| view(&variables)))
    }

    /// The script counts to one, whatever is asked.
    fn set_trial(&self, slot: Slot, tries: u8) -> Result<(), BackendError> {
        checked(tries)?;
        self.0.change(|variables| {
            lead(variables, slot);
            // The one to fall back to.
            usable(variables, slot.other());
            variables.set("gg_ok", slot.other().name());
            variables.set("gg_try", slot.name());
        })
    }

    fn set_confirmed(&self, slot: Slot) -> Result<(), BackendError> {
        self.0.change(|variables| {
            let trial = variables.text("gg_try").and_then(Slot::parse).filter(|trial| *trial != slot);
            lead(variables, slot);
            if let Some(failed) = trial {
                variables.set(names(failed).ok, "0");
            }
            variables.set("gg_ok", slot.name());
            variables.set("gg_try", "");
            let failed = trial.or_else(|| variables.text("gg_failed").and_then(Slot::parse));
            variables.set("gg_failed", failed.filter(|failed| *failed != slot).map_or("", Slot::name));
        })
    }

    fn disable(&self, slot: Slot) -> Result<(), BackendError> {
        self.0.change(|variables| variables.set(names(slot).ok, "0"))
    }

    fn forget_failed(&self) -> Result<(), BackendError> {
        self.0.change(|variables| variables.set("gg_failed", ""))
    }
}

struct Names {
    bootname: &'static str,
    ok: &'static str,
    tried: &'static str,
}

fn names(slot: Slot) -> Names {
    match slot {
        Slot::A => Names { bootname: "A", ok: "A_OK", tried: "A_TRY" },
        Slot::B => Names { bootname: "B", ok: "B_OK", tried: "B_TRY" },
    }
}

fn lead(variables: &mut Variables, slot: Slot) {
    let order = if slot == Slot::A { "A B" } else { "B A" };
    variables.set("ORDER", order);
    usable(variables, slot);
}

fn usable(variables: &mut Variables, slot: Slot) {
    variables.set(names(slot).ok, "1");
    variables.set(names(slot).tried, "0");
}

fn view(variables: &Variables) -> View {
    let is = |name, value| variables.text(name) == Some(value);
    let first = variables.text("ORDER").and_then(|order| order.split(' ').next());
    let first = [Slot::A, Slot::B].into_iter().find(|slot| first == Some(names(*slot).bootname));
    let ours = |name| variables.text(name).and_then(Slot::parse);
    // Never written by us: what is first in order is what the image was made with.
    let Some(ok) = ours("gg_ok").or(first) else { return View::LOST };
    let untried = |slot| is(names(slot).ok, "1") && !is(names(slot).tried, "1");
    let trial = ours("gg_try").filter(|trial| *trial != ok);
    let trial = trial.map(|slot| Trial { slot, left: u8::from(first == Some(slot) && untried(slot)) });
    View { ok: Some(ok), trial, failed: ours("gg_failed"), spent: is(names(ok).tried, "1") }
}
