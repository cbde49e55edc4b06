//! Passports and insurance numbers of Russia.

use std::ops::Range;

use crate::scan::{Group, Scan};

/// How far before a number a word may stand that says what it is, in characters.
const WORD_CHARS: usize = 40;
/// How much may stand between series and number of a passport whose name is told.
const BETWEEN_BYTES: usize = 32;

/// Groups of a text that are the series and the number of a passport.
pub(crate) fn passports(scan: &Scan<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, group) in scan.groups.iter().enumerate() {
        let shape = |count: usize| -> Option<Vec<usize>> {
            let groups = scan.groups.get(at..at + count)?;
            let is_whole = groups.iter().all(|group| !group.is_masked);
            is_whole.then(|| groups.iter().map(Group::len).collect())
        };
        let is_one = match (
            shape(1).as_deref(),
            shape(2).as_deref(),
            shape(3).as_deref(),
        ) {
            (_, _, Some([2, 2, 6])) if is_likely(scan, at, 3) => Some(3),
            (_, Some([4, 6]), _) if is_likely(scan, at, 2) => Some(2),
            (Some([10]), _, _) if is_called(scan, group, &["паспорт", "passport"]) => {
                Some(1)
            }
            _ => None,
        };
        found.extend(is_one.map(|count| at..at + count));
    }
    found
}

/// Series of the time in which there are passports, apart from other numbers; or a word says so.
fn is_likely(scan: &Scan<'_>, at: usize, count: usize) -> bool {
    let Some(groups) = scan.groups.get(at..at + count) else {
        return false;
    };
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else {
        return false;
    };
    if is_called(scan, first, &["паспорт", "passport", "сери"]) {
        return last.bytes.start - first.bytes.end <= BETWEEN_BYTES;
    }
    let digits: Vec<u8> = groups.iter().flat_map(|group| scan.values(group)).collect();
    let &[_, _, tens, ones, ..] = digits.as_slice() else {
        return false;
    };
    let year = tens * 10 + ones;
    let is_year = year <= 40 || year >= 97;
    let neighbour = |index: Option<usize>| index.and_then(|index| scan.groups.get(index));
    let is_apart = [at.checked_sub(1), Some(at + count)]
        .map(neighbour)
        .iter()
        .flatten()
        .all(|other| other.run != first.run);
    is_year && is_apart && groups.iter().all(|group| group.run == first.run)
}

/// Groups of a text that are an insurance number (SNILS), told by its check digits.
pub(crate) fn insurance_numbers(scan: &Scan<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for at in 0..scan.groups.len() {
        for count in 1..=4 {
            let Some(groups) = scan.groups.get(at..at + count) else {
                break;
            };
            let Some(first) = groups.first() else {
                break;
            };
            let digits: Vec<u8> = groups.iter().flat_map(|group| scan.values(group)).collect();
            let is_one_run = groups.iter().all(|g| !g.is_masked && g.run == first.run);
            if digits.len() != 11 || !is_one_run {
                continue;
            }
            let is_phone = matches!(digits.as_slice(), [7 | 8, 9, ..]);
            let lengths: Vec<usize> = groups.iter().map(Group::len).collect();
            let is_shaped = matches!(lengths.as_slice(), [3, 3, 3, 2] | [9, 2])
                || (lengths == [11] && !is_phone);
            let is_called = is_called(scan, first, &["снилс", "snils"]);
            if is_called || (is_shaped && has_check_digits(&digits)) {
                found.push(at..at + count);
            }
        }
    }
    found
}

/// The last two digits check the nine before them.
fn has_check_digits(digits: &[u8]) -> bool {
    let &[ref number @ .., tens, ones] = digits else {
        return false;
    };
    let sum: u32 = number
        .iter()
        .rev()
        .zip(1..)
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .sum();
    sum % 101 % 100 == u32::from(tens * 10 + ones)
}

/// Whether one of these words stands not far before it.
fn is_called(scan: &Scan<'_>, group: &Group, words: &[&str]) -> bool {
    let before = scan.before(group, WORD_CHARS).to_lowercase();
    words.iter().any(|word| before.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(find: fn(&Scan<'_>) -> Vec<Range<usize>>, text: &str) -> Vec<String> {
        let scan = Scan::new(text);
        let of = |found: Range<usize>| {
            let groups = &scan.groups[found];
            text[groups[0].bytes.start..groups[groups.len() - 1].bytes.end].to_owned()
        };
        find(&scan).into_iter().map(of).collect()
    }

    #[test]
    fn passports_are_found_by_their_shape_or_by_their_name() {
        for (text, number) in [
            ("4510 123456", "4510 123456"),
            ("паспорт: 45 10 123456.", "45 10 123456"),
            ("45 10 № 123456", "45 10 № 123456"),
            ("Серия 4550 номер 123456", "4550 номер 123456"),
            ("мой паспорт 4510123456", "4510123456"),
        ] {
            assert_eq!(taken(passports, text), [number], "{text}");
        }
        for text in [
            "4510123456",
            "4565 123456",
            "тел. 9161 234567 8",
            "1500 рублей 200000",
        ] {
            assert_eq!(taken(passports, text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn insurance_numbers_are_found_by_their_check_digits_or_by_their_name() {
        for (text, number) in [
            ("112-233-445 95", "112-233-445 95"),
            ("11223344595", "11223344595"),
            ("снилс 112 233 445 00", "112 233 445 00"),
        ] {
            assert_eq!(taken(insurance_numbers, text), [number], "{text}");
        }
        for text in [
            "112-233-445 96",
            "11223344596",
            "8 916 123 45 67",
            "89161234567",
        ] {
            assert_eq!(
                taken(insurance_numbers, text),
                Vec::<String>::new(),
                "{text}"
            );
        }
    }
}
