//! The study of docs/abs.md: its data are whole, and its tables are what follows from them.

#[path = "../../../benches/evidence/abs/tables.rs"]
mod tables;

use super::tau::tau;
use super::{file, numbers, tau, Outcome};
use nse::cost::CostTable;
use nse::space::Space;
use std::collections::BTreeSet;
use tables::{left, losses, noise, ranking, read, read_choices, read_scores, Choice, Judged, Wanted, ALL_LEFT, SUPERNETS};

fn data(name: &str) -> String {
    file(&format!("benches/evidence/abs/{name}"))
}

fn space() -> Space {
    Space::from_json(&data("space.json")).unwrap()
}

/// Every cell with each of its operators, and a dash where it may be skipped.
fn all_choices(space: &Space) -> BTreeSet<Choice> {
    let of_cell = |(i, cell): (usize, &nse::space::Cell)| {
        let names = cell.operators.iter().map(|o| o.to_string()).chain(cell.may_be_skipped().then(|| "-".to_string()));
        names.map(move |name| (i, name)).collect::<Vec<_>>()
    };
    space.cells().iter().enumerate().flat_map(of_cell).collect()
}

#[test]
fn the_networks_trained_alone_are_of_the_space_and_cost_what_is_written() {
    let (space, csv) = (space(), data("alone.csv"));
    let alone = read(&space, &csv).unwrap();
    assert_eq!(csv.lines().next(), Some("architecture,macs,params,seed,accuracy"));
    let costs = CostTable::new(&space);
    let mut seen = BTreeSet::new();
    for (row, line) in alone.iter().zip(csv.lines().skip(1)) {
        let cost = costs.architecture(&row.architecture);
        assert_eq!((row.macs, row.params), (cost.macs, cost.params), "{line}");
        assert_eq!(tables::written(&space, &row.architecture), line.split(',').next().unwrap());
        assert!(row.architecture.cells().iter().all(|open| open.len() < 2), "{line}");
        assert!((0.1..1.0).contains(&row.accuracy), "{line}");
        assert!(seen.insert((row.architecture.clone(), row.seed)), "twice: {line}");
    }
    let of =
        |seed: u64| alone.iter().filter(move |row| row.seed == seed).map(|row| row.architecture.clone()).collect::<BTreeSet<_>>();
    assert!(of(1).len() >= 60 && of(2).len() >= 12 && of(2).is_subset(&of(1)) && of(3).is_subset(&of(2)));
    for (network, accuracy) in tables::truth(&alone) {
        let same = alone.iter().filter(|row| row.architecture == network.architecture && row.seed < 3);
        let (sum, count) = same.fold((0.0, 0.0), |(sum, count), row| (sum + row.accuracy, count + 1.0));
        assert!((accuracy - sum / count).abs() < 1e-12);
    }
}

#[test]
fn every_supernet_has_scored_every_network_once() {
    let (space, csv) = (space(), data("scores.csv"));
    let (alone, scored) = (read(&space, &data("alone.csv")).unwrap(), read_scores(&space, &csv).unwrap());
    assert_eq!(csv.lines().next(), Some("epochs,seed,architecture,angle,angle_with_norms,recalibrated,raw"));
    let first = alone.iter().filter(|row| row.seed == 1);
    let wanted: BTreeSet<_> = first.flat_map(|row| SUPERNETS.map(|supernet| (supernet, row.architecture.clone()))).collect();
    let have: BTreeSet<_> = scored.iter().map(|row| (row.supernet, row.architecture.clone())).collect();
    assert!(have == wanted && scored.len() == wanted.len(), "{} lines for {} of {}", scored.len(), have.len(), wanted.len());
    for row in &scored {
        let [angle, full, recalibrated, raw] = row.by;
        assert!(angle > 0.0 && angle < std::f64::consts::PI && full > 0.0 && full < std::f64::consts::PI, "{:?}", row.by);
        assert!((0.0..=1.0).contains(&recalibrated) && (0.0..=1.0).contains(&raw), "{:?}", row.by);
    }
}

#[test]
fn what_stays_is_what_the_scores_say() {
    let csv = data("choices.csv");
    let (all, judged) = (all_choices(&space()), read_choices(&csv).unwrap());
    assert_eq!(csv.lines().next(), Some("epochs,seed,scorer,cell,choice,score,stays"));
    assert_eq!(judged.len(), SUPERNETS.len() * 3 * all.len());
    for supernet in SUPERNETS {
        for scorer in ["angle", "magnitude", "accuracy"] {
            let mut of: Vec<&Judged> = judged.iter().filter(|row| row.supernet == supernet && row.scorer == scorer).collect();
            assert_eq!(of.iter().map(|row| row.choice.clone()).collect::<BTreeSet<_>>(), all, "{supernet:?} {scorer}");
            // A stable sort: equal ones in the order of the file, which is that of the space.
            of.sort_by(|a, b| a.score.total_cmp(&b.score));
            let order: Vec<Choice> = of.iter().map(|row| row.choice.clone()).collect();
            let stays: BTreeSet<Choice> = of.iter().filter(|row| row.stays).map(|row| row.choice.clone()).collect();
            assert_eq!(stays.len(), ALL_LEFT);
            assert_eq!(left(&order), stays, "{supernet:?} {scorer}");
        }
    }
}

#[test]
fn the_page_has_the_tables_of_these_data() {
    let (space, page) = (space(), file("docs/abs.md"));
    let alone = read(&space, &data("alone.csv")).unwrap();
    let ranking = ranking(&alone, &read_scores(&space, &data("scores.csv")).unwrap());
    let losses = losses(&Wanted::of(&space, &alone), &read_choices(&data("choices.csv")).unwrap());
    for part in [noise(&alone), ranking, losses] {
        assert!(page.contains(&part), "docs/abs.md has not\n{part}");
    }
}

/// What the page says of the angle, in all cells and supernets: it tells the kernels of operators of one width apart, but wide operators
/// have turned less than narrow ones.
#[test]
fn wide_operators_turn_less() {
    let judged = read_choices(&data("choices.csv")).unwrap();
    let mut counts = [0; 4];
    for supernet in SUPERNETS {
        for cell in 0..space().cells().len() {
            let score = |name: &str| {
                let choice = (cell, name.to_string());
                let is = |row: &&Judged| row.supernet == supernet && row.scorer == "angle" && row.choice == choice;
                judged.iter().find(is).unwrap().score
            };
            let [blind, wide] = ["mbconv_k1_t4", "mbconv_k3_t4"].map(score);
            let [small, large] = ["mbconv_k3_t1", "mbconv_k7_t1"].map(score);
            let found = [wide > blind, large > small, blind.max(wide) < small.min(large), true];
            counts.iter_mut().zip(found).for_each(|(count, found)| *count += usize::from(found));
        }
    }
    let [wide, large, less, all] = counts;
    let said = format!("{wide} of {all} times; {large} of {all} times; {less} of {all} times");
    assert!(said.split("; ").all(|count| file("docs/abs.md").contains(count)), "docs/abs.md does not say: {said}");
}

/// The third by hand: of six pairs five agree and one does not. The last is the example of SciPy's documentation.
#[test]
fn kendalls_tau_is_that_of_the_book() {
    assert_eq!(tau(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), 1.0);
    assert_eq!(tau(&[1.0, 2.0, 3.0, 4.0], &[4.0, 3.0, 2.0, 1.0]), -1.0);
    assert_eq!(tau(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]), 4.0 / 6.0);
    assert_eq!(tau(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    let tied = tau(&[12.0, 2.0, 1.0, 12.0, 2.0], &[1.0, 4.0, 7.0, 1.0, 0.0]);
    assert!((tied + 0.471_404_520_791_031_7).abs() < 1e-15, "{tied}");
}

/// However bad it is.
#[test]
fn the_best_choice_of_a_cell_stays() {
    let name = |(cell, name): (usize, &str)| (cell, name.to_string());
    let mut order: Vec<Choice> = vec![name((1, "worst, but alone"))];
    order.extend((0..ALL_LEFT + 3).map(|i| (0, i.to_string())));
    let left = left(&order);
    assert_eq!(left.len(), ALL_LEFT);
    assert!(left.contains(&name((1, "worst, but alone"))) && left.contains(&(0, (ALL_LEFT + 2).to_string())));
    assert!(!left.contains(&name((0, "3"))) && left.contains(&name((0, "4"))));
}
