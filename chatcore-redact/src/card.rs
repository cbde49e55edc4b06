//! Payment card numbers: by issuer range, length and check digit (ISO/IEC 7812-1).

use serde::Deserialize;

use crate::scan::{Place, Scan};

/// Shortest card number that is looked for.
pub(crate) const SHORTEST: usize = 12;
/// Longest card number there can be.
pub(crate) const LONGEST: usize = 19;
/// Longest group of digits in which a number may be the beginning: with a date and a code right
/// behind it. Longer ones are identifiers.
const STUCK_MAX: usize = 24;

/// Numbers of an issuer: those that begin with anything from one prefix to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The lowest prefix, 1 to 8 digits.
    pub from: String,
    /// The highest prefix, as long as the lowest.
    pub to: String,
    /// How long its numbers are: 12 to 19 digits.
    pub lengths: Vec<usize>,
}

impl Issuer {
    /// What is wrong with it, if anything is.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let is_prefix = |text: &str| {
            (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_prefix(&self.from) || !is_prefix(&self.to) {
            return Some("expected `from` and `to` of 1 to 8 digits");
        }
        if self.from.len() != self.to.len() || self.from > self.to {
            return Some("expected `from` and `to` of one length, `from` not above `to`");
        }
        let is_length = |length: &usize| (SHORTEST..=LONGEST).contains(length);
        if self.lengths.is_empty() || !self.lengths.iter().all(is_length) {
            return Some("expected `lengths` from 12 to 19");
        }
        None
    }
}

/// A range of prefixes with the lengths of its numbers, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: u32,
    to: u32,
    prefix: usize,
    lengths: u32,
}

const fn bits(from: usize, to: usize) -> u32 {
    ((1 << (to - from + 1)) - 1) << from
}

const fn range(from: u32, to: u32, prefix: usize, lengths: u32) -> Range {
    Range {
        from,
        to,
        prefix,
        lengths,
    }
}

const ONLY_16: u32 = bits(16, 16);
const FROM_16: u32 = bits(16, 19);

/// Issuers as the schemes publish them, wider where they differ: rather one number too many.
const ISSUERS: &[Range] = &[
    // Visa.
    range(4, 4, 1, bits(13, 13) | ONLY_16 | bits(18, 19)),
    // Mastercard.
    range(51, 55, 2, ONLY_16),
    range(2221, 2720, 4, ONLY_16),
    // Mir.
    range(2200, 2205, 4, FROM_16),
    // American Express.
    range(34, 34, 2, bits(15, 15)),
    range(37, 37, 2, bits(15, 15)),
    // Diners Club.
    range(300, 305, 3, bits(14, 19)),
    range(3095, 3095, 4, bits(14, 19)),
    range(36, 36, 2, bits(14, 19)),
    range(38, 39, 2, bits(14, 19)),
    // JCB.
    range(3528, 3589, 4, FROM_16),
    // Maestro, and what shares its ranges: Discover, RuPay, Troy, Verve.
    range(50, 50, 2, bits(13, 19)),
    range(56, 59, 2, bits(13, 19)),
    range(60, 61, 2, FROM_16),
    range(63, 69, 2, bits(13, 19)),
    // UnionPay and others that begin alike.
    range(62, 62, 2, FROM_16),
    range(81, 82, 2, FROM_16),
    // Uzcard, Humo, Belkart, Elcart, Troy.
    range(8600, 8600, 4, ONLY_16),
    range(9860, 9860, 4, ONLY_16),
    range(9112, 9112, 4, ONLY_16),
    range(9417, 9417, 4, ONLY_16),
    range(9792, 9792, 4, ONLY_16),
];

/// Where a card number stands in a chain: the first digit and the one after the last.
pub(crate) type Found = std::ops::Range<usize>;

/// Finds card numbers.
#[derive(Debug, Clone)]
pub(crate) struct Cards {
    issuers: Vec<Range>,
}

impl Cards {
    /// Those of the known issuers, and of these.
    pub(crate) fn new(more: &[Issuer]) -> Self {
        let own = more.iter().filter_map(|issuer| {
            Some(Range {
                from: issuer.from.parse().ok()?,
                to: issuer.to.parse().ok()?,
                prefix: issuer.from.len(),
                lengths: issuer.lengths.iter().fold(0, |all, one| all | 1 << one),
            })
        });
        Self {
            issuers: ISSUERS.iter().copied().chain(own).collect(),
        }
    }

    /// Lengths that a number may have which begins with these digits.
    fn lengths(&self, digits: &[Spot]) -> u32 {
        let mut prefixes = [0u32; 9];
        let mut prefix = 0;
        for (length, digit) in (1..=8).zip(digits) {
            prefix = prefix * 10 + u32::from(digit.value);
            if let Some(kept) = prefixes.get_mut(length) {
                *kept = prefix;
            }
        }
        let of = self.issuers.iter().filter(|range| {
            let prefix = prefixes.get(range.prefix).copied().unwrap_or_default();
            (range.from..=range.to).contains(&prefix)
        });
        of.fold(0, |all, range| all | range.lengths)
    }

    /// Every card number in a chain. They may overlap: each of them may be the real one.
    pub(crate) fn find(&self, spots: &[Spot]) -> Vec<Found> {
        let mut found = Vec::new();
        for (from, first) in spots.iter().enumerate() {
            let rest = spots.get(from..).unwrap_or_default();
            if !first.begins || rest.len() < SHORTEST || is_account(rest) {
                continue;
            }
            let lengths = self.lengths(rest);
            for length in (SHORTEST..=LONGEST).filter(|length| lengths & (1 << length) != 0) {
                let Some(number) = rest.get(..length) else {
                    break;
                };
                if ends(number) && luhn(number) {
                    found.push(from..from + length);
                }
            }
        }
        found
    }
}

/// A digit in a chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    /// Which text.
    pub(crate) text: usize,
    /// Which of the text's groups.
    pub(crate) group: usize,
    /// Where in the text, in bytes.
    pub(crate) at: usize,
    /// Its value.
    value: u8,
    /// Whether its group begins with it.
    begins: bool,
    /// Whether its group ends with it.
    ends: bool,
    /// How many digits its group has.
    group_len: usize,
}

/// The digits of a chain.
pub(crate) fn spots(scans: &[Scan<'_>], chain: &[Place]) -> Vec<Spot> {
    let mut spots = Vec::new();
    for place in chain {
        let Some(scan) = scans.get(place.text) else {
            continue;
        };
        let Some(group) = scan.groups.get(place.group) else {
            continue;
        };
        let digits = scan.digits.get(group.digits.clone()).unwrap_or_default();
        let last = digits.len().saturating_sub(1);
        spots.extend(digits.iter().enumerate().map(|(index, digit)| Spot {
            text: place.text,
            group: place.group,
            at: digit.at,
            value: digit.value,
            begins: index == 0,
            ends: index == last,
            group_len: digits.len(),
        }));
    }
    spots
}

/// A number ends where a group ends, or within the group that it began, where a code may stick to
/// it.
fn ends(number: &[Spot]) -> bool {
    let (Some(first), Some(last)) = (number.first(), number.last()) else {
        return false;
    };
    let is_one_group = (first.text, first.group) == (last.text, last.group);
    last.ends || (is_one_group && first.group_len <= STUCK_MAX)
}

/// Whether twenty digits begin here that are an account by the Bank of Russia's plan of accounts:
/// a balance account, then a currency. Accounts of customers begin with 4, as cards do. They are
/// written whole or in short groups: a first group as long as a card's number may be one.
fn is_account(digits: &[Spot]) -> bool {
    const LEN: usize = 20;
    let Some(account) = digits.get(..LEN) else {
        return false;
    };
    let number = |from: usize, to: usize| {
        let part = account.get(from..to).unwrap_or_default();
        part.iter()
            .fold(0u32, |all, digit| all * 10 + u32::from(digit.value))
    };
    let is_apart = account
        .last()
        .is_some_and(|last| last.ends && account.iter().all(|digit| digit.text == last.text));
    let is_currency = matches!(
        number(5, 8),
        810 | 643 | 840 | 978 | 156 | 756 | 826 | 392 | 398 | 417 | 784 | 860 | 933 | 944 | 949
    );
    let may_be_card = digits
        .first()
        .is_some_and(|first| (SHORTEST..LEN).contains(&first.group_len));
    is_apart && is_currency && !may_be_card && (301..=475).contains(&number(0, 3))
}

/// The check digit (ISO/IEC 7812-1, annex B).
fn luhn(number: &[Spot]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, u32::from(digit.value)) {
            (0, value) => value,
            (_, value) if value < 5 => value * 2,
            (_, value) => value * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::chains;

    fn found(text: &str) -> Vec<String> {
        let scans = [Scan::new(text)];
        let cards = Cards::new(&[]);
        let mut all = Vec::new();
        for chain in chains(&scans) {
            let spots = spots(&scans, &chain);
            for found in cards.find(&spots) {
                all.push(
                    spots[found]
                        .iter()
                        .map(|s| char::from(b'0' + s.value))
                        .collect(),
                );
            }
        }
        all
    }

    #[test]
    fn numbers_that_schemes_publish_for_tests_are_found() {
        for card in [
            "4111111111111111",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "2200000000000004",
            "2201382000000013",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
            "3530111333300000",
            "6200000000000005",
            "6759649826438453",
        ] {
            assert_eq!(found(card), [card], "{card}");
        }
    }

    #[test]
    fn a_number_may_be_parted_anyhow_and_have_a_code_behind_it() {
        let card = "4111111111111111";
        for text in [
            "карта 4111 1111 1111 1111, срок 12/28",
            "4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1",
            "41111111 – 11111111",
            "4111.1111.1111.1111",
            "перевод 500 руб. на 4111\n1111\n1111\n1111",
            "41111111111111111228123",
            "411111111111111 1",
        ] {
            assert!(
                found(text).contains(&card.to_owned()),
                "{text}: {:?}",
                found(text)
            );
        }
    }

    #[test]
    fn a_card_that_might_begin_an_account_is_found() {
        let card = "4081781009991000";
        assert_eq!(found("4081781009991000\n4312"), [card]);
        assert_eq!(found("4081781009991000 4312"), [card]);
    }

    #[test]
    fn what_only_looks_like_one_is_left() {
        for text in [
            "4111111111111112",
            "40817810099910004312",
            "4081 7810 0999 1000 4312",
            "+7 916 123-45-67",
            "7707083893 и 044525225",
            "1027700132195",
            "411111111111111111111111111111",
            "12.05.2026 15:30",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_bank_s_own_range_is_looked_for_too() {
        let own = Issuer {
            from: "999900".to_owned(),
            to: "999999".to_owned(),
            lengths: vec![16],
        };
        assert_eq!(own.problem(), None);
        let scans = [Scan::new("9999000000000004")];
        let spots = spots(&scans, &chains(&scans)[0]);
        assert!(luhn(&spots), "the example is one");
        assert!(Cards::new(&[]).find(&spots).is_empty());
        let found = Cards::new(&[own]).find(&spots);
        assert!(matches!(found.as_slice(), [number] if *number == (0..16)));
    }
}
