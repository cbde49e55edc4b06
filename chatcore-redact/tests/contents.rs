//! Contents of every kind, and rules of a bank's own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use chatcore::{
    content::{Button, CardField, Content},
    identity::{Beside, Redacted, Redactor},
};
use chatcore_redact::{Cases, Patterns, Rules, RulesError};

const CARD: &str = "4111111111111111";
const LEFT: &str = "411111••••••1111";

fn redact(content: Content) -> Redacted {
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    patterns.redact(content, Beside::default())
}

fn button(text: &str) -> Button {
    Button {
        id: text.to_owned(),
        label: text.to_owned(),
    }
}

#[test]
fn every_text_of_a_content_is_looked_at() {
    let with = |text: &str| {
        let text = text.to_owned();
        let buttons = vec![button("yes"), button(&text)];
        [
            Content::Text(text.clone()),
            Content::Buttons {
                text: "choose".to_owned(),
                buttons: buttons.clone(),
            },
            Content::Buttons {
                text: text.clone(),
                buttons: vec![],
            },
            Content::QuickReplies {
                text: "choose".to_owned(),
                replies: buttons.clone(),
            },
            Content::Pressed {
                id: text.clone(),
                label: "card".to_owned(),
            },
            Content::Pressed {
                id: "card".to_owned(),
                label: text.clone(),
            },
            Content::Attachment {
                reference: "file".to_owned(),
                name: format!("{text} photo.png"),
                media_type: "image/png".to_owned(),
                bytes: 4_111_111,
            },
            Content::Card {
                title: "card".to_owned(),
                fields: vec![CardField {
                    label: "number".to_owned(),
                    value: text.clone(),
                }],
                buttons: vec![],
            },
            Content::Card {
                title: text,
                fields: vec![],
                buttons,
            },
        ]
    };
    for (said, expected) in with(CARD).into_iter().zip(with(LEFT)) {
        let redacted = redact(said);
        assert!(redacted.has_taken, "{expected:?}");
        assert_eq!(redacted.content, expected);
    }
}

#[test]
fn a_number_in_several_fields_is_one_number() {
    let fields = ["4111 1111", "1111 1111"].map(|value| CardField {
        label: "part".to_owned(),
        value: value.to_owned(),
    });
    let redacted = redact(Content::Card {
        title: "card".to_owned(),
        fields: fields.to_vec(),
        buttons: vec![],
    });
    let Content::Card { fields, .. } = redacted.content else {
        panic!("it stays a card");
    };
    assert!(
        fields.iter().all(|field| field.value == "•••• ••••"),
        "{fields:?}"
    );
}

#[test]
fn the_code_of_a_card_goes_with_it() {
    let text = |text: &str| Content::Text(text.to_owned());
    for (said, left) in [
        (
            "4111 1111 1111 1111 12/28 123",
            "4111 11•• •••• 1111 12/28 •••",
        ),
        ("4111111111111111 cvv: 999", "411111••••••1111 cvv: •••"),
        (
            "перевод 500 руб. с 4111111111111111",
            "перевод 500 руб. с 411111••••••1111",
        ),
    ] {
        assert_eq!(redact(text(said)).content, text(left));
    }
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    let before = text(LEFT);
    let beside = Beside {
        before: &[&before],
        after: &[],
    };
    assert_eq!(patterns.redact(text("123"), beside).content, text("•••"));
    assert_eq!(
        patterns.redact(text("123 рубля"), beside).content,
        text("123 рубля")
    );
}

#[test]
fn a_bullet_hides_no_number() {
    for (said, left) in [
        ("•4111111111111111", "•411111••••••1111"),
        ("•4111 1111 1111 1111", "•4111 11•• •••• 1111"),
        ("4111•1111•1111•1111", "4111•11••••••••1111"),
        ("4111 1111 1111 1111•", "4111 11•• •••• 1111•"),
        ("••4111111111111111••", "••411111••••••1111••"),
    ] {
        let redacted = redact(Content::Text(said.to_owned()));
        assert_eq!(redacted.content, Content::Text(left.to_owned()));
    }
}

#[test]
fn small_numbers_in_many_messages_are_no_card() {
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    let mut before: Vec<Content> = Vec::new();
    for number in 1..1_000 {
        let said = Content::Text(format!("number {number}"));
        let last: Vec<&Content> = before.iter().rev().take(8).rev().collect();
        let beside = Beside {
            before: &last,
            after: &[],
        };
        let redacted = patterns.redact(said.clone(), beside);
        assert_eq!(redacted.content, said);
        before.push(said);
    }
}

#[test]
fn an_edited_message_is_seen_with_those_after_it() {
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    let after = Content::Text("1111 1111".to_owned());
    let beside = Beside {
        before: &[],
        after: &[&after],
    };
    let redacted = patterns.redact(Content::Text("4111 1111".to_owned()), beside);
    assert_eq!(redacted.content, Content::Text("•••• ••••".to_owned()));
    assert_eq!(redacted.withdraw, [0]);
}

#[test]
fn what_may_be_a_part_is_asked_for() {
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    let may = |text: &str| patterns.may_be_part(&Content::Text(text.to_owned()));
    assert!(may("1111") && may("٤") && may("мой cvv") && may("••••"));
    assert!(!may("здравствуйте"));
}

#[test]
fn a_bank_s_own_rules_are_used() {
    let rules = Rules::from_toml(
        r#"
        passports = false
        card = { first = 0, last = 4 }
        [[patterns]]
        name = "contract"
        regex = '\b[A-Z]{2}\d{8}\b'
        keep = { first = 2 }
        "#,
    )
    .unwrap();
    let patterns = Patterns::try_new(&rules).unwrap();
    let said = "AB12345678, AB१२३४५६७८, 4510 123456, 4111-1111-1111-1111";
    let redacted = patterns.redact(Content::Text(said.to_owned()), Beside::default());
    let left = "AB••••••••, AB••••••••, 4510 123456, ••••-••••-••••-1111";
    assert_eq!(redacted.content, Content::Text(left.to_owned()));
}

#[test]
fn rules_that_cannot_be_are_refused_with_what_is_wrong() {
    for (text, expected) in [
        ("nothing = 1", "unknown field `nothing`"),
        ("card = { first = 8, last = 4 }", "expected 6 and 4 at most"),
        (
            "[[patterns]]\nname = \"x\"\nregex = \"(\"",
            "the pattern `x`",
        ),
        (
            "[[patterns]]\nname = \"x\"\nregex = \".*\"",
            "met by an empty text",
        ),
        (
            "issuers = [{ from = \"99\", to = \"9\", lengths = [16] }]",
            "one length",
        ),
        (
            "issuers = [{ from = \"99\", to = \"99\", lengths = [9] }]",
            "12 to 19",
        ),
        (
            "issuers = [{ from = \"9a\", to = \"9b\", lengths = [16] }]",
            "1 to 8 digits",
        ),
    ] {
        let error = Rules::from_toml(text).and_then(|rules| Patterns::try_new(&rules));
        let error = error.map(drop).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn cases_tell_what_is_not_as_expected() {
    let cases = Cases::from_toml(
        r#"
        [[case]]
        say = "4111 1111 1111 1111"
        stored = "4111 1111 1111 1111"
        [[case]]
        before = ["4111 1111"]
        say = "1111 1111"
        stored = "•••• ••••"
        "#,
    )
    .unwrap();
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    let problems: Vec<_> = cases
        .case
        .iter()
        .map(|case| case.problem(&patterns))
        .collect();
    let problem = |index: usize| problems[index].clone().unwrap();
    assert!(
        problem(0).contains("is stored as `4111 11•• •••• 1111`"),
        "{}",
        problem(0)
    );
    assert!(
        problem(1).contains("withdraws [0], expected []"),
        "{}",
        problem(1)
    );
    let unreadable = Cases::from_toml("[[case]]\nsaid = 1");
    assert!(matches!(unreadable, Err(RulesError::Unreadable(_))));
}
