//! What a character is to a reader of numbers, in any script.

/// Stands for what was taken out.
pub const MASK: char = '•';

/// What a character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A digit, with its value.
    Digit(u8),
    /// [`MASK`].
    Mask,
    /// A letter: no number goes on over it.
    Letter,
    /// Whatever may stand between the digits of one number.
    Separator,
    /// Not seen by a reader.
    Invisible,
}

/// What a character is.
pub(crate) fn kind(c: char) -> Kind {
    match c {
        '0'..='9' => Kind::Digit(ascii(c)),
        MASK => Kind::Mask,
        'a'..='z' | 'A'..='Z' | '\u{400}'..='\u{481}' | '\u{48a}'..='\u{52f}' => Kind::Letter,
        _ if c.is_ascii() => Kind::Separator,
        _ => rare(c),
    }
}

fn rare(c: char) -> Kind {
    if is_invisible(c) {
        return Kind::Invisible;
    }
    match decimal(c).or_else(|| compatible(c)) {
        Some(value) => Kind::Digit(value),
        None if c.is_alphanumeric() => Kind::Letter,
        None => Kind::Separator,
    }
}

fn ascii(c: char) -> u8 {
    u8::try_from(c.to_digit(10).unwrap_or_default()).unwrap_or_default()
}

/// Joiners, marks, variants and keycaps: `4` and `4` with a keycap around it are read alike.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{feff}' | '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{20d0}'..='\u{20f0}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The zeros of Unicode's decimal digits (general category Nd), whose other nine follow them.
/// Those that are compatible forms of the ASCII ones are left out.
const ZEROS: [u32; 65] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0x104a0,
    0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50, 0x11d50, 0x11da0,
    0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1e140, 0x1e2f0, 0x1e4f0,
];
/// Those of newer scripts.
const MORE_ZEROS: [u32; 2] = [0x1e5f1, 0x1e950];

fn decimal(c: char) -> Option<u8> {
    let code = u32::from(c);
    let zeros = if code < MORE_ZEROS[0] {
        &ZEROS[..]
    } else {
        &MORE_ZEROS[..]
    };
    let next = zeros.partition_point(|zero| *zero <= code);
    let zero = zeros.get(next.checked_sub(1)?)?;
    u8::try_from(code - zero).ok().filter(|value| *value <= 9)
}

/// Wide, raised, lowered, circled and mathematical digits: what their compatible form says, if
/// that is one digit, with dots or brackets at most.
fn compatible(c: char) -> Option<u8> {
    let (mut found, mut is_one) = (None, true);
    unicode_normalization::char::decompose_compatible(c, |part| {
        if part.is_ascii_digit() {
            is_one &= found.is_none();
            found = Some(ascii(part));
        } else if part.is_alphanumeric() {
            is_one = false;
        }
    });
    // Circled forms that have no other.
    let circled = match c {
        '⓪' | '🄋' | '⓿' => Some(0),
        '❶'..='❾' => u8::try_from(u32::from(c) - 0x2775).ok(),
        '➀'..='➈' => u8::try_from(u32::from(c) - 0x277f).ok(),
        '➊'..='➒' => u8::try_from(u32::from(c) - 0x2789).ok(),
        _ => None,
    };
    circled.or(found.filter(|_| is_one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_any_script_have_their_value() {
        for (text, value) in [
            ("3٣۳३৩๓３³₃③⑶⒊❸➂➌𝟑𝟛𝟯𝟹🯳", 3),
            ("0٠۰０⁰₀⓪𝟎🯰⓿", 0),
            ("9٩۹९９⁹₉⑨❾➈➒𝟡", 9),
        ] {
            for c in text.chars() {
                assert_eq!(kind(c), Kind::Digit(value), "{c} {:x}", u32::from(c));
            }
        }
    }

    #[test]
    fn what_is_no_digit_is_told_apart() {
        for c in ['a', 'Я', 'é', '中', 'Ⅷ', '½', '⑩'] {
            assert_eq!(kind(c), Kind::Letter, "{c}");
        }
        for c in [' ', '-', '\u{a0}', '–', '.', '/', '№', '💳', '\n', '_', '|'] {
            assert_eq!(kind(c), Kind::Separator, "{c:?}");
        }
        for c in ['\u{200b}', '\u{fe0f}', '\u{20e3}', '\u{ad}', '\u{2066}'] {
            assert_eq!(kind(c), Kind::Invisible, "{c:?}");
        }
        assert_eq!(kind(MASK), Kind::Mask);
    }

    #[test]
    fn zeros_stand_in_order_for_the_search() {
        assert!(ZEROS.is_sorted() && ZEROS.last() < MORE_ZEROS.first());
        assert!(MORE_ZEROS.is_sorted());
    }
}
