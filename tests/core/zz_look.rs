use crate::synthetic::*;
use nse::report::*;
use nse::search::*;
use nse::space::Space;
use std::sync::Arc;
use serde_json::json;
#[test]
fn zz_look() {
    let space = Arc::new(Space::preset("nse-27-small", "{\"repeats\": [1, 5, 5], \"channels\": [12,24,48], \"divisor\": 1, \"tail\": 64}").unwrap());
    let mut o = SearchOptions::from_json(&json!({"seed":1,"rounds":4,"active":4,"objective":{"low":310000,"high":350000,"alpha":0.02},"train":{"epochs":4},"fitness":{"lr":0.02},"candidates":{"count":120,"extras":8}}).to_string()).unwrap();
    o.seed = 3;
    let mut t = Synthetic::new(&space, 4);
    let mut s = Search::new(space.clone(), o).unwrap();
    let d = std::path::Path::new("/tmp/look"); std::fs::create_dir_all(d).unwrap();
    let put = |s: &Search, n: &str| for (e, f) in Format::ALL { std::fs::write(d.join(format!("{n}.{e}")), Report::of(s).write(f).unwrap()).unwrap(); };
    put(&s, "empty");
    s.step(&mut t, &Silent).unwrap();
    put(&s, "one");
    run(&mut s, &mut t, &Silent);
    put(&s, "all");
    std::fs::write(d.join("arch.svg"), draw_architecture(&space, &s.front().last().unwrap().architecture)).unwrap();
}
