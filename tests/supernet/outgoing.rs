//! Gradients on their way out: a bucket leaves as soon as the last part has all of it, in order.

use nse::dist::exact::{Buckets, Host};
use nse::supernet::outgoing::Outgoing;
use std::sync::mpsc::channel;
use tch::{Device, Kind, Tensor};

#[test]
fn a_bucket_leaves_while_others_are_computed() {
    let buckets = Buckets::new(vec![2, 3], 1, 0);
    let ones = |count: i64| Tensor::ones([count], (Kind::Float, Device::Cpu));
    let (to, from) = channel();
    let mut outgoing = Outgoing::new(&Host, &buckets, to);
    outgoing.begin(0.5, false).unwrap();
    outgoing.take(0, &ones(2)).unwrap();
    assert!(from.try_recv().is_err(), "another part comes");
    outgoing.begin(0.5, true).unwrap();
    outgoing.take(1, &ones(3)).unwrap();
    assert!(from.try_recv().is_err(), "the first one is not there");
    outgoing.take(0, &(ones(2) * 3.0)).unwrap();
    let gone: Vec<_> = from.try_iter().map(|own| own.unwrap()).collect();
    let numbers = |bucket: usize| gone[bucket].shares.iter().map(|share| share.numbers.clone()).collect::<Vec<_>>();
    assert_eq!(gone.len(), 2, "before the end");
    assert_eq!((numbers(0), numbers(1)), (vec![vec![1.0; 2], vec![3.0; 2]], vec![vec![0.0; 3], vec![1.0; 3]]));
    outgoing.end(Ok(()));
    assert_eq!(from.try_iter().count(), 0, "none twice");
}
