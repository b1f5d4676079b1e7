//! TensorBoard's events, as far as we write them (tensorflow/core/util/event.proto, framework/summary.proto), and the records of its files.

use prost::{Message, Oneof};
use std::io::{ErrorKind, Read};

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    pub what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Value {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(oneof = "Content", tags = "2, 4, 5")]
    pub content: Option<Content>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Content {
    #[prost(float, tag = "2")]
    Scalar(f32),
    #[prost(message, tag = "4")]
    Image(Image),
    #[prost(message, tag = "5")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message)]
pub struct Image {
    #[prost(int32, tag = "1")]
    pub height: i32,
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// 3: RGB.
    #[prost(int32, tag = "3")]
    pub colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    pub png: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    #[prost(double, tag = "1")]
    pub min: f64,
    #[prost(double, tag = "2")]
    pub max: f64,
    #[prost(double, tag = "3")]
    pub num: f64,
    #[prost(double, tag = "4")]
    pub sum: f64,
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}

const BUCKETS: usize = 30;

impl Value {
    pub fn scalar(tag: &str, value: f64) -> Self {
        Value { tag: tag.into(), content: Some(Content::Scalar(value as f32)) }
    }

    /// None without a finite value.
    pub fn histogram(tag: String, values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        let (min, max) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
        if values.is_empty() {
            return None;
        }
        let width = ((max - min) / BUCKETS as f64).max(f64::MIN_POSITIVE);
        let mut bucket = vec![0.0; if max > min { BUCKETS } else { 1 }];
        let last = bucket.len() - 1;
        values.iter().for_each(|v| bucket[(((v - min) / width) as usize).min(last)] += 1.0);
        let limit = |i: usize| if i == last { max } else { min + width * (i + 1) as f64 };
        let histogram = Histogram {
            min,
            max,
            num: values.len() as f64,
            sum: values.iter().sum(),
            sum_squares: values.iter().map(|v| v * v).sum(),
            bucket_limit: (0..bucket.len()).map(limit).collect(),
            bucket,
        };
        Some(Value { tag, content: Some(Content::Histogram(histogram)) })
    }
}

fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// As a record of an event file: length, its checksum, content, its checksum.
pub fn record(event: &Event) -> Vec<u8> {
    let data = event.encode_to_vec();
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), &data, &masked(&data).to_le_bytes()].concat()
}

/// More is no record of ours: a front as a picture has some hundred thousand.
const MOST: u64 = 1 << 26;

/// The next event and the length of its record; None at the end and before anything that is no whole record.
pub fn next(file: &mut impl Read) -> std::io::Result<Option<(Event, u64)>> {
    let mut head = [0; 12];
    let Some(()) = whole(file.read_exact(&mut head))? else { return Ok(None) };
    let [length, check] = [&head[..8], &head[8..]];
    let length = match length.try_into().map(u64::from_le_bytes) {
        Ok(count) if masked(length).to_le_bytes() == check && count <= MOST => count,
        _ => return Ok(None),
    };
    let mut body = vec![0; length as usize + 4];
    let Some(()) = whole(file.read_exact(&mut body))? else { return Ok(None) };
    let (data, check) = body.split_at(length as usize);
    let event = Event::decode(data).ok().filter(|_| masked(data).to_le_bytes() == check);
    Ok(event.map(|event| (event, length + 16)))
}

fn whole(read: std::io::Result<()>) -> std::io::Result<Option<()>> {
    match read {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(None),
        other => other.map(Some),
    }
}
