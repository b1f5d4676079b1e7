//! Reports: every format, of searches that have found nothing, something and everything, and with names that want out.

use crate::synthetic::{options, run, small_space, window, Synthetic};
use crate::told;
use nse::arch::Architecture;
use nse::cost::{latency_keys, LatencyTable};
use nse::report::{draw_architecture, Format, Report, VERSION};
use nse::search::*;
use nse::space::Space;
use nse::Error;
use serde_json::{json, Value};
use std::sync::Arc;

fn begun(space: &Arc<Space>) -> (Search, Synthetic) {
    let rest = json!({ "active": 3, "rounds": 3, "train": { "epochs": 1.0 }, "candidates": { "count": 9, "extras": 2 }, "fitness": { "lr": 0.5 } });
    (Search::new(space.clone(), options(4, window(space, 0.1, 0.4), rest)).unwrap(), Synthetic::new(space, 4))
}

fn finished(space: &Arc<Space>) -> Search {
    let (mut search, mut trainer) = begun(space);
    assert!(run(&mut search, &mut trainer, &Silent).is_empty());
    search
}

fn text(search: &Search, format: Format) -> String {
    String::from_utf8(Report::of(search).write(format).unwrap()).unwrap()
}

/// Tags are closed in order, and nothing but known elements is there: what a parser of XML would say.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag that ends");
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()), "{tag}");
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop().as_deref(), Some(name)),
            (false, false) => open.push(name.to_owned()),
            _ => {}
        }
    }
    assert_eq!(open, Vec::<String>::new());
    assert!(svg.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn a_finished_search_shows_everything_it_found() {
    let space = small_space();
    let search = finished(&space);
    let page = text(&search, Format::Html);
    for scored in search.front() {
        assert!(page.contains(&scored.architecture.code(&space)));
    }
    for section in ["Front", "Fitness", "How the space moved", "Rounds", "Settings"] {
        assert!(page.contains(&format!("<h2>{section}</h2>")), "{section}");
    }
    assert!(page.contains("Complete: 3 rounds.") && page.contains("round 3</figcaption>"));
    // Two pictures, for wide and narrow windows, with every member to point at, and a diagram of each.
    let members = search.front().len();
    assert_eq!(page.matches("class=\"spot\"").count(), 2 * members);
    assert_eq!(page.matches("<svg class=\"nse-arch\"").count(), members);
    for outside in ["http://", "https://", "src=", "url(", "@import"] {
        let allowed = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!allowed.contains(outside), "{outside}: the page needs nothing else");
    }
    let svg = text(&search, Format::Svg);
    assert_well_formed(&svg);
    assert!(svg.contains("budget") && svg.contains("front of round 1") && svg.contains("prefers-color-scheme: dark"));
}

/// A long search opens with the first and the last round; the page does not grow without end.
#[test]
fn many_rounds_are_folded_away() {
    let space = small_space();
    let page = |rounds: u64| {
        let rest = json!({ "active": 3, "rounds": rounds, "train": { "epochs": 0.5 }, "candidates": { "count": 5, "too_few": "accept" } });
        let mut search = Search::new(space.clone(), options(4, window(&space, 0.1, 0.4), rest)).unwrap();
        assert!(run(&mut search, &mut Synthetic::new(&space, 4), &Silent).is_empty());
        text(&search, Format::Html)
    };
    let order = |page: &str| -> Vec<String> {
        page.split("<figcaption>round ").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    };
    let few = page(4);
    assert_eq!(order(&few), ["1", "2", "3", "4"]);
    assert!(!few.contains("rounds between"));
    let many = page(30);
    let (open, folded) = many.split_once("<summary>The 22 rounds between</summary>").unwrap();
    assert_eq!(order(open), ["1", "30"]);
    assert_eq!(order(folded), (8..30).map(|round| round.to_string()).collect::<Vec<_>>());
    assert!(many.contains("The first round and the last 23 of 30."));
}

#[test]
fn json_has_what_the_page_shows() {
    let space = small_space();
    let search = finished(&space);
    let report: Value = serde_json::from_str(&text(&search, Format::Json)).unwrap();
    assert_eq!(
        (&report["report"], &report["completed"], &report["total"], &report["done"]),
        (&json!(VERSION), &json!(3), &json!(3), &json!(true))
    );
    assert_eq!(report["rounds"].as_array().unwrap().len(), 3);
    assert_eq!(report["options"], json!(search.options()));
    assert_eq!(report["space"]["cells"].as_array().unwrap().len(), space.cells().len());
    assert_eq!(report["versions"]["nse"], env!("CARGO_PKG_VERSION"));
    let front = report["front"].as_array().unwrap();
    assert_eq!(front.len(), search.front().len());
    for (member, scored) in front.iter().zip(search.front()) {
        let again = Architecture::from_code(&space, member["code"].as_str().unwrap()).unwrap();
        assert_eq!((&again, member["accuracy"].as_f64()), (&scored.architecture, Some(scored.accuracy)));
    }
    let best = front.iter().map(|m| m["accuracy"].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!(report["best"]["accuracy"].as_f64(), Some(best));
}

#[test]
fn png_is_a_picture_with_something_on_it() {
    let search = finished(&small_space());
    let file = Report::of(&search).write(Format::Png).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height, info.color_type), (1920, 1200, png::ColorType::Rgb));
    // The front's blue, the budget's red, ink of the letters.
    for colour in [[0, 114, 178], [213, 94, 0], [34, 34, 34]] {
        assert!(pixels.chunks(3).filter(|p| *p == colour).count() > 50, "{colour:?}");
    }
}

#[test]
fn nothing_found_yet_is_said() {
    let space = small_space();
    let (search, _) = begun(&space);
    let page = text(&search, Format::Html);
    assert!(page.contains("No round is complete yet, of 3.") && page.contains("no round is complete yet"));
    assert!(!page.contains("<h2>Fitness</h2>") && !page.contains("class=\"spot\""));
    assert_well_formed(&text(&search, Format::Svg));
    assert!(Report::of(&search).write(Format::Png).unwrap().starts_with(b"\x89PNG"));
    let report: Value = serde_json::from_str(&text(&search, Format::Json)).unwrap();
    assert_eq!((&report["best"], &report["rounds"], &report["front"]), (&Value::Null, &json!([]), &json!([])));
}

#[test]
fn the_front_that_a_search_begins_with_has_no_accuracy_yet() {
    let space = small_space();
    let front = vec![(space.clone(), Architecture::new(&space, vec![vec![1], vec![0], vec![]]).unwrap())];
    let rest = json!({ "active": 3, "rounds": 2 });
    let search =
        Search::start(space.clone(), options(4, window(&space, 0.0, 1.0), rest), Start { front, ..Start::default() }).unwrap();
    assert_eq!(search.front().len(), 1);
    let report: Value = serde_json::from_str(&text(&search, Format::Json)).unwrap();
    assert_eq!((&report["front"], &report["best"]), (&json!([]), &Value::Null));
    assert!(!text(&search, Format::Html).contains("0.00%"));
}

#[test]
fn results_that_are_told_are_there_at_once() {
    let space = small_space();
    let mut search = told::middle(&space, 3, 5);
    let architecture = told::one(&mut search);
    search.tell(&architecture, Outcome::accuracy(0.625)).unwrap();
    let page = text(&search, Format::Html);
    assert!(page.contains("Round 1 of 3: 1 results so far.") && page.contains("62.50%"));
    assert!(text(&search, Format::Svg).contains("accuracy as told"));
    let world = Synthetic::new(&space, 3);
    let mut whole = told::middle(&space, 3, 5);
    told::finish(&mut whole, &world, 2);
    assert!(text(&whole, Format::Html).contains("Complete: 3 rounds."));
}

#[test]
fn an_ensemble_is_shown_path_by_path() {
    let space = small_space();
    let rest = json!({
        "branches": "single", "train": { "epochs": 0.3 }, "candidates": { "count": 8 }, "scorer": { "diversity": { "samples": 2 } },
        "strategy": { "neas": { "split": [1, 1], "shrink": { "until": 60 }, "evolution": { "population": 4, "parents": 2 } } }
    });
    let mut search = Search::new(space.clone(), options(4, window(&space, 0.0, 1.0), rest)).unwrap();
    run(&mut search, &mut Synthetic::new(&space, 4), &Silent);
    let page = text(&search, Format::Html);
    assert!(page.contains("\npath 1:\ncell") && page.contains("\npath 2:\ncell"), "the hint of a member");
    let report: Value = serde_json::from_str(&text(&search, Format::Json)).unwrap();
    let member = &report["front"][0];
    assert_eq!((member["cells"].as_array().unwrap().len(), member["paths"].as_array().unwrap().len()), (1, 2));
    let diagram = draw_architecture(&space, &search.front()[0].architecture);
    assert_well_formed(&diagram);
    for part in [">path 1<", ">path 2<", ">from cell 0<", ">shared by all paths<", ">of 2 outputs<"] {
        assert!(diagram.contains(part), "{part} is not in {diagram}");
    }
    assert_eq!(diagram.matches(">tail<").count(), 2);
    assert!(!draw_architecture(&space, &search.front()[0].architecture.member(0)).contains(">path"));
}

#[test]
fn names_stay_names() {
    let mut document: Value = serde_json::from_str(&small_space().to_json()).unwrap();
    let hostile = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{7}\u{202e}";
    document["name"] = hostile.into();
    let space = Arc::new(Space::from_json(&document.to_string()).unwrap());
    let mut table = LatencyTable::new("<b>\"&'</b>").unwrap();
    latency_keys(&space).into_iter().for_each(|key| table.set(key, 1.0).unwrap());
    let wanted = json!({
        "seed": 1, "active": 3, "rounds": 1, "train": { "epochs": 0.3 }, "candidates": { "count": 3, "too_few": "accept" },
        "objective": { "cost": "latency", "low": 1, "high": 100 },
        "checkpoint": { "path": "</pre><script>alert(3)</script>\u{202e}" }
    });
    let wanted = SearchOptions::from_json(&wanted.to_string()).unwrap();
    let mut search = Search::start(space.clone(), wanted, Start { latency: Some(Arc::new(table)), ..Start::default() }).unwrap();
    run(&mut search, &mut Synthetic::new(&space, 1), &Silent);
    let page = text(&search, Format::Html);
    assert_eq!(page.matches("<script").count(), 1, "only our own");
    assert!(!page.contains("<img") && !page.contains("<b>\"") && !page.contains('\u{202e}') && !page.contains('\u{7}'));
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let svg = text(&search, Format::Svg);
    assert_well_formed(&svg);
    assert!(svg.contains("&lt;b&gt;"));
    let diagram = draw_architecture(&space, &search.front()[0].architecture);
    assert_well_formed(&diagram);
    assert!(!diagram.contains("<script"));
}

#[test]
fn only_the_script_of_the_page_may_run() {
    let page = text(&finished(&small_space()), Format::Html);
    let (_, script) = page.split_once("<script>").unwrap();
    let (script, _) = script.split_once("</script>").unwrap();
    let hash = {
        use sha2::Digest;
        data_encoding::BASE64.encode(&sha2::Sha256::digest(script.as_bytes()))
    };
    let policy = format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'");
    assert!(page.contains(&policy) || page.contains(&policy.replace('\'', "&#39;")), "SCRIPT_HASH is {hash}");
}

#[test]
fn a_diagram_shows_every_branch() {
    let space = small_space();
    let architecture = Architecture::new(&space, vec![vec![1, 2, 4], vec![0], vec![]]).unwrap();
    let svg = draw_architecture(&space, &architecture);
    assert_well_formed(&svg);
    for name in ["mbconv_k3_t1", "mbconv_k3_t2", "conv_k3_t1", "mbconv_k1_t1"] {
        assert_eq!(svg.matches(&format!(">{name}</text>")).count(), 1, "{name}");
    }
    assert_eq!(svg.matches(">skipped</text>").count(), 1);
    assert!(svg.contains("cell 1 reduce") && svg.contains("3 x 1 x 1") && svg.contains("2 classes"));
}

#[test]
fn an_unknown_format_is_named() {
    match Format::named("gif") {
        Err(Error::Argument { name: "format", reason }) => assert!(reason.contains("\"gif\"") && reason.contains("\"png\"")),
        other => panic!("{other:?}"),
    }
}
