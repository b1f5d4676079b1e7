//! The study of docs/neas.md: its data are whole, and its table is what follows from them.

#[path = "../../../benches/evidence/neas/table.rs"]
mod table;

use super::{file, numbers, Outcome};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::space::Space;
use std::collections::{BTreeMap, BTreeSet};
use table::{read, table, Row, HEADER, HIGH, LOW, SEARCHES, SEEDS, TRAININGS};

fn data(name: &str) -> String {
    file(&format!("benches/evidence/neas/{name}"))
}

#[test]
fn what_was_found_costs_what_is_written_and_its_members_are_there() {
    let (space, csv) = (Space::from_json(&data("space.json")).unwrap(), data("found.csv"));
    assert!(csv.starts_with(HEADER));
    let (rows, costs) = (read(&csv).unwrap(), CostTable::new(&space));
    let mut of: BTreeMap<(&str, u64), Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        let cost = costs.architecture(&Architecture::from_code(&space, &row.code).unwrap());
        assert_eq!((row.macs, row.params), (cost.macs, cost.params), "{}", row.code);
        assert!((0.1..1.0).contains(&row.accuracy), "{}: {}", row.code, row.accuracy);
        of.entry((&row.search, row.seed)).or_default().push(row);
    }
    let wanted: BTreeSet<_> = SEEDS.flat_map(|seed| SEARCHES.map(|(search, _)| (search, seed))).collect();
    assert_eq!(of.keys().copied().collect::<BTreeSet<_>>(), wanted);
    for ((search, seed), rows) in of {
        let found = rows.iter().find(|row| !row.member).unwrap();
        assert!((LOW..=HIGH).contains(&found.macs), "{search} {seed}: {}", found.macs);
        let architecture = Architecture::from_code(&space, &found.code).unwrap();
        let single = search == "single";
        assert_eq!(architecture.paths().count(), if single { 1 } else { 2 });
        let members = if single { Vec::new() } else { architecture.members() };
        let codes = members.iter().map(|member| member.code(&space)).chain([found.code.clone()]);
        let wanted: Vec<_> = codes.flat_map(|code| TRAININGS.map(|seed| (code.clone(), seed))).collect();
        let mut have: Vec<_> = rows.iter().map(|row| (row.code.clone(), row.training)).collect();
        let mut wanted = wanted;
        have.sort();
        wanted.sort();
        assert_eq!(have, wanted, "{search} {seed}");
    }
}

#[test]
fn the_page_has_the_table_of_these_data() {
    let (part, page) = (table(&read(&data("found.csv")).unwrap()), file("docs/neas.md"));
    assert!(page.contains(&part), "docs/neas.md has not\n{part}");
}
