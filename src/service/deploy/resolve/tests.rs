use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[derive(Default)]
struct Shop(BTreeMap<ComponentName, BTreeMap<ComponentVersion, Offer>>);

impl Shelf for Shop {
    fn versions(&mut self, name: &ComponentName) -> Vec<ComponentVersion> {
        self.0.get(name).map_or(Vec::new(), |versions| versions.keys().cloned().collect())
    }

    fn offer(&mut self, name: &ComponentName, version: &ComponentVersion) -> Result<Offer, ResolveError> {
        Ok(self.0[name][version].clone())
    }
}

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn version(text: &str) -> ComponentVersion {
    ComponentVersion::parse(text).unwrap()
}

/// `a 1.0.0: b ^1.0.0, c >=2.0.0` on each line.
fn shop(text: &str) -> Shop {
    let mut shop = Shop::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, needs) = line.split_once(':').unwrap_or((line, ""));
        let (component, at) = head.trim().split_once(' ').unwrap();
        let dependencies = needs.split(',').filter(|needs| !needs.trim().is_empty()).map(|needs| {
            let (dependency, range) = needs.trim().split_once(' ').unwrap();
            let requirement = VersionRequirement::parse(range).unwrap();
            (name(dependency), Dependency { requirement, kind: DependencyType::Hard })
        });
        let offer = Offer { kind: ComponentType::Generic, dependencies: dependencies.collect() };
        shop.0.entry(name(component)).or_default().insert(version(at), offer);
    }
    shop
}

fn listed_roots(text: &str) -> Vec<Root> {
    let items = text.split(',').map(|item| item.trim().split_once(' ').unwrap());
    items
        .map(|(component, at)| Root { group: GroupName::local(), name: name(component), version: version(at) })
        .collect()
}

fn running(text: &str) -> BTreeMap<ComponentName, ComponentVersion> {
    let items = text.split(',').filter_map(|item| item.trim().split_once(' '));
    items.map(|(component, at)| (name(component), version(at))).collect()
}

fn answer(store: &str, roots: &str, run: &str) -> Result<String, ResolveError> {
    let resolved = resolve(&listed_roots(roots), &running(run), &mut shop(store))?;
    let items: Vec<String> = resolved.iter().map(|(name, answer)| format!("{name} {}", answer.version)).collect();
    Ok(items.join(", "))
}

#[test]
fn resolve_takes_the_running_version_else_the_highest() {
    let store = "a 1.0.0: b ^1.0.0
                 b 1.0.0
                 b 1.1.0
                 b 2.0.0";
    assert_eq!(answer(store, "a 1.0.0", "").unwrap(), "a 1.0.0, b 1.1.0");
    assert_eq!(answer(store, "a 1.0.0", "b 1.0.0").unwrap(), "a 1.0.0, b 1.0.0");
    assert_eq!(answer(store, "a 1.0.0", "b 2.0.0").unwrap(), "a 1.0.0, b 1.1.0", "running but not fitting");
    assert_eq!(answer(store, "a 1.0.0", "b 1.0.5").unwrap(), "a 1.0.0, b 1.1.0", "running but not stored");
}

#[test]
fn resolve_forgets_what_only_a_replaced_version_required() {
    // b is looked at first with nothing but a's wish, taken at 2.0.0, and brought down by c; d was only 2.0.0's.
    let store = "a 1.0.0: b >=1.0.0
                 b 1.0.0
                 b 2.0.0: d >=1.0.0
                 c 1.0.0: e >=1.0.0
                 e 1.0.0: b <2.0.0
                 d 1.0.0: f >=1.0.0
                 f 1.0.0";
    assert_eq!(answer(store, "a 1.0.0, c 1.0.0", "").unwrap(), "a 1.0.0, b 1.0.0, c 1.0.0, e 1.0.0");
}

#[test]
fn resolve_forgives_a_demand_that_goes_away() {
    // b 2.0.0 wants a d that is not there, until e brings b down.
    let store = "a 1.0.0: b >=1.0.0, e >=1.0.0
                 b 1.0.0
                 b 2.0.0: d >=9.0.0
                 e 1.0.0: x >=1.0.0
                 x 1.0.0: b <2.0.0";
    assert_eq!(answer(store, "a 1.0.0", "").unwrap(), "a 1.0.0, b 1.0.0, e 1.0.0, x 1.0.0");
}

#[test]
fn resolve_lets_the_daemon_provide_its_own_components() {
    let store = "a 1.0.0: aws.greengrass.Nucleus >=2.0.0 <3.0.0";
    assert_eq!(answer(store, "a 1.0.0", "").unwrap(), "a 1.0.0, aws.greengrass.Nucleus 2.18.0");
    let error = answer("a 1.0.0: aws.greengrass.Nucleus >=3.0.0", "a 1.0.0", "").unwrap_err();
    assert!(error.to_string().contains("part of this daemon, as version 2.18.0"), "{error}");
}

#[test]
fn resolve_replaces_the_daemon_only_when_asked_to() {
    let store = "a 1.0.0: aws.greengrass.Nucleus *
                 b 1.0.0: aws.greengrass.Nucleus >=2.19.0
                 c 1.0.0: aws.greengrass.Nucleus >2.18.0 <2.19.0
                 aws.greengrass.Nucleus 2.18.1
                 aws.greengrass.Nucleus 2.19.0";
    let nucleus = |roots, run| {
        let resolved = resolve(&listed_roots(roots), &running(run), &mut shop(store))?;
        let answer = &resolved[&name(NUCLEUS)];
        Ok((answer.version.to_string(), answer.provider))
    };
    let is = |version: &str, provider| Ok::<_, ResolveError>((version.to_owned(), provider));
    let same = |found: Result<_, ResolveError>, expected: Result<_, ResolveError>| {
        assert_eq!(found.map_err(|e| e.to_string()), expected.map_err(|e| e.to_string()));
    };
    same(nucleus("a 1.0.0", ""), is("2.18.0", Provider::Daemon));
    same(nucleus("a 1.0.0, aws.greengrass.Nucleus 2.19.0", ""), is("2.19.0", Provider::Store));
    same(nucleus("a 1.0.0", "aws.greengrass.Nucleus 2.19.0"), is("2.19.0", Provider::Daemon));
    same(nucleus("b 1.0.0", "aws.greengrass.Nucleus 2.20.0"), is("2.20.0", Provider::Daemon));
    same(nucleus("c 1.0.0", ""), is("2.18.1", Provider::Store));
    let error = nucleus("b 1.0.0", "").unwrap_err();
    assert_eq!(error.stack().codes()[1], "UNAUTHORIZED_NUCLEUS_MINOR_VERSION_UPDATE");
    assert!(error.to_string().contains("requires version 2.19.0 of the daemon, and it is 2.18.0"), "{error}");
}

#[test]
fn error_tells_who_requires_what_and_which_versions_there_are() {
    let store = "a 1.0.0: b ^1.0.0
                 c 1.0.0: b ^2.0.0
                 b 1.0.0
                 b 2.0.0";
    let error = answer(store, "a 1.0.0, c 1.0.0", "").unwrap_err();
    let text = error.to_string();
    for part in ["no version of b fits", "a 1.0.0 requires", "c 1.0.0 requires", "has 2.0.0, 1.0.0."] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert_eq!(
        error.stack().codes(),
        ["DEPLOYMENT_FAILURE", "NO_AVAILABLE_COMPONENT_VERSION", "COMPONENT_VERSION_REQUIREMENTS_NOT_MET"]
    );
    assert_eq!(error.stack().types(), ["REQUEST_ERROR"]);

    let text = answer("a 1.0.0", "a 1.0.0, gone 3.0.0", "").unwrap_err().to_string();
    assert!(text.contains("no recipe of gone: deployment group LOCAL_DEPLOYMENT requires exactly 3.0.0"), "{text}");
}

#[test]
fn error_shows_the_circle() {
    let store = "a 1.0.0: b *
                 b 1.0.0: c *
                 c 1.0.0: b *";
    let error = answer(store, "a 1.0.0", "").unwrap_err();
    assert!(error.to_string().contains("b -> c -> b"), "{error}");
    assert_eq!(error.stack().codes()[1], "COMPONENT_CIRCULAR_DEPENDENCY_ERROR");
    assert!(answer("a 1.0.0: a *", "a 1.0.0", "").unwrap_err().to_string().contains("a -> a"));
}

#[test]
fn error_names_versions_that_exclude_each_other_in_turn() {
    let store = "a 1.0.0: b *
                 b 2.0.0: c *
                 b 1.0.0
                 c 1.0.0: b <2.0.0";
    let error = answer(store, "a 1.0.0", "").unwrap_err();
    assert!(matches!(error, ResolveError::Restless { .. }), "{error}");
}

#[test]
fn error_counts_nuclei_and_refuses_plugins() {
    let mut shop = shop("n 1.0.0\na 1.0.0: aws.greengrass.Nucleus *");
    let offer =
        |shop: &mut Shop, kind| shop.0.get_mut(&name("n")).unwrap().get_mut(&version("1.0.0")).unwrap().kind = kind;
    let roots = listed_roots("n 1.0.0, a 1.0.0");
    offer(&mut shop, ComponentType::Nucleus);
    let error = resolve(&roots, &BTreeMap::new(), &mut shop).unwrap_err();
    assert_eq!(error.stack().codes()[1], "MULTIPLE_NUCLEUS_RESOLVED_ERROR");
    offer(&mut shop, ComponentType::Plugin);
    let error = resolve(&roots, &BTreeMap::new(), &mut shop).unwrap_err();
    assert_eq!(error.stack().types(), ["USER_COMPONENT_ERROR"]);
}

#[test]
fn error_refuses_names_the_configuration_has_no_place_for() {
    for names in ["Main 1.0.0", "deploymentservice 1.0.0", "_a 1.0.0", "a 1.0.0, A 1.0.0"] {
        let error = answer(&names.replace(", ", "\n"), names, "").unwrap_err();
        assert_eq!(error.stack().codes()[1], "COMPONENT_METADATA_NOT_VALID_IN_DEPLOYMENT", "{error}");
    }
}

#[test]
fn resolve_walks_long_chains() {
    use std::fmt::Write;
    let mut store = String::new();
    for n in 0..2000 {
        writeln!(store, "c{n} 1.0.0: c{} *", n + 1).unwrap();
    }
    store.push_str("c2000 1.0.0");
    let resolved = resolve(&listed_roots("c0 1.0.0"), &BTreeMap::new(), &mut shop(&store)).unwrap();
    assert_eq!(resolved.len(), 2001);
}

/// Deterministic numbers: the test finds the same shops at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn random_shop(dice: &mut Dice) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for component in 0..5 {
        for major in 1..=1 + dice.roll(3) {
            write!(text, "c{component} {major}.0.0:").unwrap();
            let mut separator = "";
            for dependency in component + 1..5 {
                if dice.roll(3) == 0 {
                    let range = [">=1.0.0", "^1.0.0", "<3.0.0", ">=2.0.0", "<2.0.0"][dice.roll(5) as usize];
                    write!(text, "{separator} c{dependency} {range}").unwrap();
                    separator = ",";
                }
            }
            text.push('\n');
        }
    }
    text
}

/// Tries every choice of versions: is there any that fits?
fn satisfiable(shop: &Shop, roots: &[Root]) -> bool {
    fn holds(shop: &Shop, roots: &[Root], chosen: &BTreeMap<ComponentName, ComponentVersion>) -> bool {
        let mut open: Vec<&ComponentName> = roots.iter().map(|root| &root.name).collect();
        let mut seen = BTreeSet::new();
        if roots.iter().any(|root| chosen.get(&root.name) != Some(&root.version)) {
            return false;
        }
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            let Some(offer) = chosen.get(name).and_then(|version| shop.0[name].get(version)) else { return false };
            for (dependency, needs) in &offer.dependencies {
                if chosen.get(dependency).is_none_or(|version| !needs.requirement.matches(version)) {
                    return false;
                }
                open.push(dependency);
            }
        }
        true
    }
    let mut choices: Vec<BTreeMap<ComponentName, ComponentVersion>> = vec![BTreeMap::new()];
    for (name, versions) in &shop.0 {
        choices = choices
            .into_iter()
            .flat_map(|choice| {
                versions.keys().map(move |version| {
                    let mut choice = choice.clone();
                    choice.insert(name.clone(), version.clone());
                    choice
                })
            })
            .collect();
    }
    choices.iter().any(|choice| holds(shop, roots, choice))
}

#[test]
fn resolve_agrees_with_trying_everything() {
    let mut dice = Dice(42);
    let (mut solved, mut refused) = (0, 0);
    for round in 0..2000 {
        let text = random_shop(&mut dice);
        let mut shop = shop(&text);
        let roots = listed_roots(["c0 1.0.0", "c0 1.0.0, c1 1.0.0", "c1 1.0.0, c2 1.0.0"][dice.roll(3) as usize]);
        match resolve(&roots, &BTreeMap::new(), &mut shop) {
            Ok(resolved) => {
                solved += 1;
                let demands = resolved.iter().flat_map(|(name, answer)| {
                    shop.0[name][&answer.version]
                        .dependencies
                        .iter()
                        .map(|(dependency, needs)| (dependency, &needs.requirement))
                });
                for (dependency, range) in demands {
                    assert!(range.matches(&resolved[dependency].version), "round {round}: {text}");
                }
                for root in &roots {
                    assert_eq!(resolved[&root.name].version, root.version, "round {round}");
                }
                let needed: BTreeSet<_> = roots
                    .iter()
                    .map(|root| &root.name)
                    .chain(resolved.values().flat_map(|answer| answer.dependencies.keys()))
                    .collect();
                assert_eq!(needed, resolved.keys().collect(), "round {round}: nothing but what is required");
            }
            // The walk takes the highest and never goes back, as the reference does: it may miss an answer,
            // but only where some component has a lower version to fall back to.
            Err(error) => {
                refused += 1;
                let several = shop.0.values().any(|versions| versions.len() > 1);
                assert!(several || !satisfiable(&shop, &roots), "round {round}: {error}\n{text}");
            }
        }
    }
    assert!(solved > 500 && refused > 200, "{solved} solved, {refused} refused");
}
