//! The cluster slot of a key, computed here so that it costs no question.

const SLOTS: u16 = 16384;

/// The slot that a key belongs to. Only what stands in the first `{…}` counts, unless it is empty.
pub fn of(key: &[u8]) -> u16 {
    crc16(hashed_part(key)) % SLOTS
}

/// What of a key decides about its slot.
pub fn hashed_part(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else {
        return key;
    };
    let inside = &key[open + 1..];
    match inside.iter().position(|byte| *byte == b'}') {
        None | Some(0) => key,
        Some(close) => &inside[..close],
    }
}

/// CRC-16/XMODEM, as the Redis cluster specification wants it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_cluster_keyslot() {
        for (key, slot) in SAID_BY_REDIS {
            assert_eq!(of(key.as_bytes()), *slot, "{key}");
        }
    }

    /// Answers of `CLUSTER KEYSLOT` of Redis 7.0.
    const SAID_BY_REDIS: &[(&str, u16)] = &[
        ("", 0),
        ("foo", 12182),
        ("user:1", 10778),
        ("{user1000}.following", 3443),
        ("foo{}{bar}", 8363),
        ("foo{{bar}}zap", 4015),
        ("foo{bar}{zap}", 5061),
        ("a{b", 13340),
        ("123456789", 12739),
    ];
}
