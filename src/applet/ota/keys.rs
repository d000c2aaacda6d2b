//! `greengrass ota keys`: whom this device trusts, until when, and whether that is enough.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::trust::{TrustArguments, time, trusted};
use super::{Failure, Output, Told};
use crate::base::clock::Timestamp;
use crate::service::ota::trust::inventory::{Anchor, Inventory, Standing};
use crate::service::ota::trust::{Lists, Trust};
use crate::wire::bundle::manifest::hex;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    trust: TrustArguments,
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Told, Failure> {
        let settings = self.trust.settings()?;
        let inventory = settings.trust.inventory(time(trusted(&settings))).map_err(Failure::Keys)?;
        let trust = settings.trust;
        let text = match self.output {
            Output::Text => table(&trust, &inventory),
            Output::Json => format!("{:#}\n", document(&trust, &inventory)),
        };
        let code = if is_enough(&trust, &inventory) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        Ok((text.into_bytes(), code))
    }
}

/// Whether any bundle at all could be trusted.
fn is_enough(trust: &Trust, inventory: &Inventory) -> bool {
    inventory.usable >= trust.require.max(1)
}

fn table(trust: &Trust, inventory: &Inventory) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key:<14}{value}");
    };
    let required = trust.require.max(1);
    line("Required", &format!("{required} of {} that count today", inventory.usable));
    line("Purpose", trust.purpose.name());
    if trust.lists == Lists::Required {
        line("Lists", "each authority must have a revocation list");
    }
    for anchor in &inventory.anchors {
        line("\nRoot", &format!(" {} ({}): {}", anchor.name, anchor.algorithm, standing(anchor)));
        if let Some(validity) = &anchor.certificate {
            line("  Valid", &format!("{} to {}", date(validity.not_before), date(validity.not_after)));
            line("  SHA-256", &hex(&validity.fingerprint));
        }
        line("  Key SHA-256", &hex(&anchor.key));
    }
    for list in &inventory.lists {
        let until = list.next_update.map_or_else(|| "no end".to_owned(), date);
        let outdated = if list.is_outdated { ", outdated" } else { "" };
        line("\nRevoked by", &format!(" {}: {} certificates, until {until}{outdated}", list.issuer, list.count));
    }
    for key in &trust.revoked_keys {
        line("\nRevoked key", &format!(" {}", hex(key)));
    }
    if !is_enough(trust, inventory) {
        line("\nAttention", " no bundle can be trusted: say path= or keys= in [keyring] of /etc/greengrass/ota.conf");
    }
    text
}

fn standing(anchor: &Anchor) -> &str {
    match &anchor.standing {
        Standing::Good => "good",
        Standing::ExpiresSoon => "expires soon",
        Standing::Refused(why) => why,
    }
}

fn date(seconds: i64) -> String {
    Timestamp(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000)).date()
}

fn document(trust: &Trust, inventory: &Inventory) -> Value {
    let anchors = inventory.anchors.iter().map(|anchor| {
        let (word, reason) = match &anchor.standing {
            Standing::Good => ("good", None),
            Standing::ExpiresSoon => ("expires-soon", None),
            Standing::Refused(why) => ("refused", Some(why)),
        };
        let validity = anchor.certificate.as_ref();
        json!({
            "name": anchor.name,
            "algorithm": anchor.algorithm,
            "standing": word,
            "reason": reason,
            "not-before": validity.map(|validity| validity.not_before),
            "not-after": validity.map(|validity| validity.not_after),
            "sha256": validity.map(|validity| hex(&validity.fingerprint)),
            "spki-sha256": hex(&anchor.key),
        })
    });
    let lists = inventory.lists.iter().map(|list| {
        json!({
            "issuer": list.issuer,
            "this-update": list.this_update,
            "next-update": list.next_update,
            "certificates": list.count,
            "outdated": list.is_outdated,
        })
    });
    json!({
        "enough": is_enough(trust, inventory),
        "require": trust.require.max(1),
        "usable": inventory.usable,
        "check-purpose": trust.purpose.name(),
        "check-crl": trust.lists == Lists::Required,
        "roots": anchors.collect::<Vec<_>>(),
        "revocation-lists": lists.collect::<Vec<_>>(),
        "revoked-keys": trust.revoked_keys.iter().map(|key| hex(key)).collect::<Vec<_>>(),
    })
}
