//! Lines of the control door.

use crate::control::{Answer, LineBuffer, Request};

/// Lines come out the same however they are read, and what is understood is understood again when written.
pub fn control(data: &[u8]) {
    let cut = |step: usize| {
        let mut buffer = LineBuffer::new(64);
        let mut lines = Vec::new();
        for part in data.chunks(step) {
            buffer.tail().extend_from_slice(part);
            loop {
                match buffer.next_line() {
                    Ok(Some(line)) => lines.push(Some(line)),
                    Ok(None) => break,
                    Err(_) => {
                        lines.push(None);
                        return lines;
                    }
                }
            }
        }
        lines
    };
    assert_eq!(cut(1), cut(data.len().max(1)));
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(request) = Request::decode(line) {
            assert!(request.encode().is_ok_and(|line| Request::decode(&line).is_ok()), "{request:?}");
        }
        if let Ok(answer) = Answer::decode(line) {
            assert!(answer.encode().is_ok_and(|line| Answer::decode(&line).is_ok()), "{answer:?}");
        }
    }
}
