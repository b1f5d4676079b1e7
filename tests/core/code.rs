//! The short code: a bijection between architectures and texts, short enough for a label, and every other text an error.

use crate::support::{architectures, cases, chain, everything};
use nse::arch::{presets, Architecture};
use nse::search::{Purpose, Stream};
use nse::space::{presets as spaces, Space};
use nse::Error;
use proptest::prelude::*;
use std::collections::HashSet;

const DIGITS: &str = "0123456789abcdefghjkmnpqrstvwxyz";

fn all_spaces() -> Vec<Space> {
    spaces().map(|(name, _)| Space::preset(name, "{}").unwrap()).collect()
}

fn tiny() -> Space {
    let six = ["mbconv_k1_t1", "mbconv_k3_t1", "mbconv_k3_t2", "mbconv_k5_t1", "conv_k3_t1", "rec_k3_t1"];
    chain(1, 2, &[("normal", 0, &six), ("reduce", 3, &six[..3]), ("expand", 4, &six[..1]), ("normal", 0, &six[..2])])
}

/// Of `sizes` operators per cell, or as few as the cell allows.
fn drawn(space: &Space, sizes: std::ops::RangeInclusive<usize>, stream: &mut Stream) -> Architecture {
    let cells = space.cells().iter().map(|cell| {
        let span = (sizes.end() - sizes.start() + 1) as u64;
        let size = sizes.start() + stream.below(span) as usize;
        let mut operators: Vec<u16> = (0..cell.operators.len() as u16).collect();
        stream.shuffle(&mut operators);
        operators.truncate(size.max(usize::from(!cell.may_be_skipped())));
        operators
    });
    Architecture::new(space, cells.collect()).unwrap()
}

/// What is wrong with a text.
fn reason(space: &Space, text: &str) -> String {
    match Architecture::from_code(space, text) {
        Err(Error::Argument { name: "code", reason }) => reason,
        Err(other) => panic!("{text:?}: {other}"),
        Ok(found) => panic!("{text:?} is {found:?}"),
    }
}

#[test]
fn every_architecture_of_a_small_space_has_its_own() {
    let space = tiny();
    let all = architectures(&space, &everything(&space));
    assert_eq!(all.len(), 64 * 7 * 4);
    let codes: HashSet<String> = all.iter().map(|a| a.code(&space)).collect();
    assert_eq!(codes.len(), all.len());
    for architecture in &all {
        assert_eq!(Architecture::from_code(&space, &architecture.code(&space)).unwrap(), *architecture);
    }
}

/// All texts of the right form around all numbers up to beyond the largest: as many are codes as there are architectures.
#[test]
fn no_architecture_has_a_second_spelling() {
    let space = chain(1, 2, &[("normal", 0, &["conv_k1_t1", "conv_k3_t1"]), ("reduce", 3, &["conv_k1_t1", "conv_k3_t1"])]);
    let all = architectures(&space, &everything(&space));
    let head = all[0].code(&space)[..7].to_string();
    let mut found = HashSet::new();
    let payloads = std::iter::once(String::new()).chain(DIGITS.chars().map(String::from));
    let payloads = payloads.chain(DIGITS.chars().flat_map(|a| DIGITS.chars().map(move |b| format!("{a}{b}"))));
    let mut codes = 0;
    for payload in payloads {
        for check in DIGITS.chars().flat_map(|a| DIGITS.chars().map(move |b| format!("{a}{b}"))) {
            if let Ok(architecture) = Architecture::from_code(&space, &format!("{head}{payload}{check}")) {
                assert_eq!(architecture.code(&space), format!("{head}{payload}{check}"));
                assert!(found.insert(architecture));
                codes += 1;
            }
        }
    }
    assert_eq!((codes, found.len()), (all.len(), all.len()), "every one of them, once");
}

/// These are on labels and in logs of other people: they never change.
#[test]
fn the_published_architectures_keep_their_codes() {
    let codes: Vec<String> = (presets())
        .map(|(name, _)| {
            let (space, architecture) = Architecture::preset(name, "{}").unwrap();
            let code = architecture.code(&space);
            assert_eq!(Architecture::from_code(&space, &code).unwrap(), architecture);
            code
        })
        .collect();
    let known = [
        "n1vfas.3jaw8h1eq450a27w8c2s20zxx0g24rwft",
        "n10cc6.dg2xxfxctjvcx3xe2dqszy1nqk60sjktzaqvnqg1as4h",
        "n1y16d.9fp6d4p7n1t7ggc88r7sca6tmxhptg4s",
    ];
    assert_eq!(codes[..3], known);
}

#[test]
fn what_searches_find_fits_in_a_label() {
    let mut stream = Stream::new(1, Purpose::Probe, 0, 0);
    let mut longest = 0;
    for (space, most) in all_spaces().iter().map(|space| (space, if space.most_operators() > 27 { 2 } else { 3 })) {
        for sizes in [0..=most, 1..=most, 2..=most, most..=most] {
            for _ in 0..50 {
                let code = drawn(space, sizes.clone(), &mut stream).code(space);
                longest = longest.max(code.len());
                assert!(code.len() <= 63, "{} characters: {code}", code.len());
                assert!(code.bytes().all(|b| b == b'.' || b.is_ascii_digit() || b.is_ascii_lowercase()));
                assert!(code.as_bytes()[0].is_ascii_alphanumeric() && code.as_bytes()[code.len() - 1].is_ascii_alphanumeric());
            }
        }
    }
    assert!(longest > 58, "{longest}: nothing was at the limit");
}

#[test]
fn another_text_is_told_what_it_is() {
    let space = tiny();
    let every = Architecture::new(&space, everything(&space)).unwrap();
    let code = every.code(&space);
    let other = Space::preset("nse-27", "{}").unwrap();
    assert!(reason(&other, &code).starts_with("of another space ("), "{}", reason(&other, &code));
    assert!(reason(&other, &code).contains("\"nse-27\""));
    assert!(reason(&space, "").contains("begins with \"n1\""));
    assert!(reason(&space, "n1").contains("2 characters are cut short"));
    assert!(reason(&space, "n1abcd.").contains("cut short"));
    assert!(reason(&space, "nsenet-27").contains("'-' at 6"), "{}", reason(&space, "nsenet-27"));
    assert!(reason(&space, &code.to_uppercase()).contains("'N' at 0"));
    assert!(reason(&space, &format!("{code} ")).contains("' ' at"));
    assert!(reason(&space, "n1abcd.é00").contains("'é' at 7"));
    assert!(reason(&space, "n1abcd.....00").contains("'.' at 7"));
    assert!(reason(&space, "n2abcd.000").contains("begins with"));
    assert!(reason(&space, &format!("{}{}", &code[..7], "1".repeat(1 << 20))).contains("check characters"));
    assert!(reason(&space, &format!("{}{}", &code[..code.len() - 2], "zz")).contains("check characters"));
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn a_code_is_read_back(seed in 0u64..1 << 40, most in 1usize..40) {
        let mut stream = Stream::new(seed, Purpose::Probe, 0, 1);
        for space in all_spaces() {
            let architecture = drawn(&space, 0..=most, &mut stream);
            let code = architecture.code(&space);
            prop_assert_eq!(Architecture::from_code(&space, &code).unwrap(), architecture);
        }
    }

    #[test]
    fn a_changed_code_is_no_code(seed in 0u64..1 << 40) {
        let space = Space::preset("nse-27", "{}").unwrap();
        let code = drawn(&space, 0..=3, &mut Stream::new(seed, Purpose::Probe, 0, 2)).code(&space);
        for at in 0..code.len() {
            for digit in DIGITS.chars().chain(['.', '-', 'A']).filter(|c| !code[at..].starts_with(*c)) {
                let changed = format!("{}{digit}{}", &code[..at], &code[at + 1..]);
                prop_assert!(Architecture::from_code(&space, &changed).is_err(), "{} for {}", changed, code);
            }
            let swapped = |other: usize| {
                let mut bytes = code.clone().into_bytes();
                bytes.swap(at, other);
                String::from_utf8(bytes).unwrap()
            };
            for other in at + 1..code.len() {
                let changed = swapped(other);
                prop_assert!(changed == code || Architecture::from_code(&space, &changed).is_err(), "{} for {}", changed, code);
            }
        }
        // Two check characters let one cut in a thousand or so through; it is then the code of another architecture.
        let cut = (1..code.len()).filter(|at| Architecture::from_code(&space, &code[..*at]).is_ok()).count();
        prop_assert!(cut <= 1);
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,80}", tail in "[0-9a-hjkmnp-tv-z]{0,80}") {
        let space = tiny();
        let _ = Architecture::from_code(&space, &text);
        let _ = Architecture::from_code(&space, &format!("n1{tail}"));
        if let Ok(found) = Architecture::from_code(&space, &format!("n1abcd.{tail}")) {
            prop_assert_eq!(found.code(&space), format!("n1abcd.{}", tail));
        }
    }
}
