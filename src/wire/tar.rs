//! The members of a tar archive: `ustar` of POSIX, with the extensions of `pax` and of GNU.
//!
//! Decodes a block at a time and keeps nothing; the caller reads. A member's name is a list of plain parts below the root
//! of the archive: one that leads out is an error, so a [`Member`] never does.

use std::collections::BTreeMap;

/// What everything in an archive is a multiple of.
pub const BLOCK: usize = 512;
/// Bytes the extended header of one member may have.
pub const MAX_EXTENSION: u64 = 1 << 20;
/// Bytes of a name or of what a link says: PATH_MAX.
const MAX_NAME: usize = 4096;
/// Directories within each other.
const MAX_DEPTH: usize = 128;

/// What one header block says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    kind: u8,
    name: Vec<u8>,
    link: Vec<u8>,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: u64,
    device: (u32, u32),
}

/// What comes behind a header block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// The archive ends here.
    End,
    /// So many bytes that belong to the header of the next member: for [`Extension::add`].
    Extension(Header),
    /// A member whose name and facts may be in the extension before it: for [`Header::member`].
    Member(Header),
}

/// Facts about the next member that did not fit into its header.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<u64>,
    attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// One member, complete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Directories, and the name in the last of them; empty for the root itself.
    pub path: Vec<Vec<u8>>,
    pub what: What,
    /// Permissions, with the bits for set-user-id and the like.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// In seconds since 1970.
    pub mtime: u64,
    /// Extended attributes, by their full names.
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What a member is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// So many bytes follow, filled up to whole blocks.
    File {
        size: u64,
    },
    /// Another name of a member that came before.
    HardLink {
        to: Vec<Vec<u8>>,
    },
    /// It may say anything: nobody follows it here.
    SymbolicLink {
        to: Vec<u8>,
    },
    Directory,
    CharacterDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
    Pipe,
}

impl Header {
    pub fn decode(block: &[u8; BLOCK]) -> Result<Next, TarError> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(Next::End);
        }
        // The checksum is taken with spaces where it stands itself.
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        let own: u64 = block[148..156].iter().map(|byte| u64::from(*byte)).sum();
        if number(&block[148..156])? != sum - own + 8 * 32 {
            return Err(TarError::Checksum);
        }
        let is_ustar = &block[257..262] == b"ustar";
        let mut name = text(&block[..100]).to_vec();
        let prefix = text(&block[345..500]);
        // GNU has other things there, and says so with a space.
        if is_ustar && block[262] == 0 && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        let small = |field: &[u8]| u32::try_from(number(field)?).map_err(|_| TarError::Number);
        let device = if is_ustar { (small(&block[329..337])?, small(&block[337..345])?) } else { (0, 0) };
        let header = Self {
            kind: block[156],
            name,
            link: text(&block[157..257]).to_vec(),
            mode: small(&block[100..108])? & 0o7777,
            uid: small(&block[108..116])?,
            gid: small(&block[116..124])?,
            size: number(&block[124..136])?,
            mtime: number(&block[136..148])?,
            device,
        };
        match header.kind {
            b'x' | b'g' | b'L' | b'K' if header.size > MAX_EXTENSION => Err(TarError::Extension),
            b'x' | b'g' | b'L' | b'K' => Ok(Next::Extension(header)),
            _ => Ok(Next::Member(header)),
        }
    }

    /// Bytes that follow an extension's header, without those that fill the last block.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The member, with what its extension says.
    pub fn member(self, extension: Extension) -> Result<Member, TarError> {
        let name = extension.name.unwrap_or(self.name);
        let link = extension.link.unwrap_or(self.link);
        let (major, minor) = self.device;
        let what = match self.kind {
            // In the oldest archives a directory is a file whose name says so.
            0 | b'0' if name.ends_with(b"/") => What::Directory,
            0 | b'0' | b'7' => What::File { size: extension.size.unwrap_or(self.size) },
            b'1' => What::HardLink { to: path(&link)? },
            b'2' if link.is_empty() || link.len() > MAX_NAME || link.contains(&0) => return Err(TarError::Name),
            b'2' => What::SymbolicLink { to: link },
            b'3' => What::CharacterDevice { major, minor },
            b'4' => What::BlockDevice { major, minor },
            b'5' => What::Directory,
            b'6' => What::Pipe,
            kind => return Err(TarError::Kind { kind: char::from(kind) }),
        };
        let path = path(&name)?;
        if path.is_empty() && what != What::Directory {
            return Err(TarError::Name);
        }
        Ok(Member {
            path,
            what,
            mode: self.mode,
            uid: extension.uid.unwrap_or(self.uid),
            gid: extension.gid.unwrap_or(self.gid),
            mtime: extension.mtime.unwrap_or(self.mtime),
            attributes: extension.attributes,
        })
    }
}

impl Extension {
    /// Takes what follows the header of an extension.
    pub fn add(&mut self, header: &Header, bytes: &[u8]) -> Result<(), TarError> {
        match header.kind {
            b'L' => self.name = Some(text(bytes).to_vec()),
            b'K' => self.link = Some(text(bytes).to_vec()),
            b'x' => self.records(bytes)?,
            // For all members, where nothing that we heed has a meaning; a name for all would have none either.
            _ => {}
        }
        Ok(())
    }

    /// Records of pax: `LENGTH KEY=VALUE\n`.
    fn records(&mut self, bytes: &[u8]) -> Result<(), TarError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let length = decimal(&rest[..digits]).and_then(|length| usize::try_from(length).ok());
            let length = length.filter(|length| *length > digits + 1 && *length <= rest.len());
            let (record, behind) = rest.split_at(length.ok_or(TarError::Extension)?);
            let (Some((b' ', record)), Some((b'\n', _))) = (record[digits..].split_first(), record.split_last()) else {
                return Err(TarError::Extension);
            };
            let record = &record[..record.len() - 1];
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(TarError::Extension)?;
            self.record(&record[..equals], &record[equals + 1..])?;
            rest = behind;
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), TarError> {
        let whole = |value: &[u8]| {
            // Times have fractions.
            let whole = value.split(|byte| *byte == b'.').next().unwrap_or(value);
            decimal(whole).ok_or(TarError::Number)
        };
        let id = |value: &[u8]| u32::try_from(whole(value)?).map_err(|_| TarError::Number);
        match key {
            b"path" => self.name = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(whole(value)?),
            b"uid" => self.uid = Some(id(value)?),
            b"gid" => self.gid = Some(id(value)?),
            b"mtime" if value.first() == Some(&b'-') => self.mtime = Some(0),
            b"mtime" => self.mtime = Some(whole(value)?),
            _ if key.starts_with(b"GNU.sparse") => return Err(TarError::Kind { kind: 'S' }),
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    if name.is_empty() || name.len() > 255 || name.contains(&0) {
                        return Err(TarError::Extension);
                    }
                    self.attributes.insert(name.to_vec(), value.to_vec());
                }
            }
        }
        Ok(())
    }
}

/// Bytes that fill the last block of so many.
pub fn padding(size: u64) -> u64 {
    let used = size % BLOCK as u64;
    if used == 0 { 0 } else { BLOCK as u64 - used }
}

/// Up to the first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or(field)
}

/// Octal digits, or GNU's binary form for large numbers.
fn number(field: &[u8]) -> Result<u64, TarError> {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        let (first, rest) = (field[0] & 0x7f, &field[1..]);
        let bytes = std::iter::once(&first).chain(rest);
        return bytes.map(|byte| u64::from(*byte)).try_fold(0_u64, |value, byte| {
            value.checked_mul(256).and_then(|value| value.checked_add(byte)).ok_or(TarError::Number)
        });
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8).map(|value| value + u64::from(digit - b'0')).ok_or(TarError::Number),
        _ => Err(TarError::Number),
    })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let lawful = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    lawful.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// The parts of a name below the root: a `/` in front means nothing, and a `..` is never followed.
fn path(name: &[u8]) -> Result<Vec<Vec<u8>>, TarError> {
    if name.len() > MAX_NAME || name.contains(&0) {
        return Err(TarError::Name);
    }
    let parts = name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let path: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
    let lawful = path.len() <= MAX_DEPTH && path.iter().all(|part| part != b".." && part.len() <= 255);
    if lawful { Ok(path) } else { Err(TarError::Name) }
}

/// An archive that is none, or one that nobody should unpack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TarError {
    #[error("it is no tar archive: the checksum of a header does not fit")]
    Checksum,
    #[error("a header has something else where a number belongs, or too large a one")]
    Number,
    #[error("an extended header cannot be read, or is too long")]
    Extension,
    #[error("a name leads out of the archive, or is too long")]
    Name,
    #[error("a member is of the kind {kind:?}, which is not unpacked here")]
    Kind { kind: char },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: u8, name: &[u8], size: u64) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..name.len()].copy_from_slice(name);
        block[100..107].copy_from_slice(b"0104755");
        block[108..115].copy_from_slice(b"0001750");
        block[116..123].copy_from_slice(b"     12");
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[136..147].copy_from_slice(b"00000000017");
        block[156] = kind;
        block[157..160].copy_from_slice(b"a/b");
        block[257..263].copy_from_slice(b"ustar\0");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }

    fn member(kind: u8, name: &[u8], extension: Extension) -> Result<Member, TarError> {
        match Header::decode(&block(kind, name, 5))? {
            Next::Member(header) => header.member(extension),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn header_is_read_with_owner_mode_and_size() {
        let found = member(b'0', b"./usr//bin/x", Extension::default()).unwrap();
        assert_eq!(found.path, [b"usr".to_vec(), b"bin".to_vec(), b"x".to_vec()]);
        assert_eq!((found.mode, found.uid, found.gid, found.mtime), (0o4755, 1000, 10, 15));
        assert_eq!(found.what, What::File { size: 5 });
        assert_eq!(
            member(b'1', b"x", Extension::default()).unwrap().what,
            What::HardLink { to: vec![b"a".to_vec(), b"b".to_vec()] }
        );
        assert_eq!(member(b'5', b"./", Extension::default()).unwrap().path, Vec::<Vec<u8>>::new());
        assert_eq!(Header::decode(&[0; BLOCK]), Ok(Next::End));
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in [&b"../x"[..], b"a/../../x", b"/..", b"", b"a/.."] {
            assert_eq!(member(b'0', name, Extension::default()), Err(TarError::Name), "{name:?}");
        }
        assert_eq!(member(b'0', b"/etc/x", Extension::default()).unwrap().path.len(), 2);
        let out = Extension { link: Some(b"../../etc/shadow".to_vec()), ..Extension::default() };
        assert_eq!(member(b'1', b"x", out.clone()), Err(TarError::Name));
        // A symbolic link may lead anywhere: nothing is ever written through one.
        assert!(member(b'2', b"x", out).is_ok());
        assert_eq!(member(b'S', b"x", Extension::default()), Err(TarError::Kind { kind: 'S' }));
        let mut damaged = block(b'0', b"x", 1);
        damaged[0] ^= 1;
        assert_eq!(Header::decode(&damaged), Err(TarError::Checksum));
    }

    #[test]
    fn extension_says_what_did_not_fit() {
        let Next::Extension(header) = Header::decode(&block(b'x', b"x", 5)).unwrap() else { panic!("an extension") };
        let mut extension = Extension::default();
        let long = "d/".repeat(90) + "x";
        let mut text = String::new();
        let attribute = "SCHILY.xattr.security.capability=\u{1}=\n";
        for record in [format!("path={long}"), "mtime=12.5".into(), "uid=70000".into(), attribute.into(), "z=".into()] {
            let length = (3..).find(|length: &usize| length.to_string().len() + 2 + record.len() == *length).unwrap();
            text += &format!("{length} {record}\n");
        }
        extension.add(&header, text.as_bytes()).unwrap();
        let found = member(b'0', b"x", extension).unwrap();
        assert_eq!((found.path.len(), found.mtime, found.uid), (91, 12, 70_000));
        assert_eq!(found.attributes[&b"security.capability"[..]], b"\x01=\n");
        for bad in ["5 a=b\n", "99 a=b\n", "6 a=b", "0 ", "x", "6 a=bc", "18446744073709551616 a=b\n", "5 ab\n"] {
            assert!(Extension::default().add(&header, bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_are_octal_or_binary() {
        assert_eq!(number(b" 17\0\0"), Ok(15));
        assert_eq!(number(&[0x80, 0, 0, 1, 0]), Ok(256));
        assert_eq!(number(&[0xff; 12]), Err(TarError::Number));
        assert_eq!(number(b"8"), Err(TarError::Number));
        assert_eq!((padding(0), padding(1), padding(512)), (0, 511, 0));
    }
}
