//! Frames written and read by hand: nothing here is taken from the product, so that both can be wrong only once.

/// A message as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub bytes: Vec<u8>,
}

/// A message in the making: headers, still to be summed up.
#[derive(Clone, Default)]
pub struct Draft {
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Draft {
    /// The three mandatory headers.
    pub fn new(kind: i32, flags: i32, stream: i32) -> Self {
        Self::default().int(":message-type", kind).int(":message-flags", flags).int(":stream-id", stream)
    }

    /// The first message of a stream.
    pub fn request(stream: i32, operation: &str, payload: &str) -> Self {
        Self::new(0, 0, stream).text("operation", &format!("aws.greengrass#{operation}")).payload(payload.as_bytes())
    }

    pub fn connect(token: &str) -> Self {
        let payload = format!(r#"{{"authToken":"{token}"}}"#);
        Self::new(4, 0, 0).text(":version", "0.1.0").payload(payload.as_bytes())
    }

    /// The end of a stream.
    pub fn end(stream: i32) -> Self {
        Self::new(0, 2, stream)
    }

    pub fn int(self, name: &str, value: i32) -> Self {
        self.header(name, 4, &value.to_be_bytes())
    }

    pub fn text(self, name: &str, value: &str) -> Self {
        self.long(name, 7, value.as_bytes())
    }

    /// A header whose value has a length before it.
    pub fn long(self, name: &str, kind: u8, value: &[u8]) -> Self {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        self.header(name, kind, &[&length, value].concat())
    }

    pub fn header(mut self, name: &str, kind: u8, value: &[u8]) -> Self {
        self.headers.push(u8::try_from(name.len()).unwrap());
        self.headers.extend_from_slice(name.as_bytes());
        self.headers.push(kind);
        self.headers.extend_from_slice(value);
        self
    }

    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = prelude(16 + self.headers.len() + self.payload.len(), self.headers.len());
        bytes.extend_from_slice(&self.headers);
        bytes.extend_from_slice(&self.payload);
        bytes.extend_from_slice(&crc(&bytes).to_be_bytes());
        bytes
    }
}

/// Lengths, right or wrong, with the right checksum.
pub fn prelude(total: usize, headers: usize) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).unwrap().to_be_bytes();
    let mut bytes = [word(total), word(headers)].concat();
    bytes.extend_from_slice(&crc(&bytes).to_be_bytes());
    bytes
}

impl Frame {
    pub fn of(bytes: Vec<u8>) -> Self {
        let total = number(&bytes[..4]);
        assert_eq!(total, bytes.len(), "the length of a message");
        assert_eq!(crc(&bytes[..8]).to_be_bytes(), bytes[8..12], "the checksum of a prelude");
        assert_eq!(crc(&bytes[..total - 4]).to_be_bytes(), bytes[total - 4..], "the checksum of a message");
        Self { bytes }
    }

    pub fn headers(&self) -> &[u8] {
        &self.bytes[12..12 + number(&self.bytes[4..8])]
    }

    pub fn payload(&self) -> &[u8] {
        &self.bytes[12 + number(&self.bytes[4..8])..self.bytes.len() - 4]
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.payload()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Type, flags and stream.
    pub fn place(&self) -> (i32, i32, i32) {
        let of = |name: &str| {
            let value = self.find(name, 4).unwrap_or_else(|| panic!("no {name}: {self:?}"));
            i32::from_be_bytes(value[..4].try_into().unwrap())
        };
        (of(":message-type"), of(":message-flags"), of(":stream-id"))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.find(name, 7)?;
        let length = usize::from(u16::from_be_bytes([value[0], value[1]]));
        Some(String::from_utf8(value[2..2 + length].to_vec()).unwrap())
    }

    /// What follows name and type of a header the daemon wrote.
    fn find(&self, name: &str, kind: u8) -> Option<&[u8]> {
        let mut wanted = vec![u8::try_from(name.len()).unwrap()];
        wanted.extend_from_slice(name.as_bytes());
        wanted.push(kind);
        let headers = self.headers();
        let at = headers.windows(wanted.len()).position(|window| window == wanted)?;
        Some(&headers[at + wanted.len()..])
    }
}

fn number(bytes: &[u8]) -> usize {
    usize::try_from(u32::from_be_bytes(bytes.try_into().unwrap())).unwrap()
}

/// CRC-32 as in zlib.
pub fn crc(bytes: &[u8]) -> u32 {
    static TABLE: std::sync::LazyLock<Vec<u32>> = std::sync::LazyLock::new(|| {
        let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        (0..256).map(|byte| (0..8).fold(byte, |crc, _| step(crc))).collect()
    });
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize])
}

#[test]
fn checksum_is_that_of_zlib() {
    assert_eq!(crc(b"123456789"), 0xcbf4_3926);
}
