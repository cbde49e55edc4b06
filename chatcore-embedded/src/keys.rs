//! How keys are put together: big-endian, so that the order of the bytes is the order of what
//! they mean; whatever has no fixed length comes last, or ends with a zero byte, which no
//! identifier contains.

use std::ops::{Bound, RangeBounds};

use chatcore::ids::Partition;

/// Puts a key together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    /// Begins with a partition, so that all of a partition lies together.
    pub(crate) fn of(partition: Partition) -> Self {
        Self::default().u32(partition.0)
    }

    pub(crate) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Negative numbers before positive ones.
    pub(crate) fn i64(self, value: i64) -> Self {
        self.u64(value.cast_unsigned() ^ (1 << 63))
    }

    /// A text that something follows; it must not contain a zero byte.
    pub(crate) fn text(mut self, value: impl std::fmt::Display) -> Self {
        self.0.extend(value.to_string().into_bytes());
        self.u8(0)
    }

    /// Whatever comes last.
    pub(crate) fn rest(mut self, value: &[u8]) -> Self {
        self.0.extend(value);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Every key that begins with this one.
    pub(crate) fn prefix(self) -> Range {
        let upto = after_prefix(&self.0);
        Range(Bound::Included(self.0), upto)
    }

    /// This key and all after it.
    pub(crate) fn on(self) -> Range {
        Range(Bound::Included(self.0), Bound::Unbounded)
    }

    /// This key and those after it, up to and without `upto`.
    pub(crate) fn until(self, upto: Self) -> Range {
        Range(Bound::Included(self.0), Bound::Excluded(upto.0))
    }
}

/// Keys between two bounds.
#[derive(Debug, Clone)]
pub(crate) struct Range(Bound<Vec<u8>>, Bound<Vec<u8>>);

impl Range {
    pub(crate) fn from(&self) -> Bound<&[u8]> {
        self.0.as_ref().map(Vec::as_slice)
    }

    pub(crate) fn to(&self) -> Bound<&[u8]> {
        self.1.as_ref().map(Vec::as_slice)
    }

    /// The keys between these bounds.
    pub(crate) fn between(from: Bound<Vec<u8>>, to: Bound<Vec<u8>>) -> Self {
        Self(from, to)
    }

    /// The same end with another beginning.
    pub(crate) fn starting(self, from: Bound<Vec<u8>>) -> Self {
        Self(from, self.1)
    }

    /// The same beginning with another end.
    pub(crate) fn ending(self, to: Bound<Vec<u8>>) -> Self {
        Self(self.0, to)
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&(self.from(), self.to()), key)
    }

    /// Whether no key can lie in it.
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.0, &self.1) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => from >= to,
        }
    }
}

/// The number at this place of a key or value, if it is long enough.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let (number, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u64::from_be_bytes(*number))
}

/// The number at this place of a value, as [`i64::to_be_bytes`] wrote it.
pub(crate) fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    u64_at(bytes, at).map(u64::cast_signed)
}

/// The number at this place of a key, if it is long enough.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let (number, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u32::from_be_bytes(*number))
}

/// The least key that is above every key with this prefix; unbounded if there is none.
fn after_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut key = prefix.to_vec();
    while let Some(last) = key.pop() {
        if last < u8::MAX {
            key.push(last + 1);
            return Bound::Excluded(key);
        }
    }
    Bound::Unbounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_what_they_mean() {
        let of = |at: i64, text: &str| Key::of(Partition(3)).i64(at).text(text);
        let mut keys = vec![
            of(5, "b"),
            of(-7, "z"),
            of(5, "a"),
            of(0, "a"),
            of(5, "a.x"),
        ];
        keys.sort_by(|a, b| a.bytes().cmp(b.bytes()));
        let wanted = [
            of(-7, "z"),
            of(0, "a"),
            of(5, "a"),
            of(5, "a.x"),
            of(5, "b"),
        ];
        let bytes = |keys: &[Key]| keys.iter().map(|k| k.0.clone()).collect::<Vec<_>>();
        assert_eq!(bytes(&keys), bytes(&wanted));
    }

    /// Keys are for life: what this pins is what folders out there have.
    #[test]
    fn a_key_has_these_bytes() {
        let key = Key::of(Partition(258))
            .text("desk/main")
            .u64(7)
            .i64(-1)
            .rest(b"x");
        let mut bytes = vec![0, 0, 1, 2];
        bytes.extend(b"desk/main\0");
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 7]);
        bytes.extend([0x7f, 255, 255, 255, 255, 255, 255, 255, b'x']);
        assert_eq!(key.bytes(), bytes);
    }

    #[test]
    fn a_prefix_covers_what_begins_with_it_and_nothing_else() {
        for partition in [0, 1, 255, 256, u32::MAX] {
            let range = Key::of(Partition(partition)).prefix();
            let contains = |p: u32| {
                let key = Key::of(Partition(p)).rest(b"x").0;
                range.contains(&key)
            };
            assert!(contains(partition));
            assert!(!contains(partition.wrapping_add(1)));
            assert!(!contains(partition.wrapping_sub(1)));
        }
    }
}
