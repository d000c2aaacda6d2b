//! Holds the laws of the house (`docs/ARCHITECTURE.md`) that can be read off the source.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "layers/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::{Named, paths, test_modules};

const DOWNWARD: &str =
    "imports run downward only: main -> applet -> api -> service -> store | net -> sys | wire | base";
const SHELVES: &str = "a service asks lower shelves only";
const WRITERS: &str = "only `store` (and `base::log`) writes files";
const SOCKETS: &str = "only `net` and the doors of `api` open sockets";
const PRINTERS: &str = "only applets print (and the build script, to Cargo)";
const PURE_WIRE: &str = "`wire` does no I/O and reads no clock";
const PURE_STATE: &str = "a `state.rs` machine is told the time and never waits";

/// Where a law gives way, and why. One that nothing needs any more fails the test.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/applet/dev/core.rs", WRITERS, "/dev/null is no file of ours"),
    ("src/base/log/mod.rs", PRINTERS, "the console is one of the places a log goes to"),
    ("src/base/ready.rs", SOCKETS, "one word to the service manager that started us; nothing of ours goes out"),
    ("src/service/supervisor/jail/ground.rs", WRITERS, "a process's working directory is part of its jail"),
    ("src/service/supervisor/jail/keeper.rs", WRITERS, "the lock of a keeper is a sign of life and holds no data"),
];

/// Lower, middle, upper.
const SHELF: [&[&str]; 3] = [
    &["config", "identity", "broker", "supervisor", "loader", "ota", "telemetry"],
    &["access", "clients", "debug_password", "uplink", "secrets", "streams"],
    &["shadow", "health", "deploy"],
];

#[test]
fn house_obeys_its_laws() {
    let files = sources(&root().join("src"));
    let texts: Vec<(PathBuf, String)> = files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a source can be read");
            (file.strip_prefix(root()).expect("it is below the root").to_owned(), text)
        })
        .collect();
    let of_tests: Vec<PathBuf> =
        texts.iter().flat_map(|(file, text)| test_modules(text).into_iter().map(|name| child(file, &name))).collect();
    let mut unused = EXCEPTIONS.to_vec();
    let mut broken = Vec::new();
    for (file, text) in &texts {
        // Below a module of tests all is tests.
        let is_test = of_tests.iter().any(|test| file == test || file.starts_with(test.with_extension("")));
        for message in judge(file, text, is_test) {
            let excused = |(at, law, _): &(&str, &str, &str)| file == Path::new(at) && message.ends_with(law);
            unused.retain(|exception| !excused(exception));
            if !EXCEPTIONS.iter().any(excused) {
                broken.push(message);
            }
        }
    }
    assert!(broken.is_empty(), "{} laws broken:\n{}", broken.len(), broken.join("\n"));
    assert!(unused.is_empty(), "these exceptions have become needless: {unused:#?}");
}

#[test]
fn crates_depend_on_what_they_may() {
    let wire = dependencies("src/wire/Cargo.toml");
    let doers = ["gg-sys", "gg-boot", "greengrass-rs", "libc", "mio", "nix", "procfs", "rustix", "socket2", "syslog"];
    let doers = doers.iter().chain(&["tempfile", "tokio", "tracing", "ureq", "zip", "async-std", "smol", "getrandom"]);
    let found: Vec<_> = doers.filter(|name| wire.iter().any(|dependency| dependency == *name)).collect();
    assert!(found.is_empty(), "src/wire/Cargo.toml: {PURE_WIRE}, yet it depends on {found:?}");

    let sys = dependencies("src/sys/Cargo.toml");
    let ours: Vec<_> = sys.iter().filter(|name| name.starts_with("gg-") || name.starts_with("greengrass")).collect();
    assert!(ours.is_empty(), "src/sys/Cargo.toml: `sys` knows no product word, yet it depends on {ours:?}");

    for name in dependencies("init/Cargo.toml") {
        assert!(["gg-sys", "gg-boot"].contains(&name.as_str()), "init/Cargo.toml: PID 1 may not depend on {name}");
    }
}

#[test]
fn top_level_holds_nothing_else() {
    let lawful = ["Cargo.toml", "src", "meta-greengrass-rs", "openwrt-feed", "init", "kernel-config", "tests", "docs"];
    let files = ["README.md", "LICENSE", "Makefile", "Cargo.lock", "target"];
    for entry in fs::read_dir(root()).expect("the top level can be read") {
        let name = entry.expect("an entry can be read").file_name().into_string().expect("a name is UTF-8");
        let allowed = lawful.contains(&name.as_str()) || files.contains(&name.as_str()) || name.starts_with('.');
        assert!(allowed, "{name}: the top level holds only {lawful:?}, {files:?} and dotfiles");
    }
}

#[test]
fn judge_names_file_line_and_law() {
    let cases = [
        ("src/store/a.rs", "use crate::service::deploy::Handle;", Some(DOWNWARD)),
        ("src/store/a.rs", "\nuse crate::{base::clock, net::{tls, http}};", Some(DOWNWARD)),
        ("src/base/a.rs", "fn f() { crate::store::Paths::new(); }", Some(DOWNWARD)),
        ("src/service/config/tree.rs", "use super::super::super::api::control;", Some(DOWNWARD)),
        ("src/service/config/tree.rs", "mod inner { use super::super::super::Handle; }", None),
        ("src/main.rs", "fn main() { greengrass::store::go() }", Some(DOWNWARD)),
        ("src/main.rs", "fn main() { greengrass::applet::go() }", None),
        ("src/api/a.rs", "use crate::service::deploy::Handle; use crate::wire::name;", None),
        ("src/service/supervisor/a.rs", "use crate::service::deploy;", Some(SHELVES)),
        ("src/service/supervisor/a.rs", "use crate::service::config;", Some(SHELVES)),
        ("src/service/supervisor/a.rs", "use super::super::deploy;", Some(SHELVES)),
        ("src/service/supervisor/a.rs", "// use crate::service::deploy;\nconst A: &str = \"crate::api\";", None),
        ("src/service/deploy/a.rs", "use crate::service::{config, supervisor::Handle};", None),
        ("src/service/mod.rs", "use crate::service::deploy;", None),
        ("src/service/deploy/a.rs", "use std::fs; fn f() { fs::write(p, b\"\"); }", Some(WRITERS)),
        ("src/service/deploy/a.rs", "fn f() { std::fs::File::create(p); }", Some(WRITERS)),
        ("src/service/deploy/a.rs", "use tokio::fs;", Some(WRITERS)),
        ("src/service/deploy/a.rs", "fn f() { std::fs::read(p); }", None),
        ("src/service/deploy/a.rs", "#[cfg(test)]\nmod tests { fn f() { std::fs::write(p, c); } }", None),
        ("src/service/deploy/a.rs", "#[cfg(test)]\nmod tests {}\nfn f() { std::fs::write(p, c); }", Some(WRITERS)),
        ("src/service/deploy/tests.rs", "fn f() { std::fs::write(p, c); }", None),
        ("src/store/a.rs", "fn f() { std::fs::write(p, c); }", None),
        ("src/service/health/a.rs", "fn f() { tokio::net::TcpStream::connect(a); }", Some(SOCKETS)),
        ("src/service/health/a.rs", "use ureq::Agent;", Some(SOCKETS)),
        ("src/api/control/mod.rs", "fn f() { UnixListener::bind(a); }", None),
        ("src/service/health/a.rs", "fn f() { println!(\"{}\", 'a'); }", Some(PRINTERS)),
        ("src/service/health/a.rs", "fn f<'a>(print: &'a str) { print != \"\"; }", None),
        ("src/applet/cli/a.rs", "fn f() { println!(); }", None),
        ("src/build.rs", "fn main() { println!(\"cargo::x\"); }", None),
        ("src/wire/a.rs", "fn f() { std::fs::read(p); }", Some(PURE_WIRE)),
        ("src/wire/a.rs", "fn f() { Instant::now(); }", Some(PURE_WIRE)),
        ("src/service/supervisor/state.rs", "fn f() { Instant::now(); }", Some(PURE_STATE)),
    ];
    for (file, text, law) in cases {
        let broken = judge(Path::new(file), text, file.ends_with("tests.rs"));
        match law {
            None => assert_eq!(broken, Vec::<String>::new(), "{file}: {text}"),
            Some(law) => {
                let line = 1 + text.lines().position(|line| line.contains("::") || line.contains('!')).unwrap_or(0);
                let line = if text.contains("{}\nfn") { 3 } else { line };
                assert!(!broken.is_empty(), "nothing found in {file}: {text}");
                for message in broken {
                    assert!(message.starts_with(&format!("{file}:{line}: ")), "{message}");
                    assert!(message.ends_with(law), "{message}");
                }
            }
        }
    }
}

/// The laws that one source breaks, one line each: file, line, what, law.
fn judge(file: &Path, text: &str, is_test: bool) -> Vec<String> {
    let module = module_path(file);
    let names: Vec<&str> = module.iter().map(String::as_str).collect();
    let mut broken = Vec::new();
    for named in paths(text) {
        let mut report = |law: &str| {
            let what = named.path.join("::");
            broken.push(format!("{}:{}: `{what}`: {law}", file.display(), named.line));
        };
        if names.first() == Some(&"wire") {
            if !is_test && !named.in_test && touches_the_world(&named) {
                report(PURE_WIRE);
            }
            continue;
        }
        if matches!(names[..], ["sys", ..] | ["build"]) {
            continue;
        }
        if let Some(law) = resolve(&module, &named).and_then(|target| import_law(&names, &target)) {
            report(law);
        }
        if is_test || named.in_test {
            continue;
        }
        let may_write = matches!(names[..], ["store", ..] | ["base", "log", ..]);
        if !may_write && writes_file(&named) {
            report(WRITERS);
        }
        if !matches!(names[..], ["net" | "api", ..]) && opens_socket(&named) {
            report(SOCKETS);
        }
        if !matches!(names[..], ["applet" | "main" | "build", ..]) && prints(&named) {
            report(PRINTERS);
        }
        if names.last() == Some(&"state") && names[0] == "service" && reads_clock(&named) {
            report(PURE_STATE);
        }
    }
    broken
}

/// Where a module declared in `file` may lie; the folder of that name belongs to it.
fn child(file: &Path, name: &str) -> PathBuf {
    let folder = match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") => file.with_file_name(""),
        _ => file.with_extension(""),
    };
    folder.join(name).with_extension("rs")
}

/// `src/service/config/mod.rs` is `service::config`; the root of the library is empty.
fn module_path(file: &Path) -> Vec<String> {
    let below = file.strip_prefix("src").expect("sources lie in src").with_extension("");
    let mut module: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// The path from the root of the crate, when it is one of ours.
fn resolve(module: &[String], named: &Named) -> Option<Vec<String>> {
    let mut base: Vec<String> = module.iter().chain(&named.inside).cloned().collect();
    let mut rest = named.path.as_slice();
    match rest.first().map(String::as_str) {
        Some("crate" | "greengrass") if rest.len() > 1 => return Some(rest[1..].to_vec()),
        Some("super") => {}
        _ => return None,
    }
    while rest.first().is_some_and(|part| part == "super") {
        base.pop();
        rest = &rest[1..];
    }
    Some(base.into_iter().chain(rest.iter().cloned()).collect())
}

fn import_law(from: &[&str], target: &[String]) -> Option<&'static str> {
    let to: Vec<&str> = target.iter().map(String::as_str).collect();
    let (from_storey, to_storey) = (from.first().copied()?, to.first().copied()?);
    let height = |storey: &str| match storey {
        "main" => Some(5),
        "applet" => Some(4),
        "api" => Some(3),
        "service" => Some(2),
        "store" | "net" => Some(1),
        "sys" | "wire" | "boot" | "base" => Some(0),
        _ => None,
    };
    if from_storey == "main" {
        return (to_storey != "applet").then_some(DOWNWARD);
    }
    if from_storey != to_storey {
        let (above, below) = (height(from_storey), height(to_storey));
        // What is no storey (a macro, a re-export at the root) is nobody's business.
        return (below.is_some() && above <= below).then_some(DOWNWARD);
    }
    match (from, &to[..]) {
        (["service", asking, ..], ["service", asked, ..]) if asking != asked => {
            let (above, below) = (shelf(asking), shelf(asked));
            (below.is_some() && above <= below).then_some(SHELVES)
        }
        _ => None,
    }
}

fn shelf(service: &str) -> Option<usize> {
    SHELF.iter().position(|services| services.contains(&service))
}

fn ends(named: &Named, owner: &[&str], verbs: &[&str]) -> bool {
    match named.path.as_slice() {
        [.., last_owner, verb] => owner.contains(&last_owner.as_str()) && verbs.contains(&verb.as_str()),
        _ => false,
    }
}

fn starts(named: &Named, prefix: &[&str]) -> bool {
    named.path.len() >= prefix.len() && named.path.iter().zip(prefix).all(|(part, want)| part == want)
}

fn writes_file(named: &Named) -> bool {
    const VERBS: &[&str] = &[
        "write",
        "create_dir",
        "create_dir_all",
        "remove_file",
        "remove_dir",
        "remove_dir_all",
        "rename",
        "copy",
        "hard_link",
        "symlink",
        "set_permissions",
        "chown",
        "DirBuilder",
        "OpenOptions",
    ];
    ends(named, &["fs"], VERBS)
        || ends(named, &["File"], &["create", "create_new", "options"])
        || ends(named, &["OpenOptions", "DirBuilder"], &["new"])
        || starts(named, &["tokio", "fs"])
}

fn opens_socket(named: &Named) -> bool {
    const TYPES: &[&str] =
        &["TcpListener", "TcpStream", "TcpSocket", "UdpSocket", "UnixListener", "UnixStream", "UnixDatagram"];
    ends(named, TYPES, &["bind", "connect", "connect_timeout", "new_v4", "new_v6", "unbound"])
        || starts(named, &["ureq"])
        || starts(named, &["rumqttc"])
}

fn prints(named: &Named) -> bool {
    let last = named.path.last().map(String::as_str);
    (named.is_macro && matches!(last, Some("print" | "println" | "eprint" | "eprintln" | "dbg")))
        || ends(named, &["io"], &["stdout"])
}

fn reads_clock(named: &Named) -> bool {
    ends(named, &["Instant", "SystemTime", "OffsetDateTime"], &["now", "now_utc", "now_local"])
        || ends(named, &["time"], &["sleep", "timeout", "interval"])
}

fn touches_the_world(named: &Named) -> bool {
    let modules = ["fs", "process", "env", "os", "thread"];
    let acts = modules.iter().any(|module| starts(named, &["std", module]));
    acts || reads_clock(named) || opens_socket(named) || prints(named)
}

/// The names in the `[dependencies]` tables of a manifest; none if there is no such crate yet.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap_or_default();
    let mut names = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]") && !line.contains("dev-");
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            names.push(line[..end].to_owned());
        }
    }
    names
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a source folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
