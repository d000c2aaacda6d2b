//! The two system images, and which of them to boot: pure.
//!
//! The usual one is where the kernel comes from; a kernel argument or a one-shot file asks for the other.

use crate::places::label;

/// One of the two system images.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    A,
    B,
}

impl Slot {
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The words `a` and `b`, and no others: this is also what is read from a boot loader's environment.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "a" => Some(Self::A),
            "b" => Some(Self::B),
            _ => None,
        }
    }

    /// The GPT label of its partition.
    pub fn label(self) -> &'static str {
        match self {
            Self::A => label::SLOT_A,
            Self::B => label::SLOT_B,
        }
    }

    /// Its place among two of anything.
    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Which slot somebody asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The one that boots unasked.
    Usual,
    This(Slot),
    /// The one that does not boot unasked.
    Other,
}

impl Wanted {
    /// The words `a`, `b`, `other` and, for "nobody asked", `auto`; white space around them is a text editor's.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "auto" => Some(Self::Usual),
            "a" => Some(Self::This(Slot::A)),
            "b" => Some(Self::This(Slot::B)),
            "other" => Some(Self::Other),
            _ => None,
        }
    }

    fn from(self, usual: Slot) -> Slot {
        match self {
            Self::Usual => usual,
            Self::This(slot) => slot,
            Self::Other => usual.other(),
        }
    }
}

/// The slots in the order to try them. The argument, given by whoever stands before the device, counts more than the
/// file; the usual slot is the one that the boot loader took the kernel from.
pub fn order(argument: Wanted, file: Wanted, usual: Slot) -> [Slot; 2] {
    let wanted = if argument == Wanted::Usual { file } else { argument };
    let first = wanted.from(usual);
    [first, first.other()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_follows_argument_then_file_then_habit() {
        let cases = [
            (Wanted::Usual, Wanted::Usual, Slot::A, Slot::A),
            (Wanted::Usual, Wanted::Usual, Slot::B, Slot::B),
            (Wanted::Usual, Wanted::Other, Slot::A, Slot::B),
            (Wanted::Usual, Wanted::Other, Slot::B, Slot::A),
            (Wanted::Usual, Wanted::This(Slot::B), Slot::A, Slot::B),
            (Wanted::This(Slot::A), Wanted::Other, Slot::B, Slot::A),
            (Wanted::Other, Wanted::This(Slot::A), Slot::A, Slot::B),
        ];
        for (argument, file, usual, first) in cases {
            assert_eq!(order(argument, file, usual), [first, first.other()], "{argument:?} {file:?} {usual:?}");
        }
    }

    #[test]
    fn wanted_parses_its_words_and_no_others() {
        for (text, wanted) in [
            ("a", Some(Wanted::This(Slot::A))),
            (" b\n", Some(Wanted::This(Slot::B))),
            ("other", Some(Wanted::Other)),
            ("auto", Some(Wanted::Usual)),
            ("", None),
            ("c", None),
            ("A", None),
            ("gg-a", None),
        ] {
            assert_eq!(Wanted::parse(text), wanted, "{text:?}");
        }
    }
}
