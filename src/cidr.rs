//! Ranges of addresses: as EC2 keeps them, and cut into parts.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A range as EC2 keeps it: bits below the prefix are zero, IPv6 is short, an address alone is a
/// range of one.
pub fn canonical(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "`{}` is no range of addresses: write 203.0.113.7/32, 10.0.0.0/8 or 2001:db8::/32",
            crate::reference::shown(text)
        )
    };
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| wrong())?)),
        None => (text.trim(), None),
    };
    if let Ok(address) = address.parse::<Ipv4Addr>() {
        let length = length.unwrap_or(32);
        return Ipv4Range::new(address, length).map(|range| range.to_string()).ok_or_else(wrong);
    }
    let address = address.parse::<Ipv6Addr>().map_err(|_| wrong())?;
    let length = length.unwrap_or(128);
    let below = 128_u32.checked_sub(length).ok_or_else(wrong)?;
    let mask = u128::MAX.checked_shl(below).unwrap_or(0);
    Ok(format!("{}/{length}", Ipv6Addr::from_bits(address.to_bits() & mask)))
}

/// A range of IPv4 addresses, bits below the prefix being zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Range {
    first: u32,
    length: u32,
}

impl Ipv4Range {
    fn new(address: Ipv4Addr, length: u32) -> Option<Self> {
        let below = 32_u32.checked_sub(length)?;
        let mask = u32::MAX.checked_shl(below).unwrap_or(0);
        Some(Self { first: address.to_bits() & mask, length })
    }

    /// The range that a text means; `None` for anything but `10.0.0.0/16` and its like.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.trim().split_once('/')?;
        Self::new(address.parse().ok()?, length.parse().ok()?)
    }

    /// How many leading bits are fixed: 16 in `10.0.0.0/16`.
    pub fn prefix(self) -> u32 {
        self.length
    }

    /// The range of that number among those of `2^bits` equal parts.
    pub fn part(self, bits: u32, number: u32) -> Option<Self> {
        let length = self.length.checked_add(bits).filter(|length| *length <= 32)?;
        let offset = number.checked_shl(32 - length).filter(|_| number < 1 << bits)?;
        Some(Self { first: self.first | offset, length })
    }

    /// Whether an address lies in both.
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = self.length.min(other.length);
        let mask = u32::MAX.checked_shl(32 - shorter).unwrap_or(0);
        self.first & mask == other.first & mask
    }

    /// Whether all of `other` lies in this.
    pub fn holds(self, other: Self) -> bool {
        self.length <= other.length && self.overlaps(other)
    }
}

impl fmt::Display for Ipv4Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.first), self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_ec2_keeps_them() {
        for (written, kept) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/0", "0.0.0.0/0"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:0DB8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(canonical(written).as_deref(), Ok(kept));
        }
        for wrong in ["10.0.0.0/33", "10.0.0/8", "::/129", "my ip", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(canonical(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_is_cut_into_equal_parts() {
        let range = |text| Ipv4Range::parse(text).unwrap();
        let vpc = range("10.0.0.0/16");
        assert_eq!(vpc.part(3, 1).map(|part| part.to_string()).as_deref(), Some("10.0.32.0/19"));
        assert_eq!(vpc.part(5, 31).map(|part| part.to_string()).as_deref(), Some("10.0.248.0/21"));
        assert_eq!(vpc.part(3, 8), None);
        assert_eq!(range("10.0.0.0/30").part(3, 0), None);
        assert!(vpc.overlaps(range("10.0.64.0/19")) && vpc.holds(range("10.0.64.0/19")));
        assert!(!vpc.overlaps(range("10.1.0.0/24")));
        assert!(!range("10.0.64.0/19").holds(vpc));
        assert!(range("0.0.0.0/0").overlaps(vpc));
    }
}
