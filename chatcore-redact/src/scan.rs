//! Finding the groups of digits in texts, and which of them may be one number.

use std::{collections::BTreeSet, ops::Range};

use crate::digit::{Kind, MASK, kind};

/// Most separators between two groups of one number.
const GAP_MAX: usize = 5;

/// So many signs in a row, at least, stand for what was taken out. Fewer are bullets that somebody
/// wrote: of a list, or between digits.
const MASKS_MIN: usize = 3;

/// Digits that stand without anything between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Which of the scan's digits.
    pub(crate) digits: Range<usize>,
    /// Where in the text, in bytes.
    pub(crate) bytes: Range<usize>,
    /// Groups of one run have nothing between them but a few separators.
    pub(crate) run: usize,
    /// Whether a part of it was taken out before.
    pub(crate) is_masked: bool,
}

impl Group {
    /// How many digits.
    pub(crate) fn len(&self) -> usize {
        self.digits.len()
    }
}

/// One digit of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digit {
    /// Where in the text, in bytes.
    pub(crate) at: usize,
    /// Its value.
    pub(crate) value: u8,
}

/// The numbers in one text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scan<'a> {
    /// The text.
    pub(crate) text: &'a str,
    /// Every digit, in order.
    pub(crate) digits: Vec<Digit>,
    /// Every group, in order.
    pub(crate) groups: Vec<Group>,
    /// How often something stands for what was taken out.
    pub(crate) masks: usize,
    /// Whether there is any letter or sign of money.
    pub(crate) has_words: bool,
}

impl<'a> Scan<'a> {
    /// Reads a text.
    pub(crate) fn new(text: &'a str) -> Self {
        let mut scan = Self {
            text,
            ..Self::default()
        };
        let bullets = bullets(text);
        let mut is_in_group = false;
        let (mut run, mut gap) = (0, GAP_MAX + 1);
        for (at, c) in text.char_indices() {
            let kind = match kind(c) {
                Kind::Mask if bullets.contains(&at) => Kind::Separator,
                kind => kind,
            };
            match kind {
                Kind::Digit(_) | Kind::Mask => {
                    if !is_in_group {
                        if gap > GAP_MAX {
                            run += 1;
                        }
                        scan.begin(at, run);
                        is_in_group = true;
                    }
                    scan.extend(at..at + c.len_utf8(), kind);
                }
                Kind::Invisible => {}
                Kind::Separator | Kind::Letter => {
                    if is_in_group {
                        is_in_group = false;
                        gap = scan.gap_after_last();
                    }
                    if kind == Kind::Letter || is_money(c) {
                        scan.has_words = true;
                    }
                    gap = match kind {
                        Kind::Separator => gap.saturating_add(1),
                        _ => GAP_MAX + 1,
                    };
                }
            }
        }
        scan
    }

    fn begin(&mut self, at: usize, run: usize) {
        let from = self.digits.len();
        self.groups.push(Group {
            digits: from..from,
            bytes: at..at,
            run,
            is_masked: false,
        });
    }

    fn extend(&mut self, bytes: Range<usize>, kind: Kind) {
        let Some(group) = self.groups.last_mut() else {
            return;
        };
        group.bytes.end = bytes.end;
        if let Kind::Digit(value) = kind {
            self.digits.push(Digit {
                at: bytes.start,
                value,
            });
            group.digits.end = self.digits.len();
        } else {
            group.is_masked = true;
            self.masks += 1;
        }
    }

    /// No number goes on over one of which a part was taken out.
    fn gap_after_last(&self) -> usize {
        match self.groups.last() {
            Some(group) if group.is_masked => GAP_MAX + 1,
            _ => 0,
        }
    }

    /// The values of a group's digits.
    pub(crate) fn values(&self, group: &Group) -> impl ExactSizeIterator<Item = u8> + '_ {
        let digits = self.digits.get(group.digits.clone()).unwrap_or_default();
        digits.iter().map(|digit| digit.value)
    }

    /// The text before a group, at most `chars` long.
    pub(crate) fn before(&self, group: &Group, chars: usize) -> &'a str {
        let text = self.text.get(..group.bytes.start).unwrap_or_default();
        let from = text.char_indices().rev().take(chars).last();
        from.and_then(|(at, _)| text.get(at..)).unwrap_or_default()
    }
}

/// Where bullets stand that somebody wrote, in bytes.
fn bullets(text: &str) -> BTreeSet<usize> {
    let mut bullets = BTreeSet::new();
    if !text.contains(MASK) {
        return bullets;
    }
    let mut row = Vec::new();
    for (at, c) in text.char_indices() {
        match kind(c) {
            Kind::Mask => row.push(at),
            Kind::Separator | Kind::Invisible => {}
            Kind::Digit(_) | Kind::Letter => {
                if row.len() < MASKS_MIN {
                    bullets.extend(&row);
                }
                row.clear();
            }
        }
    }
    if row.len() < MASKS_MIN {
        bullets.extend(row);
    }
    bullets
}

fn is_money(c: char) -> bool {
    matches!(c, '$' | '€' | '₽' | '£' | '¥' | '₸' | '₴' | '%')
}

/// A group of one of several texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which text.
    pub(crate) text: usize,
    /// Which of its groups.
    pub(crate) group: usize,
}

/// Groups that may be one number. A number that ends a text may go on in the next one that has
/// any, whatever words stand around it.
pub(crate) fn chains(scans: &[Scan<'_>]) -> Vec<Vec<Place>> {
    let mut chains = Vec::new();
    let mut chain = Vec::new();
    for (text, scan) in scans.iter().enumerate() {
        let mut last_run = None;
        let groups = scan.groups.iter().enumerate();
        for (group, found) in groups.filter(|(_, group)| !group.is_masked) {
            if last_run.is_some_and(|run| run != found.run) {
                chains.push(std::mem::take(&mut chain));
            }
            last_run = Some(found.run);
            chain.push(Place { text, group });
        }
    }
    if !chain.is_empty() {
        chains.push(chain);
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(text: &str) -> Vec<(usize, usize)> {
        let scan = Scan::new(text);
        scan.groups.iter().map(|g| (g.run, g.len())).collect()
    }

    #[test]
    fn groups_and_runs_are_found() {
        assert_eq!(groups("12 34-567"), [(1, 2), (1, 2), (1, 3)]);
        assert_eq!(groups("12 рублей 34"), [(1, 2), (2, 2)]);
        assert_eq!(
            groups("12 \u{2014} \n\t 34"),
            [(1, 2), (2, 2)],
            "six between"
        );
        assert_eq!(groups("4\u{fe0f}\u{20e3}1\u{fe0f}\u{20e3}"), [(1, 2)]);
        assert_eq!(groups("none"), []);
    }

    #[test]
    fn no_number_goes_on_over_what_was_taken_out() {
        let scan = Scan::new("12 411111••••••1111 34");
        let runs: Vec<_> = scan.groups.iter().map(|g| (g.run, g.is_masked)).collect();
        assert_eq!(chains(&[scan]).len(), 2, "{runs:?}");
    }

    #[test]
    fn a_number_at_the_end_of_a_text_goes_on_in_the_next() {
        let scans = ["a 1 b 22", "words", "33 c", "44"].map(Scan::new);
        let found: Vec<usize> = chains(&scans).iter().map(Vec::len).collect();
        assert_eq!(found, [1, 3], "1, and 22 33 44");
    }
}
