//! Cells that grow block by block (PNAS), evaluated by whoever asks: which cells are asked for, in what order, and how good the best is.

use crate::predictor::quality;
use crate::support;
use nse::arch::{Architecture, Blocks};
use nse::cost::{CostTable, Metric};
use nse::search::predictor::Ensemble;
use nse::search::{pareto, Asked, Drive, Effect, Outcome, Purpose, Search, SearchOptions, Silent, Sought, Start, Stream};
use nse::space::Space;
use nse::Error;
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

fn space(changes: Value) -> Arc<Space> {
    Arc::new(Space::preset("pnas-cifar", &changes.to_string()).unwrap())
}

fn options(changes: Value) -> SearchOptions {
    let mut document =
        json!({ "objective": { "low": 0, "high": 1e12 }, "strategy": { "grow": { "beam": 12, "predictor": quick() } } });
    for (key, value) in changes.as_object().unwrap() {
        document[key] = value.clone();
    }
    SearchOptions::from_json(&document.to_string()).unwrap()
}

/// Learns little, in no time.
fn quick() -> Value {
    json!({ "mlp": { "members": 2, "epochs": 40 } })
}

fn begin(space: &Arc<Space>, options: SearchOptions) -> Search {
    Search::start(space.clone(), options, Start { drive: Drive::Told, ..Start::default() }).unwrap()
}

fn blocks(space: &Space, architecture: &Architecture) -> Blocks {
    Blocks::of(space, architecture).unwrap()
}

fn good(space: &Space, architecture: &Architecture) -> f64 {
    quality(&blocks(space, architecture))
}

/// Asks for so many at a time, and tells what each is worth; until `cells` are told. All that was asked.
fn run(search: &mut Search, at_once: usize, cells: usize, worth: impl Fn(&Architecture) -> Outcome) -> Vec<Architecture> {
    let mut all = Vec::new();
    while all.len() < cells {
        let (given, asked) = search.ask(at_once.min(cells - all.len())).unwrap();
        assert_eq!(given.is_empty(), asked != Asked::Given);
        if given.is_empty() {
            assert_eq!(asked, Asked::Done);
            break;
        }
        // The last one first: the order of results does not matter.
        for architecture in given.iter().rev() {
            // Another strategy closes a round before all that was asked is told.
            let effect = search.tell(architecture, worth(architecture)).unwrap();
            assert!(effect == Effect::Counted || effect == Effect::Late && !search.options().strategy.name().starts_with("grow"));
        }
        all.extend(given);
    }
    all
}

fn by_quality(space: &Arc<Space>) -> impl Fn(&Architecture) -> Outcome + '_ {
    |architecture| Outcome::accuracy(good(space, architecture))
}

#[test]
fn cells_grow_by_a_block_in_every_round() {
    let space = space(json!({ "nodes": 4 }));
    let mut search = begin(&space, options(json!({})));
    assert_eq!(search.rounds(), (0, 4));
    let asked = run(&mut search, 5, usize::MAX, by_quality(&space));
    assert!(search.done());
    let of = |count: usize| asked.iter().filter(|a| a.cells().len() == 2 * count).collect::<Vec<_>>();
    assert_eq!([1, 2, 3, 4].map(|count| of(count).len()), [136, 12, 12, 12]);
    // Never the same cell twice, however it is written; and every one has a cell of the round before in it.
    let canonical: BTreeSet<_> = asked.iter().map(|a| blocks(&space, a).canonical()).collect();
    assert_eq!(canonical.len(), asked.len());
    for count in 2..=4 {
        for cell in of(count) {
            let parent = &cell.cells()[..2 * count - 2];
            assert!(of(count - 1).iter().any(|a| a.cells() == parent), "{cell:?}");
        }
    }
    // The front has cells of all sizes, with the costs that they have in their own networks.
    let best = pareto::best(search.front(), u64::MAX).unwrap();
    assert!(asked.iter().all(|a| good(&space, a) <= best.accuracy));
    for scored in search.front() {
        let own = search.space_of(&scored.architecture);
        assert_eq!(own.stack().unwrap().plan().nodes as usize * 2, scored.architecture.cells().len());
        assert_eq!(CostTable::new(own).architecture(&scored.architecture), scored.cost);
        assert_eq!(scored.price, scored.cost.macs);
        assert_eq!(search.read_code(&scored.architecture.code(&space)).unwrap(), scored.architecture);
        assert_eq!(scored.architecture.code(&space), scored.architecture.code(own));
    }
    let under = search.front_under(Metric::Params, None).unwrap();
    assert!(under.iter().all(|s| s.price == s.cost.params));
    // How well they were foretold is in the history.
    let foretold: Vec<_> = search.history().iter().map(|record| record.foretold.unwrap()).collect();
    assert!(foretold[0].before.is_none() && foretold[0].after.unwrap() > 0.5);
    assert!(foretold[3].before.is_some() && foretold[3].after.is_none());
    let line: Value = serde_json::to_value(&search.history()[1]).unwrap();
    assert!(line["foretold"]["before"].is_number() && line["candidates"].as_array().unwrap().len() == 12);
}

/// Those with the highest predictions of all 40,800, without cells that are the same.
#[test]
fn the_beam_is_the_best_of_all() {
    let space = space(json!({ "nodes": 2 }));
    for predictor in ["mlp", "lstm"] {
        let options = options(json!({ "seed": 7, "strategy": { "grow": { "beam": 200, "predictor": predictor } } }));
        let Sought::Cells(grow) = options.strategy.get().seeks() else { panic!("nothing grows") };
        let grow = grow.clone();
        let mut search = begin(&space, options);
        let first = run(&mut search, 200, 136, by_quality(&space));
        let second: BTreeSet<_> = search.ask(300).unwrap().0.iter().map(|a| blocks(&space, a).canonical()).collect();
        assert_eq!(second.len(), 200);
        let mut results: Vec<_> = first.iter().map(|a| (blocks(&space, a), good(&space, a))).collect();
        results.sort_by(|a, b| a.0.cmp(&b.0));
        let ensemble = Ensemble::fit(&grow.predictor, space.stack().unwrap(), &results, (7, 0), &Silent).unwrap();
        let mut all = Vec::new();
        for (cell, _) in &results {
            let next: Vec<_> = cell.extensions().collect();
            all.extend(ensemble.predict(cell, &next).into_iter().zip(next.iter().map(|block| cell.with(*block).canonical())));
        }
        assert_eq!(all.len(), 40_800);
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut expected = BTreeSet::new();
        for (_, cell) in all {
            if expected.len() < 200 {
                expected.insert(cell);
            }
        }
        assert_eq!(second, expected, "{predictor}");
    }
}

/// Nothing that costs no more is foretold to be as good.
#[test]
fn a_beam_may_be_a_front() {
    let space = space(json!({ "nodes": 2 }));
    let mut search =
        begin(&space, options(json!({ "strategy": { "grow": { "beam": 500, "select": "front", "predictor": "mlp" } } })));
    let first = run(&mut search, 200, 136, by_quality(&space));
    let second = search.ask(500).unwrap().0;
    let mut results: Vec<_> = first.iter().map(|a| (blocks(&space, a), good(&space, a))).collect();
    results.sort_by(|a, b| a.0.cmp(&b.0));
    let ensemble = Ensemble::fit(&Default::default(), space.stack().unwrap(), &results, (0, 0), &Silent).unwrap();
    let costs = CostTable::new(&space);
    let point = |cell: &Blocks, foretold: f64| (costs.architecture(&cell.architecture()).macs, foretold);
    let chosen: Vec<_> =
        second.iter().map(|a| blocks(&space, a)).map(|cell| point(&cell, ensemble.predict(&cell, &[])[0])).collect();
    assert!((3..500).contains(&chosen.len()), "{}", chosen.len());
    let mut on_front = 0;
    for (cell, _) in &results {
        let next: Vec<_> = cell.extensions().collect();
        for (block, foretold) in next.iter().zip(ensemble.predict(cell, &next)) {
            let (macs, foretold) = point(&cell.with(*block), foretold);
            assert!(chosen.iter().any(|c| c.0 <= macs && c.1 >= foretold), "{macs} {foretold}");
            on_front += usize::from(chosen.contains(&(macs, foretold)));
        }
    }
    assert!(on_front >= chosen.len());
    // Where it has too many, those with the highest predictions.
    let mut few = begin(&space, options(json!({ "strategy": { "grow": { "beam": 3, "select": "front", "predictor": "mlp" } } })));
    run(&mut few, 200, 136, by_quality(&space));
    let three: BTreeSet<_> = few.ask(500).unwrap().0.into_iter().collect();
    assert_eq!(three, second[..3].iter().cloned().collect());
}

/// With as many evaluations, random cells and a search that evolves find worse ones; and predictions are right about the order, of cells as
/// large as those that were seen and of larger ones.
#[test]
fn growing_beats_chance_and_evolution() {
    let space = space(json!({ "nodes": 4 }));
    let budget = 136 + 3 * 12;
    let noisy = |seed: u64| {
        let space = space.clone();
        move |architecture: &Architecture| {
            // The same noise for the same cell, about a third of the deviation between cells.
            let place =
                architecture.cells().iter().flatten().fold(seed, |hash, o| (hash ^ u64::from(*o)).wrapping_mul(0x100_0000_01b3));
            let noise = 0.01 * Stream::new(seed, Purpose::Probe, place, 0).normals()[0];
            Outcome::accuracy((good(&space, architecture) + noise).clamp(0.0, 1.0))
        }
    };
    // What is found is the one that did best; what it is worth is without noise.
    let worth = |search: &Search| {
        let best = search.scored().into_iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)).unwrap();
        good(&space, &best.architecture)
    };
    for (predictor, seeds) in [(json!({ "mlp": { "members": 3 } }), 5), (json!({ "lstm": { "members": 3 } }), 2)] {
        let (mut won, mut means) = ([0, 0], [0.0; 3]);
        let (mut before, mut after) = (0.0, 0.0);
        for seed in 0..seeds {
            let grow = json!({ "grow": { "beam": 12, "predictor": predictor.clone() } });
            let mut search = begin(&space, options(json!({ "seed": seed, "strategy": grow })));
            assert_eq!(run(&mut search, 9, usize::MAX, noisy(seed)).len(), budget);
            let evolve = json!({ "seed": seed, "strategy": "evolve", "branches": "single", "rounds": 4, "active": 12,
                "candidates": { "count": budget / 4 } });
            let mut evolving = begin(&space, options(evolve));
            run(&mut evolving, 9, budget, noisy(seed));
            let mut stream = Stream::new(seed, Purpose::Probe, 9, 9);
            let mut draw = || {
                let cells = space.cells().iter().map(|side| vec![stream.below(side.operators.len() as u64) as u16]).collect();
                Architecture::new(&space, cells).unwrap()
            };
            let random: Vec<Architecture> = (0..budget).map(|_| draw()).collect();
            let told = noisy(seed);
            let random = random.iter().max_by(|a, b| told(a).accuracy.total_cmp(&told(b).accuracy)).unwrap();
            let others = [good(&space, random), worth(&evolving)];
            won.iter_mut().zip(others).for_each(|(won, other)| *won += u64::from(worth(&search) > other));
            means
                .iter_mut()
                .zip([&[worth(&search)], &others[..]].concat())
                .for_each(|(mean, worth)| *mean += worth / seeds as f64);
            let foretold: Vec<_> = search.history().iter().map(|record| record.foretold.unwrap()).collect();
            before += foretold.iter().filter_map(|f| f.before).sum::<f64>() / 3.0 / seeds as f64;
            after += foretold.iter().filter_map(|f| f.after).sum::<f64>() / 3.0 / seeds as f64;
        }
        // With every seed; but for the one that is not meant for larger cells than it has seen.
        assert!(won == [seeds; 2] || predictor.get("mlp").is_none(), "{predictor}: {won:?}, {means:?}");
        assert!(before > 0.0 && after > 0.3, "{predictor}: {before} {after}");
    }
}

#[test]
fn what_is_too_dear_is_not_asked() {
    let space = space(json!({ "nodes": 3 }));
    let mut free = begin(&space, options(json!({})));
    let dearest = |asked: &[Architecture], search: &Search| {
        asked.iter().map(|a| CostTable::new(search.space_of(a)).architecture(a).params).max().unwrap()
    };
    let unbound = dearest(&run(&mut free, 50, usize::MAX, by_quality(&space)), &free);
    let high = (CostTable::new(&space).range().0.params + unbound) / 2;
    let objective = json!({ "cost": "params", "low": 0, "high": high });
    let mut bound = begin(&space, options(json!({ "objective": objective })));
    let asked = run(&mut bound, 50, usize::MAX, by_quality(&space));
    assert!(dearest(&asked, &bound) <= high && high < unbound && asked.iter().any(|a| a.cells().len() == 6));
    // Where nothing larger can be paid it ends, with what there is.
    let least = asked.iter().map(|a| CostTable::new(bound.space_of(a)).architecture(a).params).min().unwrap();
    let whole = CostTable::new(&space).range().0.params;
    assert!(least < whole);
    let refused = |high: u64| {
        let options = options(json!({ "objective": { "cost": "params", "low": 0, "high": high } }));
        Search::start(space.clone(), options, Start { drive: Drive::Told, ..Start::default() }).err().unwrap()
    };
    assert!(matches!(refused(whole - 1), Error::Unreachable { .. }), "no cell of three blocks");
}

/// From what was kept in the middle of a round, of the first and of another: the same cells are asked.
#[test]
fn a_search_goes_on_where_it_was() {
    let space = space(json!({ "nodes": 3 }));
    let whole = run(&mut begin(&space, options(json!({}))), 7, usize::MAX, by_quality(&space));
    for cut in [0, 20, 136, 141, 160] {
        let mut search = begin(&space, options(json!({})));
        let mut asked = run(&mut search, 7, cut, by_quality(&space));
        let state: Value = serde_json::from_str(&search.state().to_string()).unwrap();
        let mut again = Search::restore(space.clone(), options(json!({})), None, state).unwrap();
        asked.extend(run(&mut again, 7, usize::MAX, by_quality(&space)));
        assert_eq!(asked, whole, "cut after {cut}");
    }
    // A state that lies is refused.
    let mut search = begin(&space, options(json!({})));
    run(&mut search, 7, 140, by_quality(&space));
    let state = search.state();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut state = state.clone();
        change(&mut state);
        Search::restore(space.clone(), options(json!({})), None, state).err().unwrap().to_string()
    };
    assert!(refused(&|state| state["growth"] = Value::Null).contains("cells that grow"));
    assert!(refused(&|state| state["growth"]["cells"][0][0][0] = json!(99)).contains("the cell"));
    assert!(refused(&|state| state["growth"]["foretold"] = json!([0.5])).contains("1 predictions of 12 cells"));
    assert!(refused(&|state| state["growth"]["before"] = json!(3)).contains("results"));
    assert!(refused(&|state| state["growth"]["cells"] = json!([])).contains("0 cells"));
    let other = SearchOptions::from_json(r#"{"objective": {"low": 0, "high": 1e12}, "branches": "single"}"#).unwrap();
    assert!(Search::restore(space.clone(), other, None, state).err().unwrap().to_string().contains("or the other way round"));
}

#[test]
fn workers_may_fail_or_die() {
    let space = space(json!({ "nodes": 2, "operators": ["identity", "sep_conv_3x3"] }));
    let mut search = begin(&space, options(json!({})));
    let (given, _) = search.ask(10).unwrap();
    assert_eq!(given.len(), 10);
    assert_eq!(search.ask(10).unwrap(), (Vec::new(), Asked::Pending));
    // One that is forgotten is asked again, and nothing else is until all are told.
    search.forget(&given[4]).unwrap();
    assert_eq!(search.ask(10).unwrap(), (vec![given[4].clone()], Asked::Given));
    for (i, architecture) in given.iter().enumerate() {
        let outcome = if i % 2 == 0 { Outcome::failed() } else { Outcome::accuracy(good(&space, architecture)) };
        assert_eq!(search.tell(architecture, outcome).unwrap(), Effect::Counted);
    }
    // What failed has no children.
    for cell in search.ask(50).unwrap().0 {
        let parent = given.iter().position(|a| a.cells() == &cell.cells()[..2]).unwrap();
        assert_eq!(parent % 2, 1);
    }
    // Where all fail it ends.
    let mut none = begin(&space, options(json!({})));
    let asked = run(&mut none, 10, usize::MAX, |_| Outcome::failed());
    assert!(none.done() && asked.len() == 10 && none.front().is_empty());
    assert_eq!(none.rounds(), (1, 1));
}

/// Results of an earlier run, told before they are asked, are not asked for; they teach all the same.
#[test]
fn what_is_known_is_not_asked() {
    let space = space(json!({ "nodes": 3 }));
    let whole = run(&mut begin(&space, options(json!({}))), 7, usize::MAX, by_quality(&space));
    let mut search = begin(&space, options(json!({})));
    for architecture in &whole[..136] {
        let known = Outcome::accuracy(good(&space, architecture));
        assert_eq!(search.tell(architecture, known).unwrap(), Effect::Unasked);
        assert_eq!(search.tell(architecture, known).unwrap(), Effect::Repeated);
    }
    assert_eq!(run(&mut search, 7, usize::MAX, by_quality(&space)), whole[136..]);
}

#[test]
fn what_cannot_be_is_said() {
    let space = space(json!({ "nodes": 2 }));
    let start = |space: &Arc<Space>, options, drive| {
        Search::start(space.clone(), options, Start { drive, ..Start::default() }).err().unwrap()
    };
    let chain = Arc::new(Space::preset("nse-27-small", "{}").unwrap());
    for other in [chain, Arc::new(Space::preset("darts-shared", "{}").unwrap())] {
        let refused = start(&other, options(json!({})), Drive::Told);
        assert!(matches!(refused, Error::UnsupportedSpace { what: "a search that grows cells block by block", .. }), "{refused}");
    }
    let (_, pointer, reason) = support::config::<()>(Err(start(&space, options(json!({ "scorer": "angle" })), Drive::Told)));
    assert_eq!((pointer.as_str(), reason.as_str()), ("/scorer", "angle: where cells grow no operators are scored"));
    let (_, pointer, _) = support::config::<()>(Err(start(&space, options(json!({})), Drive::Pushed)));
    assert_eq!(pointer, "/strategy");
    let front = vec![(space.clone(), Architecture::preset("pnasnet-5-cifar", "{}").unwrap().1)];
    let five = self::space(json!({}));
    let front = front.into_iter().map(|(_, a)| (five.clone(), a)).collect();
    let begun = Search::start(five.clone(), options(json!({})), Start { drive: Drive::Told, front, ..Start::default() });
    assert!(begun.err().unwrap().to_string().contains("cells grow from nothing"));
    let wrong = |strategy: Value| {
        let text = json!({ "objective": { "low": 0, "high": 1 }, "strategy": strategy }).to_string();
        support::config(SearchOptions::from_json(&text)).1
    };
    assert_eq!(wrong(json!({ "grow": { "beam": 0 } })), "/strategy/grow/beam");
    assert_eq!(wrong(json!({ "grow": { "predictor": { "mlp": { "members": 0 } } } })), "/strategy/grow/predictor/mlp/members");
    assert!(wrong(json!({ "grow": { "predictor": "tree" } })).starts_with("/strategy"));
    // Fewer rounds are smaller cells; more there are not.
    assert_eq!(begin(&five, options(json!({ "rounds": 2 }))).rounds(), (0, 2));
    assert_eq!(begin(&five, options(json!({ "rounds": 50 }))).rounds(), (0, 5));
}
