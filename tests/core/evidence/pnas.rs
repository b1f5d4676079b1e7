//! The study of docs/pnas.md: its data are whole, its searches can be made again from them, and its tables are what follows from them.

#[path = "../../../benches/evidence/pnas/cells.rs"]
mod cells;
#[path = "../../../benches/evidence/pnas/replay.rs"]
mod replay;
#[path = "../../../benches/evidence/pnas/tables.rs"]
mod tables;

use super::{file, numbers, Outcome};
use cells::{cost, drawn, read, space, written, Table, BLOCKS, FRESH, HEADER, NOISE, TOLD};
use numbers::rows;
use replay::{replay, seeds, EVALUATIONS, ONE_BLOCK, SEARCHES};
use std::collections::BTreeSet;
use std::sync::Arc;
use tables::{finalists, read_asked};

fn data(name: &str) -> String {
    file(&format!("benches/evidence/pnas/{name}"))
}

#[test]
fn the_cells_trained_alone_are_of_the_space_and_cost_what_is_written() {
    let (space, csv) = (space().unwrap(), data("cells.csv"));
    assert!(csv.starts_with(HEADER));
    let mut seen = BTreeSet::new();
    for [name, macs, params, seed, accuracy] in rows(&csv).unwrap() {
        let cell = read(&space, name).unwrap();
        assert_eq!(written(&space, &cell.canonical()), name);
        let cost = cost(&space, &cell);
        assert_eq!((cost.macs.to_string(), cost.params.to_string()), (macs.to_string(), params.to_string()), "{name}");
        assert!((0.0..1.0).contains(&accuracy.parse::<f64>().unwrap()), "{name}: {accuracy}");
        assert!(seen.insert((cell, seed.parse::<u64>().unwrap())), "twice: {name} {seed}");
    }
    for blocks in 1..=BLOCKS {
        let random = drawn(&space, blocks);
        assert!(blocks > 1 || random.len() == ONE_BLOCK);
        assert!(random.into_iter().all(|cell| seen.contains(&(cell, TOLD))), "of {blocks} blocks not all were trained");
    }
}

#[test]
fn the_noise_and_the_best_cells_are_known_from_fresh_seeds() {
    let (space, csv) = (space().unwrap(), data("asked.csv"));
    let (asked, table) = (read_asked(&space, &csv).unwrap(), Table::read(&space, &data("cells.csv")).unwrap());
    let noise = drawn(&space, BLOCKS).into_iter().take(NOISE);
    for cell in finalists(&table, &asked).unwrap().into_iter().chain(noise) {
        assert!(FRESH.iter().all(|seed| table.get(&cell, *seed).is_some()), "{}", written(&space, &cell));
    }
}

#[test]
fn every_search_had_as_many_evaluations_and_none_twice() {
    let (space, csv) = (space().unwrap(), data("asked.csv"));
    let (asked, table) = (read_asked(&space, &csv).unwrap(), Table::read(&space, &data("cells.csv")).unwrap());
    let wanted: BTreeSet<_> =
        SEARCHES.into_iter().flat_map(|(search, _)| seeds(search).map(move |seed| (search.to_string(), seed))).collect();
    assert_eq!(asked.keys().cloned().collect::<BTreeSet<_>>(), wanted);
    for (search, cells) in &asked {
        assert!(cells.len() == EVALUATIONS || search.0 == "random", "{search:?} had {}", cells.len());
        assert_eq!(cells.iter().collect::<BTreeSet<_>>().len(), cells.len(), "{search:?}");
        assert!(cells.iter().all(|cell| table.get(cell, TOLD).is_some()), "{search:?} asked for a cell that is not in the table");
    }
}

/// The library of today asks for the same cells, and foretells the same.
#[test]
fn the_searches_can_be_made_again() {
    let space = Arc::new(space().unwrap());
    let (asked, table) = (read_asked(&space, &data("asked.csv")).unwrap(), Table::read(&space, &data("cells.csv")).unwrap());
    for (search, _) in SEARCHES {
        let found = replay(&space, search, 1, &mut |cell| table.need(cell, TOLD)).unwrap();
        assert_eq!(asked[&(search.to_string(), 1)], found.cells, "{search}");
        for of in found.foretold {
            let line = of.line(search, 1);
            assert!(data("foretold.csv").lines().any(|there| there == line), "not there: {line}");
        }
    }
}

#[test]
fn the_page_has_the_tables_of_these_data() {
    let (space, page) = (space().unwrap(), file("docs/pnas.md"));
    let (asked, table) = (read_asked(&space, &data("asked.csv")).unwrap(), Table::read(&space, &data("cells.csv")).unwrap());
    let random: Vec<_> = (1..=BLOCKS).map(|blocks| drawn(&space, blocks)).collect();
    for part in tables::all(&space, &table, &random, &asked, &data("foretold.csv")).unwrap() {
        assert!(page.contains(&part), "docs/pnas.md has not\n{part}");
    }
}
