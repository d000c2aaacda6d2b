//! Partitions by their GPT label, without udev: `sysfs(5)`, uevents of `netlink(7)`.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

/// A block device as the kernel describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Such as `vda3`.
    pub name: String,
    /// The label of the partition.
    pub label: Option<String>,
    /// Major and minor number.
    pub number: (u32, u32),
    pub removable: bool,
}

impl Device {
    /// Where devtmpfs shows it. A `!` in a name stands for a slash.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev").join(self.name.replace('!', "/"))
    }

    /// Makes the node where devtmpfs has not: `mknod(2)`.
    pub fn make_node(&self) -> io::Result<PathBuf> {
        let node = self.node();
        if !node.exists() {
            let number = rustix::fs::makedev(self.number.0, self.number.1);
            let mode = Mode::RUSR | Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &node, FileType::BlockDevice, mode, number)?;
        }
        Ok(node)
    }

    /// The disk that this is a partition of: its directory is the one above.
    pub fn disk(&self) -> io::Result<Self> {
        let own = Path::new("/sys/class/block").join(self.name.replace('/', "!")).canonicalize()?;
        let above = own.with_file_name("uevent");
        Ok(parse(&fs::read_to_string(above)?))
    }
}

/// The major number of a device: `major(3)`.
pub fn major(device: u64) -> u32 {
    rustix::fs::major(device)
}

/// The minor number of a device: `minor(3)`.
pub fn minor(device: u64) -> u32 {
    rustix::fs::minor(device)
}

/// All block devices, by name.
pub fn devices() -> io::Result<Vec<Device>> {
    devices_in(Path::new("/sys/class/block"))
}

fn devices_in(class: &Path) -> io::Result<Vec<Device>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(class)? {
        let path = entry?.path();
        // One that is pulled out meanwhile has no description any more.
        let Ok(text) = fs::read_to_string(path.join("uevent")) else { continue };
        let mut device = parse(&text);
        device.removable = is_removable(&path);
        found.push(device);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn parse(uevent: &str) -> Device {
    let field = |name: &str| {
        uevent.lines().filter_map(|line| line.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let number = |name| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    Device {
        name: field("DEVNAME").unwrap_or_default().to_owned(),
        label: field("PARTNAME").map(str::to_owned),
        number: (number("MAJOR"), number("MINOR")),
        removable: false,
    }
}

/// A partition is as removable as its disk, whose directory is the one above.
fn is_removable(path: &Path) -> bool {
    let own = path.join("removable");
    let of_disk = path.canonicalize().map(|path| path.with_file_name("removable"));
    let says = |file: &Path| fs::read_to_string(file).is_ok_and(|text| text.trim() == "1");
    says(&own) || of_disk.is_ok_and(|file| says(&file))
}

/// The partition with a label. Where two have it, one that cannot be pulled out goes first: a stick that somebody
/// plugs in must not take the place of what is built in.
pub fn by_label(label: &str) -> io::Result<Option<Device>> {
    Ok(first_labelled(devices()?, label))
}

fn first_labelled(devices: Vec<Device>, label: &str) -> Option<Device> {
    devices.into_iter().filter(|device| device.label.as_deref() == Some(label)).min_by_key(|device| device.removable)
}

/// News of devices that come and go: `NETLINK_KOBJECT_UEVENT` of `netlink(7)`.
#[derive(Debug)]
pub struct Arrivals(OwnedFd);

impl Arrivals {
    /// From here on nothing is missed.
    pub fn listen() -> io::Result<Self> {
        const FROM_KERNEL: u32 = 1;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, FROM_KERNEL))?;
        Ok(Self(socket))
    }

    /// Sleeps until something happened, or the time is up.
    fn wait(&self, limit: Duration) -> io::Result<()> {
        let limit = Timespec::try_from(limit).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause.into()),
        }
        let mut space = [MaybeUninit::uninit(); 2048];
        // What it was does not matter; an overflow says as well that something was.
        while rustix::net::recv(&self.0, &mut space, RecvFlags::empty()).is_ok() {}
        Ok(())
    }

    /// Waits until a partition with one of the labels is there, or the time is up.
    pub fn wait_for(&self, labels: &[&str], limit: Duration) -> io::Result<Option<Device>> {
        let start = Instant::now();
        loop {
            let devices = devices()?;
            let found = labels.iter().find_map(|label| first_labelled(devices.clone(), label));
            let left = limit.saturating_sub(start.elapsed());
            if found.is_some() || left.is_zero() {
                return Ok(found);
            }
            self.wait(left)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_with_label_and_number() {
        let scratch = tempfile::tempdir().unwrap();
        let make = |name: &str, text: &str| {
            fs::create_dir(scratch.path().join(name)).unwrap();
            fs::write(scratch.path().join(name).join("uevent"), text).unwrap();
        };
        make("vda", "MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n");
        make("vda3", "MAJOR=254\nMINOR=3\nDEVNAME=vda3\nDEVTYPE=partition\nPARTN=3\nPARTNAME=gg-a\n");
        make("odd", "DEVNAME\n=\nMAJOR=x\n");
        fs::create_dir(scratch.path().join("gone")).unwrap();
        let devices = devices_in(scratch.path()).unwrap();
        let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
        assert_eq!(names, ["", "vda", "vda3"]);
        assert_eq!((devices[2].label.as_deref(), devices[2].number), (Some("gg-a"), (254, 3)));
    }

    #[test]
    fn built_in_partition_goes_before_a_removable_one() {
        let device = |name: &str, removable| Device {
            name: name.to_owned(),
            label: Some("x".to_owned()),
            number: (0, 0),
            removable,
        };
        let devices = vec![device("sda1", true), device("vda1", false), device("vdb1", false)];
        assert_eq!(first_labelled(devices.clone(), "x").unwrap().name, "vda1");
        assert_eq!(first_labelled(devices, "y"), None);
        assert_eq!(device("cciss!c0d0p1", false).node(), Path::new("/dev/cciss/c0d0p1"));
    }
}
