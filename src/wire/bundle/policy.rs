//! `[meta.greengrass]`: what a bundle demands of a device, and the judgement on it. RAUC ignores the section.

use super::ini::{Group, IniError};

/// The section's name.
pub const GROUP: &str = "meta.greengrass";
/// Boots a trial gets when the bundle does not say.
pub const DEFAULT_TRIES: u8 = 3;

/// What the bundle says of itself. All keys are optional.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The bundle's own security number. Once it is committed, no bundle with a lower one is installed any more.
    pub floor: u64,
    /// Counts the key ceremonies. Floors are compared within one epoch: who steals an old key and floors the device at
    /// the highest number is undone by a bundle of the next epoch.
    pub key_epoch: u32,
    /// The number of the data's layout that the image writes. Once committed, an image with a lower one could not read
    /// the data any more, and is not installed.
    pub data_min_reader: u32,
    /// Boots the trial gets, 1 to 9.
    pub tries: u8,
    /// Which set of health checks commits the trial.
    pub health_profile: Option<String>,
    /// For the deployment that brought the bundle; decides nothing.
    pub deployment_hint: Option<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            floor: 0,
            key_epoch: 0,
            data_min_reader: 0,
            tries: DEFAULT_TRIES,
            health_profile: None,
            deployment_hint: None,
        }
    }
}

/// What the device has committed to.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Device {
    pub compatible: String,
    pub floor: u64,
    pub key_epoch: u32,
    pub data_min_reader: u32,
}

impl Policy {
    pub(super) fn decode(group: &mut Group) -> Result<Self, IniError> {
        let name = |group: &mut Group, key: &str| -> Result<Option<String>, IniError> {
            let value = group.take(key)?;
            match value {
                Some(text)
                    if text.is_empty() || text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_graphic()) =>
                {
                    Err(group.value_error(key, &text))
                }
                value => Ok(value),
            }
        };
        let tries = group.number("tries")?.unwrap_or(DEFAULT_TRIES);
        if !(1..=9).contains(&tries) {
            return Err(group.value_error("tries", &tries.to_string()));
        }
        let policy = Self {
            floor: group.number("floor")?.unwrap_or(0),
            key_epoch: group.number("key_epoch")?.unwrap_or(0),
            data_min_reader: group.number("data_min_reader")?.unwrap_or(0),
            tries,
            health_profile: name(group, "health_profile")?,
            deployment_hint: name(group, "deployment_hint")?,
        };
        group.end()?;
        Ok(policy)
    }

    /// The section, with what differs from the default.
    pub(super) fn encode(&self) -> Option<Group> {
        let mut group = Group::new(GROUP);
        let numbers = [
            ("floor", self.floor, 0),
            ("key_epoch", self.key_epoch.into(), 0),
            ("data_min_reader", self.data_min_reader.into(), 0),
            ("tries", self.tries.into(), u64::from(DEFAULT_TRIES)),
        ];
        for (key, value, default) in numbers {
            if value != default {
                group.set(key, &value.to_string());
            }
        }
        for (key, value) in [("health_profile", &self.health_profile), ("deployment_hint", &self.deployment_hint)] {
            if let Some(value) = value {
                group.set(key, value);
            }
        }
        let is_needed = group.rest().next().is_some();
        is_needed.then_some(group)
    }

    /// May a bundle with this policy, made for `compatible`, be installed on the device? Decides; time plays no part.
    pub fn judge(&self, compatible: &str, device: &Device) -> Result<(), PolicyError> {
        if compatible != device.compatible {
            return Err(PolicyError::Compatible { bundle: compatible.to_owned(), device: device.compatible.clone() });
        }
        if self.key_epoch < device.key_epoch {
            return Err(PolicyError::KeyEpoch { bundle: self.key_epoch, device: device.key_epoch });
        }
        if self.key_epoch == device.key_epoch && self.floor < device.floor {
            return Err(PolicyError::Floor { bundle: self.floor, device: device.floor });
        }
        if self.data_min_reader < device.data_min_reader {
            return Err(PolicyError::DataMinReader { bundle: self.data_min_reader, device: device.data_min_reader });
        }
        Ok(())
    }

    /// What the device has committed to when the bundle is committed.
    pub fn committed(&self, device: &Device) -> Device {
        let floor = if self.key_epoch > device.key_epoch { self.floor } else { self.floor.max(device.floor) };
        Device {
            compatible: device.compatible.clone(),
            floor,
            key_epoch: self.key_epoch.max(device.key_epoch),
            data_min_reader: self.data_min_reader.max(device.data_min_reader),
        }
    }
}

/// A bundle that is well signed and not for this device, or not any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("the bundle is for {bundle:?}, this device is {device:?}")]
    Compatible { bundle: String, device: String },
    #[error("the bundle is of key epoch {bundle}, this device has seen {device}: its keys are not used any more")]
    KeyEpoch { bundle: u32, device: u32 },
    #[error("the bundle has security number {bundle}, this device takes nothing below {device}")]
    Floor { bundle: u64, device: u64 },
    #[error("the bundle reads data of layout {bundle}, this device's data have layout {device}")]
    DataMinReader { bundle: u32, device: u32 },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        Device { compatible: "board".into(), floor: 7, key_epoch: 2, data_min_reader: 3 }
    }

    fn policy(floor: u64, key_epoch: u32, data_min_reader: u32) -> Policy {
        Policy { floor, key_epoch, data_min_reader, ..Policy::default() }
    }

    #[test]
    fn policy_judges_each_row() {
        let cases = [
            (policy(7, 2, 3), Ok(())),
            (policy(8, 2, 3), Ok(())),
            (policy(6, 2, 3), Err(PolicyError::Floor { bundle: 6, device: 7 })),
            (policy(0, 2, 3), Err(PolicyError::Floor { bundle: 0, device: 7 })),
            // A later ceremony begins to count anew; an earlier one counts nothing.
            (policy(0, 3, 3), Ok(())),
            (policy(u64::MAX, 1, 9), Err(PolicyError::KeyEpoch { bundle: 1, device: 2 })),
            (policy(7, 2, 2), Err(PolicyError::DataMinReader { bundle: 2, device: 3 })),
            // Data do not forget with the keys.
            (policy(9, 9, 2), Err(PolicyError::DataMinReader { bundle: 2, device: 3 })),
            (policy(u64::MAX, u32::MAX, u32::MAX), Ok(())),
        ];
        for (policy, expected) in cases {
            assert_eq!(policy.judge("board", &device()), expected, "{policy:?}");
        }
        for other in ["", "boar", "board2", "Board", "board "] {
            let found = policy(9, 9, 9).judge(other, &device());
            assert!(matches!(found, Err(PolicyError::Compatible { .. })), "{other:?}");
        }
    }

    #[test]
    fn commit_never_lowers_within_an_epoch() {
        assert_eq!(policy(9, 2, 3).committed(&device()).floor, 9);
        assert_eq!(policy(9, 2, 5).committed(&device()).data_min_reader, 5);
        let forward = policy(u64::MAX, 2, 3).committed(&device());
        assert_eq!(policy(8, 2, 3).judge("board", &forward).map_err(|_| ()), Err(()));
        // Fast-forward: whoever floored the device at the top is undone by the next epoch.
        let undone = policy(8, 3, 3).committed(&forward);
        assert_eq!((undone.floor, undone.key_epoch), (8, 3));
        assert_eq!(policy(8, 3, 3).judge("board", &undone), Ok(()));
    }
}
