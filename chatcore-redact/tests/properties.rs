//! What holds for every number and every way to write it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use chatcore::{
    content::Content,
    identity::{Beside, Redacted, Redactor},
};
use chatcore_redact::{MASK, Patterns, Rules};
use proptest::{collection::vec, prelude::*, sample::select};

fn patterns() -> Patterns {
    Patterns::try_new(&Rules::default()).unwrap()
}

fn redact(text: &str, before: &[Content]) -> Redacted {
    let before: Vec<&Content> = before.iter().collect();
    let beside = Beside {
        before: &before,
        after: &[],
    };
    patterns().redact(Content::Text(text.to_owned()), beside)
}

fn text_of(content: &Content) -> &str {
    match content {
        Content::Text(text) => text,
        _ => panic!("a text stays one"),
    }
}

/// A card number of some issuer, as digits.
fn card() -> impl Strategy<Value = Vec<u8>> {
    let prefixes = [
        ("4", 16),
        ("4", 13),
        ("4", 19),
        ("51", 16),
        ("55", 16),
        ("2221", 16),
        ("2720", 16),
        ("2200", 16),
        ("2204", 19),
        ("34", 15),
        ("37", 15),
        ("36", 14),
        ("3528", 16),
        ("6011", 16),
        ("62", 16),
        ("62", 19),
        ("6759", 16),
        ("8600", 16),
        ("9860", 16),
    ];
    (select(prefixes.to_vec()), vec(0u8..10, 19)).prop_map(|((prefix, length), random)| {
        let mut digits: Vec<u8> = prefix.bytes().map(|byte| byte - b'0').collect();
        digits.extend(random);
        digits.truncate(length - 1);
        let doubled = |(index, digit): (usize, &u8)| match index % 2 {
            0 => u32::from(digit / 5 + digit * 2 % 10),
            _ => u32::from(*digit),
        };
        let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
        digits.push(u8::try_from((10 - sum % 10) % 10).unwrap());
        digits
    })
}

/// What may stand between two digits, the digits' script, and where there is nothing.
fn writing() -> impl Strategy<Value = (String, Vec<bool>, char)> {
    let separators = [
        " ",
        "-",
        "\u{a0}",
        " – ",
        ".",
        "\n",
        "/",
        "_",
        "\u{200b}",
        "💳",
        " - ",
        "\u{fe0f}\u{20e3}",
    ];
    let zeros = ['0', '٠', '०', '０', '𝟎', '๐'];
    (
        select(separators.to_vec()).prop_map(str::to_owned),
        vec(any::<bool>(), 19),
        select(zeros.to_vec()),
    )
}

fn written(digits: &[u8], (separator, places, zero): &(String, Vec<bool>, char)) -> String {
    let mut text = String::new();
    for (index, digit) in digits.iter().enumerate() {
        if index > 0 && places[index % places.len()] {
            text.push_str(separator);
        }
        text.push(char::from_u32(u32::from(*zero) + u32::from(*digit)).unwrap());
    }
    text
}

/// The number's digits with a mask in place of those that were taken out.
fn left(text: &str, zero: char) -> Vec<Option<u8>> {
    let value = |c: char| {
        u32::from(c)
            .checked_sub(u32::from(zero))
            .filter(|v| *v < 10)
    };
    text.chars()
        .filter_map(|c| match value(c) {
            Some(value) => Some(Some(u8::try_from(value).unwrap())),
            None => (c == MASK).then_some(None),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn of_no_card_more_is_left_than_may_be(card in card(), writing in writing(), words in "[а-я ]{0,12}") {
        let number = written(&card, &writing);
        let redacted = redact(&format!("карта {number} {words}"), &[]);
        prop_assert!(redacted.has_taken, "{number}");
        let left = left(text_of(&redacted.content), writing.2);
        prop_assert_eq!(left.len(), card.len());
        let middle = &left[6..card.len() - 4];
        prop_assert!(middle.iter().all(Option::is_none), "{} {:?}", number, left);
    }

    #[test]
    fn of_a_card_in_several_messages_the_whole_is_never_written_down(
        card in card(),
        writing in writing(),
        mut cuts in vec(1usize..13, 1..3),
        chatter in vec("[а-я]{3,9}", 3),
    ) {
        cuts.sort_unstable();
        cuts.dedup();
        let mut parts = Vec::new();
        let mut from = 0;
        for upto in cuts.into_iter().chain([card.len()]) {
            parts.push(&card[from..upto]);
            from = upto;
        }
        let mut before: Vec<Content> = vec![Content::Text("добрый день".to_owned())];
        let mut taken = false;
        let mut stood = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let words = &chatter[index % chatter.len()];
            let said = match index % 2 {
                0 => format!("{words} {}", written(part, &writing)),
                _ => format!("{} {words}", written(part, &writing)),
            };
            let redacted = redact(&said, &before);
            taken |= redacted.has_taken;
            if index + 1 == parts.len() {
                prop_assert!(taken, "{parts:?}");
                let first = before.len() - index;
                let others: Vec<usize> = (first..before.len()).collect();
                let are_withdrawn = others.iter().all(|other| redacted.withdraw.contains(other));
                prop_assert!(are_withdrawn || stood.contains(&None), "{others:?}");
            }
            stood.extend(left(text_of(&redacted.content), writing.2));
            before.push(redacted.content);
        }
        // A part by itself may look like something else that is taken out.
        let last = stood.len() - parts[parts.len() - 1].len();
        prop_assert!(stood[..last].contains(&None) || stood[last..].iter().all(Option::is_none),
            "{stood:?}");
    }

    #[test]
    fn a_text_without_digits_stays_as_it_is(text in "[^0-9٠-٩۰-۹०-९０-９]{0,80}") {
        prop_assume!(!text.chars().any(char::is_numeric));
        let redacted = redact(&text, &[]);
        prop_assert_eq!(text_of(&redacted.content), text.as_str());
        prop_assert!(!redacted.has_taken);
    }

    #[test]
    fn what_is_left_is_as_long_and_loses_nothing_more(text in "[0-9 .,/a-zа-я•cvГосG-]{0,120}") {
        let once = redact(&text, &[]);
        prop_assert_eq!(text_of(&once.content).chars().count(), text.chars().count());
        let same = text_of(&once.content).chars().zip(text.chars());
        prop_assert!(same.clone().all(|(left, said)| left == said || left == MASK));
        prop_assert_eq!(once.has_taken, same.clone().any(|(left, said)| left != said));
        let twice = redact(text_of(&once.content), &[]);
        prop_assert_eq!(&twice.content, &once.content);
    }
}

#[test]
fn whoever_writes_the_end_once_more_does_not_get_it_written_down() {
    let mut before = Vec::new();
    for (said, stored) in [
        ("4111 11", "4111 11"),
        ("11 1111", "11 1111"),
        ("1111", "••••"),
        ("говорю же, 1111", "говорю же, ••••"),
        ("1111!!", "••••!!"),
    ] {
        let redacted = redact(said, &before);
        assert_eq!(text_of(&redacted.content), stored);
        before.push(redacted.content);
    }
}
