//! International bank account numbers (ISO 13616).

use crate::digit::{Kind, kind};

/// Countries, and how long their numbers are.
#[rustfmt::skip]
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22),
    ("BH", 22), ("BI", 27), ("BR", 29), ("BY", 28), ("CH", 21), ("CR", 22), ("CY", 28), ("CZ", 24),
    ("DE", 22), ("DJ", 27), ("DK", 18), ("DO", 28), ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18),
    ("FK", 18), ("FO", 18), ("FR", 27), ("GB", 22), ("GE", 22), ("GI", 23), ("GL", 18), ("GR", 27),
    ("GT", 28), ("HN", 28), ("HR", 21), ("HU", 28), ("IE", 22), ("IL", 23), ("IQ", 23), ("IS", 26),
    ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28), ("LC", 32), ("LI", 21), ("LT", 20),
    ("LU", 20), ("LV", 21), ("LY", 25), ("MC", 27), ("MD", 24), ("ME", 22), ("MK", 19), ("MN", 20),
    ("MR", 27), ("MT", 31), ("MU", 30), ("NI", 28), ("NL", 18), ("NO", 15), ("OM", 23), ("PK", 24),
    ("PL", 28), ("PS", 29), ("PT", 25), ("QA", 29), ("RO", 24), ("RS", 22), ("RU", 33), ("SA", 24),
    ("SC", 31), ("SD", 18), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27), ("SO", 23), ("ST", 25),
    ("SV", 28), ("TL", 23), ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20),
    ("YE", 30),
];

/// Most separators between two characters of a number.
const GAP_MAX: usize = 2;

/// Every number in a text: where its characters stand, in bytes.
pub(crate) fn find(text: &str) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    let mut was_letter = false;
    for (at, c) in text.char_indices() {
        if c.is_ascii_alphabetic()
            && !was_letter
            && let Some(number) = text.get(at..).and_then(number)
        {
            found.push(number.into_iter().map(|index| at + index).collect());
        }
        was_letter = c.is_alphanumeric();
    }
    found
}

/// The number that a text begins with.
fn number(text: &str) -> Option<Vec<usize>> {
    let mut country = String::new();
    let mut places = Vec::new();
    let mut values = Vec::new();
    let (mut gap, mut expected) = (0, None);
    for (at, c) in text.char_indices() {
        let value = match kind(c) {
            Kind::Digit(value) => u32::from(value),
            Kind::Letter => c.to_ascii_uppercase().to_digit(36)?,
            Kind::Separator if gap < GAP_MAX && places.len() >= 2 => {
                gap += 1;
                continue;
            }
            Kind::Invisible => continue,
            Kind::Separator | Kind::Mask => return None,
        };
        gap = 0;
        match places.len() {
            0 | 1 if value >= 10 => country.push(c.to_ascii_uppercase()),
            2 | 3 if value < 10 => {}
            0..4 => return None,
            _ => {}
        }
        places.push(at);
        values.push(value);
        if places.len() == 2 {
            let of = LENGTHS.binary_search_by(|(name, _)| (*name).cmp(&country));
            expected = of.ok().and_then(|index| LENGTHS.get(index));
            expected?;
        }
        if expected.is_some_and(|(_, length)| places.len() == *length) {
            return is_checked(&values).then_some(places);
        }
    }
    None
}

/// Modulo 97, with the first four characters moved behind the others.
fn is_checked(values: &[u32]) -> bool {
    let (Some(first), Some(rest)) = (values.get(..4), values.get(4..)) else {
        return false;
    };
    let remainder = rest.iter().chain(first).fold(0, |sum, value| {
        let shift = if *value >= 10 { 100 } else { 10 };
        (sum * shift + value) % 97
    });
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_standard_s_examples_are_found() {
        for text in [
            "GB29 NWBK 6016 1331 9268 19",
            "gb29nwbk60161331926819",
            "iban: DE89 3704 0044 0532 0130 00!",
            "BY13 NBRB 3600 9000 0000 2Z00 AB00",
            "KZ86125KZT5004100100",
            "(SE45 5000 0000 0583 9825 7466)",
        ] {
            assert_eq!(find(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_left() {
        for text in [
            "GB28 NWBK 6016 1331 9268 19",
            "XX29 NWBK 6016 1331 9268 19",
            "AGB29 NWBK 6016 1331 9268 19",
            "GB29 NWBK",
            "Германия DE",
            "",
        ] {
            assert_eq!(find(text).len(), 0, "{text}");
        }
    }

    #[test]
    fn countries_stand_in_order_for_the_search() {
        assert!(LENGTHS.is_sorted_by_key(|(name, _)| *name));
    }
}
