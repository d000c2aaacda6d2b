//! A boot loader that goes by the partition table, as those of ChromeOS and GRUB's `gptprio` do: the slot with the
//! highest priority boots if it was successful or has tries left, and one is taken off before it does.
//!
//! | the slot is | priority | tries | successful |
//! | --- | --- | --- | --- |
//! | confirmed | 2 | 0 | yes |
//! | on trial | 3 | what is left | no |
//! | the former one | 1 | 0 | yes |
//! | given up by the boot loader or by us | 0 | 0 | no |
//! | not to be used | 0 | 15 | no |
//!
//! "Legacy BIOS bootable" says the same to U-Boot, whose `part list -bootable` knows nothing else: that of slot a is set
//! while slot a is confirmed, that of slot b while slot b is what boots.

use crate::slot::Slot;
use crate::state::gpt::{Bits, GptError, Table};
use crate::state::medium::Medium;

use super::{Backend, BackendError, Trial, View, checked};

#[derive(Debug)]
pub struct Gpt<M>(Table<M>);

impl<M: Medium> Gpt<M> {
    pub fn new(table: Table<M>) -> Self {
        Self(table)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut [Bits; 2])) -> Result<(), BackendError> {
        self.0.change(change).map_err(BackendError::Table)
    }
}

impl<M: Medium> Backend for Gpt<M> {
    fn name(&self) -> &'static str {
        "gpt"
    }

    fn read(&self) -> Result<View, BackendError> {
        match self.0.read() {
            Err(GptError::NoTable) => Ok(View::LOST),
            read => read.map(view).map_err(BackendError::Table),
        }
    }

    fn set_trial(&self, slot: Slot, tries: u8) -> Result<(), BackendError> {
        let tries = checked(tries)?;
        self.change(|bits| *bits = arranged(slot.other(), Other::OnTrial(tries)))
    }

    fn set_confirmed(&self, slot: Slot) -> Result<(), BackendError> {
        self.change(|bits| {
            let before = view(*bits);
            let failed = before.trial.map(|trial| trial.slot).or(before.failed);
            let other = match before.ok {
                _ if failed == Some(slot.other()) => Other::GivenUp,
                // It may be lost, and then nobody knows what is in the other.
                Some(_) if bits[slot.other().index()].successful => Other::Former,
                _ => Other::Unusable,
            };
            *bits = arranged(slot, other);
        })
    }

    fn disable(&self, slot: Slot) -> Result<(), BackendError> {
        self.change(|bits| {
            if view(*bits).ok == Some(slot.other()) {
                *bits = arranged(slot.other(), Other::Unusable);
            }
        })
    }

    fn forget_failed(&self) -> Result<(), BackendError> {
        self.change(|bits| {
            if let View { ok: Some(ok), failed: Some(_), .. } = view(*bits) {
                *bits = arranged(ok, Other::Unusable);
            }
        })
    }
}

/// What the slot is that is not confirmed.
#[derive(Clone, Copy)]
enum Other {
    OnTrial(u8),
    Former,
    GivenUp,
    Unusable,
}

fn arranged(ok: Slot, other: Other) -> [Bits; 2] {
    let bits = |priority, tries, successful| Bits { bootable: false, priority, tries, successful };
    let boots = if matches!(other, Other::OnTrial(_)) { ok.other() } else { ok };
    let mut arranged = [bits(2, 0, true); 2];
    arranged[ok.other().index()] = match other {
        Other::OnTrial(tries) => bits(3, tries, false),
        Other::Former => bits(1, 0, true),
        Other::GivenUp => bits(0, 0, false),
        Other::Unusable => bits(0, 15, false),
    };
    arranged[Slot::A.index()].bootable = ok == Slot::A;
    arranged[Slot::B.index()].bootable = boots == Slot::B;
    arranged
}

fn view(bits: [Bits; 2]) -> View {
    let priority = |slot: Slot| bits[slot.index()].priority;
    let is_fine = |slot: &Slot| bits[slot.index()].successful && priority(*slot) > 0;
    // Where both are the same the first one boots.
    let Some(ok) = [Slot::B, Slot::A].into_iter().filter(is_fine).max_by_key(|slot| priority(*slot)) else {
        return View::LOST;
    };
    let other = bits[ok.other().index()];
    let on_trial = !other.successful && other.priority > priority(ok);
    let trial = on_trial.then_some(Trial { slot: ok.other(), left: other.tries });
    let given_up = !other.successful && other.priority == 0 && other.tries == 0;
    View { ok: Some(ok), trial, failed: given_up.then_some(ok.other()), spent: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_say_again_what_they_were_told() {
        for ok in [Slot::A, Slot::B] {
            let seen = |other| view(arranged(ok, other));
            let confirmed = View { ok: Some(ok), trial: None, failed: None, spent: false };
            let trial = Some(Trial { slot: ok.other(), left: 9 });
            assert_eq!(seen(Other::OnTrial(9)), View { trial, ..confirmed.clone() });
            assert_eq!(seen(Other::GivenUp), View { failed: Some(ok.other()), ..confirmed.clone() });
            assert_eq!(seen(Other::Former), confirmed);
            assert_eq!(seen(Other::Unusable), confirmed);
        }
        assert_eq!(view([Bits::default(); 2]), View::LOST);
    }

    #[test]
    fn four_states_are_told_apart_by_what_is_bootable() {
        let bootable = |ok, other| arranged(ok, other).map(|bits| bits.bootable);
        assert_eq!(bootable(Slot::A, Other::Former), [true, false]);
        assert_eq!(bootable(Slot::B, Other::Former), [false, true]);
        assert_eq!(bootable(Slot::A, Other::OnTrial(3)), [true, true]);
        assert_eq!(bootable(Slot::B, Other::OnTrial(3)), [false, false]);
    }
}
