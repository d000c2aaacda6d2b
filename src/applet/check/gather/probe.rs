//! What a kernel that shows no configuration gives away of its options.

use std::collections::BTreeMap;

use super::Place;
use crate::boot::kernel::{Looks, shown};

/// Option to whether the kernel has it; without `/proc` nothing can be found out.
pub(super) fn options(place: &Place, release: &str) -> BTreeMap<&'static str, bool> {
    let lists = ["modules.dep", "modules.builtin"].map(|list| format!("/lib/modules/{release}/{list}"));
    let modules: String = lists.iter().filter_map(|list| place.text(list)).collect();
    let looks = Looks { exists: &|path| place.exists(path), text: &|path| place.text(path).unwrap_or_default() };
    shown(looks, release, &modules).into_iter().collect()
}
