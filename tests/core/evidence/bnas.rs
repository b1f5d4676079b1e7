//! The study of docs/bnas.md: its data are whole, and its table is what follows from them.

#[path = "../../../benches/evidence/bnas/table.rs"]
mod table;

use super::{file, numbers, Outcome};
use nse::arch::Architecture;
use nse::cost::CostTable;
use std::collections::BTreeMap;
use table::{read, space, table, HEADER, SEEDS, TRAININGS};

#[test]
fn what_was_found_costs_what_is_written_and_was_trained_with_all_weights() {
    let csv = file("benches/evidence/bnas/found.csv");
    assert!(csv.starts_with(HEADER));
    let mut of = BTreeMap::new();
    for row in read(&csv).unwrap() {
        let space = space(&row.trained).unwrap();
        let architecture = Architecture::from_code(&space, &row.code).unwrap();
        let cost = CostTable::new(&space).architecture(&architecture);
        assert_eq!((row.macs, row.params, row.bits), (cost.macs, cost.params, cost.bits()), "{}", row.code);
        assert!((0.1..1.0).contains(&row.accuracy), "{}: {}", row.code, row.accuracy);
        assert!(row.seconds > 0.0);
        let networks: &mut Vec<_> = of.entry((row.searched, row.seed)).or_default();
        networks.push((row.trained, architecture.cells().to_vec()));
    }
    let searches: Vec<_> = of.keys().map(|(searched, seed)| (searched.as_str(), *seed)).collect();
    let mut wanted: Vec<_> = SEEDS.flat_map(|seed| ["layer", "real", "xnor"].map(|searched| (searched, seed))).collect();
    wanted.sort_unstable();
    assert_eq!(searches, wanted);
    for ((searched, seed), networks) in &of {
        let trained: Vec<_> = networks.iter().map(|(trained, _)| trained.as_str()).collect();
        let wanted: Vec<_> = TRAININGS.iter().filter(|(of, _)| of == searched).map(|(_, trained)| *trained).collect();
        assert_eq!(trained, wanted, "{searched} {seed}");
        assert!(networks.iter().all(|(_, cells)| *cells == networks[0].1), "{searched} {seed}");
    }
}

#[test]
fn the_page_has_the_table_of_these_data() {
    let (part, page) = (table(&read(&file("benches/evidence/bnas/found.csv")).unwrap()), file("docs/bnas.md"));
    assert!(page.contains(&part), "docs/bnas.md has not\n{part}");
}
