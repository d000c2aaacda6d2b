//! Which difference means what, as a table of edits.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::service::supervisor::desired::RunWith;
use crate::wire::lifecycle::{Bootstrap, Step};
use crate::wire::name::ComponentVersion;

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn step(script: &str) -> Step {
    Step { script: script.into(), requires_privilege: false, skipif: None, timeout: None, setenv: BTreeMap::new() }
}

fn component() -> Component {
    Component {
        version: ComponentVersion::parse("1.0.0").unwrap(),
        dependencies: BTreeMap::from([(name("soft"), DependencyType::Soft), (name("hard"), DependencyType::Hard)]),
        lifecycle: Arc::new(Lifecycle { run: Some(Ok(step("run"))), ..Lifecycle::default() }),
        environment: BTreeMap::new(),
        run_with: RunWith::default(),
    }
}

fn set(component: Component) -> DesiredSet {
    DesiredSet { components: BTreeMap::from([(name("a"), component)]), ..DesiredSet::default() }
}

fn user(text: &str) -> Option<PosixUser> {
    Some(PosixUser::parse(text).unwrap())
}

fn lifecycle(component: &mut Component) -> &mut Lifecycle {
    Arc::make_mut(&mut component.lifecycle)
}

#[test]
fn edit_of_a_component_asks_for_what_it_needs() {
    use Change::{Adopt, Reinstall, Restart};
    let limits = SystemResourceLimits { memory: Some(1), cpus: None };
    type Edit = fn(&mut Component);
    let table: [(&str, Option<Change>, Edit); 17] = [
        ("nothing", None, |_| {}),
        ("version", Some(Reinstall), |c| c.version = ComponentVersion::parse("1.0.1").unwrap()),
        ("install", Some(Reinstall), |c| lifecycle(c).install = Some(Ok(step("install")))),
        ("user", Some(Reinstall), |c| c.run_with.posix_user = user("gg")),
        ("install and run", Some(Reinstall), |c| {
            lifecycle(c).install = Some(Ok(step("install")));
            lifecycle(c).run = None;
        }),
        ("run", Some(Restart), |c| lifecycle(c).run = Some(Ok(step("run otherwise")))),
        ("startup", Some(Restart), |c| lifecycle(c).startup = Some(Ok(step("startup")))),
        ("recover", Some(Restart), |c| lifecycle(c).recover = Some(Ok(step("recover")))),
        ("uninstall", Some(Restart), |c| lifecycle(c).uninstall = Some(Ok(step("uninstall")))),
        ("bootstrap", Some(Restart), |c| {
            lifecycle(c).bootstrap = Some(Ok(Bootstrap { step: step("bootstrap"), on_rollback: false }));
        }),
        ("errorResetTime", Some(Restart), |c| lifecycle(c).error_reset_time = Some(Duration::from_secs(1))),
        ("lifecycle.Setenv", Some(Restart), |c| drop(lifecycle(c).setenv.insert("K".into(), "v".into()))),
        ("setenv", Some(Restart), |c| drop(c.environment.insert("K".into(), "v".into()))),
        ("new dependency", Some(Restart), |c| {
            c.dependencies.insert(name("new"), DependencyType::Soft);
        }),
        ("SOFT to HARD", Some(Restart), |c| {
            c.dependencies.insert(name("soft"), DependencyType::Hard);
        }),
        ("HARD to SOFT", Some(Adopt), |c| {
            c.dependencies.insert(name("hard"), DependencyType::Soft);
        }),
        ("shutdown", Some(Adopt), |c| lifecycle(c).shutdown = Some(Ok(step("shutdown")))),
    ];
    for (what, wanted, edit) in table {
        let mut edited = component();
        edit(&mut edited);
        let plan = difference(&set(component()), &set(edited.clone()));
        assert_eq!(plan.changes.get(&name("a")).copied(), wanted, "{what}");
        assert!(plan.limits.is_empty(), "{what}");
        edited.run_with.limits = Some(limits);
        let plan = difference(&set(component()), &set(edited));
        assert_eq!(plan.changes.get(&name("a")).copied(), wanted.or(Some(Adopt)), "{what} and limits");
        assert_eq!(plan.limits, BTreeMap::from([(name("a"), limits)]), "{what} and limits");
    }
}

#[test]
fn defaults_count_only_where_they_have_an_effect() {
    let old = set(component());
    let mut new = set(component());
    new.environment.insert("TREE".into(), "reaches the next start".into());
    new.run_with_default.limits.cpus = Some(0.5);
    let plan = difference(&old, &new);
    assert!(plan.changes.is_empty());
    assert_eq!(plan.limits.len(), 1);
    new.run_with_default.posix_user = user("gg");
    assert_eq!(difference(&old, &new).changes[&name("a")], Change::Reinstall);
    let mut explicit = new.clone();
    explicit.components.get_mut(&name("a")).unwrap().run_with.posix_user = user("gg");
    assert_eq!(difference(&new, &explicit).changes[&name("a")], Change::Adopt, "the same user, said otherwise");
    let mut shell = new.clone();
    shell.run_with_default.posix_shell = "bash".into();
    assert_eq!(difference(&new, &shell).changes[&name("a")], Change::Reinstall);
}

#[test]
fn what_comes_and_goes_is_added_and_removed() {
    let (none, one) = (DesiredSet::default(), set(component()));
    assert_eq!(difference(&none, &one).changes, BTreeMap::from([(name("a"), Change::Add)]));
    assert_eq!(difference(&one, &none).changes, BTreeMap::from([(name("a"), Change::Remove)]));
    assert_eq!(difference(&one, &one), Plan::default());
}
