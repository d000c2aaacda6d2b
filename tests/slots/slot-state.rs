//! Reads and changes the state of the slots on the disk of a device that is off: for tests, and for whoever has a
//! device on the bench.
//!
//! ```text
//! slot-state DISK STATE ESP BOOTED status|install [N]|written|arm TRIES|confirm|rollback|cancel
//! ```
//!
//! `STATE` and `ESP` are where gg-state and gg-esp begin, in MiB; the backend is grub, or what stands before it:
//! `grub-rauc:1`, `bootcount-file:1`. An `ESP` of `-` is init-switch, one of `fw_env.config` that of U-Boot, by a file of
//! that name anywhere, and with a `boot.map` beside it uboot-map. `BOOTED` is the slot to act as; `N` tells an installation
//! from others.

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use gg_boot::slot::Slot;
use gg_boot::state::backend::{Backend, BootcountFile, CountFile, Gpt, Grub, GrubEnvironment, GrubRauc, InitSwitch};
use gg_boot::state::device::{Kind, uboot};
use gg_boot::state::gpt::Table;
use gg_boot::state::machine::Candidate;
use gg_boot::state::medium::Medium;
use gg_boot::state::record::Reason;
use gg_boot::state::ring::Ring;
use gg_boot::state::slots::Slots;
use gg_boot::state::store::Store;

/// A partition of a disk in a file.
#[derive(Debug)]
struct Part(Rc<File>, u64);

impl Medium for Part {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(into, self.1 + at)
    }

    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        self.0.write_all_at(sectors, self.1 + at)
    }

    fn flush(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("slot-state: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [disk, state, esp, booted, what, rest @ ..] = arguments else {
        return Err("DISK STATE ESP BOOTED status|install [N]|written|arm TRIES|confirm|rollback|cancel".into());
    };
    let disk = Rc::new(File::options().read(true).write(true).open(disk)?);
    let part = |mib: &str| -> Result<Rc<Part>, Box<dyn Error>> {
        Ok(Rc::new(Part(disk.clone(), mib.parse::<u64>()? * 1024 * 1024)))
    };
    let booted = Slot::parse(booted).ok_or("BOOTED is a or b")?;
    let state = part(state)?;
    let backend: Box<dyn Backend> = match esp.as_str() {
        "-" => Box::new(InitSwitch::new(Store::on_partition(state.clone()))),
        config if config.ends_with("fw_env.config") => {
            let map = Path::new(config).with_file_name("boot.map");
            let kind = if map.exists() { Kind::UbootMap } else { Kind::Uboot };
            uboot(kind, Path::new(config), &map)?
        }
        esp => match esp.split_once(':') {
            None => Box::new(Grub::new(GrubEnvironment::on_esp(part(esp)?)?)),
            Some(("grub-rauc", esp)) => Box::new(GrubRauc::new(GrubEnvironment::on_esp(part(esp)?)?)),
            Some(("bootcount-file", esp)) => {
                let table = Gpt::new(Table::new(part("0")?));
                Box::new(BootcountFile::new(table, CountFile::on_esp(part(esp)?)?))
            }
            Some((other, _)) => return Err(format!("no backend is called {other}").into()),
        },
    };
    let ring = Ring::on_partition(state.clone());
    let slots = Slots::new(Store::on_partition(state.clone()), backend, Some(ring), booted);
    match (what.as_str(), rest) {
        ("status", []) => status(&slots, &Ring::on_partition(state))?,
        ("install", number @ ([] | [_])) => {
            let candidate = Candidate {
                version: "test".to_owned(),
                manifest: [1; 32],
                transaction: number.first().map_or(Ok(1), |number| number.parse())?,
                level: 0,
                floor: 0,
                key_epoch: 0,
            };
            let plan = slots.plan_install(candidate, 0)?;
            println!("{}", plan.target.name());
        }
        ("written", []) => slots.mark_written(0)?,
        ("arm", [tries]) => slots.arm(tries.parse()?, [b'0'; 36], 0)?,
        ("confirm", []) => slots.confirm(0)?,
        ("rollback", []) => println!("{:?}", slots.rollback(Reason::Asked, 0)?),
        ("cancel", []) => slots.cancel(0)?,
        (other, _) => return Err(format!("cannot {other:?}").into()),
    }
    Ok(())
}

fn status(slots: &Slots<'_, Rc<Part>>, ring: &Ring<Rc<Part>>) -> Result<(), Box<dyn Error>> {
    let status = slots.status()?;
    let name = |slot: Option<Slot>| slot.map_or("-", Slot::name);
    println!(
        "record: ok={} try={} reason={}",
        status.record.ok.name(),
        name(status.record.trial),
        status.record.last_reason.name()
    );
    for slot in [Slot::A, Slot::B] {
        println!("slot {}: {}", slot.name(), status.record.image(slot).state.name());
    }
    let trial = status.view.trial.map(|trial| trial.slot);
    let left = status.view.trial.map_or("-".to_owned(), |trial| trial.left.to_string());
    let (ok, trial, failed) = (name(status.view.ok), name(trial), name(status.view.failed));
    println!("environment: ok={ok} try={trial} left={left} failed={failed} spent={}", status.view.spent);
    for event in ring.events()? {
        println!(
            "event {}: {} {} left={} {}",
            event.number,
            event.what.name(),
            event.slot.name(),
            event.left,
            event.reason.name()
        );
    }
    Ok(())
}
