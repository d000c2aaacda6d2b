//! Everything that is neither kernel nor control groups.

use crate::applet::check::facts::{Facts, Interpreter, Protection, Trial};
use crate::applet::check::finding::{Finding, Group, Verdict};

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![
        init(facts),
        privileges(facts),
        streams(facts),
        var_run(facts),
        libc(facts),
        account("ggc_group", facts.has_group, "addgroup -S ggc_group"),
        account("ggc_user", facts.has_user, "adduser -S -D -H -G ggc_group ggc_user"),
        links("hardlinks", facts.hard_links),
        links("symlinks", facts.symbolic_links),
        certificates(facts),
        memory(facts),
        disk(facts),
        clock(facts),
        watchdog(facts),
        overlay(facts),
    ];
    findings.extend(facts.interpreters.iter().map(|(one, path)| match path {
        Some(path) => Finding::ok(Group::Software, one.program, path.display().to_string()),
        None => interpreter(*one),
    }));
    findings
}

fn init(facts: &Facts) -> Finding {
    let program = facts.init.as_deref().unwrap_or("unknown");
    let what = if facts.is_ours { format!("{program}, after gg-init") } else { program.to_owned() };
    Finding::ok(Group::System, "init", what)
}

fn privileges(facts: &Facts) -> Finding {
    if facts.is_root {
        return Finding::ok(Group::System, "privileges", "root");
    }
    let effect = "as this user the daemon runs every component as itself, without control groups";
    Finding::degraded(Group::System, "privileges", "not root", effect, "run the daemon, and this check, as root")
}

fn streams(facts: &Facts) -> Finding {
    if facts.missing_streams.is_empty() {
        return Finding::ok(Group::System, "streams", "/dev/stdin, /dev/stdout, /dev/stderr");
    }
    let commands: Vec<String> = [("/dev/stdin", 0), ("/dev/stdout", 1), ("/dev/stderr", 2)]
        .into_iter()
        .filter(|(path, _)| facts.missing_streams.contains(path))
        .map(|(path, number)| format!("ln -s /proc/self/fd/{number} {path}"))
        .collect();
    let what = format!("{} not there", facts.missing_streams.join(", "));
    let effect = "scripts of components that write to them by name fail";
    Finding::degraded(Group::System, "streams", what, effect, format!("at each boot: {}", commands.join("; ")))
}

fn var_run(facts: &Facts) -> Finding {
    if facts.has_var_run {
        return Finding::ok(Group::System, "/var/run", "a directory");
    }
    let effect = "programs that keep their sockets and process numbers there fail";
    Finding::degraded(Group::System, "/var/run", "no directory", effect, "ln -s /run /var/run")
}

/// Ours is in the binary; the machine's matters to components that bring binaries of their own.
fn libc(facts: &Facts) -> Finding {
    let ours = facts.libc.ours;
    let ours = if ours.contains("-musl") { format!("ours: musl, static ({ours})") } else { format!("ours: {ours}") };
    let what = match &facts.libc.loader {
        Some(loader) => format!("{ours}; of others: {loader}"),
        None => format!("{ours}; of others: none, so components must be static, too"),
    };
    Finding::ok(Group::System, "libc", what)
}

fn account(name: &str, is_there: bool, mend: &str) -> Finding {
    if is_there {
        return Finding::ok(Group::System, name, "there");
    }
    let effect = "components that leave their user to the default cannot be installed, unless the daemon has another: \
        --component-default-user";
    Finding::degraded(Group::System, name, "not there", effect, mend)
}

fn links(name: &str, protection: Protection) -> Finding {
    let file = format!("fs.protected_{name}");
    let what = match protection {
        Protection::On => return Finding::ok(Group::Security, name, format!("{file} = 1")),
        Protection::Off => format!("{file} = 0"),
        Protection::Unknown => format!("{file} cannot be read"),
    };
    let effect = "a component may trick others, by a link in a directory all can write to, into its own files";
    Finding::degraded(Group::Security, name, what, effect, format!("sysctl -w {file}=1, and in /etc/sysctl.conf"))
}

fn certificates(facts: &Facts) -> Finding {
    match &facts.certificates {
        Some(path) => Finding::ok(Group::Security, "certificates", path.display().to_string()),
        None => Finding::degraded(
            Group::Security,
            "certificates",
            "no bundle of root certificates",
            "components that use TLS, such as the AWS SDKs, trust nobody; the daemon brings its own",
            "install ca-certificates (OpenWrt: ca-bundle)",
        ),
    }
}

fn memory(facts: &Facts) -> Finding {
    let Some(memory) = facts.memory else {
        let effect = "nothing is known of the room for components";
        return Finding::degraded(Group::Resources, "ram", "unknown", effect, "mount proc on /proc");
    };
    let what = format!("{} in all, {} available", size(memory.total), size(memory.available));
    if memory.available < LEAST_MEMORY {
        let effect = "the daemon may be killed for want of memory before a component is";
        let mend = format!("have {} available before the daemon starts", size(LEAST_MEMORY));
        return Finding::bad(Verdict::Failed, Group::Resources, "ram", what, effect, mend);
    }
    if memory.available < SPARE_MEMORY {
        let effect = "components in Python, JavaScript or Java hardly fit";
        let mend = format!("have {} available, or use components in compiled languages", size(SPARE_MEMORY));
        return Finding::degraded(Group::Resources, "ram", what, effect, mend);
    }
    Finding::ok(Group::Resources, "ram", what)
}

fn disk(facts: &Facts) -> Finding {
    let name = "disk";
    let root = facts.disk.root.display();
    let space = match &facts.disk.space {
        Ok(space) => space,
        Err(cause) => {
            let effect = "the daemon cannot use its root directory";
            let what = format!("{root}: {cause}");
            return Finding::bad(Verdict::Failed, Group::Resources, name, what, effect, "mount it, or give --root DIR");
        }
    };
    if space.read_only {
        let effect = "the daemon cannot write, and does not start";
        let what = format!("{root}: the file system is read-only");
        return Finding::bad(
            Verdict::Failed,
            Group::Resources,
            name,
            what,
            effect,
            "give --root DIR on a writable one",
        );
    }
    let what = format!("{root}: {} of {} free", size(space.free), size(space.total));
    if space.free < LEAST_DISK || space.files.is_some_and(|files| files < LEAST_FILES) {
        let what = match space.files {
            Some(files) if files < LEAST_FILES => format!("{what}, {files} files"),
            _ => what,
        };
        let effect = "no deployment is taken";
        let mend = format!("{} of room, and {LEAST_FILES} files", size(LEAST_DISK));
        return Finding::bad(Verdict::Failed, Group::Resources, name, what, effect, mend);
    }
    if space.free < SPARE_DISK {
        let effect = "artifacts of deployments may not fit beside those they replace";
        let mend = format!("{} of room, which is also what the reference asks for", size(SPARE_DISK));
        return Finding::degraded(Group::Resources, name, what, effect, mend);
    }
    Finding::ok(Group::Resources, name, what)
}

fn clock(facts: &Facts) -> Finding {
    let today = date(facts.now);
    if facts.now >= facts.built {
        return Finding::ok(Group::Resources, "clock", today);
    }
    let what = format!("{today}, before this program was built ({})", date(facts.built));
    let effect = "certificates are not valid yet, so nothing connects by TLS, and logs have wrong times";
    Finding::degraded(
        Group::Resources,
        "clock",
        what,
        effect,
        "set it: ntpd -n -q -p pool.ntp.org, or a real-time clock",
    )
}

fn watchdog(facts: &Facts) -> Finding {
    match &facts.watchdog {
        Some(what) => Finding::ok(Group::Resources, "watchdog", what),
        None => Finding::degraded(
            Group::Resources,
            "watchdog",
            "no device",
            "a device that hangs stays so until somebody comes",
            "enable the board's watchdog driver, or modprobe softdog",
        ),
    }
}

fn overlay(facts: &Facts) -> Finding {
    let overlay = &facts.overlay;
    let place = format!("{} ({})", overlay.data.display(), overlay.kind.as_deref().unwrap_or("unknown file system"));
    match &overlay.trial {
        Trial::Works => Finding::ok(Group::Resources, "overlay", format!("works on {place}")),
        Trial::NotTried(why) => Finding::ok(Group::Resources, "overlay", format!("not tried on {place}: {why}")),
        Trial::Fails(cause) => Finding::degraded(
            Group::Resources,
            "overlay",
            format!("{place}: {cause}"),
            "gg-init cannot make the root writable with this file system",
            "data on ext4 or f2fs, and in the kernel configuration: CONFIG_OVERLAY_FS=y",
        ),
    }
}

fn interpreter(interpreter: Interpreter) -> Finding {
    let Interpreter { program, language } = interpreter;
    let (what, mend) = ("not on the path", format!("install {program}, or --skip {program} if none is to run here"));
    if program == "sh" {
        let effect = "no component starts: each step is a script";
        return Finding::bad(Verdict::Failed, Group::Software, program, what, effect, "install BusyBox");
    }
    Finding::degraded(Group::Software, program, what, format!("components in {language} do not start"), mend)
}

/// `512 KiB`, `48 MiB`, `1.9 GiB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..MIB => format!("{} KiB", bytes / 1024),
        MIB..GIB => format!("{} MiB", bytes / MIB),
        _ => format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB),
    }
}

fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|time| time::OffsetDateTime::from_unix_timestamp(time).ok());
    time.map_or_else(|| seconds.to_string(), |time| time.date().to_string())
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The daemon idles in 5 MB and needs some for a deployment.
const LEAST_MEMORY: u64 = 12 * MIB;
/// One Python or Node.js process with an SDK takes 20 to 40 MB.
const SPARE_MEMORY: u64 = 48 * MIB;
/// What the daemon leaves free whatever it is asked for.
const LEAST_DISK: u64 = 20_000_000;
/// A component has some ten.
const LEAST_FILES: u64 = 100;
/// What the reference asks for.
const SPARE_DISK: u64 = 128 * MIB;
