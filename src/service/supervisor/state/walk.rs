//! Random walks through the machine: whatever happens in whatever order, what must hold holds, and it comes to rest.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::{World, component, name, set};
use super::*;
use crate::wire::lifecycle::StepName;
use crate::wire::state::ComponentState;

/// A small generator of its own (xorshift), so that a seed names the same walk for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let sides = u64::try_from(from.len()).ok().filter(|sides| *sides > 0)?;
        from.get(usize::try_from(self.roll(sides)).ok()?)
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const STEPS: [StepName; 6] =
    [StepName::Install, StepName::Startup, StepName::Run, StepName::Shutdown, StepName::Recover, StepName::Uninstall];

#[derive(Clone, Copy, PartialEq)]
enum Circles {
    None,
    Allowed,
}

fn random_set(dice: &mut Dice, circles: Circles) -> (DesiredSet, BTreeMap<String, BTreeSet<String>>) {
    let (mut components, mut needs) = (Vec::new(), BTreeMap::new());
    let present: Vec<&str> = NAMES.into_iter().filter(|_| dice.roll(4) != 0).collect();
    for (place, who) in present.iter().copied().enumerate() {
        let steps: Vec<StepName> = STEPS.into_iter().filter(|_| dice.roll(2) == 0).collect();
        let below = if circles == Circles::Allowed { &present[..] } else { &present[..place] };
        let below: Vec<&str> = below.iter().copied().filter(|_| dice.roll(3) == 0).collect();
        let version = format!("1.0.{}", dice.roll(3));
        components.push((who, component(&version, &steps, &below)));
        needs.insert(who.to_owned(), below.into_iter().map(Into::into).collect());
    }
    (set(&components), needs)
}

fn one_event(world: &mut World, dice: &mut Dice, circles: Circles) {
    let who = name(dice.pick(&NAMES).unwrap());
    match dice.roll(16) {
        0 => {
            let (set, needs) = random_set(dice, circles);
            world.needs = if circles == Circles::None { needs } else { BTreeMap::new() };
            world.apply(&set);
        }
        1 => drop(world.ask(Ask::Restart(who))),
        2 => drop(world.ask(Ask::Stop(who))),
        3 => {
            let states = [ComponentState::Running, ComponentState::Errored, ComponentState::Finished];
            world.on(Event::Reported { name: who, state: *dice.pick(&states).unwrap() });
        }
        4 => world.wait(Duration::from_secs(dice.roll(130))),
        5 => {
            if let Some(order) = (!world.asked.is_empty()).then(|| world.asked.remove(0)) {
                if dice.roll(2) == 0 {
                    world.on(Event::Skipped { name: order.name, ticket: order.ticket });
                } else {
                    let why = NotStarted::Io("paper".into());
                    world.on(Event::NotStarted { name: order.name, ticket: order.ticket, why });
                }
            }
        }
        6..=9 => drop(world.begin_next()),
        10..=12 => {
            let tickets: Vec<Ticket> = world.living.keys().copied().collect();
            if let Some(order) = dice.pick(&tickets).and_then(|ticket| world.living.remove(ticket)) {
                let end = if dice.roll(2) == 0 { End::Code(0) } else { End::Signal(9) };
                world.on(Event::Exited { name: order.name, ticket: order.ticket, end });
            }
        }
        13..=14 => {
            if let Some((who, ticket)) = world.trees.pop() {
                world.end_tree(&who, ticket);
            }
        }
        _ => {
            if world.ask(Ask::Pause(who.clone())).is_ok() {
                world.machine.set_paused(&who, true);
            }
        }
    }
}

/// Lets everything end well until nothing is left to do.
fn calm_down(world: &mut World) {
    for _ in 0..10_000 {
        world.go();
        let next = world.living.values().find(|order| order.step != StepName::Run);
        let Some(order) = next.cloned() else { break };
        world.living.remove(&order.ticket);
        world.on(Event::Exited { name: order.name, ticket: order.ticket, end: End::Code(0) });
    }
    world.wait(Machine::STEADY);
}

fn walk(seed: u64, circles: Circles) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut world = World::new();
    for _ in 0..300 {
        one_event(&mut world, &mut dice, circles);
    }
    world.settle(1, &NAMES);
    calm_down(&mut world);
    assert!(world.answers.contains_key(&1), "seed {seed} never settles: {:#?}", world.machine);
    // A fresh set mends everything, and then closing brings it all to rest.
    let (set, needs) = random_set(&mut dice, circles);
    world.needs = if circles == Circles::None { needs } else { BTreeMap::new() };
    world.apply(&set);
    world.settle(2, &NAMES);
    calm_down(&mut world);
    assert_eq!(world.answers[&2], crate::service::supervisor::Settlement::Reached, "seed {seed}");
    let wanted: Vec<&ComponentName> = set.components.keys().collect();
    assert_eq!(world.machine.statuses().keys().collect::<Vec<_>>(), wanted, "seed {seed}");
    world.ask(Ask::Close).unwrap();
    calm_down(&mut world);
    assert!(world.closed && world.living.is_empty(), "seed {seed} does not close");
}

#[test]
fn machine_settles_and_closes_after_any_walk() {
    (0..1_500).for_each(|seed| walk(seed, Circles::None));
}

#[test]
fn machine_settles_and_closes_even_with_circles() {
    (0..500).for_each(|seed| walk(seed, Circles::Allowed));
}
