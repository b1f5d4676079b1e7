//! The short code of an architecture: one spelling, of letters and digits and a dot, that survives shells, labels and URLs.
//!
//! "n1" (the form), four characters of a hash of the space, ".", the architecture as one number, two check characters. The number is
//! an enumerative code (Duda's asymmetric numeral systems with exact integers): how many operators each cell opens, by what the
//! cells before opened, then which. It is a bijection, so every number decodes to something; what is left over is an error.

use super::{Architecture, Paths, ENSEMBLE};
use crate::error::{Error, Result};
use crate::space::Space;

const FORM: &str = "n1";
/// The form of ensembles, as long.
const ENSEMBLE_FORM: &str = "e1";
/// Crockford's base 32, lower case: no i, l, o and u.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters that tell spaces apart.
const SPACE: usize = 4;
/// The largest prime below 32 x 32: a changed character is always seen, and so are two that change places up to 67 apart.
const CHECK: u32 = 1021;
/// Weights of none, one, two, three and more operators before a cell is known, and what each cell adds to its own. Chosen so that
/// 22 cells of up to three of 27 operators fit in 63 characters, the length of a Kubernetes label.
const BEFORE: [u32; 5] = [1, 2, 2, 3, 1];
const EACH: u32 = 3;

impl Architecture {
    /// At most 63 characters for 22 cells of up to three of 27 operators, or up to two of 72.
    pub fn code(&self, space: &Space) -> String {
        let space = &*self.space_in(space);
        let (mut intervals, paths) = (Vec::new(), self.paths);
        if paths.is_ensemble() {
            intervals.push(Interval::of(&even(ENSEMBLE.count()), paths.count() - ENSEMBLE.start()));
            intervals.push(Interval::of(&even(paths.cells() + 1), paths.split()));
        }
        walk(space, paths, |question, weights| {
            let answer = match question {
                Question::Size(place) => self.places[place].len().min(BEFORE.len() - 1),
                Question::More(place) => self.places[place].len() + 1 - BEFORE.len(),
                Question::Open(place, operator) => usize::from(self.places[place].contains(&operator)),
            };
            intervals.push(Interval::of(weights, answer));
            answer
        });
        let mut number = Number::default();
        intervals.iter().rev().for_each(|interval| number.push(interval));
        let form = if paths.is_ensemble() { ENSEMBLE_FORM } else { FORM };
        let mut text = format!("{form}{}.{}", fingerprint(space), number.digits());
        let check = check(&text);
        text.extend([check / 32, check % 32].map(|digit| char::from(DIGITS[digit as usize])));
        text
    }

    /// The architecture of `space` that has this code.
    pub fn from_code(space: &Space, text: &str) -> Result<Self> {
        let wrong = |reason: String| Err(Error::Argument { name: "code", reason });
        let digit = |byte: u8| DIGITS.iter().position(|d| *d == byte);
        let dot = FORM.len() + SPACE;
        if let Some((at, c)) =
            text.char_indices().find(|(at, c)| (!c.is_ascii() || digit(*c as u8).is_none()) && (*at, *c) != (dot, '.'))
        {
            return wrong(format!("{c:?} at {at} is no character of a code"));
        }
        let ensemble = text.starts_with(ENSEMBLE_FORM);
        if !ensemble && !text.starts_with(FORM) {
            return wrong(format!("no code of an architecture: it begins with {FORM:?}, of an ensemble with {ENSEMBLE_FORM:?}"));
        }
        let Some((head, last)) = text.len().checked_sub(2).filter(|end| *end > dot).map(|end| text.split_at(end)) else {
            return wrong(format!("{} characters are cut short", text.len()));
        };
        let value = |text: &str| text.bytes().filter_map(digit).fold(0, |value, digit| value * 32 + digit as u32);
        if head.as_bytes()[dot] != b'.' || value(last) != check(head) {
            return wrong("the check characters do not fit: it was cut or mistyped".into());
        }
        let own = fingerprint(space);
        if head[FORM.len()..dot] != own {
            return wrong(format!("of another space ({}): that of {:?} is {own}", &head[FORM.len()..dot], space.name()));
        }
        let payload = &head[dot + 1..];
        if payload.starts_with('0') {
            return wrong("its number begins with 0".into());
        }
        // Of a digit per bit that any architecture needs, a number cannot be one of theirs: not worth the time to look.
        let most: usize = space.cells().iter().map(|cell| cell.operators.len() + 40).sum();
        let most = most * if ensemble { *ENSEMBLE.end() } else { 1 };
        let mut number = Number::read(payload.bytes().filter_map(digit).take(most));
        let paths = match ensemble {
            false => Paths::single(space.cells().len()),
            true => {
                let count = ENSEMBLE.start() + number.pop(&even(ENSEMBLE.count()));
                Paths::parted(space.cells().len(), number.pop(&even(space.cells().len() + 1)), count)
            }
        };
        let places = walk(space, paths, |_, weights| number.pop(weights));
        if !number.is_zero() || payload.len() > most {
            return wrong(format!("its number is beyond those of the space {:?}", space.name()));
        }
        let spelt = Architecture { places, paths };
        let architecture = spelt.again(space)?;
        match architecture == spelt {
            true => Ok(architecture),
            false => wrong("its paths are not in their order".into()),
        }
    }
}

enum Question {
    /// How many operators a place opens: 0 to 3, or more.
    Size(usize),
    /// How many more than 4.
    More(usize),
    Open(usize, u16),
}

/// Weights of answers that are as likely as each other.
fn even(answers: usize) -> Vec<u32> {
    vec![1; answers]
}

/// Asks for an architecture of `space`, question by question; `answer` gets the weights of the answers.
fn walk(space: &Space, paths: Paths, mut answer: impl FnMut(Question, &[u32]) -> usize) -> Vec<Vec<u16>> {
    let mut sizes = BEFORE;
    let mut places = Vec::with_capacity(paths.places());
    for i in 0..paths.places() {
        let cell = &space.cells()[paths.cell(i)];
        let count = cell.operators.len();
        let possible = |size: usize| size <= count && (size > 0 || cell.may_be_skipped());
        let weights: Vec<u32> = sizes.iter().enumerate().map(|(size, w)| if possible(size) { *w } else { 0 }).collect();
        let size = answer(Question::Size(i), &weights);
        sizes[size] += EACH;
        let more = if size + 1 == sizes.len() { answer(Question::More(i), &even(count - size + 1)) } else { 0 };
        let mut left = size + more;
        let mut open = Vec::with_capacity(left);
        for operator in 0..count {
            let rest = count - operator;
            // `left` of the `rest` still to come are open, and every such subset is as likely as the others.
            let weights = [(rest - left) as u32, left as u32];
            if left == rest || left > 0 && answer(Question::Open(i, operator as u16), &weights) == 1 {
                open.push(operator as u16);
                left -= 1;
            }
        }
        places.push(open);
    }
    places
}

/// The part of `total` that stands for one answer.
struct Interval {
    start: u64,
    size: u64,
    total: u64,
}

impl Interval {
    fn of(weights: &[u32], answer: usize) -> Self {
        let sum = |weights: &[u32]| weights.iter().map(|w| u64::from(*w)).sum();
        Interval { start: sum(&weights[..answer]), size: weights[answer].into(), total: sum(weights) }
    }
}

/// A whole number of any size, least word first.
#[derive(Default)]
struct Number(Vec<u32>);

impl Number {
    /// The number that is 0 or more blocks of `total`, each with one place per weight: whoever knows the weights gets the answer and
    /// the number before back.
    fn push(&mut self, interval: &Interval) {
        let place = self.divide(interval.size);
        self.multiply(interval.total, interval.start + place);
    }

    fn pop(&mut self, weights: &[u32]) -> usize {
        let total = weights.iter().map(|w| u64::from(*w)).sum();
        let place = self.divide(total);
        let (mut answer, mut start) = (0, 0);
        while place >= start + u64::from(weights[answer]) {
            start += u64::from(weights[answer]);
            answer += 1;
        }
        self.multiply(weights[answer].into(), place - start);
        answer
    }

    /// Divides by a number below 2^32; the remainder.
    fn divide(&mut self, by: u64) -> u64 {
        let mut rest = 0;
        for word in self.0.iter_mut().rev() {
            let dividend = rest << 32 | u64::from(*word);
            (*word, rest) = ((dividend / by) as u32, dividend % by);
        }
        self.trim();
        rest
    }

    /// Multiplies by a number below 2^32 and adds another.
    fn multiply(&mut self, by: u64, add: u64) {
        let mut carry = add;
        for word in &mut self.0 {
            let product = u64::from(*word) * by + carry;
            (*word, carry) = (product as u32, product >> 32);
        }
        self.0.push(carry as u32);
        self.trim();
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// In base 32, most significant first; nothing for 0.
    fn digits(&self) -> String {
        let bits = self.0.len() * 32;
        let bit = |i: usize| self.0.get(i / 32).map_or(0, |word| word >> (i % 32) & 1);
        let digit = |at: usize| (0..5).map(|i| bit(at * 5 + i) << i).sum::<u32>();
        let digits = (0..bits.div_ceil(5)).rev().map(digit).skip_while(|digit| *digit == 0);
        digits.map(|digit| char::from(DIGITS[digit as usize])).collect()
    }

    fn read(digits: impl Iterator<Item = usize>) -> Self {
        let mut number = Number::default();
        digits.for_each(|digit| number.multiply(32, digit as u64));
        number
    }
}

/// What the two check characters say: with them the text, as a number in base 32 in which the dot is 0, is divisible by [`CHECK`].
fn check(text: &str) -> u32 {
    let digits = text.bytes().map(|byte| DIGITS.iter().position(|d| *d == byte).unwrap_or(0));
    let rest = digits.chain([0, 0]).fold(0, |rest, digit| (rest * 32 + digit as u32) % CHECK);
    (CHECK - rest) % CHECK
}

/// Of the canonical JSON form.
fn fingerprint(space: &Space) -> String {
    let hash = blake3::hash(space.to_json().as_bytes());
    hash.as_bytes().iter().take(SPACE).map(|byte| char::from(DIGITS[usize::from(*byte) % 32])).collect()
}
