//! What taking out costs for each message.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench fails by panicking, and its macros are not ours"
)]

use std::hint::black_box;

use chatcore::{
    content::Content,
    identity::{Beside, Redactor},
};
use chatcore_redact::{Patterns, Rules};
use criterion::{Criterion, criterion_group, criterion_main};

fn redact(criterion: &mut Criterion) {
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    let words = "Добрый день! Не могу войти в приложение, подскажите, что мне нужно сделать. \
                 Пишет, что неверный логин";
    let with_numbers = "Перевод 1500 руб. от 12.05.2026 15:30 на счёт 40817810099910004312 не \
                        пришёл, мой телефон +7 916 123-45-67";
    let with_card = "Перевод 1500 руб. от 12.05.2026 15:30 с карты 4111 1111 1111 1111 не пришёл, \
                     мой телефон +7 916 123-45-67";
    let before = ["4111 1111", "12.05.2026", "1500"].map(|text| Content::Text(text.to_owned()));
    let before: Vec<&Content> = before.iter().collect();
    for (name, text, before) in [
        ("200 bytes without digits", words, &[][..]),
        ("200 bytes with numbers", with_numbers, &[]),
        ("200 bytes with a card", with_card, &[]),
        (
            "200 bytes with numbers, three messages before",
            with_numbers,
            &before,
        ),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                || Content::Text(text.to_owned()),
                |content| {
                    let beside = Beside { before, after: &[] };
                    patterns.redact(black_box(content), beside)
                },
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, redact);
criterion_main!(benches);
