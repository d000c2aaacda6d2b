//! What the kernel counts for a process.

use std::fs;
use std::io;
use std::ops::Sub;

/// Proportional share of memory, in KiB.
pub(crate) fn pss_kib(pid: u32) -> io::Result<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?, "Pss:")
}

/// What a process has cost since it began, all threads together.
pub(crate) struct Cost {
    pub(crate) switches: u64,
    pub(crate) cpu_ns: u64,
}

impl Cost {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let mut cost = Self { switches: 0, cpu_ns: 0 };
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?.path();
            // A thread may end while we look at it.
            let read = |file| fs::read_to_string(thread.join(file));
            let (Ok(status), Ok(schedstat)) = (read("status"), read("schedstat")) else { continue };
            cost.switches += field(&status, "voluntary_ctxt_switches:")?;
            cost.switches += field(&status, "nonvoluntary_ctxt_switches:")?;
            cost.cpu_ns += schedstat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(cost)
    }
}

impl Sub for Cost {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        // A thread that ended took its counts along.
        Self {
            switches: self.switches.saturating_sub(earlier.switches),
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
        }
    }
}

fn field(text: &str, name: &str) -> io::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.split_whitespace().next()).and_then(|value| value.parse().ok());
    value.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {name} in {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_of_ourselves_is_counted() {
        let me = std::process::id();
        assert!(pss_kib(me).unwrap() > 0);
        let before = Cost::of(me).unwrap();
        assert!(Cost::of(me).unwrap().cpu_ns >= before.cpu_ns);
    }

    #[test]
    fn field_takes_whole_names_only() {
        let status = "voluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:").unwrap(), 7);
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:").unwrap(), 2);
        assert!(field(status, "Pss:").is_err());
    }
}
