//! The redactor.

use std::collections::BTreeSet;

use chatcore::{
    content::Content,
    identity::{Beside, Redacted, Redactor},
};

use crate::{
    card::{Cards, Spot, spots},
    code::{self, Card},
    digit::MASK,
    document, iban,
    pattern::{Plain, Ready},
    rules::{Keep, Rules, RulesError},
    scan::{Scan, chains},
    texts,
};

/// A number may be in a content and so many on each side of it that have digits left.
const PARTS_MAX: usize = 3;

/// So many signs of something taken out, at least, and a card number was there.
const MASKS_OF_CARD: usize = 4;

/// Takes out what [`Rules`] name. Pure; its time grows with the length of the texts alone.
#[derive(Debug, Clone)]
pub struct Patterns {
    cards: Cards,
    rules: Rules,
    own: Vec<Ready>,
}

/// What is taken out of one text: where the characters stand, in bytes.
type Taken = BTreeSet<usize>;

impl Patterns {
    /// By these rules.
    ///
    /// # Errors
    /// [`RulesError`], for the first that can't be used.
    pub fn try_new(rules: &Rules) -> Result<Self, RulesError> {
        rules.check()?;
        let own = rules.patterns.iter().map(Ready::try_new);
        Ok(Self {
            cards: Cards::new(&rules.issuers),
            own: own.collect::<Result<_, _>>()?,
            rules: rules.clone(),
        })
    }

    /// What is found in one text by itself.
    fn find_in(&self, scan: &Scan<'_>, taken: &mut Taken) {
        let groups = |found: std::ops::Range<usize>| {
            let groups = scan.groups.get(found).unwrap_or_default();
            groups.iter().flat_map(|group| digits_of(scan, group))
        };
        if self.rules.passports {
            taken.extend(document::passports(scan).into_iter().flat_map(groups));
        }
        if self.rules.insurance_numbers {
            let found = document::insurance_numbers(scan);
            taken.extend(found.into_iter().flat_map(groups));
        }
        if self.rules.ibans {
            for found in iban::find(scan.text) {
                taken.extend(without(&found, self.rules.iban));
            }
        }
    }

    /// A bank's own patterns, which need no digits.
    fn find_own(&self, text: &str, taken: &mut Taken) {
        if self.own.is_empty() {
            return;
        }
        let plain = Plain::new(text);
        for pattern in &self.own {
            for found in pattern.find(&plain) {
                taken.extend(without(&found, pattern.keep));
            }
        }
    }
}

/// All but what may stand.
fn without(places: &[usize], keep: Keep) -> impl Iterator<Item = usize> + '_ {
    let upto = places.len().saturating_sub(keep.last);
    let places = places.get(keep.first..upto).unwrap_or_default();
    places.iter().copied()
}

fn digits_of<'a>(
    scan: &'a Scan<'_>,
    group: &crate::scan::Group,
) -> impl Iterator<Item = usize> + use<'a> {
    let digits = scan.digits.get(group.digits.clone()).unwrap_or_default();
    digits.iter().map(|digit| digit.at)
}

/// The texts that are looked at: those of the content, and those beside it.
struct Looked<'a> {
    scans: Vec<Scan<'a>>,
    /// Which of those beside it has each text; none for the content's own.
    beside: Vec<Option<usize>>,
    /// The first of the content's own texts, and how many there are.
    own: (usize, usize),
}

impl<'a> Looked<'a> {
    fn new(own: &[&'a str], beside: Beside<'a>) -> Self {
        let mut looked = Self {
            scans: Vec::new(),
            beside: Vec::new(),
            own: (0, own.len()),
        };
        let before = beside.before.iter().enumerate();
        let nearest: Vec<_> = before
            .rev()
            .map(|(index, content)| (index, scanned(&texts::all(content))))
            .filter(|(_, scans)| has_groups(scans))
            .take(PARTS_MAX)
            .collect();
        for (index, scans) in nearest.into_iter().rev() {
            looked.push(scans, Some(index));
        }
        looked.own.0 = looked.scans.len();
        looked.push(scanned(own), None);
        let after = (beside.before.len()..).zip(beside.after);
        let nearest = after
            .map(|(index, content)| (index, scanned(&texts::all(content))))
            .filter(|(_, scans)| has_groups(scans))
            .take(PARTS_MAX);
        for (index, scans) in nearest {
            looked.push(scans, Some(index));
        }
        looked
    }

    fn push(&mut self, scans: Vec<Scan<'a>>, beside: Option<usize>) {
        self.beside.extend(scans.iter().map(|_| beside));
        self.scans.extend(scans);
    }

    /// Which of the content's own texts it is.
    fn own(&self, text: usize) -> Option<usize> {
        let (first, count) = self.own;
        text.checked_sub(first).filter(|own| *own < count)
    }
}

fn scanned<'a>(texts: &[&'a str]) -> Vec<Scan<'a>> {
    texts.iter().map(|text| Scan::new(text)).collect()
}

/// Whether a card number was taken out of one of the last contents.
fn has_card(before: &[&Content]) -> bool {
    let masks = |text: &str| text.chars().filter(|c| *c == MASK).count();
    let near = before.iter().rev().take(PARTS_MAX);
    near.flat_map(|content| texts::all(content))
        .any(|text| masks(text) >= MASKS_OF_CARD)
}

/// Whether any group of digits is left whole.
fn has_groups(scans: &[Scan<'_>]) -> bool {
    let mut groups = scans.iter().flat_map(|scan| &scan.groups);
    groups.any(|group| !group.is_masked)
}

/// What is taken out of the content's own texts, and which of those beside it are withdrawn.
#[derive(Debug, Default)]
struct Findings {
    taken: Vec<Taken>,
    withdraw: BTreeSet<usize>,
    /// The last group of the last card number in each text.
    card_ends: Vec<Option<usize>>,
}

impl Findings {
    fn card(&mut self, looked: &Looked<'_>, number: &[Spot], keep: Keep) {
        let (Some(first), Some(last)) = (number.first(), number.last()) else {
            return;
        };
        if !number.iter().any(|spot| looked.own(spot.text).is_some()) {
            return;
        }
        let keep = match first.text == last.text {
            true => keep,
            // Of parts nothing stands: the rest does, elsewhere.
            false => Keep::default(),
        };
        let upto = number.len().saturating_sub(keep.last);
        for (index, spot) in number.iter().enumerate() {
            match looked.own(spot.text) {
                Some(own) => {
                    if let Some(end) = self.card_ends.get_mut(own) {
                        *end = (*end).max(Some(spot.group));
                    }
                    if (keep.first..upto).contains(&index)
                        && let Some(taken) = self.taken.get_mut(own)
                    {
                        taken.insert(spot.at);
                    }
                }
                None => self
                    .withdraw
                    .extend(looked.beside.get(spot.text).copied().flatten()),
            }
        }
    }
}

impl Redactor for Patterns {
    fn redact(&self, mut content: Content, beside: Beside<'_>) -> Redacted {
        let own = texts::all(&content);
        if self.own.is_empty() && own.iter().all(|text| has_no_digit(text)) {
            return Redacted::nothing(content);
        }
        let looked = Looked::new(&own, beside);
        let mut findings = Findings {
            taken: vec![Taken::new(); own.len()],
            card_ends: vec![None; own.len()],
            ..Findings::default()
        };
        for chain in chains(&looked.scans) {
            let spots = spots(&looked.scans, &chain);
            for number in self.cards.find(&spots) {
                let number = spots.get(number).unwrap_or_default();
                findings.card(&looked, number, self.rules.card);
            }
        }
        let mut tail = beside.before.last().and_then(|last| texts::all(last).pop());
        let has_card_before = !findings.withdraw.is_empty() || has_card(beside.before);
        for (text, scan) in looked.scans.iter().enumerate() {
            if let Some(own) = looked.own(text)
                && let Some(taken) = findings.taken.get_mut(own)
            {
                self.find_in(scan, taken);
                self.find_own(scan.text, taken);
                if self.rules.codes {
                    let end = findings.card_ends.get(own).copied().flatten();
                    let masked = scan.groups.iter().rposition(|group| group.is_masked);
                    let card = match end.max(masked.filter(|_| scan.masks >= MASKS_OF_CARD)) {
                        Some(end) => Card::EndsWith(end),
                        None if has_card_before => Card::Before,
                        None => Card::None,
                    };
                    for found in code::find(scan, tail.unwrap_or_default(), card) {
                        let group = scan.groups.get(found);
                        taken.extend(group.into_iter().flat_map(|group| digits_of(scan, group)));
                    }
                }
            }
            if looked.own(text).is_some() {
                tail = Some(scan.text);
            }
        }
        let Findings {
            taken, withdraw, ..
        } = findings;
        let has_taken = taken.iter().any(|taken| !taken.is_empty());
        if has_taken {
            for (text, taken) in texts::all_mut(&mut content).into_iter().zip(&taken) {
                *text = masked(text, taken);
            }
        }
        Redacted {
            content,
            has_taken,
            withdraw: withdraw.into_iter().collect(),
        }
    }

    fn may_be_part(&self, content: &Content) -> bool {
        let texts = texts::all(content);
        texts
            .iter()
            .any(|text| !has_no_digit(text) || text.contains(MASK) || names_code(text))
    }
}

/// Whether a short text names a code, which may follow it.
fn names_code(text: &str) -> bool {
    const LONGEST: usize = 40;
    text.chars().nth(LONGEST).is_none() && code::is_named(&text.to_lowercase())
}

fn has_no_digit(text: &str) -> bool {
    if text.is_ascii() {
        return !text.bytes().any(|byte| byte.is_ascii_digit());
    }
    !text
        .chars()
        .any(|c| matches!(crate::digit::kind(c), crate::digit::Kind::Digit(_)))
}

/// The text with the mask in these places.
fn masked(text: &str, taken: &Taken) -> String {
    text.char_indices()
        .map(|(at, c)| if taken.contains(&at) { MASK } else { c })
        .collect()
}
