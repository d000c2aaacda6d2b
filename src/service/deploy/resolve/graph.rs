//! The walk from the roots over everything they require.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::builtin::is_reserved;
use super::{Demand, NUCLEUS, Offer, Provider, Requirer, ResolveError, Resolved, Root, Shelf, own_version};
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::recipe::ComponentType;

/// A component for every root and everything required below, each at a version that fits all that is required of it.
///
/// Of several that fit, the running version is taken, else the highest.
pub fn resolve(
    roots: &[Root],
    running: &BTreeMap<ComponentName, ComponentVersion>,
    shelf: &mut impl Shelf,
) -> Result<BTreeMap<ComponentName, Resolved>, ResolveError> {
    let mut walk = Walk { running, shelf, demands: BTreeMap::new(), taken: BTreeMap::new(), queue: VecDeque::new() };
    for root in roots {
        walk.demand(&root.name, Requirer::Group(root.group.clone()), Demand::Exactly(root.version.clone()));
    }
    walk.run()?;
    check_names(walk.taken.keys())?;
    let nuclei: Vec<_> = walk.taken.iter().filter(|(_, taken)| taken.offer.kind == ComponentType::Nucleus).collect();
    if nuclei.len() > 1 {
        return Err(ResolveError::SeveralNuclei { names: nuclei.iter().map(|(name, _)| (*name).clone()).collect() });
    }
    if let Some((name, taken)) = nuclei.first()
        && let Some(own) = own_version(name, running)
        && release(&own) != release(&taken.version)
        && !roots.iter().any(|root| root.name == **name)
    {
        return Err(ResolveError::DaemonNotNamed { name: (*name).clone(), version: taken.version.clone(), own });
    }
    if let Some(path) = circle(&walk.taken) {
        return Err(ResolveError::Circle { path });
    }
    Ok(walk.taken.into_iter().map(|(name, taken)| (name, taken.into())).collect())
}

/// What a patch does not change.
fn release(version: &ComponentVersion) -> String {
    version.to_string().split('.').take(2).collect::<Vec<_>>().join(".")
}

fn check_names<'a>(names: impl Iterator<Item = &'a ComponentName>) -> Result<(), ResolveError> {
    let mut seen: BTreeMap<String, &ComponentName> = BTreeMap::new();
    for name in names {
        if is_reserved(name) {
            return Err(ResolveError::Reserved { name: name.clone() });
        }
        if let Some(other) = seen.insert(name.as_str().to_ascii_lowercase(), name) {
            return Err(ResolveError::SameButCase { name: name.clone(), other: other.clone() });
        }
    }
    Ok(())
}

struct Walk<'a, S> {
    running: &'a BTreeMap<ComponentName, ComponentVersion>,
    shelf: &'a mut S,
    demands: BTreeMap<ComponentName, BTreeMap<Requirer, Demand>>,
    taken: BTreeMap<ComponentName, Taken>,
    /// Components whose demands changed since they were last looked at.
    queue: VecDeque<ComponentName>,
}

struct Taken {
    version: ComponentVersion,
    provider: Provider,
    offer: Offer,
}

impl From<Taken> for Resolved {
    fn from(taken: Taken) -> Self {
        let dependencies = taken.offer.dependencies.into_iter().map(|(name, needs)| (name, needs.kind));
        Self { version: taken.version, provider: taken.provider, dependencies: dependencies.collect() }
    }
}

impl<S: Shelf> Walk<'_, S> {
    fn run(&mut self) -> Result<(), ResolveError> {
        // A demand that nothing fits now may still go, with a version that is replaced later: judged at the end.
        let mut unmet = BTreeSet::new();
        let mut changes: BTreeMap<ComponentName, usize> = BTreeMap::new();
        while let Some(name) = self.queue.pop_front() {
            unmet.remove(&name);
            if self.demands.get(&name).is_none_or(BTreeMap::is_empty) {
                self.demands.remove(&name);
                self.leave(&name);
                continue;
            }
            let Some(version) = self.choose(&name) else {
                unmet.insert(name);
                continue;
            };
            if self.taken.get(&name).is_some_and(|taken| taken.version == version) {
                continue;
            }
            let count = changes.entry(name.clone()).or_default();
            *count += 1;
            if *count > MAX_CHANGES {
                return Err(ResolveError::Restless { name });
            }
            self.take(&name, version)?;
        }
        match unmet.pop_first() {
            Some(name) => Err(self.no_version(name)),
            None => Ok(()),
        }
    }

    fn demand(&mut self, name: &ComponentName, who: Requirer, what: Demand) {
        self.demands.entry(name.clone()).or_default().insert(who, what);
        self.enqueue(name);
    }

    fn enqueue(&mut self, name: &ComponentName) {
        if !self.queue.contains(name) {
            self.queue.push_back(name.clone());
        }
    }

    fn versions(&mut self, name: &ComponentName) -> Vec<ComponentVersion> {
        let own = own_version(name, self.running);
        // Recipes may bring another version of the daemon, and of none of its other parts.
        let is_stored = own.is_none() || name.as_str() == NUCLEUS;
        let mut versions = if is_stored { self.shelf.versions(name) } else { Vec::new() };
        versions.extend(own.filter(|own| !versions.contains(own)));
        versions.sort_by(|a, b| b.cmp(a));
        versions
    }

    fn choose(&mut self, name: &ComponentName) -> Option<ComponentVersion> {
        let versions = self.versions(name);
        let demands = self.demands.get(name)?;
        let fits = |version: &&ComponentVersion| demands.values().all(|demand| demand.accepts(version));
        let running = own_version(name, self.running).or_else(|| self.running.get(name).cloned());
        let running = running.filter(|running| versions.contains(running) && fits(&running));
        running.or_else(|| versions.iter().find(fits).cloned())
    }

    fn take(&mut self, name: &ComponentName, version: ComponentVersion) -> Result<(), ResolveError> {
        let (provider, mut offer) = match own_version(name, self.running) {
            Some(own) if own == version => (Provider::Daemon, Offer::default()),
            _ => (Provider::Store, self.shelf.offer(name, &version)?),
        };
        if name.as_str() == NUCLEUS {
            offer.kind = ComponentType::Nucleus;
        }
        if offer.kind == ComponentType::Plugin {
            return Err(ResolveError::Plugin { name: name.clone(), version });
        }
        self.leave(name);
        for (dependency, needs) in &offer.dependencies {
            self.demand(dependency, Requirer::Component(name.clone()), Demand::Range(needs.requirement.clone()));
        }
        self.taken.insert(name.clone(), Taken { version, provider, offer });
        Ok(())
    }

    /// Takes back what the version of `name` taken so far requires.
    fn leave(&mut self, name: &ComponentName) {
        let Some(old) = self.taken.remove(name) else { return };
        let who = Requirer::Component(name.clone());
        for dependency in old.offer.dependencies.keys() {
            if let Some(demands) = self.demands.get_mut(dependency) {
                demands.remove(&who);
                self.enqueue(dependency);
            }
        }
    }

    fn no_version(&mut self, name: ComponentName) -> ResolveError {
        let own = own_version(&name, self.running);
        let builtin = own.is_some();
        let stored = own.map_or_else(|| self.versions(&name), |own| vec![own]);
        let demands = self.demands.remove(&name).unwrap_or_default();
        let demands = demands.into_iter().map(|(who, what)| {
            let version = match &who {
                Requirer::Component(requirer) => self.taken.get(requirer).map(|taken| taken.version.clone()),
                Requirer::Group(_) => None,
            };
            (who, version, what)
        });
        ResolveError::NoVersion { demands: demands.collect(), stored, builtin, name }
    }
}

/// A path that comes back to where it began, if there is one.
fn circle(taken: &BTreeMap<ComponentName, Taken>) -> Option<Vec<ComponentName>> {
    let mut done: BTreeSet<&ComponentName> = BTreeSet::new();
    for start in taken.keys() {
        // Depth first, with the path kept by hand: a chain as long as the store is large must not fill the stack.
        let mut path: Vec<(&ComponentName, Vec<&ComponentName>)> = Vec::new();
        let below = |name| taken.get(name).map_or(Vec::new(), |taken| taken.offer.dependencies.keys().collect());
        let mut next = Some(start).filter(|name| !done.contains(name));
        loop {
            if let Some(name) = next.take() {
                if let Some(at) = path.iter().position(|(on_path, _)| *on_path == name) {
                    let around = path[at..].iter().map(|(name, _)| *name).chain([name]);
                    return Some(around.cloned().collect());
                }
                if !done.contains(name) {
                    path.push((name, below(name)));
                }
            }
            match path.last_mut() {
                None => break,
                Some((name, rest)) => match rest.pop() {
                    Some(dependency) => next = Some(dependency),
                    None => {
                        done.insert(name);
                        path.pop();
                    }
                },
            }
        }
    }
    None
}

/// How often one component may change its version in a walk before the walk counts as endless.
const MAX_CHANGES: usize = 100;
