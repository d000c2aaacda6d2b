//! Which devices belong to slot a and to slot b, by class: pure.
//!
//! RAUC's sections `[slot.CLASS.NUMBER]` say it, where they are there: the two that have a `bootname` are the system, and
//! those that have one of them as `parent` are updated with it. Without such sections the class is `rootfs`, and the
//! partitions are `gg-a` and `gg-b`.

use std::path::PathBuf;

use crate::boot::slot::Slot;
use crate::wire::bundle::ini::{Group, Ini, IniError};

/// One place that an image can be written to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Such as `rootfs.0`.
    pub name: String,
    /// Such as `rootfs`: which image goes there.
    pub class: String,
    pub device: Where,
    /// RAUC's `type`: `raw`, `ext4`, `vfat`, ...; what a file system is made of for an image that is an archive.
    pub kind: String,
    /// Never to be written.
    pub read_only: bool,
    /// What the boot loader calls it; only the system itself has one.
    pub bootname: Option<String>,
    /// The name of the place that it is updated with.
    pub parent: Option<String>,
    /// Words for `mkfs`.
    pub mkfs_options: Vec<String>,
}

/// How a place is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Where {
    Path(PathBuf),
    /// The GPT label of a partition.
    Label(String),
}

/// The class of the system itself where the settings name none.
pub const SYSTEM: &str = "rootfs";

const SECTION: &str = "slot.";
const BY_LABEL: &str = "/dev/disk/by-partlabel/";

impl Place {
    /// Takes all sections about slots out of the settings.
    pub fn all(ini: &mut Ini) -> Result<Vec<Self>, IniError> {
        let names: Vec<String> = ini.groups.iter().map(|group| group.name.clone()).collect();
        names.iter().filter(|name| name.starts_with(SECTION)).map(|name| Self::decode(ini.take(name))).collect()
    }

    fn decode(mut group: Group) -> Result<Self, IniError> {
        let name = group.name.strip_prefix(SECTION).unwrap_or_default().to_owned();
        let class = match name.split_once('.') {
            Some((class, number)) if !class.is_empty() && number.parse::<u32>().is_ok() => class.to_owned(),
            _ => return Err(IniError::Missing { group: group.name, key: "number in its name".to_owned() }),
        };
        let path = group.require("device")?;
        let device = match path.strip_prefix(BY_LABEL) {
            // Found without udev, too.
            Some(label) if !label.contains('/') => Where::Label(label.to_owned()),
            _ if path.starts_with('/') => Where::Path(path.into()),
            _ => return Err(group.value_error("device", &path)),
        };
        let place = Self {
            name,
            class,
            device,
            kind: group.take("type")?.unwrap_or_else(|| "raw".to_owned()),
            read_only: group.boolean("readonly")?.unwrap_or(false),
            bootname: group.take("bootname")?,
            parent: group.take("parent")?,
            mkfs_options: group
                .take("extra-mkfs-opts")?
                .map(|words| words.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
        };
        // Which mean nothing here, or are so anyway.
        for key in ["description", "install-same", "force-install-same", "ignore-checksum", "resize", "allow-mounted"] {
            group.take(key)?;
        }
        group.take("extra-mount-opts")?;
        group.end()?;
        Ok(place)
    }

    fn usual(slot: Slot) -> Self {
        Self {
            name: format!("{SYSTEM}.{}", slot.index()),
            class: SYSTEM.to_owned(),
            device: Where::Label(slot.label().to_owned()),
            kind: "raw".to_owned(),
            read_only: false,
            bootname: Some(slot.name().to_owned()),
            parent: None,
            mkfs_options: Vec::new(),
        }
    }
}

/// The places of both slots, each with the system itself last: it counts as installed when all before it are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    slots: [Vec<Place>; 2],
}

impl Layout {
    /// Sorts the places of the settings by the slot they belong to. What belongs to none is left out.
    pub fn of(places: &[Place]) -> Result<Self, LayoutError> {
        if places.is_empty() {
            return Ok(Self { slots: [Slot::A, Slot::B].map(|slot| vec![Place::usual(slot)]) });
        }
        let mut systems: Vec<&Place> = places.iter().filter(|place| place.bootname.is_some()).collect();
        // By what the boot loader calls them, which may be "A" and "B", or "system0" and "system1".
        systems.sort_by_key(|place| place.bootname.as_ref().map(|name| name.to_ascii_lowercase()));
        let [a, b] = systems[..] else { return Err(LayoutError::Systems { found: systems.len() }) };
        let slots = [Self::group(places, a)?, Self::group(places, b)?];
        Ok(Self { slots })
    }

    fn group(places: &[Place], system: &Place) -> Result<Vec<Place>, LayoutError> {
        let of_it = |place: &&Place| place.parent.as_deref() == Some(&system.name);
        let mut group: Vec<Place> = places.iter().filter(of_it).cloned().collect();
        group.push(system.clone());
        for (index, place) in group.iter().enumerate() {
            if group[..index].iter().any(|other| other.class == place.class) {
                return Err(LayoutError::Twice { class: place.class.clone(), system: system.name.clone() });
            }
        }
        Ok(group)
    }

    /// The places of a slot, in the order they are written: the system itself is the last.
    pub fn places(&self, slot: Slot) -> &[Place] {
        &self.slots[slot.index()]
    }

    /// The place of a slot that an image of this class goes to.
    pub fn place(&self, slot: Slot, class: &str) -> Option<&Place> {
        self.places(slot).iter().find(|place| place.class == class)
    }

    /// The slot that a boot loader, or RAUC's `rauc.slot=`, calls so.
    pub fn called(&self, name: &str) -> Option<Slot> {
        let is_it = |place: &Place| place.bootname.as_deref() == Some(name) || place.name == name;
        [Slot::A, Slot::B].into_iter().find(|slot| self.places(*slot).iter().any(is_it))
    }
}

/// Slots that make no pair.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("{found} of the sections [slot...] have a bootname, and it takes two: the system and its other half")]
    Systems { found: usize },
    #[error("{system} has two slots of the class {class}")]
    Twice { class: String, system: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "[slot.rootfs.0]\ndevice=/dev/vda3\nbootname=B\n[slot.rootfs.1]\ndevice=/dev/disk/by-partlabel/x\n\
        bootname=A\ntype=ext4\n[slot.app.0]\ndevice=/dev/vda5\nparent=rootfs.0\n[slot.app.1]\ndevice=/dev/vda6\n\
        parent=rootfs.1\n[slot.rescue.0]\ndevice=/dev/vda7\nreadonly=true\n";

    fn layout(text: &str) -> Result<Layout, LayoutError> {
        Layout::of(&Place::all(&mut Ini::decode(text.as_bytes()).unwrap()).unwrap())
    }

    #[test]
    fn layout_has_our_partitions_unless_told_otherwise() {
        let layout = layout("").unwrap();
        let [place] = layout.places(Slot::B) else { panic!("one place") };
        assert_eq!((place.class.as_str(), &place.device), ("rootfs", &Where::Label("gg-b".to_owned())));
    }

    #[test]
    fn layout_of_rauc_is_two_groups_with_the_system_last() {
        let layout = layout(TWO).unwrap();
        let names = |slot| layout.places(slot).iter().map(|place| place.name.as_str()).collect::<Vec<_>>();
        assert_eq!((names(Slot::A), names(Slot::B)), (vec!["app.1", "rootfs.1"], vec!["app.0", "rootfs.0"]));
        assert_eq!(layout.place(Slot::A, "rootfs").unwrap().device, Where::Label("x".to_owned()));
        assert_eq!(layout.place(Slot::A, "rescue"), None);
        assert_eq!(
            (layout.called("B"), layout.called("app.1"), layout.called("C")),
            (Some(Slot::B), Some(Slot::A), None)
        );
    }

    #[test]
    fn layout_that_is_no_pair_is_refused() {
        let cases = [("bootname=B", ""), ("class", "class"), ("[slot.rescue.0]", "[slot.app.2]\nparent=rootfs.0\n")];
        for (index, (from, to)) in cases.into_iter().enumerate() {
            assert_eq!(layout(&TWO.replace(from, to)).is_err(), index != 1, "{from:?} -> {to:?}");
        }
        for text in ["[slot.x]\ndevice=/a", "[slot.x.0]", "[slot.x.0]\ndevice=a", "[slot.x.0]\ndevice=/a\nodd=1"] {
            assert!(Place::all(&mut Ini::decode(text.as_bytes()).unwrap()).is_err(), "{text:?}");
        }
    }
}
