//! Whatever is given as settings of the boot, in a file or as kernel arguments, is taken within its bounds or told.
#![no_main]

use greengrass::boot::settings::{Origin, Reset, Settings, plain_init};
use greengrass::boot::slot::Wanted;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut settings = Settings::default();
    let mut findings = Vec::new();
    settings.apply_file(Origin::SlotFile, text, &mut findings);
    settings.apply_arguments(text, &mut findings);
    assert!((1..=90).contains(&settings.overlay_size) && settings.wait <= 600 && settings.watchdog <= 3600);
    assert!(settings.supervise.starts_with('/'));
    for finding in findings {
        assert!(finding.to_string().len() < 1000);
    }
    let _ = (plain_init(text), Wanted::parse(text), Reset::parse(text));
});
