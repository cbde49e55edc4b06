//! Security codes of cards, and codes that are good once.

use crate::scan::{Group, Scan};

/// How far before a code a word may stand that says what it is, in characters.
const WORD_CHARS: usize = 30;

/// Words for a card's security code.
const SECURITY: &[&str] = &[
    "cvv",
    "cvc",
    "cav2",
    "cid2",
    "cvn",
    "ppk2",
    "ппк2",
    "цвв",
    "цвц",
    "свв",
    "свс",
    "с оборот",
    "на оборот",
    "с обратной сторон",
    "на обратной сторон",
    "код безопасности",
    "код карты",
    "security code",
];
/// Words for a code or word that is good once, or opens something.
const ONE_TIME: &[&str] = &[
    "otp",
    "one-time",
    "one time",
    "одноразов",
    "код из",
    "код подтвержд",
    "код с смс",
    "код из смс",
    "смс код",
    "смс-код",
    "sms code",
    "sms-code",
    "sms код",
    "sms-код",
    "verification code",
    "confirmation code",
    "код доступа",
    "пароль",
    "password",
    "passcode",
    "пин-код",
    "пин код",
    "пинкод",
    "pin-code",
    "pin code",
    "3-d secure",
    "3ds",
    "код пришел",
    "код пришёл",
    "пришел код",
    "пришёл код",
];
/// Words that mean a code beside a card number alone: there are codes of errors and cities.
const NEAR_A_CARD: &[&str] = &["код", "code", "пин", "pin", "смс", "sms"];

/// Whether a card number is near the text that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    /// There is none.
    None,
    /// In what was written before.
    Before,
    /// In the text: the group that it ends with.
    EndsWith(usize),
}

/// Groups of a text that are such codes. `tail` is the end of what was written just before it.
pub(crate) fn find(scan: &Scan<'_>, tail: &str, card: Card) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, group) in scan.groups.iter().enumerate() {
        if group.is_masked || !(3..=8).contains(&group.len()) || !stands_alone(scan, at) {
            continue;
        }
        let mut before = scan.before(group, WORD_CHARS).to_lowercase();
        if at == 0 && before.chars().count() < WORD_CHARS / 2 {
            before = format!("{} {before}", tail.to_lowercase());
        }
        let says = |words: &[&str]| words.iter().any(|word| before.contains(word));
        let is_security = group.len() <= 4 && says(SECURITY);
        let is_one_time = group.len() >= 4 && says(ONE_TIME);
        let is_near = card != Card::None && says_word(&before, NEAR_A_CARD);
        if is_security || is_one_time || is_near || follows(scan, at, card) {
            found.push(at);
        }
    }
    found
}

/// Whether nothing else of its run is so near that both would be one number: a date, a phone.
fn stands_alone(scan: &Scan<'_>, at: usize) -> bool {
    let neighbour = |index: Option<usize>| index.and_then(|index| scan.groups.get(index));
    let touches = |left: Option<&Group>, right: Option<&Group>| match (left, right) {
        (Some(left), Some(right)) => {
            right.bytes.start - left.bytes.end <= 1 && {
                let between = scan.text.get(left.bytes.end..right.bytes.start);
                matches!(between, Some("-" | "." | ":"))
            }
        }
        _ => false,
    };
    let (before, own, after) = (
        neighbour(at.checked_sub(1)),
        neighbour(Some(at)),
        neighbour(Some(at + 1)),
    );
    !touches(before, own) && !touches(own, after)
}

/// Whether a code stands right behind a card number, or a date of one: in the same text, or alone
/// in a text that follows.
fn follows(scan: &Scan<'_>, at: usize, card: Card) -> bool {
    let Some(group) = scan.groups.get(at) else {
        return false;
    };
    match card {
        Card::None => false,
        Card::Before => {
            let others = scan.groups.get(..at).unwrap_or_default();
            let is_last = at + 1 == scan.groups.len();
            !scan.has_words && is_last && is_short(group) && others.len() <= 2 && is_date(others)
        }
        Card::EndsWith(last) => follows_card(scan, last, at, group),
    }
}

/// Whether a code stands right behind the group that ends a card number.
fn follows_card(scan: &Scan<'_>, last: usize, at: usize, group: &Group) -> bool {
    let (Some(card), Some(between)) = (scan.groups.get(last), scan.groups.get(last + 1..at)) else {
        return false;
    };
    let is_near = between.len() <= 2
        && is_date(between)
        && between.iter().all(|other| other.run == group.run);
    let gap = scan.text.get(card.bytes.end..group.bytes.start);
    is_near
        && is_short(group)
        && gap.is_some_and(|gap| !gap.chars().any(char::is_alphabetic))
        && !is_money(scan.text.get(group.bytes.end..).unwrap_or_default())
}

fn is_short(group: &Group) -> bool {
    (3..=4).contains(&group.len())
}

fn is_date(groups: &[Group]) -> bool {
    groups.iter().all(|group| matches!(group.len(), 1 | 2 | 4))
}

/// Whether a text begins with a sign or name of money.
fn is_money(text: &str) -> bool {
    const LONGEST: usize = 8;
    let begin: String = text.trim_start().chars().take(LONGEST).collect();
    let begin = begin.to_lowercase();
    let signs = [
        "руб", "р.", "р ", "₽", "$", "€", "тыс", "%", "rub", "usd", "eur",
    ];
    signs.iter().any(|sign| begin.starts_with(sign))
}

/// Whether a text, in small letters, names such a code.
pub(crate) fn is_named(text: &str) -> bool {
    let mut names = SECURITY.iter().chain(ONE_TIME);
    names.any(|word| text.contains(word)) || says_word(text, NEAR_A_CARD)
}

/// Whether one of these stands there as a word of its own.
fn says_word(text: &str, words: &[&str]) -> bool {
    text.split(|c: char| !c.is_alphanumeric())
        .any(|word| words.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes<'a>(text: &'a str, tail: &str, card: Card) -> Vec<&'a str> {
        let scan = Scan::new(text);
        let of = |at: usize| &text[scan.groups[at].bytes.clone()];
        find(&scan, tail, card).into_iter().map(of).collect()
    }

    #[test]
    fn codes_are_found_by_their_name() {
        for (text, code) in [
            ("cvv 123", "123"),
            ("CVC2: 9876", "9876"),
            ("три цифры с оборота 321", "321"),
            ("код из смс 482910", "482910"),
            ("Пароль: 5512", "5512"),
            ("OTP=123456", "123456"),
        ] {
            assert_eq!(codes(text, "", Card::None), [code], "{text}");
        }
        assert_eq!(codes("123", "мой cvv", Card::None), ["123"]);
    }

    #[test]
    fn other_codes_are_left_unless_a_card_is_near() {
        for text in [
            "код ошибки 4005",
            "код города 495",
            "промокод 1234",
            "в 2026 году",
        ] {
            assert_eq!(codes(text, "", Card::None), Vec::<&str>::new(), "{text}");
        }
        assert_eq!(codes("код 495", "", Card::Before), ["495"]);
        assert_eq!(codes("промокод 1234", "", Card::Before), Vec::<&str>::new());
    }

    #[test]
    fn what_stands_alone_behind_a_card_is_its_code() {
        assert_eq!(codes("123", "", Card::Before), ["123"]);
        assert_eq!(codes("12/28 123", "", Card::Before), ["123"]);
        for text in ["123 рубля", "100 ₽", "500 и 600", "12/28", "15:30"] {
            assert_eq!(codes(text, "", Card::Before), Vec::<&str>::new(), "{text}");
        }
        assert_eq!(codes("1111 12/28 123", "", Card::EndsWith(0)), ["123"]);
        assert_eq!(
            codes("1111, 500 руб.", "", Card::EndsWith(0)),
            Vec::<&str>::new()
        );
        assert_eq!(
            codes("1111 перевод 500", "", Card::EndsWith(0)),
            Vec::<&str>::new()
        );
    }
}
