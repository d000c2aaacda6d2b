use super::*;
use crate::state::backend::Trial;

const A: Slot = Slot::A;
const B: Slot = Slot::B;

fn idle() -> Situation {
    let mut record = Record::fresh(A);
    record.image_mut(A).state = ImageState::Good;
    Situation {
        record,
        view: View { ok: Some(A), trial: None, failed: None, spent: false },
        booted: A,
        commit_point: CommitPoint::Environment,
    }
}

fn candidate() -> Candidate {
    Candidate { version: "2.0".to_owned(), manifest: [2; 32], transaction: 9, level: 5, floor: 4, key_epoch: 0 }
}

/// Does the writes of the record and of the environment in memory.
fn after(mut situation: Situation, event: Event) -> Situation {
    for effect in situation.on(event, 100).unwrap() {
        apply(&mut situation, effect);
    }
    situation
}

fn apply(situation: &mut Situation, effect: Effect) {
    let view = &mut situation.view;
    match effect {
        Effect::Write(record) => situation.record = *record,
        Effect::SetTrial(slot, left) => {
            *view = View { ok: Some(slot.other()), trial: Some(Trial { slot, left }), failed: None, spent: false };
        }
        Effect::SetConfirmed(slot) => {
            let failed = view.trial.map(|trial| trial.slot).filter(|trial| *trial != slot).or(view.failed);
            *view = View { ok: Some(slot), trial: None, failed, spent: false };
        }
        Effect::ForgetFailed => view.failed = None,
        Effect::Disable(_) | Effect::Log(..) | Effect::Reboot => {}
    }
}

fn boot(situation: &mut Situation, booted: Slot) -> (Verdict, bool) {
    situation.booted = booted;
    let boot = on_boot(Some(&situation.record), &situation.view, booted, situation.commit_point, 200);
    let reboots = boot.effects.contains(&Effect::Reboot);
    for effect in boot.effects {
        apply(situation, effect);
    }
    (boot.verdict, reboots)
}

fn armed() -> Situation {
    let written = after(after(idle(), Event::Install(candidate())), Event::Written);
    after(written, Event::Arm { tries: 3, deployment: [b'x'; 36] })
}

#[test]
fn update_goes_through_its_phases() {
    let mut situation = idle();
    assert_eq!(situation.phase(), Phase::Idle);
    situation = after(situation, Event::Install(candidate()));
    assert_eq!(situation.phase(), Phase::Writing(B));
    situation = after(situation, Event::Written);
    assert_eq!(situation.phase(), Phase::Valid(B));
    situation = after(situation, Event::Arm { tries: 3, deployment: [b'x'; 36] });
    assert_eq!(situation.phase(), Phase::Armed(B, 3));
    situation.view.trial = Some(Trial { slot: B, left: 2 });
    assert_eq!(boot(&mut situation, B), (Verdict::Trial(B, 2), false));
    assert_eq!((situation.phase(), situation.record.floor), (Phase::Trial(B, 2), 0));
    situation = after(situation, Event::Confirm);
    assert_eq!(situation.phase(), Phase::Idle);
    let Record { ok, floor, installs, trusted_time, deployment, .. } = situation.record;
    assert_eq!((ok, floor, installs, trusted_time, deployment), (B, 4, 1, 100, [b'x'; 36]));
    assert_eq!(situation.record.slots.map(|image| image.state), [ImageState::Good; 2]);
    assert_eq!(boot(&mut situation, B), (Verdict::Ordinary, false));
}

#[test]
fn ordinary_boot_does_nothing() {
    let Situation { record, view, commit_point, .. } = idle();
    assert_eq!(on_boot(Some(&record), &view, A, commit_point, 1), Boot { verdict: Verdict::Ordinary, effects: vec![] });
}

#[test]
fn environment_is_told_only_after_the_record() {
    let order =
        |effects: &[Effect]| effects.iter().map(|effect| matches!(effect, Effect::Write(_))).collect::<Vec<_>>();
    let written = after(after(idle(), Event::Install(candidate())), Event::Written);
    assert_eq!(order(&written.on(Event::Arm { tries: 1, deployment: [0; 36] }, 0).unwrap()), [true, false]);
    let mut trial = armed();
    trial.booted = B;
    assert_eq!(order(&trial.on(Event::Confirm, 0).unwrap())[..2], [false, true]);
    assert_eq!(order(&trial.on(Event::Rollback(Reason::Health), 0).unwrap())[..2], [true, false]);
}

#[test]
fn candidate_below_the_floor_or_with_old_keys_is_refused() {
    let mut situation = idle();
    (situation.record.floor, situation.record.key_epoch) = (6, 2);
    let refusal =
        |level, key_epoch| situation.on(Event::Install(Candidate { level, key_epoch, ..candidate() }), 0).err();
    assert_eq!(refusal(5, 2), Some(Refusal::BelowFloor(6)));
    assert_eq!(refusal(6, 2), None);
    assert_eq!(refusal(9, 1), Some(Refusal::OldKeys(2)));
    assert_eq!(refusal(0, 3), None);
}

#[test]
fn new_keys_bring_their_own_floor_when_committed() {
    let mut situation = idle();
    situation.record.floor = u64::MAX;
    let next = Candidate { key_epoch: 1, ..candidate() };
    situation = after(after(situation, Event::Install(next)), Event::Written);
    situation = after(situation, Event::Arm { tries: 1, deployment: [0; 36] });
    situation.booted = B;
    situation = after(situation, Event::Confirm);
    assert_eq!((situation.record.floor, situation.record.key_epoch), (4, 1));
}

#[test]
fn installation_that_was_cut_is_known_again() {
    let situation = after(idle(), Event::Install(candidate()));
    assert_eq!(situation.found(&candidate()), Some(ImageState::Writing));
    assert_eq!(situation.on(Event::Install(candidate()), 0), Ok(vec![Effect::Disable(B)]));
    let other = Candidate { manifest: [3; 32], ..candidate() };
    assert_eq!(situation.on(Event::Install(other), 0).unwrap().len(), 2);
}

#[test]
fn nothing_is_installed_over_a_trial() {
    let mut situation = armed();
    assert_eq!(situation.on(Event::Install(candidate()), 0), Err(Refusal::Busy(Phase::Armed(B, 3))));
    situation.booted = B;
    assert_eq!(situation.on(Event::Install(candidate()), 0), Err(Refusal::NotConfirmed));
    assert_eq!(situation.on(Event::Cancel, 0), Err(Refusal::Runs(B)));
    assert_eq!(idle().on(Event::Rollback(Reason::Asked), 0), Err(Refusal::NoTrial));
    assert_eq!(
        idle().on(Event::Arm { tries: 3, deployment: [0; 36] }, 0),
        Err(Refusal::NotBootable(B, ImageState::Unknown))
    );
    assert_eq!(situation.on(Event::Arm { tries: 10, deployment: [0; 36] }, 0), Err(Refusal::Tries(10)));
}

#[test]
fn spent_trial_is_rolled_back_once() {
    let mut situation = armed();
    situation.view = View { ok: Some(A), trial: None, failed: Some(B), spent: false };
    assert_eq!(boot(&mut situation, A), (Verdict::RolledBack(B, Reason::TriesSpent), false));
    assert_eq!((situation.record.rollbacks, situation.view.failed), (1, None));
    assert_eq!(boot(&mut situation, A), (Verdict::Ordinary, false));
}

#[test]
fn rollback_keeps_its_reason_over_the_reboot() {
    let mut situation = armed();
    boot(&mut situation, B);
    situation = after(situation, Event::Rollback(Reason::Health));
    assert_eq!(situation.view.failed, Some(B));
    assert_eq!(boot(&mut situation, A), (Verdict::RolledBack(B, Reason::Health), false));
    assert_eq!(situation.record.image(B).state, ImageState::Bad);
}

#[test]
fn cancelled_trial_is_no_rollback() {
    let mut situation = after(armed(), Event::Cancel);
    assert_eq!((situation.phase(), situation.record.rollbacks), (Phase::Valid(B), 0));
    assert_eq!(boot(&mut situation, A), (Verdict::Ordinary, false));
}

#[test]
fn trial_that_the_boot_loader_was_not_told_of_is_prepared() {
    let mut situation = armed();
    situation.view = idle().view;
    assert_eq!(boot(&mut situation, A), (Verdict::Prepared(B), false));
    assert_eq!(after(situation, Event::Arm { tries: 3, deployment: [b'x'; 36] }).phase(), Phase::Armed(B, 3));
}

#[test]
fn lost_environment_is_repaired_with_one_reboot() {
    let mut situation = idle();
    situation.record.ok = B;
    situation.record.image_mut(B).state = ImageState::Good;
    situation.view = View::LOST;
    assert_eq!(boot(&mut situation, A), (Verdict::Repaired, true));
    assert_eq!((situation.view.ok, situation.record.repaired), (Some(B), true));
    assert_eq!(boot(&mut situation.clone(), B), (Verdict::Ordinary, false));
    // It is lost again: what boots is what there is.
    situation.view = View::LOST;
    assert_eq!(boot(&mut situation, A), (Verdict::Degraded(B), false));
    assert_eq!((situation.record.ok, situation.view.ok), (A, Some(A)));
}

#[test]
fn unreadable_confirmed_slot_gives_way_for_good() {
    let mut situation = idle();
    assert_eq!(boot(&mut situation, B), (Verdict::Degraded(A), false));
    assert_eq!((situation.record.ok, situation.view.ok), (B, Some(B)));
    assert_eq!(situation.record.image(A).state, ImageState::Bad);
    assert_eq!(boot(&mut situation, B), (Verdict::Ordinary, false));
}

#[test]
fn former_version_is_armed_only_above_the_floor() {
    let mut situation = idle();
    situation.record.image_mut(B).state = ImageState::Good;
    situation.record.levels[1] = 3;
    situation.record.floor = 4;
    let arm = Event::Arm { tries: 1, deployment: [0; 36] };
    assert_eq!(situation.on(arm.clone(), 0), Err(Refusal::BelowFloor(4)));
    situation.record.floor = 3;
    assert_eq!(after(situation, arm).phase(), Phase::Armed(B, 1));
}

#[test]
fn visit_boots_the_other_slot_once_and_changes_nothing() {
    let mut situation = after(after(idle(), Event::Install(candidate())), Event::Written);
    let before = situation.record.clone();
    situation = after(situation, Event::Visit);
    assert_eq!(situation.view.trial, Some(Trial { slot: B, left: 1 }));
    situation.view.trial = Some(Trial { slot: B, left: 0 });
    // The daemon may settle again.
    for _ in 0..2 {
        assert_eq!(boot(&mut situation, B), (Verdict::Visit(B), false));
    }
    for (event, refusal) in [
        (Event::Install(candidate()), Refusal::NotConfirmed),
        (Event::Confirm, Refusal::NoTrial),
        (Event::Rollback(Reason::Asked), Refusal::NoTrial),
        (Event::Cancel, Refusal::Runs(B)),
        (Event::Visit, Refusal::NotConfirmed),
    ] {
        assert_eq!(situation.on(event, 1), Err(refusal));
    }
    assert_eq!(boot(&mut situation, A), (Verdict::Visited(B), false));
    assert_eq!((&situation.record, situation.view.trial), (&before, None));
    assert_eq!(boot(&mut situation, A), (Verdict::Ordinary, false));
}

#[test]
fn slot_that_did_not_come_up_was_not_visited() {
    let mut situation = idle();
    situation.record.image_mut(B).state = ImageState::Good;
    let before = situation.record.clone();
    situation = after(situation, Event::Visit);
    // The boot loader spent the try on it and went on with this slot, or found it spent at the next boot.
    for view in
        [View { trial: Some(Trial { slot: B, left: 0 }), ..idle().view }, View { failed: Some(B), ..idle().view }]
    {
        let mut situation = Situation { view, ..situation.clone() };
        assert_eq!(boot(&mut situation, A), (Verdict::NotVisited(B), false));
        assert_eq!((&situation.record, situation.view.trial), (&before, None));
        assert_eq!(boot(&mut situation, A), (Verdict::Ordinary, false));
    }
}

#[test]
fn visit_ends_where_the_confirmed_slot_cannot_be_read() {
    let mut situation = idle();
    situation.record.image_mut(B).state = ImageState::Good;
    situation = after(situation, Event::Visit);
    // The boot loader ended it, and found only this slot readable.
    situation.view = View { failed: Some(B), ..idle().view };
    assert_eq!(boot(&mut situation, B), (Verdict::Degraded(A), false));
    assert_eq!((situation.record.ok, situation.record.visit), (B, Visit::None));
}

#[test]
fn visit_is_refused_where_nothing_could_be_seen_or_an_update_is_on_its_way() {
    let busy = Refusal::Busy(Phase::Armed(B, 3));
    assert_eq!(armed().on(Event::Visit, 1), Err(busy));
    let writing = after(idle(), Event::Install(candidate()));
    assert_eq!(writing.on(Event::Visit, 1), Err(Refusal::NotBootable(B, ImageState::Writing)));
    let mut old = idle();
    old.record.floor = 1;
    assert_eq!(old.on(Event::Visit, 1), Err(Refusal::BelowFloor(1)));
}

#[test]
fn slot_that_cost_a_try_and_does_not_run_is_given_up() {
    let mut situation = armed();
    assert_eq!(boot(&mut situation.clone(), A).0, Verdict::RolledBack(B, Reason::NotStarted));
    situation.view.trial = Some(Trial { slot: B, left: 2 });
    assert_eq!(boot(&mut situation, A), (Verdict::RolledBack(B, Reason::Unreadable), false));
    assert_eq!(situation.record.image(B).state, ImageState::Bad);
}
