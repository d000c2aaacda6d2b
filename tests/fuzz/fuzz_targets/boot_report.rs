//! Whatever lies where the boot report should is read or refused, and what is read is written and read as the same.
#![no_main]

use greengrass::boot::report::{Report, Writer};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(report) = Report::parse(text) else { return };
    let _ = report.own_time();
    let mut writer = Writer::default();
    for step in &report.steps {
        writer.step(&step.name, step.start, step.duration, step.outcome, &step.what, &step.fallback);
    }
    let again = Report::parse(&writer.end(0)).expect("what we write can be read");
    assert!(again.steps.len() <= report.steps.len());
});
