//! What a file is known by without being read.

use std::fmt;
use std::str::FromStr;

/// Says of a file that one with the same stamp reads the same: what the system tells of it, and what files were read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// A digest of all that posts are read by besides their files.
    pub circumstances: u64,
    /// The file's number on its disk.
    pub inode: u64,
    /// In octets.
    pub length: u64,
    /// When its contents changed, in nanoseconds since 1970.
    pub modified: i64,
    /// When anything of it changed, which nobody can set back; likewise.
    pub changed: i64,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp { circumstances, inode, length, modified, changed } = self;
        write!(f, "{circumstances:016x}.{inode:x}.{length:x}.{modified:x}.{changed:x}")
    }
}

/// A text that is no stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoStamp;

impl FromStr for Stamp {
    type Err = NoStamp;
    fn from_str(written: &str) -> Result<Self, NoStamp> {
        let mut parts = written.split('.').map(|part| u64::from_str_radix(part, 16).map_err(|_| NoStamp));
        let mut next = || parts.next().unwrap_or(Err(NoStamp));
        let (circumstances, inode, length) = (next()?, next()?, next()?);
        // Before 1970 they are written as what they are in two's complement.
        let (modified, changed) = (next()?.cast_signed(), next()?.cast_signed());
        Ok(Stamp { circumstances, inode, length, modified, changed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let stamp = Stamp { circumstances: 7, inode: 0, length: u64::MAX, modified: -1, changed: i64::MAX };
        assert_eq!(stamp.to_string().parse(), Ok(stamp));
        assert_eq!("".parse::<Stamp>(), Err(NoStamp));
        assert_eq!("1.2.3.4".parse::<Stamp>(), Err(NoStamp));
    }
}
