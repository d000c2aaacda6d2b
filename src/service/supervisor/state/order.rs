//! A place in line for every component, dependencies before dependents.
//!
//! Waiting is allowed only towards a component earlier in line (at start) or later in line (at stop).
//! A line has no circle, so no set, however its dependencies run in circles, can make the machine wait for ever.

use std::collections::{BTreeMap, BTreeSet};

use crate::wire::name::ComponentName;

/// Gives each component its place. Where dependencies run in a circle, the edge that closes it in name order loses.
pub(super) fn places(needs: &BTreeMap<&ComponentName, &BTreeSet<ComponentName>>) -> BTreeMap<ComponentName, usize> {
    let mut places: BTreeMap<ComponentName, usize> = BTreeMap::new();
    let mut entered: BTreeSet<&ComponentName> = BTreeSet::new();
    // A stack of its own instead of recursion: a chain of dependencies may be as long as the set.
    let mut open: Vec<(&ComponentName, std::collections::btree_set::Iter<'_, ComponentName>)> = Vec::new();
    for (&root, &below) in needs {
        if entered.insert(root) {
            open.push((root, below.iter()));
        }
        while let Some((name, rest)) = open.last_mut() {
            match rest.next() {
                Some(next) => {
                    if let Some((&next, below)) = needs.get_key_value(next)
                        && entered.insert(next)
                    {
                        open.push((next, below.iter()));
                    }
                }
                None => {
                    places.insert((*name).clone(), places.len());
                    open.pop();
                }
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places_of(edges: &[(&str, &[&str])]) -> BTreeMap<String, usize> {
        let name = |text: &str| ComponentName::parse(text).unwrap();
        let needs: BTreeMap<_, BTreeSet<_>> =
            edges.iter().map(|(a, below)| (name(a), below.iter().map(|b| name(b)).collect())).collect();
        places(&needs.iter().collect()).into_iter().map(|(name, place)| (name.to_string(), place)).collect()
    }

    #[test]
    fn places_put_dependencies_first() {
        let line = places_of(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[]), ("d", &["a"])]);
        assert!(line["c"] < line["b"] && line["b"] < line["a"] && line["a"] < line["d"], "{line:?}");
    }

    #[test]
    fn places_cut_a_circle_and_ignore_strangers() {
        let line = places_of(&[("a", &["b"]), ("b", &["c", "stranger"]), ("c", &["a"]), ("self", &["self"])]);
        assert_eq!(line.len(), 4);
        assert!(line["c"] < line["b"] && line["b"] < line["a"], "only c -> a is cut: {line:?}");
    }

    #[test]
    fn places_take_a_chain_of_any_length() {
        let names: Vec<String> = (0..20_000).map(|n| format!("c{n:05}")).collect();
        let edges: Vec<(&str, Vec<&str>)> = (0..names.len())
            .map(|n| (names[n].as_str(), names.get(n + 1).map(String::as_str).into_iter().collect()))
            .collect();
        let edges: Vec<(&str, &[&str])> = edges.iter().map(|(name, below)| (*name, below.as_slice())).collect();
        assert_eq!(places_of(&edges)["c19999"], 0);
    }
}
