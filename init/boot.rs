//! The straight line from the kernel to the next program. Each step: why it is here, and what is done without it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gg_boot::data::{Found, Policy};
use gg_boot::places;
use gg_boot::report::Outcome::{Degraded, Failed};
use gg_boot::settings::{Finding, Origin, Overlay, Reset, Settings, WatchdogHandover};
use gg_boot::slot::{Slot, Wanted, order};
use gg_boot::state::machine::Verdict;
use gg_boot::state::slots::Then;
use gg_sys::block::Arrivals;
use gg_sys::kmsg::Level;
use gg_sys::mount::{self, Trust};
use gg_sys::power::End;

use crate::data::{self, Data, Partition};
use crate::ground::{self, Stage, Standing};
use crate::handover::{self, Next};
use crate::inherit::Heir;
use crate::journal::{Done, Failure, Instead, Journal};
use crate::requests::{self, Requests};
use crate::root::{self, Root};
use crate::slot::{self, Image};
use crate::watchdog::Vigil;
use crate::{cgroups, dead_end, kernel, modules, reset, state, supervise, unsettled};

pub(crate) fn run() -> ! {
    let mut journal = Journal::default();
    let mut vigil = Vigil::default();
    // Nothing that could hang comes before the watchdog: /dev to find it, /proc to read how it is set.
    journal.step("dev", Instead(Failed, "what is in /dev"), || {
        ground::mount_kernel("devtmpfs", "/dev", Trust::DevicesAlone)
    });
    journal.open_log();
    journal.step("proc", Instead(Failed, "defaults for all settings"), || {
        ground::mount_kernel("proc", "/proc", Trust::NoPrograms)
    });
    let cmdline = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let mut settings = Settings::default();
    journal.step("settings", Instead(Degraded, OTHERS_COUNT), || read_settings(&mut settings, &cmdline));
    journal.step("signals", Instead(Degraded, "signals are ignored"), || vigil.open_inbox());
    // Where it is a module's, there is no device yet; then it is the first thing after the modules.
    if Path::new("/dev/watchdog").exists() {
        start_watchdog(&mut journal, &mut vigil, &settings);
    }
    // Who executes us when the root is made already wants us for what comes after.
    if Path::new(places::REPORT).exists() {
        supervise::prepare(&mut journal);
        supervise::run(&mut journal, &mut vigil, &settings);
    }
    let why = match make_root(&mut journal, &mut vigil, &mut settings, &cmdline) {
        Ok(made) => hand_over(&mut journal, &mut vigil, &settings, &cmdline, made),
        Err(why) => why,
    };
    dead_end::stop(&mut journal, &mut vigil, &settings, &why)
}

fn start_watchdog(journal: &mut Journal, vigil: &mut Vigil, settings: &Settings) {
    if settings.watchdog > 0 && !vigil.has_watchdog() {
        journal.step("watchdog", Instead(Degraded, "a hang is not ended"), || vigil.start(settings.watchdog));
    }
}

/// Puts the new root together and goes there. An error is the last one of those that leave nothing to boot.
fn make_root(journal: &mut Journal, vigil: &mut Vigil, settings: &mut Settings, cmdline: &str) -> Result<Made, String> {
    // Block devices and modules are told of there.
    journal.step("sys", Instead(Failed, "no partition is found"), || {
        ground::mount_kernel("sysfs", "/sys", Trust::NoPrograms)
    });
    // After /proc, where they lead to.
    ground::link_standard_streams();
    journal.step("panic", Instead(Degraded, "the kernel may stand still after a panic"), || {
        kernel::reboot_after_panic(settings.panic)
    });
    // Before the modules whose devices are waited for, so that no arrival is missed.
    let arrivals = journal.step("arrivals", Instead(Degraded, "partitions must be there at once"), || {
        let listening = Arrivals::listen().map_err(|cause| Failure::new("listen to", "the kernel's uevents", cause))?;
        Ok(Done::Well(listening, String::new()))
    });
    journal.step("modules", Instead(Degraded, "devices of these modules are not there"), modules::load);
    start_watchdog(journal, vigil, settings);
    journal.step("kernel", Instead(Degraded, "what needs it does not work"), kernel::probe);
    journal.step("cgroups", Instead(Degraded, "components have no limits"), || cgroups::mount(settings.cgroup));
    let stage = journal.step("stage", Instead(Failed, "no new root"), Stage::set_up);
    let stage = stage.ok_or("there is no place to put a root together")?;

    let wait = Duration::from_secs(settings.wait);
    let standing = Standing::here();
    // First the image, because the tools that mend data lie there; but the data says which, where it mounts as it is.
    let mut partition =
        journal.step("find data", Instead(Failed, "data in memory"), || data::look(arrivals.as_ref(), wait));
    // The disk is there, and nothing is mounted yet that a reboot could hurt.
    let slots =
        journal.step("slot state", Instead(Degraded, "it stays as it is"), || state::settle(settings)).flatten();
    act_on(journal, vigil, settings, slots.as_ref());
    let sound = partition.as_mut().filter(|partition| matches!(partition.found, Found::Sound(_)));
    let mut data = sound.and_then(|partition| {
        journal
            .step("data", Instead(Failed, "mended with the tools of the slot"), || data::mount_sound(partition, &stage))
    });
    let mut requests = ask(journal, data, &stage);
    if let Some(slots) = &slots {
        requests.slot = visit(journal, vigil, settings, slots, requests.slot, &stage);
    }
    let usual = slots.as_ref().map(|slots| slots.usual).or(settings.loaded).unwrap_or(USUAL);
    let order = order(settings.slot, requests.slot, usual);
    let image = mount_image(journal, order, &stage, standing, (arrivals.as_ref(), wait))?;
    // Nobody asked for another than the usual, and it is not that: it could not be mounted.
    let fell_back = order[0] == usual && image != Image::Slot(usual);
    // Or a visit is mounted that the boot loader knows nothing of.
    let visits = settings.slot == Wanted::Usual && order[0] != usual && image == Image::Slot(order[0]);
    if let Some(slots) = slots.as_ref().filter(|_| fell_back || visits) {
        let instead = Instead(Degraded, "it stays as it is");
        let name = if visits { "visit" } else { "slot fallback" };
        let slots = journal.step(name, instead, || state::settle_mounted(slots, image)).flatten();
        act_on(journal, vigil, settings, slots.as_ref());
    }
    // What the image says of itself counts from here on; the kernel arguments still more.
    read_slot_settings(journal, settings, cmdline, &stage);
    if let (None, Some(partition)) = (data, &partition) {
        data = mend(journal, vigil, settings, partition, &stage);
        requests.reset = ask(journal, data, &stage).reset;
    }
    erase(journal, settings, requests.reset, data, &stage);
    let successor = match (data, &partition) {
        (Some(Data::Kept), Some(partition)) => count_unsettled(journal, settings, partition, &stage),
        _ => Successor::Init,
    };
    set_clock(journal, data, &stage);
    let data = data.or_else(|| {
        journal.step("data in memory", Instead(Degraded, "what is written is lost with the power"), || {
            data::in_memory(&stage, settings)
        })
    });
    journal.fact("data", data.map_or("none", Data::name));
    journal.fact("slot", image.name());
    let data = data.unwrap_or(Data::Lost);
    let heir = slots.filter(|_| data == Data::Kept).and_then(|slots| Heir::of(image, slots.installation?));
    enter_root(journal, vigil, settings, &stage, standing, (image, data, heir))?;
    if data == Data::Kept {
        root::keep_former_report();
    }
    Ok(Made { standing, data, successor })
}

/// What the next program finds.
#[derive(Clone, Copy)]
struct Made {
    standing: Standing,
    data: Data,
    successor: Successor,
}

/// Who should come after us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Successor {
    Init,
    /// Every init so far took the device down with it.
    Ourselves,
}

fn count_unsettled(journal: &mut Journal, settings: &Settings, partition: &Partition, stage: &Stage) -> Successor {
    let limit = settings.unsettled;
    let count = journal.step("unsettled boots", Instead(Degraded, "they are not counted"), || {
        unsettled::count(&stage.data(), partition.before, limit)
    });
    if limit > 0 && count.is_some_and(|count| count >= limit) { Successor::Ourselves } else { Successor::Init }
}

fn read_settings(settings: &mut Settings, cmdline: &str) -> Result<Done<()>, Failure> {
    let mut findings = Vec::new();
    let text = read_bounded(Path::new(places::SETTINGS));
    settings.apply_file(Origin::InitramfsFile, &text, &mut findings);
    settings.apply_arguments(cmdline, &mut findings);
    Ok(told(&findings))
}

fn read_slot_settings(journal: &mut Journal, settings: &mut Settings, cmdline: &str, stage: &Stage) {
    journal.step("settings of the slot", Instead(Degraded, OTHERS_COUNT), || {
        let mut findings = Vec::new();
        let text = read_bounded(&stage.slot().join(&places::SETTINGS[1..]));
        settings.apply_file(Origin::SlotFile, &text, &mut findings);
        // Told once already.
        settings.apply_arguments(cmdline, &mut Vec::new());
        Ok(told(&findings))
    });
}

fn told(findings: &[Finding]) -> Done<()> {
    match findings {
        [] => Done::Well((), String::new()),
        [finding] => Done::Partly((), finding.to_string(), OTHERS_COUNT),
        [first, ..] => Done::Partly((), format!("{first}, and {} more", findings.len() - 1), OTHERS_COUNT),
    }
}

const OTHERS_COUNT: &str = "the other settings count";

/// A file that is not there, or is no text, sets nothing.
fn read_bounded(path: &Path) -> String {
    use std::io::Read;
    const LARGEST: u64 = 64 * 1024;
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    if read.is_ok() { text } else { String::new() }
}

fn ask(journal: &mut Journal, data: Option<Data>, stage: &Stage) -> Requests {
    if data != Some(Data::Kept) {
        return Requests::NONE;
    }
    let asked = journal.step("requests", Instead(Degraded, "nobody asked"), || requests::take(&stage.data()));
    asked.unwrap_or(Requests::NONE)
}

/// What this boot means for the rest of it: the reboot that a repair needs, or the deadline of a trial.
fn act_on(journal: &mut Journal, vigil: &mut Vigil, settings: &Settings, slots: Option<&state::Standing>) {
    let Some(slots) = slots else { return };
    if slots.then == Then::Reboot {
        journal.cry(&format!("slot state: {}; reboot", slots.verdict.describe()));
        dead_end::end_machine(journal, vigil, End::Reboot);
    }
    journal.fact("slot-state", &slots.verdict.describe());
    journal.fact("backend", slots.kind.name());
    if let Verdict::Trial(..) = slots.verdict {
        journal.step("trial", Instead(Degraded, "a hang may last"), state::reboot_on_trouble);
        vigil.set_deadline(Duration::from_secs(settings.trial_deadline));
        journal.fact("trial-deadline", &settings.trial_deadline.to_string());
    }
}

/// A kernel belongs to its slot, so whoever asks by file for another slot than this kernel's gets it from the boot
/// loader, by a reboot. The argument is given at the boot loader, where the kernel could have been chosen, too.
fn visit(
    journal: &mut Journal,
    vigil: &mut Vigil,
    settings: &Settings,
    slots: &state::Standing,
    wanted: Wanted,
    stage: &Stage,
) -> Wanted {
    if settings.slot != Wanted::Usual || order(Wanted::Usual, wanted, slots.usual)[0] == slots.usual {
        return wanted;
    }
    match journal.step("visit", Instead(Degraded, "the usual slot"), || state::visit(slots)) {
        Some(Then::Reboot) => {
            journal.cry("the other slot is to boot once; reboot");
            // An end in order: nothing is to be replayed, and nothing counted.
            let _ = mount::remount_read_only(&stage.data());
            dead_end::end_machine(journal, vigil, End::Reboot)
        }
        Some(Then::GoOn) => wanted,
        None => Wanted::Usual,
    }
}

/// The slot that boots where neither a boot loader nor a person says which.
const USUAL: Slot = Slot::A;

/// The wanted slot, the other, the factory image, what we stand on: the first that can be mounted and could boot.
fn mount_image(
    journal: &mut Journal,
    order: [Slot; 2],
    stage: &Stage,
    standing: Standing,
    (arrivals, wait): (Option<&Arrivals>, Duration),
) -> Result<Image, String> {
    if standing == Standing::Slot {
        let image = journal.step("slot", Instead(Failed, "the root as it is"), || slot::show_root(stage));
        return image.ok_or_else(|| "the root cannot be shown as the slot".to_owned());
    }
    let [first, second] = order;
    // One wait is enough: the images lie on one disk.
    let ways = [
        (Image::Slot(first), wait, "the other slot"),
        (Image::Slot(second), Duration::ZERO, "the rescue image"),
        (Image::Rescue, Duration::ZERO, "the initramfs, if it could boot"),
    ];
    for (image, wait, without) in ways {
        let mounted = journal.step("slot", Instead(Failed, without), || slot::mount(image, stage, arrivals, wait));
        if mounted.is_some() {
            return Ok(image);
        }
    }
    if slot::initramfs_could_boot(standing) {
        return Ok(Image::Here);
    }
    Err("no slot can be mounted (gg-a, gg-b, gg-rescue)".to_owned())
}

fn mend(
    journal: &mut Journal,
    vigil: &mut Vigil,
    settings: &Settings,
    partition: &Partition,
    stage: &Stage,
) -> Option<Data> {
    // Who wants all data erased has no use for what is damaged.
    let policy = if settings.factory_reset == Reset::Data { Policy::Format } else { settings.data };
    journal.step("mend data", Instead(Failed, "data in memory"), || data::mend(partition, policy, stage, vigil))
}

fn erase(journal: &mut Journal, settings: &Settings, by_file: Reset, data: Option<Data>, stage: &Stage) {
    let wanted = if settings.factory_reset == Reset::None { by_file } else { settings.factory_reset };
    if wanted == Reset::None {
        return;
    }
    journal.step(
        "factory reset",
        Instead(Failed, "nothing is promised to be erased; the next boot tries again"),
        || {
            if data == Some(Data::Kept) {
                reset::erase(&stage.data(), wanted)
            } else {
                Err(Failure::because("erase", "data", "it is not mounted"))
            }
        },
    );
}

/// A device without a battery begins in 1970, and no certificate is valid then. The time of the boot before is nearer.
fn set_clock(journal: &mut Journal, data: Option<Data>, stage: &Stage) {
    if data.is_none() {
        return;
    }
    journal.step("clock", Instead(Degraded, "the time is wrong until the network tells it"), || {
        let Ok(written) = fs::metadata(stage.data().join(places::KEPT_REPORT)).and_then(|status| status.modified())
        else {
            return Ok(Done::Well((), "no earlier boot is known".to_owned()));
        };
        if written <= std::time::SystemTime::now() {
            return Ok(Done::Well((), String::new()));
        }
        gg_sys::clock::set(written).map_err(|cause| Failure::new("set", "the clock", cause))?;
        Ok(Done::Partly(
            (),
            "the clock was behind the boot before, and is set to that".to_owned(),
            "the network tells it",
        ))
    });
}

fn enter_root(
    journal: &mut Journal,
    vigil: &mut Vigil,
    settings: &Settings,
    stage: &Stage,
    standing: Standing,
    (image, data, heir): (Image, Data, Option<Heir>),
) -> Result<(), String> {
    if (standing, image) == (Standing::Initramfs, Image::Here) {
        journal.step("stay", Instead(Degraded, "data is out of reach"), || root::stay(stage));
        journal.fact("root", "initramfs");
        return Ok(());
    }
    let ways = root::ways(settings, image, data);
    let heir = heir.filter(|_| ways.contains(&Overlay::Data));
    if let Some(heir) = &heir {
        let inherited = journal.step("inherit", Instead(Failed, SPENT), || heir.inherit(stage, vigil));
        inherited.unwrap_or_else(|| spend_try(journal, vigil, &stage.data()));
    }
    let root = ways.iter().find_map(|way| match way {
        Overlay::Data => {
            journal.step("root", Instead(Failed, "an overlay in memory"), || root::overlay_on_data(image, stage))
        }
        Overlay::Memory => {
            journal.step("root", Instead(Failed, "a read-only root"), || root::overlay_in_memory(stage, settings))
        }
        Overlay::None => journal.step("root", Instead(Failed, "none"), || root::plain(stage)),
    });
    let root = root.ok_or("no root can be mounted over the slot")?;
    journal.fact("root", Root::name(root));
    let furnished = journal.step("furnish", Instead(Failed, "none"), || root::furnish(stage));
    furnished.ok_or("the new root cannot hold /dev, /proc, /sys and /run")?;
    if let Some(heir) = heir.filter(|_| root == Root::Kept) {
        let migrated = journal.step("migrate", Instead(Failed, SPENT), || heir.migrate(stage, vigil));
        migrated.unwrap_or_else(|| spend_try(journal, vigil, &stage.root().join(&places::DATA[1..])));
    }
    let switched = journal.step("switch", Instead(Failed, "none"), || root::switch(stage, standing));
    switched.ok_or("the new root cannot be entered")?;
    Ok(())
}

const SPENT: &str = "this try is spent";

/// A new version without what it needs of the former one is not started: the next try, or the former version, is.
fn spend_try(journal: &mut Journal, vigil: &mut Vigil, data: &Path) {
    journal.cry("the slot on trial cannot take over; reboot");
    if let Err(failure) = root::keep_report(&journal.report(), data) {
        journal.say(Level::Error, &format!("no boot report: {failure}"));
    }
    dead_end::end_machine(journal, vigil, End::Reboot)
}

/// The last thing before the next program, whose time begins here.
fn publish(journal: &mut Journal, data: Data) {
    // Without what we waited for disks: the same on a busy host of a virtual machine as on an idle one.
    let processor = journal.processor_time().as_micros();
    journal.fact("processor", &format!("{processor} us"));
    if let Err(failure) = root::publish(&journal.report(), data) {
        journal.say(Level::Error, &format!("no boot report: {failure}"));
    }
}

/// Returns only when there is nobody to hand over to.
fn hand_over(journal: &mut Journal, vigil: &mut Vigil, settings: &Settings, cmdline: &str, made: Made) -> String {
    let mut why = "there is neither an init nor the daemon in the root".to_owned();
    let mut candidates = handover::candidates(settings, cmdline, made.standing);
    if made.successor == Successor::Ourselves && candidates.contains(&Next::Supervise) {
        candidates = vec![Next::Supervise];
    }
    for next in candidates {
        match next {
            Next::Supervise => {
                supervise::prepare(journal);
                summarize(journal, "gg-init");
                publish(journal, made.data);
                supervise::begin(journal, vigil, settings);
            }
            Next::Init(path) => {
                summarize(journal, &path.display().to_string());
                match settings.watchdog_handover {
                    WatchdogHandover::Keep => vigil.leave_running(),
                    WatchdogHandover::Stop if vigil.is_on_trial() => {
                        journal
                            .step("keep watchdog", Instead(Degraded, "a hang is not ended"), || vigil.leave_keeper());
                    }
                    WatchdogHandover::Stop => {
                        journal.step("stop watchdog", Instead(Degraded, "the next init must feed it"), || vigil.stop());
                    }
                }
                publish(journal, made.data);
                let failure = handover::become_init(&path);
                journal.say(Level::Error, &failure.to_string());
                why = failure.to_string();
                // Not gone after all: the watchdog is ours again.
                start_watchdog(journal, vigil, settings);
            }
        }
    }
    why
}

fn summarize(journal: &mut Journal, next: &str) {
    let text = match journal.troubles() {
        0 => format!("all well; {next} takes over"),
        1 => format!("one step did not go well; {next} takes over"),
        troubles => format!("{troubles} steps did not go well; {next} takes over"),
    };
    journal.say(Level::Info, &text);
}
