//! What strangers send: the kept corpus, and what is made of it for `CHATCORE_FUZZ_SECONDS`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may end at once"
)]

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use chatcore::{
    clock::{Clock, SystemClock, Timestamp},
    content::Content,
    identity::{Beside, Redactor as _},
};
use chatcore_redact::{Patterns, Rules};
use chatcore_server::{
    identity::{Claims, JwtAuthenticator, Role, TokenRules},
    protocol::{FRAME_BYTES_MAX, parse_frame},
};

/// A small generator of our own, so that a seed gives the same input for ever (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "1e999",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\u{0}",
    "hello",
    "send",
    "command",
    "customer",
    "desk",
    ".",
    "..",
    "=",
    "eyJhbGciOiJub25lIn0",
    "é",
    "{\"hello\":",
    "dialog/",
    "board/",
];

/// Cuts, repeats, flips, joins and adds.
fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(input.len() + 1);
        match random.below(7) {
            0 => input.truncate(at),
            1 if at < input.len() => input[at] ^= 1 << random.below(8),
            2 => {
                let piece = PIECES[random.below(PIECES.len())];
                input.splice(at..at, piece.bytes());
            }
            3 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
            4 => {
                let to = (at + random.below(40)).min(input.len());
                let part = input[at..to].to_vec();
                let times = random.below(60);
                input.splice(at..at, part.repeat(times));
            }
            5 if at < input.len() => {
                input.remove(at);
            }
            _ => input.insert(at, u8::try_from(random.below(256)).unwrap()),
        }
        input.truncate(2 * FRAME_BYTES_MAX);
    }
    input
}

fn fuzz(name: &str, check: impl Fn(&str)) {
    let seconds = std::env::var("CHATCORE_FUZZ_SECONDS").map_or(2, |s| s.parse().unwrap());
    let seed = std::env::var("CHATCORE_FUZZ_SEED").map_or_else(
        |_| SystemClock.now().0.unsigned_abs(),
        |seed| seed.parse().unwrap(),
    );
    eprintln!("{name}: CHATCORE_FUZZ_SEED={seed}");
    let kept = corpus(name);
    for input in &kept {
        check(&String::from_utf8_lossy(input));
    }
    let end = SystemClock.now().plus(Duration::from_secs(seconds));
    let mut random = Random(seed);
    let mut inputs = 0u64;
    while !inputs.is_multiple_of(256) || SystemClock.now() < end {
        let input = mutate(&kept, &mut random);
        let input = String::from_utf8_lossy(&input).into_owned();
        check(&input);
        inputs += 1;
    }
    assert!(inputs >= 256, "only {inputs} inputs were tried");
    eprintln!("{name}: {inputs} inputs");
}

#[test]
fn fuzz_frame_parser() {
    fuzz("frames", |text| match parse_frame(text) {
        Ok(frame) => {
            // What was read reads back as the same.
            let again = serde_json::to_string(&frame).unwrap();
            assert_eq!(parse_frame(&again).as_ref(), Ok(&frame), "{text}");
            assert!(text.len() <= FRAME_BYTES_MAX);
        }
        Err(error) => {
            // Our own words only: they are few, whatever was sent.
            assert!((10..1_000).contains(&error.text.len()), "{}", error.text);
        }
    });
}

#[derive(Debug)]
struct At;

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp(1_799_000_000_000)
    }
}

#[test]
fn fuzz_token_verifier() {
    let rules = TokenRules {
        secret: b"0123456789abcdef0123456789abcdef".to_vec(),
        issuer: None,
        audience: None,
    };
    let tokens = JwtAuthenticator::try_new(rules, Arc::new(At)).unwrap();
    let mut claims = Claims::new("anna", Role::Customer, Timestamp(1_800_000_000_000));
    claims.name = "Anna".to_owned();
    let good = tokens.sign(claims).unwrap();
    assert!(tokens.verify(&good).is_ok());
    let body = |token: &str| token.rsplit_once('.').map(|(body, _)| body.to_owned());
    // The corpus has this very token: whatever is made of it must not be taken for another one.
    fuzz("tokens", |token| {
        if tokens.verify(token).is_ok() {
            assert_eq!(body(token), body(&good), "a forged token was taken");
        }
    });
}

/// Whether these digits, by themselves, are a card number that we take out: Visa or Mastercard of
/// sixteen, told by the standard's check digit (ISO/IEC 7812-1, annex B).
fn is_card(word: &str) -> bool {
    let digits: Vec<u32> = word.chars().filter_map(|c| c.to_digit(10)).collect();
    let is_known = word.starts_with('4') || ["51", "52", "53", "54", "55"].contains(&&word[..2]);
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, double) if double > 9 => double - 9,
            (0, double) => double,
            _ => *digit,
        })
        .sum();
    is_known && sum.is_multiple_of(10)
}

#[test]
fn fuzz_redactor() {
    assert!(is_card("4111111111111111") && !is_card("4111111111111112"));
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    let redact = |text: String| {
        let redacted = patterns.redact(Content::Text(text), Beside::default());
        match redacted.content {
            Content::Text(text) => text,
            other => unreachable!("a text became {other:?}"),
        }
    };
    fuzz("texts", |text| {
        let left = redact(text.to_owned());
        let is_digits = |word: &&str| word.len() == 16 && word.bytes().all(|b| b.is_ascii_digit());
        let mut whole = left.split_ascii_whitespace().filter(is_digits);
        assert!(!whole.any(is_card), "{text:?} leaves {left:?}");
        // Without digits nothing is touched.
        if !text.chars().any(char::is_numeric) {
            assert_eq!(left, text);
        }
    });
}
