//! `greengrass ota install`: verify a bundle and write its images into slots.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use clap::Args;

use super::trust::TrustArguments;
use super::{Failure, Output};
use crate::service::ota::install::{Phase, Progress, install};
use crate::store::slot_device::Target;
use crate::wire::bundle::policy::Device;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    trust: TrustArguments,
    /// Where the image of a slot class goes, such as rootfs=/dev/disk/by-partlabel/gg-b; one for each image
    #[arg(long, required = true, value_name = "CLASS=DEVICE", value_parser = slot)]
    slot: Vec<(String, PathBuf)>,
    /// What this device is, whatever the settings say
    #[arg(long, value_name = "TEXT")]
    compatible: Option<String>,
    /// Refuse a bundle with a lower security number
    #[arg(long, value_name = "N", default_value_t = 0)]
    floor: u64,
    /// json: a line of progress whenever another percent is done
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    bundle: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Vec<u8>, Failure> {
        let settings = self.trust.settings()?;
        let Some(compatible) = self.compatible.clone().or_else(|| settings.compatible.clone()) else {
            let why = "what this device is must be known: compatible= in /etc/greengrass/ota.conf, or --compatible";
            return Err(Failure::Usage(why.to_owned()));
        };
        let source = self.trust.source(&self.bundle)?;
        let bundle = self.trust.open(&settings, &self.bundle, &*source)?;
        let device = Device { compatible, floor: self.floor, ..Device::default() };
        bundle.manifest.policy.judge(&bundle.manifest.compatible, &device)?;
        if !bundle.manifest.hooks.is_empty() || bundle.manifest.handler.is_some() {
            return Err(Failure::Usage("the bundle has programs to be run, which is not allowed".to_owned()));
        }
        // All is asked before anything is written.
        let mut jobs = Vec::new();
        for image in &bundle.manifest.images {
            let Some((_, path)) = self.slot.iter().find(|(class, _)| *class == image.slot_class) else {
                return Err(Failure::Usage(format!(
                    "the bundle has an image for {0}: --slot {0}=DEVICE",
                    image.slot_class
                )));
            };
            let fault = |cause| Failure::Open { path: path.display().to_string(), cause };
            jobs.push((image, path, Target::open(path).map_err(fault)?));
        }
        let mut text = String::new();
        for (image, path, target) in jobs {
            let begin = Instant::now();
            let percent = Mutex::new(None);
            let report = |progress| self.report(&image.slot_class, progress, &percent);
            let size = install(&bundle, &*source, image, &target, &report)
                .map_err(|cause| Failure::Install { slot: path.display().to_string(), cause })?;
            let seconds = begin.elapsed().as_secs_f64();
            if self.output == Output::Text {
                let (path, rate) = (path.display(), size as f64 / seconds / 1e6);
                text.push_str(&format!(
                    "{path}: {size} bytes written and read back in {seconds:.2} s, {rate:.0} MB/s\n"
                ));
            }
        }
        Ok(text.into_bytes())
    }

    fn report(&self, slot_class: &str, progress: Progress, last: &Mutex<Option<(Phase, u64)>>) {
        let Progress { phase, done, total } = progress;
        let now = Some((phase, done * 100 / total.max(1)));
        // Another thread may tell the same; one that is told less matters to nobody.
        let is_news = self.output == Output::Json
            && last.lock().is_ok_and(|mut last| last.replace((phase, now.map_or(0, |(_, percent)| percent))) != now);
        if is_news {
            let phase = match phase {
                Phase::Write => "write",
                Phase::ReadBack => "read-back",
            };
            println!("{}", serde_json::json!({"slot-class": slot_class, "phase": phase, "done": done, "total": total}));
        }
    }
}

fn slot(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((class, path)) if !class.is_empty() && !path.is_empty() => Ok((class.to_owned(), path.into())),
        _ => Err("write CLASS=DEVICE, such as rootfs=/dev/disk/by-partlabel/gg-b".to_owned()),
    }
}
