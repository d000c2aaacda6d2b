//! What a device asks of a new version before it keeps it: `health-...` of `[greengrass]`, and `[health.NAME]` for the
//! bundles that name this profile.

use std::path::PathBuf;
use std::time::Duration;

use crate::wire::bundle::ini::{Group, IniError};

/// Whether a trial fails without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    Required,
    /// Only told.
    Wanted,
}

/// Whether a trial fails without the cloud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NetworkPolicy {
    Required,
    Wanted,
    /// Required where the cloud was reached in the day before the update: an outage must not roll a fleet back.
    Auto,
}

impl NetworkPolicy {
    /// What it comes to: with when the cloud was last reached, and when the update was installed, in seconds since 1970.
    pub fn need(self, reached: Option<u64>, installed: u64) -> Need {
        match (self, reached) {
            (Self::Required, _) => Need::Required,
            (Self::Auto, Some(reached)) if reached.saturating_add(DAY) >= installed => Need::Required,
            (Self::Auto | Self::Wanted, _) => Need::Wanted,
        }
    }
}

const DAY: u64 = 24 * 60 * 60;

/// All settings of the health checks. Deadlines count from the start of the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HealthSettings {
    pub mounts: Need,
    pub network: NetworkPolicy,
    pub components: Need,
    /// How long components must stay well.
    pub stable: Duration,
    /// Of all.
    pub deadline: Duration,
    pub daemon_deadline: Duration,
    pub network_deadline: Duration,
    pub components_deadline: Duration,
    /// Of one program in `health.d`.
    pub check_timeout: Duration,
    /// Starts of the daemon in one boot; one more is a crash loop.
    pub starts: u32,
    /// Holds `required` and `wanted`.
    pub directory: PathBuf,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            mounts: Need::Required,
            network: NetworkPolicy::Auto,
            components: Need::Required,
            stable: Duration::from_secs(60),
            deadline: Duration::from_secs(540),
            daemon_deadline: Duration::from_secs(300),
            network_deadline: Duration::from_secs(480),
            components_deadline: Duration::from_secs(480),
            check_timeout: Duration::from_secs(60),
            starts: 5,
            directory: "/etc/greengrass/health.d".into(),
        }
    }
}

impl HealthSettings {
    /// Takes what a section says over what was there; keys begin with `prefix`.
    pub fn decode(&mut self, group: &mut Group, prefix: &str) -> Result<(), IniError> {
        for (key, need) in [("mounts", &mut self.mounts), ("components", &mut self.components)] {
            let key = format!("{prefix}{key}");
            if let Some(word) = group.take(&key)? {
                *need = match word.as_str() {
                    "required" => Need::Required,
                    "wanted" => Need::Wanted,
                    _ => return Err(group.value_error(&key, &word)),
                };
            }
        }
        let key = format!("{prefix}network");
        if let Some(word) = group.take(&key)? {
            self.network = match word.as_str() {
                "required" => NetworkPolicy::Required,
                "wanted" => NetworkPolicy::Wanted,
                "auto" => NetworkPolicy::Auto,
                _ => return Err(group.value_error(&key, &word)),
            };
        }
        let times = [
            ("stable", &mut self.stable),
            ("deadline", &mut self.deadline),
            ("daemon-deadline", &mut self.daemon_deadline),
            ("network-deadline", &mut self.network_deadline),
            ("components-deadline", &mut self.components_deadline),
            ("check-timeout", &mut self.check_timeout),
        ];
        for (key, time) in times {
            if let Some(seconds) = group.number::<u32>(&format!("{prefix}{key}"))? {
                *time = Duration::from_secs(seconds.into());
            }
        }
        if let Some(starts) = group.number(&format!("{prefix}starts"))? {
            self.starts = starts;
        }
        let key = format!("{prefix}directory");
        if let Some(path) = group.take(&key)? {
            self.directory = Some(PathBuf::from(&path))
                .filter(|path| path.is_absolute())
                .ok_or_else(|| group.value_error(&key, &path))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bundle::ini::Ini;

    #[test]
    fn network_policy_spares_a_fleet_without_a_cloud() {
        let installed = 1_000_000;
        let cases = [
            (NetworkPolicy::Required, None, Need::Required),
            (NetworkPolicy::Wanted, Some(installed), Need::Wanted),
            (NetworkPolicy::Auto, None, Need::Wanted),
            (NetworkPolicy::Auto, Some(installed - DAY), Need::Required),
            (NetworkPolicy::Auto, Some(installed - DAY - 1), Need::Wanted),
            // A clock that went back says nothing against the cloud.
            (NetworkPolicy::Auto, Some(installed + 5), Need::Required),
            (NetworkPolicy::Auto, Some(u64::MAX), Need::Required),
        ];
        for (policy, reached, need) in cases {
            assert_eq!(policy.need(reached, installed), need, "{policy:?} {reached:?}");
        }
    }

    #[test]
    fn settings_are_read_over_their_defaults_and_nonsense_is_refused() {
        let group = |text: &str| Ini::decode(format!("[greengrass]\n{text}").as_bytes()).unwrap().take("greengrass");
        let mut settings = HealthSettings::default();
        let mut said = group("health-network=wanted\nhealth-stable=5\nhealth-components=wanted\nhealth-starts=2");
        settings.decode(&mut said, "health-").unwrap();
        said.end().unwrap();
        assert_eq!((settings.network, settings.components), (NetworkPolicy::Wanted, Need::Wanted));
        assert_eq!((settings.stable, settings.starts), (Duration::from_secs(5), 2));
        assert_eq!(settings.deadline, HealthSettings::default().deadline);
        for bad in ["health-mounts=no", "health-network=sure", "health-stable=-1", "health-directory=health.d"] {
            assert!(settings.decode(&mut group(bad), "health-").is_err(), "{bad}");
        }
    }
}
