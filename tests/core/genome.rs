//! Genomes of restoring networks: bits, text and JSON, what they decode to, what it costs.

use nse::restore::{Genome, Network, Op, Skip, Stage, Unit};
use nse::search::{Purpose, Stream};

fn stream(index: u64) -> Stream {
    Stream::new(1, Purpose::Genomes, 0, index)
}

fn text(code: &str) -> String {
    Genome::parse(code).unwrap_err().to_string()
}

#[test]
fn lengths_are_those_of_the_layout() {
    assert_eq!((1..=7).map(Genome::length).collect::<Vec<_>>(), [18, 44, 78, 120, 170, 228, 294]);
    assert!(Genome::new(vec![false; 43]).is_none());
}

#[test]
fn bits_text_and_json_go_round() {
    for units in 1..=7 {
        for index in 0..20 {
            let genome = Genome::draw(units, &mut stream(index));
            assert_eq!(Genome::new(genome.bits().to_vec()).unwrap(), genome);
            assert_eq!(Genome::parse(&genome.to_string()).unwrap(), genome);
            assert_eq!(Genome::encode(&genome.decode()).unwrap(), genome);
            let json = serde_json::json!({ "units": genome.decode() }).to_string();
            assert_eq!(Genome::parse(&json).unwrap(), genome);
            assert_eq!(genome.decode().len(), units);
        }
    }
}

/// One unit by hand: 1 011 001 | 0 111 110 | 0 010.
#[test]
fn a_genome_by_hand() {
    let bits = "101100101111100010".chars().map(|c| c == '1').collect();
    let genome = Genome::new(bits).unwrap();
    assert_eq!(genome.to_string(), "1-2cbe2");
    let unit = Unit {
        encoder: Stage { residual: true, kernel: 7, channels: 8 },
        decoder: Stage { residual: false, kernel: 15, channels: 256 },
        skips: vec![Skip { open: true, channels: 16 }],
    };
    assert_eq!(genome.decode(), [unit]);
}

#[test]
fn all_zeros_and_all_ones() {
    for units in 1..=7 {
        let zeros = Genome::new(vec![false; Genome::length(units)]).unwrap();
        for unit in zeros.decode() {
            assert_eq!(unit.encoder, Stage { residual: false, kernel: 1, channels: 4 });
            assert_eq!(unit.decoder, unit.encoder);
            assert_eq!(unit.skips, vec![Skip { open: true, channels: 4 }; units]);
        }
        let ones = Genome::new(vec![true; Genome::length(units)]).unwrap();
        for unit in ones.decode() {
            assert_eq!(unit.encoder, Stage { residual: true, kernel: 15, channels: 512 });
            assert_eq!(unit.decoder, unit.encoder);
            assert!(unit.skips.iter().all(|skip| !skip.open && skip.channels == 512));
        }
        assert!(Network::Genome(ones).plan(32, 3).is_ok());
        // Four channels are enough to go up twice, and not four times.
        assert_eq!(Network::Genome(zeros).plan(32, 3).is_ok(), units < 3);
    }
}

#[test]
fn what_is_not_feasible_is_named() {
    let zeros = Network::parse("3-00000000000000000000").unwrap();
    let said = zeros.feasible(32, 3).unwrap_err().to_string();
    assert!(
        said.contains("the skip from encoder 3 to decoder 1") && said.contains("16 channels, and the encoder has 4"),
        "{said}"
    );
    let described = zeros.describe(32, [3, 64, 64]);
    assert!(described["infeasible"].as_str().unwrap().contains("decoder 1"));
    assert!(described.get("params").is_none());
}

#[test]
fn bad_texts_are_named() {
    for (code, part) in [
        ("", "\"\" is no genome"),
        ("x", "\"x\" is no genome"),
        ("0-", "1 to 7 units"),
        ("8-00", "1 to 7 units"),
        ("+1-2cbe2", "1 to 7 units"),
        ("1-2cbe", "4 digits, a genome of 1 units has 5"),
        ("1-2cbeg", "'g' in \"1-2cbeg\""),
        ("1-ffbe2", "more than the 18 bits"),
        ("1-2cbé", "digit"),
        ("{\"units\": []}", "0 units are not in 1 to 7"),
        ("{\"bits\": \"01\"}", "bits"),
    ] {
        assert!(text(code).contains(part), "{code}: {}", text(code));
    }
    let unit = |kernel: u32, channels: u32, skips: usize| {
        let skip = "{\"open\": true, \"channels\": 4}";
        format!(
            "{{\"units\": [{{\"encoder\": {{\"residual\": true, \"kernel\": {kernel}, \"channels\": {channels}}}, \"decoder\": \
             {{\"residual\": true, \"kernel\": 3, \"channels\": 4}}, \"skips\": [{}]}}]}}",
            vec![skip; skips].join(",")
        )
    };
    assert!(Genome::parse(&unit(3, 8, 1)).is_ok());
    assert!(text(&unit(4, 8, 1)).contains("4 is not an odd number up to 15 (at /units/0/encoder/kernel)"));
    assert!(text(&unit(17, 8, 1)).contains("17"));
    assert!(text(&unit(3, 12, 1)).contains("12 is not one of 4, 8"));
    assert!(text(&unit(3, 1024, 1)).contains("1024"));
    assert!(text(&unit(3, 8, 2)).contains("2 skips"));
}

#[test]
fn crossover_keeps_units_and_mutation_flips_what_it_is_told() {
    let (a, b) = (Genome::draw(4, &mut stream(1)), Genome::draw(4, &mut stream(2)));
    for cut in 0..=4 {
        let child = a.cross(&b, cut);
        let expected: Vec<Unit> = a.decode()[..cut].iter().chain(&b.decode()[cut..]).cloned().collect();
        assert_eq!(child.decode(), expected);
    }
    let mut at = 0;
    let flipped = a.clone().flip(|| {
        at += 1;
        [3, 17, 120].contains(&at)
    });
    let changed: Vec<usize> = (0..120).filter(|i| a.bits()[*i] != flipped.bits()[*i]).collect();
    assert_eq!((at, changed), (120, vec![2, 16, 119]));
}

/// Published: 2,217,831 for denoising and super-resolution, 3,002,627 for inpainting.
#[test]
fn the_classical_networks_have_the_published_parameters() {
    for (name, params) in [("classic", 2_217_831), ("classic-inpaint", 3_002_627)] {
        let network = Network::parse(name).unwrap();
        assert_eq!(network.to_string(), name);
        assert_eq!(network.feasible(32, 3).unwrap().params(), params);
    }
    // By hand, at 64 x 64: of the first scale 32 x 4 at full size, 32 x 128 x 9 and 128 x 128 x 9 at half, 132 x 128 x 9 and 128 x 128 at
    // full size; of the others 128 x 4, 128 x 128 x 9 twice at half of theirs; and 128 x 3.
    let pixels = |halvings: u32| 4096u64 >> (2 * halvings);
    let scale =
        |n: u32, inputs: u64| pixels(n) * (inputs * 4 + 132 * 128 * 9 + 128 * 128) + pixels(n + 1) * 128 * 9 * (inputs + 128);
    let macs = scale(0, 32) + (1..5).map(|n| scale(n, 128)).sum::<u64>() + 4096 * 128 * 3;
    assert_eq!(Network::Classic(4).plan(32, 3).unwrap().macs([64, 64]), macs);
}

/// One unit, 32 channels in and 3 out, by hand: blocks of kernel 7 to 8 channels with a shortcut, 15 to 256 behind 8 + 16 channels, 15 from
/// 256 to 256.
#[test]
fn costs_of_a_genome_by_hand() {
    let plan = Network::parse("1-2cbe2").unwrap().feasible(32, 3).unwrap();
    let conv = |inputs: u64, outputs: u64, kernel: u64| (inputs * kernel * kernel + 1) * outputs;
    let encoder = conv(32, 8, 7) + conv(8, 8, 7) + conv(32, 8, 1) + 3 * 16;
    let decoder = conv(24, 256, 15) + conv(256, 256, 15) + 2 * 512;
    let last = 2 * conv(256, 256, 15) + 2 * 512 + conv(256, 3, 1);
    assert_eq!(plan.params(), encoder + conv(8, 16, 1) + decoder + last);
    let whole = 8 * 49 * (32 + 8) + 32 * 8 + 2 * 256 * 256 * 225 + 256 * 3;
    let half = 8 * 16 + 225 * 256 * (24 + 256);
    assert_eq!(plan.macs([16, 12]), 16 * 12 * whole + 8 * 6 * half);
    // Odd sides are padded, and what is small has two pixels left where it is smallest.
    assert_eq!((plan.padded([15, 1]), plan.macs([15, 11])), ([16, 4], plan.macs([16, 12])));
}

/// Every skip arrives at the size of its decoder.
#[test]
fn maps_that_meet_have_one_size() {
    let mut feasible = 0;
    for index in 0..400 {
        let genome = Genome::draw(1 + index as usize % 7, &mut stream(index));
        let Ok(plan) = Network::Genome(genome).plan(32, 1) else { continue };
        feasible += 1;
        for node in plan.nodes.iter().filter(|node| matches!(node.op, Op::Add | Op::Concat)) {
            assert!(node.from.iter().all(|from| plan.nodes[*from].halvings == node.halvings));
        }
        let last = plan.nodes.last().unwrap();
        assert_eq!((last.channels, last.halvings), (1, 0));
    }
    assert!((100..400).contains(&feasible), "{feasible}");
}
